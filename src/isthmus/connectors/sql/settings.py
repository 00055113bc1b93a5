"""What an operator says about a database, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.spi import Secret, setting

_TABLES = "Object types"
_LIMITS = "Limits"
_TLS = "TLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanColumn:
    """A column that holds a boolean in another form."""

    column: str = setting(label="Column", page=_TABLES, example="Disabled")
    true: str = setting("1", label="Stored for true", page=_TABLES, example="Y")
    false: str = setting("0", label="Stored for false", page=_TABLES, example="N")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceColumn:
    """A column, or several, that hold the anchor of another object."""

    column: str = setting("", label="Column", page=_TABLES, example="ManagerId")
    object_type: str = setting(label="Object type it points at", page=_TABLES, example="Employee")
    columns: tuple[str, ...] = setting(
        (),
        label="Columns, for an anchor of several",
        help="In the order of that anchor. They are one attribute then, and no attributes of their own, unless they "
        "belong to the anchor of this object type as well.",
        page=_TABLES,
    )
    attribute: str = setting(
        "", label="Attribute made of several columns", help="Left out: their names, joined by _.", page=_TABLES
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTable:
    """A table with several rows for one object: the values of one multi-valued attribute."""

    attribute: str = setting(label="Attribute", page=_TABLES, example="members")
    table: str = setting(label="Table or view", page=_TABLES, example="group_members")
    schema: str | None = setting(None, label="Schema", help="Left out: that of the object type.", page=_TABLES)
    owner_columns: tuple[str, ...] = setting(
        (),
        label="Columns with the anchor of the object",
        help="In the order of the anchor; left out: the foreign key that points at the object's table.",
        page=_TABLES,
    )
    columns: tuple[str, ...] = setting(
        (),
        label="Columns with the value",
        help="One: a simple value. Several: a value made of parts. Left out: the foreign key that points at another "
        "object type, else every other column but generated keys.",
        page=_TABLES,
    )
    names: tuple[str, ...] = setting(
        (), label="Names of the parts", help="In the order of the columns; left out: the columns' names.", page=_TABLES
    )
    reference_to: str | None = setting(
        None,
        label="Object type it refers to",
        help='The columns hold its anchor; left out: what their foreign key says; "" for none.',
        page=_TABLES,
    )
    order_column: str | None = setting(
        None,
        label="Column that orders the values",
        help="A whole number is counted on from the highest for a new value.",
        page=_TABLES,
    )
    boolean_columns: tuple[BooleanColumn, ...] = setting((), label="Booleans in another form", page=_TABLES)
    text_columns: tuple[str, ...] = setting((), label="Columns taken as text", page=_TABLES)
    read_only: bool = setting(
        False,
        label="Only read",
        help="For the other side of a membership table: what groups write as members, people show as groups.",
        page=_TABLES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlObjectType:
    """One table or view whose rows are objects."""

    name: str = setting(label="Object type", page=_TABLES, example="Employee", mim="Object Type")
    table: str = setting(
        "", label="Table or view", help="Exactly as the database writes it; left out: the name.", page=_TABLES
    )
    schema: str | None = setting(None, label="Schema", help="Left out: the connector's schema.", page=_TABLES)
    anchor: tuple[str, ...] = setting(
        (), label="Anchor columns", help="What identifies a row for life; left out: the primary key.", page=_TABLES
    )
    correlation_attribute: str | None = setting(
        None,
        label="Correlation column",
        help="A text column of at least 36 characters that takes the journal entry's id, so that a create whose answer "
        "was lost can be found again.",
        page=_TABLES,
    )
    boolean_columns: tuple[BooleanColumn, ...] = setting((), label="Booleans in another form", page=_TABLES)
    reference_columns: tuple[ReferenceColumn, ...] = setting((), label="References", page=_TABLES)
    child_tables: tuple[ChildTable, ...] = setting(
        (), label="Child tables", help="Memberships, e-mail addresses, phones: several rows for one.", page=_TABLES
    )
    secret_columns: tuple[str, ...] = setting(
        (), label="Secret columns", help="Written, but never read, returned or logged.", page=_TABLES
    )
    password_column: str = setting(
        "",
        label="Password column",
        help="Takes the passwords that clients send; it is never read, and no attribute.",
        page=_TABLES,
        example="password_hash",
    )
    password_hash: str = setting(
        "argon2",
        label="How passwords are kept",
        choices=("argon2", "bcrypt", "pbkdf2_sha256", "none"),
        help="As the application checks them: $argon2id$..., $2b$..., pbkdf2_sha256$... (Django); none: as they come, "
        "for a trigger that hashes them.",
        page=_TABLES,
    )
    text_columns: tuple[str, ...] = setting(
        (),
        label="Columns taken as text",
        help="Read and written in the database's own notation, for values that no other type holds ('infinity').",
        page=_TABLES,
    )
    excluded_columns: tuple[str, ...] = setting((), label="Columns left out", page=_TABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSettings:
    """Either `url` or `dialect`, `host`, `port`, `database` and `user`; the password always by itself."""

    url: str = setting(
        "",
        label="Database URL",
        help="dialect://user@host:port/database, or sqlite:////path/to/file. Without a password.",
        example="postgresql://isthmus@db.example.org/hr",
    )
    dialect: str = setting(
        "", label="Kind of database", choices=("", "postgresql", "mariadb", "mysql", "sqlite"), example="postgresql"
    )
    host: str = setting("", label="Host", help="A name, an address, or the path of a Unix socket.", mim="Host")
    port: int | None = setting(None, label="Port", minimum=1, maximum=65535, mim="Port")
    database: str = setting("", label="Database", help="Its name; for SQLite the file.", mim="Database")
    user: str = setting("", label="User", mim="User Name")
    password: Secret | None = setting(None, label="Password", mim="Password")  # noqa: RUF009  makes a field
    schema: str | None = setting(None, label="Schema", help="Left out: the user's default schema.")
    object_types: tuple[SqlObjectType, ...] = setting(
        (), label="Object types", help="Left out: every table and view that has a primary key.", page=_TABLES
    )
    connect_timeout: float = setting(5.0, label="Seconds to connect", page=_LIMITS, minimum=0.1, maximum=120)
    statement_timeout: float = setting(
        20.0,
        label="Seconds the server may work on one statement",
        help="Set in the server (statement_timeout, max_statement_time). Less than the connector's timeout.",
        page=_LIMITS,
        minimum=0.1,
        maximum=3600,
    )
    lock_timeout: float = setting(
        10.0,
        label="Seconds a statement may wait for a lock",
        help="Set in the server (lock_timeout, innodb_lock_wait_timeout); with SQLite the host asks again so long.",
        page=_LIMITS,
        minimum=0.1,
        maximum=3600,
    )
    import_idle_timeout: float = setting(
        120.0,
        label="Seconds an import waits for the next rows",
        page=_LIMITS,
        minimum=0.5,
        maximum=3600,
    )
    ping_after: float = setting(
        1.0,
        label="Seconds after which an idle connection is tried before use",
        page=_LIMITS,
        minimum=0,
        maximum=3600,
    )
    max_connections: int = setting(
        32,
        label="Connections at most",
        help="Of each process of the host. Those that are idle longest make room.",
        page=_LIMITS,
        minimum=2,
        maximum=1000,
    )
    session_locks: bool = setting(
        True,
        label="Mark sessions with named locks",
        help="Lets the host tell when a write can no longer take effect. Off behind a pooler in transaction mode.",
        page=_LIMITS,
    )
    tls: str = setting(
        "prefer",
        label="TLS",
        choices=("disable", "prefer", "require", "verify-full"),
        help="verify-full checks certificate and name; with tls_ca, require checks the certificate.",
        page=_TLS,
    )
    tls_ca: str | None = setting(None, label="CA certificates (PEM file)", page=_TLS)
    tls_certificate: str | None = setting(None, label="Client certificate (PEM file)", page=_TLS)
    tls_key: str | None = setting(None, label="Client key (PEM file)", page=_TLS)
    sqlite_pragmas: tuple[str, ...] = setting(
        (), label="SQLite pragmas", help="name=value, set on each connection.", example="synchronous=NORMAL"
    )
