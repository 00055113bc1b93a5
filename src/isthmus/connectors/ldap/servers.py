"""Which server it is, and what that means: one row for each that is recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
AD_LDS = "1.2.840.113556.1.4.1851"

RootDse = Mapping[str, Sequence[str]]
"""Values by attribute name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A kind of server. `anchors`: the first of them that the schema has is the anchor; none: the DN.

    `hashes`: whether it hashes a clear password that is written to the password attribute. `deltas`: in the order of
    preference; those that the server does not offer are passed over. `supplies`: what its classes require and it sets
    by itself in a new entry that comes without. `unique`: attributes of which no two entries have the same value.
    `ad`: it follows [MS-ADTS]: long lists of values come in parts, moments have a decimal, searches end in referrals.
    """

    id: str
    title: str
    anchors: tuple[str, ...] = ("entryUUID",)
    deltas: tuple[str, ...] = ("changelog", "syncrepl", "modify_timestamp")
    password_attribute: str = "userPassword"  # noqa: S105  the name of an attribute
    hashes: bool = True
    supplies: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()
    ad: bool = False


_SUPPLIED = frozenset({"nTSecurityDescriptor", "objectCategory", "instanceType", "groupType", "sAMAccountName"})
"""[MS-ADTS] 3.1.1.5.2.4 and [MS-SAMR] 3.1.1.8.4: AD makes them up, an account's name as $ and random characters."""

_UNIQUE = frozenset({"sAMAccountName", "userPrincipalName"})
"""[MS-SAMR] 3.1.1.8.4, [MS-ADTS] 3.1.1.5.2.2."""

OPENLDAP = Product(
    id="openldap",
    title="OpenLDAP",
    deltas=("accesslog", "syncrepl", "modify_timestamp"),
    hashes=False,  # only with ppolicy_hash_cleartext
)
DIRECTORY_389 = Product(id="389", title="389 Directory Server", anchors=("nsUniqueId",))
LDS = Product(
    id="ad_lds",
    title="Active Directory Lightweight Directory Services",
    anchors=("objectGUID",),
    deltas=("usn",),
    password_attribute="unicodePwd",  # noqa: S106  the name of an attribute
    supplies=_SUPPLIED,
    unique=_UNIQUE,
    ad=True,
)
AD_DS = Product(
    id="ad_ds",
    title="Active Directory Domain Services",
    anchors=("objectGUID",),
    deltas=("usn",),
    password_attribute="unicodePwd",  # noqa: S106  the name of an attribute
    supplies=_SUPPLIED,
    unique=_UNIQUE,
    ad=True,
)
EDIRECTORY = Product(id="edirectory", title="eDirectory", anchors=("GUID",), deltas=("modify_timestamp",))
APACHE = Product(id="apacheds", title="ApacheDS", deltas=("modify_timestamp",))
OPENDJ = Product(id="opendj", title="OpenDJ, OpenDS or Oracle Unified Directory")
DSEE = Product(id="dsee", title="Oracle (Sun) Directory Server", anchors=("nsUniqueId",))
IBM = Product(id="ibm", title="IBM Security Directory Server", anchors=("ibm-entryUUID",))
RADIANT = Product(id="radiantone", title="RadiantOne", anchors=())
ISODE = Product(id="isode", title="Isode M-Vault")
GENERIC = Product(id="generic", title="an LDAP v3 server")


def _vendor(*words: str) -> Callable[[RootDse], bool]:
    def matches(root: RootDse) -> bool:
        said = " ".join((*root.get("vendorname", ()), *root.get("vendorversion", ()))).casefold()
        return any(word in said for word in words)

    return matches


_SIGNS: tuple[tuple[Callable[[RootDse], bool], Product], ...] = (
    (lambda root: AD_LDS in root.get("supportedcapabilities", ()), LDS),
    (lambda root: ACTIVE_DIRECTORY in root.get("supportedcapabilities", ()), AD_DS),
    (lambda root: "openldaprootdse" in (c.casefold() for c in root.get("objectclass", ())), OPENLDAP),
    (_vendor("openldap"), OPENLDAP),
    (_vendor("389 project", "389-directory", "fedora-directory", "red hat"), DIRECTORY_389),
    (_vendor("edirectory"), EDIRECTORY),
    (_vendor("apache"), APACHE),
    (_vendor("forgerock", "opendj", "opends", "open identity platform", "unified directory", "pingdirectory"), OPENDJ),
    (_vendor("sun-directory", "oracle directory server", "sun java", "sun one", "dsee"), DSEE),
    (_vendor("ibm", "international business machines"), IBM),
    (lambda root: bool(root.get("ibmdirectoryversion")), IBM),
    (_vendor("radiant"), RADIANT),
    (_vendor("isode"), ISODE),
)


def recognise(root: RootDse) -> Product:
    """Return what kind of server has this root DSE."""
    return next((product for matches, product in _SIGNS if matches(root)), GENERIC)
