"""Object types from classes: what the directory's schema says, joined with what the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ldap.schema import DITContentRule

from isthmus.connectors.ldap import filters, flags, syntaxes
from isthmus.connectors.ldap.directory import AttributeFacts, Directory
from isthmus.connectors.ldap.dn import BadName, outermost
from isthmus.connectors.ldap.layout import DN, Column, Layout
from isthmus.connectors.ldap.settings import LdapObjectType, LdapSettings
from isthmus.connectors.ldap.templates import Template, respelled, template
from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    MisconfiguredConnector,
    ObjectType,
    Operation,
)

SINGLE_IN_PRACTICE = frozenset(
    name.casefold()
    for name in (
        "uid", "cn", "sn", "givenName", "initials", "title", "description", "mail", "mobile", "telephoneNumber",
        "homePhone", "pager", "facsimileTelephoneNumber", "o", "ou", "l", "st", "c", "street", "postalCode",
        "postalAddress", "postOfficeBox", "physicalDeliveryOfficeName", "roomNumber", "employeeType",
        "departmentNumber", "businessCategory", "manager", "secretary", "owner", "jpegPhoto", "homePostalAddress",
        "preferredDeliveryMethod", "registeredAddress", "destinationIndicator", "labeledURI", "carLicense", "gecos",
        "generationQualifier", "personalTitle", "userPassword", "dc", "host", "serialNumber",
    )
)  # fmt: skip
"""Multi-valued in the standard schema, one value in practice; `multivalued_attributes` says otherwise."""

SECRETS = frozenset(
    name.casefold()
    for name in (
        "userPassword", "unicodePwd", "authPassword", "sambaNTPassword", "sambaLMPassword", "krbPrincipalKey",
        "sambaPasswordHistory", "pwdHistory", "passwordHistory", "userPKCS12", "krbExtraData", "nsslapd-rootpw",
        "dBCSPwd", "ntPwdHistory", "lmPwdHistory", "supplementalCredentials", "unixUserPassword",
    )
)  # fmt: skip

OPERATIONAL = (
    "memberOf", "isMemberOf", "nsAccountLock", "pwdAccountLockedTime", "ds-pwp-account-disabled",
    "ibm-pwdAccountLocked",
)  # fmt: skip
"""Operational attributes that are offered where the schema has them: groups, and what disables people."""

_AS_TEXT = {"pwdaccountlockedtime"}  # 000001010000Z, "for ever", is no moment
_READ_ONLY = {"memberof", "ismemberof"}
_TOLD_BY_AD = {
    "objectclass", "objectguid", "objectsid", "memberof", "directreports", "managedobjects", "whencreated",
    "whenchanged", "distinguishedname", "usnchanged",
}  # fmt: skip
_GUIDS = {"objectguid", "guid"}
MEMBERS = ("member", "uniqueMember")


def read_layouts(directory: Directory, settings: LdapSettings, declared: Sequence[LdapObjectType]) -> dict[str, Layout]:
    """Return every object type's layout, by name.

    Raises:
        MisconfiguredConnector: a class, attribute, base or filter of the settings is not there or wrong.
    """
    doubled = {one.name for one in declared if sum(other.name == one.name for other in declared) > 1}
    if doubled:
        raise MisconfiguredConnector(f"several object types are named {', '.join(sorted(doubled))}")
    names = {one.name for one in declared}
    return {one.name: _layout(_named(one, directory), directory, settings, names) for one in declared}


def _named(one: LdapObjectType, directory: Directory) -> LdapObjectType:
    """Return the settings of a type with attributes by the names under which they are offered."""

    def spelled(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(_spelled(name, directory.attribute(name)) for name in names)

    return replace(
        one,
        multivalued_attributes=spelled(one.multivalued_attributes),
        single_attributes=spelled(one.single_attributes),
        secret_attributes=spelled(one.secret_attributes),
        excluded_attributes=spelled(one.excluded_attributes),
        dn_template=respelled(one.dn_template, lambda name: spelled((name,))[0]),
    )


def _layout(one: LdapObjectType, directory: Directory, settings: LdapSettings, types: set[str]) -> Layout:
    structural = one.structural_class or one.name
    classes = (structural, *one.auxiliary_classes)
    required, missing = directory.attributes_of(classes)
    if missing:
        raise MisconfiguredConnector(
            f"object type {one.name}: the directory's schema has no object class {', '.join(missing)}"
        )
    if one.filter and (wrong := filters.problem(one.filter)):
        raise MisconfiguredConnector(f"object type {one.name}: the filter {one.filter} is wrong: {wrong}")
    made = template(one.dn_template, what=f"object type {one.name}: dn_template") if one.dn_template else None
    chosen = _chosen(one, directory, settings, required)
    anchor = _anchor(one, directory)
    columns: dict[str, Column] = {DN: _dn_column(anchor)}
    for name in sorted(chosen, key=str.casefold):
        columns[name] = _column(chosen[name], name, one, directory, settings, required.get(name, False))
    if anchor != DN:
        columns[anchor] = _anchor_column(columns.get(anchor), anchor, one, directory, settings)
    unwanted = flags.DISABLED.casefold() in map(str.casefold, one.excluded_attributes)
    if directory.product.ad and flags.offered(columns) and not unwanted:
        columns[flags.DISABLED] = flags.disabled(columns[flags.CONTROL])
    member_uid = _member_uid(one, types, columns, directory)
    placeholders = {}
    for name in MEMBERS:
        if name in columns and columns[name].definition.required:
            placeholders[name] = _key(directory, _nobody(settings), one)
            columns[name] = _with(columns[name], required=False)
    _check_names(one, columns, made)
    for name in made.supplied() if made is not None else ():  # CN={sAMAccountName} gives a value to cn as well
        column = next((c for c in columns.values() if name in (c.name.casefold(), *c.aliases)), None)
        if column is not None and made is not None and column.name not in made.attributes:
            columns[column.name] = _with(column, required=False)
    if made is not None and (own := made.sole_name()) is not None and own in columns:
        columns[own] = _with(columns[own], unique=True)  # two entries of one value would have one DN
    bases = [_key(directory, base, one) for base in _bases(one, directory, settings)]
    return Layout(
        object_type=ObjectType(
            name=one.name,
            anchor=(anchor,),
            attributes=tuple(column.definition for column in columns.values()),
            operations=_operations(settings, columns, directory),
            dn=DN,
        ),
        columns=columns,
        classes=classes,
        bases=tuple(_outermost(one, bases)),
        included=tuple(sorted(set(bases))),
        excluded=tuple(_key(directory, base, one) for base in one.excluded_bases),
        onelevel=one.scope == "onelevel",
        filter=filters.both(filters.equal("objectClass", structural.encode()), one.filter),
        filtered=bool(one.filter),
        template=made,
        names=directory.names,
        placeholders=placeholders,
        member_uid=member_uid,
    )


def _nobody(settings: LdapSettings) -> str:
    account = settings.user if settings.bind == "simple" else ""  # for Kerberos it is a principal, and no DN
    return settings.placeholder_member or account or "cn=nobody"


def _bases(one: LdapObjectType, directory: Directory, settings: LdapSettings) -> tuple[str, ...]:
    found = one.bases or settings.bases or directory.contexts
    if not found:
        raise MisconfiguredConnector(
            f"object type {one.name}: the server names no naming context; name base DNs in 'bases'"
        )
    return found


def _outermost(one: LdapObjectType, bases: list[str]) -> list[str]:
    return sorted(set(bases)) if one.scope == "onelevel" else outermost(bases)


def _key(directory: Directory, dn: str, one: LdapObjectType) -> str:
    try:
        return directory.names.key(dn)
    except BadName as exc:
        raise MisconfiguredConnector(f"object type {one.name}: {exc}") from exc


def _operations(settings: LdapSettings, columns: Mapping[str, Column], directory: Directory) -> frozenset[Operation]:
    found = {
        Operation.IMPORT, Operation.LOOKUP, Operation.CREATE, Operation.UPDATE, Operation.RENAME, Operation.DELETE,
    }  # fmt: skip
    if (settings.password_attribute or directory.product.password_attribute) in columns:
        found.add(Operation.PASSWORD)
    return frozenset(found)


def _chosen(
    one: LdapObjectType, directory: Directory, settings: LdapSettings, required: Mapping[str, bool]
) -> dict[str, AttributeFacts]:
    """Return the attributes by the name under which they are offered."""
    if one.attributes:
        offered = [*one.attributes]
    else:
        offered = [name for name in required if not directory.product.ad or _told(directory, name)]
        offered += [name for name in OPERATIONAL if directory.attribute(name) is not None]
        offered += settings.attribute_options
        for facts in directory.all_attributes():
            if (settings.operational_attributes and facts.operational) or settings.extensible_attributes:
                offered.append(facts.name)
        if directory.attribute(directory.product.password_attribute) is not None and _has_password(directory, required):
            offered.append(directory.product.password_attribute)
    excluded = {name.casefold() for name in one.excluded_attributes}
    found: dict[str, AttributeFacts] = {}
    for name in offered:
        known = directory.attribute(name)
        if known is None and name == flags.DISABLED and directory.product.ad:
            continue  # offered with the number of which it is a bit
        if known is None:
            raise MisconfiguredConnector(f"object type {one.name}: the directory's schema has no attribute {name}")
        spelled = _spelled(name, known)
        if spelled.casefold() not in excluded:
            found[spelled] = known
    return found


def _spelled(name: str, known: AttributeFacts | None) -> str:
    """Return an attribute's name as the schema spells it first, with the options that it was given."""
    return name if known is None else known.name + name[len(name.partition(";")[0]) :]


def _told(directory: Directory, name: str) -> bool:
    """Tell whether an attribute is for people: in AD "top" alone has 80 that the server computes or replicates by."""
    facts = directory.attribute(name)
    return facts is not None and (not facts.readonly or name.casefold() in _TOLD_BY_AD)


def _has_password(directory: Directory, required: Mapping[str, bool]) -> bool:
    name = directory.product.password_attribute
    # AD and its relatives tell of it in the content rules of their schema, if they tell those.
    return name in required or (name.casefold() == "unicodepwd" and not directory.schema.listall(DITContentRule))


def _anchor(one: LdapObjectType, directory: Directory) -> str:
    if one.anchor:
        if one.anchor.casefold() == DN:
            return DN
        known = directory.attribute(one.anchor)
        if known is None:
            raise MisconfiguredConnector(f"object type {one.name}: the schema has no attribute {one.anchor} (anchor)")
        return known.name
    for name in directory.product.anchors:
        known = directory.attribute(name)
        if known is not None:
            return known.name
    return DN


def _dn_column(anchor: str) -> Column:
    definition = AttributeDefinition(
        name=DN,
        readonly=True,
        generated=anchor == DN,
        unique=True,
        case_exact=False,
        native_type="distinguished name",
        description="Where the entry is; given on creation as -dn-, or made from dn_template.",
    )
    return Column(definition, DN, syntaxes.TEXT, searchable=True)


def _column(
    facts: AttributeFacts,
    name: str,
    one: LdapObjectType,
    directory: Directory,
    settings: LdapSettings,
    required: bool,
) -> Column:
    folded = name.casefold()
    codec = syntaxes.CODECS.get(facts.syntax, syntaxes.TEXT)
    if facts.syntax in syntaxes.DN_SYNTAXES:
        codec = syntaxes.reference(directory.names.key, None)
    if codec is syntaxes.TIME and directory.product.ad:
        codec = syntaxes.DECIMAL_TIME
    if folded in _AS_TEXT:
        codec = syntaxes.TEXT
    if folded in _GUIDS and codec is syntaxes.BINARY:
        codec = syntaxes.GUID
    several = {n.casefold() for n in one.multivalued_attributes}
    single = SINGLE_IN_PRACTICE | {n.casefold() for n in one.single_attributes}
    readonly = facts.readonly or folded in _READ_ONLY
    definition = AttributeDefinition(
        name=name,
        type=codec.type,
        multivalued=not facts.single and (folded in several or folded not in single),
        required=required and not readonly and folded != "objectclass" and name not in directory.product.supplies,
        readonly=readonly,
        unique=name in directory.product.unique,
        case_exact=bool(facts.exact),
        secret=_secret(folded, one, settings),
        native_type=facts.syntax,
        description=facts.description,
    )
    wire = name
    if facts.syntax in syntaxes.BINARY_TRANSFER and ";" not in name:
        wire = f"{name};binary"
    option = name[len(facts.name) :]
    aliases = tuple(f"{alias}{option}".lower() for alias in (*facts.aliases, facts.name))
    return Column(definition, wire, codec, facts.exact is not None, aliases)


def _secret(folded: str, one: LdapObjectType, settings: LdapSettings) -> bool:
    named = {name.casefold() for name in one.secret_attributes} | {settings.password_attribute.casefold()}
    return folded in named or folded.partition(";")[0] in SECRETS


def _anchor_column(
    column: Column | None, name: str, one: LdapObjectType, directory: Directory, settings: LdapSettings
) -> Column:
    if column is None:
        facts = directory.attribute(name)
        assert facts is not None, "looked up before"
        column = _column(facts, name, one, directory, settings, required=False)
    definition = column.definition
    if definition.secret or definition.type in {AttributeType.BINARY, AttributeType.REFERENCE}:
        raise MisconfiguredConnector(f"object type {one.name}: {name} cannot be the anchor; choose text or a number")
    if name in directory.product.anchors:
        column = replace(column, searchable=True)  # 389 DS indexes nsUniqueId and declares no equality rule for it
    if not column.searchable:
        raise MisconfiguredConnector(f"object type {one.name}: the directory cannot search by {name} (anchor)")
    return _with(
        column, multivalued=False, unique=True, generated=definition.readonly, required=not definition.readonly
    )


def _member_uid(
    one: LdapObjectType, types: Iterable[str], columns: dict[str, Column], directory: Directory
) -> str | None:
    if not one.member_uid_type:
        return None
    if one.member_uid_type not in types:
        raise MisconfiguredConnector(
            f"object type {one.name}: member_uid_type names {one.member_uid_type}, which is not an object type"
        )
    if "memberUid" not in columns:
        raise MisconfiguredConnector(f"object type {one.name}: its classes have no attribute memberUid")
    column = columns["memberUid"]
    definition = replace(
        column.definition, type=AttributeType.REFERENCE, reference_to=one.member_uid_type, case_exact=False
    )
    columns["memberUid"] = replace(
        column, definition=definition, codec=syntaxes.reference(directory.names.key, one.member_uid_type)
    )
    return one.member_uid_type


def _with(column: Column, **changes: object) -> Column:
    return replace(column, definition=replace(column.definition, **changes))  # type: ignore[arg-type]


def _check_names(one: LdapObjectType, columns: Mapping[str, Column], made: Template | None) -> None:
    known = {name.casefold() for name in columns}
    named = {
        "multivalued_attributes": one.multivalued_attributes,
        "single_attributes": one.single_attributes,
        "secret_attributes": one.secret_attributes,
    }
    for setting, names in named.items():
        for name in names:
            if name.casefold() not in known:
                raise MisconfiguredConnector(f"object type {one.name}: {setting} names {name}, which its classes lack")
    for name in made.attributes if made is not None else ():
        if name not in columns:
            raise MisconfiguredConnector(f"object type {one.name}: dn_template names {name}, which its classes lack")
