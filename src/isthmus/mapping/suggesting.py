"""Suggest how to publish an object type, from the names of its attributes; a person looks it over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from isthmus.mapping.definition import Flow, ResourceTypeDefinition
from isthmus.mapping.suggesting_lists import suggest_lists
from isthmus.mapping.wording import words
from isthmus.spi import AttributeDefinition, AttributeType, ObjectType

_SECRET = frozenset(
    {
        "password", "passwd", "pwd", "pass", "passwort", "kennwort", "hash", "salt", "secret", "token", "apikey",
        "privatekey", "pin", "ssn", "otp", "totp", "mfa", "credential", "sessionid", "sessionkey", "cookie", "iban",
        "creditcard", "pw", "passphrase", "passcode", "recoverycode", "backupcode", "securityanswer", "activationkey",
        "activationcode", "resetkey", "resetcode", "verificationcode", "confirmationcode", "accesskey", "authkey",
        "encryptionkey", "signingkey", "principalkey", "pkcs12",
    }
)  # fmt: skip
# Some servers fold names to one case, which leaves no words apart: passwordhash, mfasecret
_SECRET_BEGINS = ("password", "passwd", "passwort", "kennwort", "pwd", "token", "secretkey", "secretanswer")
_SECRET_ENDS = (
    "password", "passwd", "passwort", "kennwort", "pwd", "userpass", "passphrase", "secret", "token", "hash", "salt",
    "apikey", "privatekey", "credential", "recoverycode",
)  # fmt: skip

# SCIM path -> names seen in real tables and directories, best first, as words run together in lower case
_NAMES: dict[str, tuple[str, ...]] = {
    "userName": (
        "username", "login", "loginname", "userid", "samaccountname", "uid", "userprincipalname", "upn", "account",
        "accountname", "benutzername", "benutzer", "kennung", "anmeldename", "logon", "logonname", "loginid",
    ),
    "name.givenName": ("givenname", "firstname", "forename", "fname", "vorname", "first", "given"),
    "name.familyName": (
        "familyname", "lastname", "surname", "sn", "lname", "nachname", "familienname", "last", "family",
    ),
    "name.middleName": ("middlename", "secondname"),
    "name.formatted": ("fullname", "formattedname"),
    "displayName": ("displayname", "cn", "commonname", "anzeigename", "name"),
    "nickName": ("nickname", "preferredname", "rufname"),
    'emails[type eq "work"].value': (
        "mail", "email", "emailaddress", "workemail", "businessemail", "primaryemail", "mailaddress", "emailadresse",
        "useremail", "usermail",
    ),
    'emails[type eq "home"].value': ("homeemail", "privateemail", "personalemail", "homemail"),
    'phoneNumbers[type eq "work"].value': (
        "telephonenumber", "phone", "phonenumber", "workphone", "businessphone", "telephone", "officephone",
        "telefon", "telefonnummer",
    ),
    'phoneNumbers[type eq "mobile"].value': (
        "mobile", "mobilephone", "cellphone", "cell", "mobilenumber", "handy", "mobiltelefon",
    ),
    'phoneNumbers[type eq "fax"].value': ("fax", "faxnumber", "facsimiletelephonenumber"),
    "title": ("title", "jobtitle", "position", "stelle", "funktion"),
    "userType": ("usertype", "employeetype"),
    "preferredLanguage": ("preferredlanguage", "language", "sprache"),
    "locale": ("locale",),
    "timezone": ("timezone", "tz"),
    'addresses[type eq "work"].streetAddress': ("streetaddress", "street", "strasse"),
    'addresses[type eq "work"].locality': ("locality", "city", "town", "ort", "stadt"),
    'addresses[type eq "work"].region': ("region", "state", "province", "bundesland"),
    'addresses[type eq "work"].postalCode': ("postalcode", "zip", "zipcode", "postcode", "plz"),
    'addresses[type eq "work"].country': ("country", "countrycode", "land"),
    "employeeNumber": (
        "employeenumber", "employeeid", "employeeno", "empno", "empid", "personnelnumber", "staffid",
        "personalnummer", "staffnumber",
    ),
    "department": ("department", "departmentname", "dept", "abteilung"),
    "division": ("division", "bereich"),
    "costCenter": ("costcenter", "costcentre", "kostenstelle"),
    "organization": ("organization", "organisation", "company", "firma"),
}  # fmt: skip
_REGION = 'addresses[type eq "work"].region'
_ALSO_NUMBERS = {
    "employeeNumber",
    "costCenter",
    'phoneNumbers[type eq "work"].value',
    'phoneNumbers[type eq "mobile"].value',
    'addresses[type eq "work"].postalCode',
}
_ACTIVE = ("active", "isactive", "enabled", "isenabled", "accountenabled", "aktiv")
_INACTIVE = (
    "disabled", "isdisabled", "inactive", "isinactive", "locked", "islocked",
    "deactivated", "blocked", "gesperrt", "accountdisabled", "inaktiv", "suspended", "issuspended",
)  # fmt: skip
_STATE = ("status", "accountstatus", "userstatus", "accountstate", "userstate", "useraccountcontrol", "enddate")
_MANAGER = ("manager", "managerid", "supervisor", "vorgesetzter", "reportsto", "boss")
_MEMBERS = ("members", "member", "uniquemember", "memberuid", "mitglieder")
_GROUP = ("group", "groups", "team", "teams", "role", "roles", "gruppe", "gruppen", "groupofnames", "posixgroup")


def looks_secret(attribute: AttributeDefinition) -> bool:
    """Return whether the attribute seems to hold something that must not be read or published."""
    if any(looks_secret(part) for part in attribute.sub_attributes):
        return True
    parts = words(attribute.name)
    runs = {*parts, *(first + second for first, second in pairwise(parts)), "".join(parts)}
    if attribute.secret or not _SECRET.isdisjoint(runs | {run.removesuffix("s") for run in runs}):
        return True
    return any(part.startswith(_SECRET_BEGINS) or part.removesuffix("s").endswith(_SECRET_ENDS) for part in parts)


def looks_like_a_switch(attribute: AttributeDefinition) -> bool:
    """Return whether the attribute seems to tell who may log in, whatever its type; every boolean might."""
    if attribute.readonly or attribute.multivalued:
        return False
    called = "".join(words(attribute.name))
    if called == "state" and attribute.choices:
        return True
    return attribute.type is AttributeType.BOOLEAN or called in (*_ACTIVE, *_INACTIVE, *_STATE)


def suggest_flows(object_type: ObjectType) -> ResourceTypeDefinition:
    """Return a definition with attributes, matching and flows; what disable and delete mean, only a person knows."""
    attributes = [attribute for attribute in object_type.attributes if not looks_secret(attribute)]
    if _is_group(object_type, attributes):
        return _group(object_type, attributes)
    flows = _user_flows(attributes)
    return ResourceTypeDefinition(
        object_type=object_type.name,
        attributes=tuple(attribute.name for attribute in attributes),
        matching=_matching(object_type, attributes, flows),
        flows=flows,
    )


def _is_group(object_type: ObjectType, attributes: Iterable[AttributeDefinition]) -> bool:
    if any(
        attribute.type is AttributeType.REFERENCE
        and attribute.multivalued
        and "".join(words(attribute.name)) in _MEMBERS
        for attribute in attributes
    ):
        return True
    return "".join(words(object_type.name)) in _GROUP


def _group(object_type: ObjectType, attributes: list[AttributeDefinition]) -> ResourceTypeDefinition:
    flows: dict[str, Flow] = {}
    texts = [attribute for attribute in attributes if attribute.type is AttributeType.STRING]
    named = _first(texts, ("displayname", "groupname", "name", "cn", "gruppenname", "bezeichnung", "title"))
    if named is None and len(object_type.anchor) == 1:  # one part of a longer key is a tenant's number, for example
        named = next((attribute for attribute in texts if attribute.name in object_type.anchor), None)
    if named is not None:
        flows["displayName"] = _flow(named)
    links = [a for a in attributes if a.type is AttributeType.REFERENCE and a.multivalued]
    members = _first(links, _MEMBERS) or (links[0] if len(links) == 1 else None)
    if members is not None:
        flows["members"] = _flow(members)
    return ResourceTypeDefinition(
        object_type=object_type.name,
        name="Group",
        endpoint="Groups",
        attributes=tuple(attribute.name for attribute in attributes),
        matching=() if named is None else (named.name,),
        flows=flows,
    )


def _user_flows(attributes: list[AttributeDefinition]) -> dict[str, Flow]:
    flows: dict[str, Flow] = {}
    taken: set[str] = set()
    lists = suggest_lists(attributes)
    heads = {path.partition(".")[0] for path in lists}
    several = {flow.attribute for flow in lists.values()}
    made = (AttributeType.REFERENCE, AttributeType.COMPLEX)
    plain = [attribute for attribute in attributes if attribute.type not in made and attribute.name not in several]
    for path, names in _NAMES.items():
        if re.split(r"[.\[]", path)[0] in heads:
            continue
        free = [attribute for attribute in plain if attribute.name not in taken and _fits(path, attribute)]
        found = _first(free, names)
        if path == "displayName":
            # A directory asks for cn of everybody, and clients send displayName for everybody: a create goes through.
            found = _first([attribute for attribute in free if attribute.required], names) or found
        if found is not None:
            flows[path] = _flow(found)
            taken.add(found.name)
    if _is_state_of_account(flows):
        del flows[_REGION]
    if "name.givenName" in flows and "name.familyName" not in flows and _is_just_name(flows.get("displayName")):
        flows["name.familyName"] = flows.pop("displayName")
    flows |= lists
    if "userName" not in flows and (substitute := _user_name(attributes)) is not None:
        flows = {"userName": _flow(substitute), **flows}
    booleans = [attribute for attribute in plain if attribute.type is AttributeType.BOOLEAN]
    if (active := _first(booleans, _ACTIVE)) is not None:
        flows["active"] = _flow(active)
    elif (inactive := _first(booleans, _INACTIVE)) is not None:
        flows["active"] = _flow(inactive, invert=True)
    links = [a for a in attributes if a.type is AttributeType.REFERENCE and not a.multivalued]
    if (manager := _first(links, _MANAGER)) is not None:
        flows["manager"] = _flow(manager)
    return flows


def _is_just_name(flow: Flow | None) -> bool:
    return flow is not None and words(flow.attribute) == ["name"]


def _is_state_of_account(flows: Mapping[str, Flow]) -> bool:
    """Return whether a column `state` stands without any other part of an address: it tells who is blocked, then."""
    parts = [path for path in flows if path.startswith("addresses[")]
    return parts == [_REGION] and "".join(words(flows[_REGION].attribute)) == "state"


def _fits(path: str, attribute: AttributeDefinition) -> bool:
    """Return whether the attribute's type goes with the path; a number the target counts up is nobody's name."""
    if attribute.type is AttributeType.INTEGER:
        return not attribute.generated and path in _ALSO_NUMBERS
    if path == _REGION and attribute.choices:
        return False
    return attribute.type is AttributeType.STRING


def _user_name(attributes: Iterable[AttributeDefinition]) -> AttributeDefinition | None:
    """Return what people most likely sign in with: a name that ends in login or the like, else the e-mail address."""
    texts = [attribute for attribute in attributes if attribute.type is AttributeType.STRING]
    for ending in ("login", "username", "logon", "account"):
        for attribute in texts:
            parts = words(attribute.name)
            if parts[-1:] == [ending] or "".join(parts[-2:]) == ending:
                return attribute
    return _first(texts, _NAMES['emails[type eq "work"].value'])


def _matching(
    object_type: ObjectType, attributes: Iterable[AttributeDefinition], flows: dict[str, Flow]
) -> tuple[str, ...]:
    """Return what finds a person before a create: what userName flows from, else the anchor if people give it."""
    if "userName" in flows:
        return (flows["userName"].attribute,)
    given = [a.name for a in attributes if a.name in object_type.anchor and not a.generated and not a.readonly]
    return tuple(given[:1]) if len(object_type.anchor) == 1 else ()


def _first(attributes: list[AttributeDefinition], names: tuple[str, ...]) -> AttributeDefinition | None:
    by_words: dict[str, AttributeDefinition] = {}
    for attribute in attributes:
        by_words.setdefault("".join(words(attribute.name)), attribute)
    return next((by_words[name] for name in names if name in by_words), None)


def _flow(attribute: AttributeDefinition, *, invert: bool = False) -> Flow:
    return Flow(attribute=attribute.name, direction="import" if attribute.readonly else "both", invert=invert)
