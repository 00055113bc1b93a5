"""What a server says of itself: root DSE and schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ldap
from ldap.controls import RequestControl
from ldap.schema import AttributeType as LdapAttribute
from ldap.schema import DITContentRule, ObjectClass, SubSchema

from isthmus.connectors.ldap import syntaxes
from isthmus.connectors.ldap.dn import Names
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.filters import EVERYTHING
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.servers import AD_DS, Product, recognise
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.spi import MisconfiguredConnector

PAGED = "1.2.840.113556.1.4.319"
TREE_DELETE = "1.2.840.113556.1.4.805"
DOMAIN_SCOPE = "1.2.840.113556.1.4.1339"
SHOW_DELETED = "1.2.840.113556.1.4.417"
PERMISSIVE = "1.2.840.113556.1.4.1413"
POST_READ = "1.3.6.1.1.13.2"
ASSERTION = "1.3.6.1.1.12"
SYNC = "1.3.6.1.4.1.4203.1.9.1.1"
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105  an OID

_ASKED = (
    "*", "+", "namingContexts", "supportedControl", "supportedExtension", "supportedFeatures", "supportedCapabilities",
    "subschemaSubentry", "vendorName", "vendorVersion", "objectClass", "changelog", "firstChangeNumber",
    "lastChangeNumber", "highestCommittedUSN", "configContext", "dsServiceName", "supportedSASLMechanisms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttributeFacts:
    """One attribute type of the schema. `exact` None: no search by it is possible."""

    name: str
    syntax: str
    exact: bool | None
    single: bool
    readonly: bool
    operational: bool
    aliases: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class Directory:
    """A server as it described itself at one moment."""

    root: Mapping[str, Sequence[str]]
    product: Product
    schema: SubSchema = field(repr=False)

    def supports(self, oid: str) -> bool:
        """Whether the server names this control, extension or feature."""
        names = ("supportedcontrol", "supportedextension", "supportedfeatures")
        return any(oid in self.root.get(name, ()) for name in names)

    def said(self, name: str) -> str | None:
        values = self.root.get(name.casefold(), ())
        return values[0] if values else None

    @cached_property
    def within(self) -> tuple[RequestControl, ...]:
        """The controls of every search below a base.

        AD and its relatives refer every such search to the naming contexts below (at the least to the configuration)
        unless they are told to stay in their own. Elsewhere a reference is a part of the tree that we would miss.
        """
        if self.product.ad and self.supports(DOMAIN_SCOPE):
            return (RequestControl(DOMAIN_SCOPE, False),)
        return ()

    @property
    def contexts(self) -> tuple[str, ...]:
        """The naming contexts that hold entries of people: not the configuration, schema or change log."""
        return tuple(c for c in self.root.get("namingcontexts", ()) if c and not _OF_THE_SERVER.search(c))

    @cached_property
    def _attributes(self) -> dict[str, AttributeFacts]:
        found: dict[str, AttributeFacts] = {}
        ruled = any(self._one(LdapAttribute, oid).equality for oid in self.schema.listall(LdapAttribute))
        for oid in self.schema.listall(LdapAttribute):
            facts = self._facts(self._one(LdapAttribute, oid), ruled=ruled)
            for name in (facts.name, *facts.aliases, oid):
                found[name.casefold()] = facts
        return found

    def _one(self, kind: type, oid: str) -> Any:
        return self.schema.get_obj(kind, oid)

    def _facts(self, declared: Any, *, ruled: bool) -> AttributeFacts:
        syntax, rule, each, seen = "", "", declared, set[str]()
        while each is not None and each.oid not in seen:
            seen.add(each.oid)
            syntax = syntax or each.syntax or ""
            rule = rule or each.equality or ""
            each = self._one(LdapAttribute, each.sup[0]) if each.sup else None
        if not ruled and syntax not in syntaxes.BINARY_TRANSFER:
            rule = rule or ("octetStringMatch" if syntaxes.CODECS.get(syntax) is syntaxes.BINARY else "caseIgnoreMatch")
        names = declared.names or (declared.oid,)
        return AttributeFacts(
            name=names[0],
            syntax=syntax,
            exact=syntaxes.case_exact(rule) if rule else None,
            single=bool(declared.single_value),
            readonly=bool(declared.no_user_mod),
            operational=declared.usage != 0,
            aliases=tuple(names[1:]),
            description=declared.desc or "",
        )

    def attribute(self, name: str) -> AttributeFacts | None:
        """Return an attribute by any of its names, options apart."""
        return self._attributes.get(name.partition(";")[0].casefold())

    def all_attributes(self) -> list[AttributeFacts]:
        return list({facts.name: facts for facts in self._attributes.values()}.values())

    def object_class(self, name: str) -> Any | None:
        """Return an object class of the schema."""
        folded = name.casefold()
        return self._classes.get(folded)

    @cached_property
    def _classes(self) -> dict[str, Any]:
        found = {}
        for oid in self.schema.listall(ObjectClass):
            declared = self._one(ObjectClass, oid)
            for name in (*declared.names, oid):
                found[name.casefold()] = declared
        return found

    def attributes_of(self, classes: Iterable[str]) -> tuple[dict[str, bool], list[str]]:
        """Return whether each attribute of these classes is required, by name, and the classes that are not there."""
        required: dict[str, bool] = {}
        missing, pending, seen = [], list(classes), set[str]()
        while pending:
            name = pending.pop(0)
            declared = self.object_class(name)
            if declared is None:
                missing.append(name)
                continue
            if declared.oid in seen:
                continue
            seen.add(declared.oid)
            pending += declared.sup
            # What its entries have beyond the class (RFC 4512 4.1.6): sAMAccountName, for AD and its relatives.
            rule = self.schema.get_obj(DITContentRule, declared.oid)
            ruled = ((rule.must, True), (rule.may, False)) if rule is not None else ()
            for names, must in ((declared.must, True), (declared.may, False), *ruled):
                for each in names:
                    facts = self.attribute(each)
                    if facts is not None:
                        required[facts.name] = required.get(facts.name, False) or must
        return required, missing

    @cached_property
    def names(self) -> Names:
        """Spells DNs by the case rules of this schema."""
        exact = [n for facts in self.all_attributes() if facts.exact for n in (facts.name, *facts.aliases)]
        return Names(exact)


_OF_THE_SERVER = re.compile(
    r"^cn=(config|schema|monitor|changelog|accesslog)\b|^cn=\{|o=netscaperoot|^cn=configuration|^cn=schema,",
    re.IGNORECASE,
)


def read_root(link: Link, seconds: float) -> dict[str, tuple[str, ...]]:
    """Return the root DSE."""
    found = link.search("", ldap.SCOPE_BASE, EVERYTHING, _ASKED, seconds=seconds).entries
    if not found:
        raise Failure(Kind.DENIED, "", "the root DSE cannot be read")
    return {name: tuple(v.decode("utf-8", "replace") for v in values) for name, values in found[0].values.items()}


def read_directory(link: Link, settings: LdapSettings, seconds: Callable[[], float]) -> Directory:
    """Return what the server says now.

    Raises:
        MisconfiguredConnector: it is Active Directory Domain Services, and nobody said that this is understood.
    """
    root = read_root(link, seconds())
    product = recognise(root)
    if product is AD_DS and not settings.allow_active_directory:
        raise MisconfiguredConnector(
            "this is Active Directory Domain Services. Identity providers usually synchronise with it by themselves; "
            "people provisioned here as well would go round in a loop. If nothing else synchronises this domain, set "
            "allow_active_directory"
        )
    where = (root.get("subschemasubentry") or ("cn=subschema",))[0]
    asked = ("attributeTypes", "objectClasses", "ldapSyntaxes", "matchingRules", "dITContentRules")
    found = link.search(where, ldap.SCOPE_BASE, "(objectClass=subschema)", asked, seconds=seconds()).entries
    if not found or "objectclasses" not in found[0].values:
        raise MisconfiguredConnector(f"the schema at {where} cannot be read; grant the connector's account read access")
    values = {name: tuple(v.decode("utf-8", "replace") for v in given) for name, given in found[0].values.items()}
    spelled = {asked_name: values.get(asked_name.lower(), ()) for asked_name in asked}
    return Directory(root, product, SubSchema(spelled, check_uniqueness=0))
