"""What an operator says about a directory, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.spi import Secret, setting

_TYPES = "Object types"
_LIMITS = "Limits"
_TLS = "TLS"
_GLOBAL = "Global"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapObjectType:
    """Entries of one structural class below some bases."""

    name: str = setting(label="Object type", page=_TYPES, example="inetOrgPerson", mim="Object Type")
    structural_class: str = setting("", label="Structural class", help="Left out: the name.", page=_TYPES)
    auxiliary_classes: tuple[str, ...] = setting(
        (), label="Auxiliary classes", help="Given to new entries; their attributes can be used.", page=_TYPES
    )
    bases: tuple[str, ...] = setting(
        (), label="Base DNs", help="Left out: the connector's.", page=_TYPES, example="ou=people,dc=example,dc=org"
    )
    excluded_bases: tuple[str, ...] = setting((), label="Containers left out", page=_TYPES)
    scope: str = setting("subtree", label="Search scope", choices=("subtree", "onelevel"), page=_TYPES)
    filter: str = setting(
        "", label="LDAP filter", help="In addition to the structural class.", page=_TYPES, example="(!(uid=svc-*))"
    )
    dn_template: str = setting(
        "",
        label="DN of new entries",
        help="Values of attributes in braces; they are escaped. Left out: the client gives -dn-.",
        page=_TYPES,
        example="uid={uid},ou=people,dc=example,dc=org",
    )
    anchor: str = setting(
        "",
        label="Anchor attribute",
        help="What identifies an entry for life; 'dn', or left out: what the server has (entryUUID, nsUniqueId, ...).",
        page=_TYPES,
    )
    multivalued_attributes: tuple[str, ...] = setting(
        (),
        label="Attributes with several values",
        help="Of those that are taken as single values although the schema permits several (mail, cn, ...).",
        page=_TYPES,
    )
    single_attributes: tuple[str, ...] = setting(
        (), label="Attributes taken as single values", help="In addition to mail, cn, uid and the like.", page=_TYPES
    )
    attributes: tuple[str, ...] = setting(
        (), label="Attributes", help="Left out: every attribute of the classes.", page=_TYPES
    )
    excluded_attributes: tuple[str, ...] = setting((), label="Attributes left out", page=_TYPES)
    secret_attributes: tuple[str, ...] = setting(
        (), label="Secret attributes", help="Written, but never read, returned or logged.", page=_TYPES
    )
    member_uid_type: str = setting(
        "",
        label="Object type that memberUid names",
        help="For posixGroup: the type whose uid the values of memberUid are. Left out: memberUid is text.",
        page=_TYPES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """`url` is the server; `other_urls` are asked in turn when it cannot be reached."""

    url: str = setting(
        label="Server",
        help="ldap://host[:389], ldaps://host[:636] or ldapi:///path/to/socket (percent-encoded or plain).",
        example="ldap://directory.example.org",
        mim="Host",
    )
    other_urls: tuple[str, ...] = setting((), label="Other servers", help="Fail-over, in this order.")
    bind: str = setting(
        "simple",
        label="Log in by",
        help="external: the client certificate, or the Unix account over ldapi; gssapi: Kerberos.",
        choices=("simple", "external", "gssapi", "anonymous"),
        mim="Binding",
    )
    user: str = setting(
        "",
        label="Account (DN)",
        help="For gssapi with a keytab: the principal.",
        mim="User Name",
        example="cn=isthmus,dc=example,dc=org",
    )
    password: Secret | None = setting(None, label="Password", mim="Password")  # noqa: RUF009  makes a field
    keytab: str | None = setting(
        None,
        label="Keytab",
        help="For gssapi: the file with the account's key; left out, a ticket must be there (KRB5CCNAME).",
    )
    bases: tuple[str, ...] = setting(
        (), label="Base DNs", help="Left out: what the server names as its naming contexts.", mim="Partition Names"
    )
    object_types: tuple[LdapObjectType, ...] = setting(
        (), label="Object types", help="Left out: the classes in use.", page=_TYPES
    )
    tls: str = setting(
        "starttls",
        label="Encryption of ldap://",
        help="none sends everything in clear text, the password too. ldaps:// is always encrypted.",
        choices=("starttls", "none"),
        page=_TLS,
    )
    tls_ca: str | None = setting(None, label="CA certificates (PEM file)", help="Left out: the system's.", page=_TLS)
    tls_verify: bool = setting(True, label="Check certificate and name", page=_TLS)
    tls_fingerprint: str = setting(
        "",
        label="Pinned certificate",
        help="SHA-256 of the server's certificate in hexadecimal; replaces the check of authority and name.",
        page=_TLS,
    )
    tls_certificate: str | None = setting(None, label="Client certificate (PEM file)", page=_TLS)
    tls_key: str | None = setting(None, label="Client key (PEM file)", page=_TLS)
    allow_active_directory: bool = setting(
        False,
        label="Write to Active Directory Domain Services",
        help="Only where nothing synchronises this domain with the cloud directory that sends the requests.",
        page=_GLOBAL,
    )
    operational_attributes: bool = setting(
        False, label="Offer every operational attribute", mim="Include operational attributes in schema", page=_GLOBAL
    )
    extensible_attributes: bool = setting(
        False, label="Offer every attribute of the schema", mim="Include extensible attributes in schema", page=_GLOBAL
    )
    attribute_options: tuple[str, ...] = setting(
        (), label="Attributes with options", mim="Attribute Aliases", page=_GLOBAL, example="cn;lang-de"
    )
    delta: str = setting(
        "auto",
        label="Delta import by",
        choices=("auto", "accesslog", "changelog", "syncrepl", "usn", "modify_timestamp", "none"),
        mim="Strategy",
        page=_GLOBAL,
    )
    log_base: str = setting(
        "", label="Base of the change log", help="Left out: cn=accesslog or cn=changelog.", mim="Change Log DN",
        page=_GLOBAL,
    )  # fmt: skip
    clock_margin: int = setting(
        300,
        label="Seconds by which clocks may differ",
        help="A delta by modifyTimestamp goes back by so much each time.",
        page=_GLOBAL,
        minimum=1,
        maximum=86400,
    )
    password_method: str = setting(
        "auto",
        label="Set passwords by",
        help="extended: RFC 3062; attribute: by writing the password attribute.",
        choices=("auto", "extended", "attribute"),
        page=_GLOBAL,
    )
    password_attribute: str = setting(
        "", label="Password attribute", help="Left out: userPassword, or unicodePwd.", mim="Name", page=_GLOBAL
    )
    password_hash: str = setting(
        "auto",
        label="Hash of written passwords",
        help="server: sent as it is over the encrypted connection. auto: ssha for OpenLDAP, else server.",
        choices=("auto", "server", "ssha", "ssha512", "argon2"),
        page=_GLOBAL,
    )
    create_parents: bool = setting(
        False, label="Create missing containers", help="ou, o, l, c and dc, as the DN names them.", page=_GLOBAL
    )
    delete_children: bool = setting(
        False,
        label="Delete what is below an entry with it",
        help="By the tree delete control, or one by one.",
        mim="Tree Delete",
        page=_GLOBAL,
    )
    mend_references: bool = setting(
        False,
        label="Mend references after a rename",
        help="Rewrite member, manager and the like where the server has no referential integrity.",
        page=_GLOBAL,
    )
    placeholder_member: str = setting(
        "",
        label="Placeholder member",
        help="DN that stands in groups that must have a member and have none. Left out: the connector's account.",
        page=_GLOBAL,
    )
    follow_referrals: bool = setting(
        False,
        label="Follow referrals of writes",
        help="With the same account and TLS rules, to servers named in url and other_urls only.",
        page=_GLOBAL,
    )
    paging: str = setting("auto", label="Paged results", choices=("auto", "always", "never"), page=_LIMITS)
    connect_timeout: float = setting(
        5.0, label="Seconds to connect", page=_LIMITS, minimum=0.1, maximum=180, mim="Connection Timeout (seconds)"
    )
    operation_timeout: float = setting(20.0, label="Seconds for one operation", page=_LIMITS, minimum=0.1, maximum=3600)
    import_timeout: float = setting(
        120.0, label="Seconds an import waits for the next page", page=_LIMITS, minimum=0.5, maximum=3600
    )
    ping_after: float = setting(
        30.0,
        label="Seconds after which an idle connection is tried before use",
        page=_LIMITS,
        minimum=0,
        maximum=3600,
    )
    max_connections: int = setting(
        32, label="Connections at most", help="Of each process of the host.", page=_LIMITS, minimum=2, maximum=1000
    )
    members_at_once: int = setting(
        1000, label="Members changed by one operation", page=_LIMITS, minimum=1, maximum=100000
    )
