"""From settings to the database they mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError

from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import MisconfiguredConnector

_DIALECTS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mariadb": "mariadb",
    "mysql": "mysql",
    "sqlite": "sqlite",
}
_SETTLED = 60.0
"""`settle_seconds` of the connector type."""

_TLS = ("disable", "prefer", "require", "verify-full")


def open_database(settings: SqlSettings) -> Database:
    """Return the database, without talking to it.

    Raises:
        MisconfiguredConnector: the settings do not name one.
    """
    settings = resolved(settings)
    match settings.dialect:
        case "postgresql":
            from isthmus.connectors.sql.postgresql import PostgresDatabase

            return PostgresDatabase(settings)
        case "mariadb" | "mysql":
            from isthmus.connectors.sql.mariadb import MariadbDatabase

            return MariadbDatabase(settings)
        case _:
            from isthmus.connectors.sql.sqlite import SqliteDatabase

            return SqliteDatabase(settings)


def resolved(settings: SqlSettings) -> SqlSettings:
    """Return the settings with the URL taken apart and everything checked that can be checked without the database."""
    if settings.url:
        settings = _from_url(settings)
    if settings.dialect not in _DIALECTS:
        known = ", ".join(sorted(set(_DIALECTS.values())))
        raise MisconfiguredConnector(f"give 'url', or 'dialect' as one of {known}")
    settings = replace(settings, dialect=_DIALECTS[settings.dialect])
    if not settings.database:
        raise MisconfiguredConnector("the settings name no database")
    if settings.tls not in _TLS:
        raise MisconfiguredConnector(f"tls is one of {', '.join(_TLS)}, not {settings.tls!r}")
    if not settings.session_locks and settings.statement_timeout > _SETTLED:
        raise MisconfiguredConnector(
            f"without session_locks, statement_timeout is {_SETTLED:g} seconds at most: after that, repair takes it "
            "that nothing sent earlier can still take effect"
        )
    names = [each.name for each in settings.object_types]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MisconfiguredConnector(f"object type {', '.join(sorted(twice))} is named twice")
    return settings


def _from_url(settings: SqlSettings) -> SqlSettings:
    if any((settings.dialect, settings.host, settings.port, settings.database, settings.user)):
        raise MisconfiguredConnector("give either 'url' or 'dialect', 'host', 'port', 'database' and 'user', not both")
    try:
        url = make_url(settings.url)
    except (ArgumentError, ValueError):
        # Neither shown nor chained: a password may be in it.
        raise MisconfiguredConnector(
            "'url' cannot be read; write dialect://user@host:port/database, or sqlite:////path/to/file"
        ) from None
    if url.password is not None:
        raise MisconfiguredConnector(
            "'url' holds a password; take it out and give it as 'password', which is kept safe"
        )
    if url.query:
        names = ", ".join(sorted(url.query))
        raise MisconfiguredConnector(
            f"'url' has options ({names}); use the settings for timeouts, TLS and schema instead"
        )
    dialect = url.drivername.partition("+")[0]
    if dialect not in _DIALECTS:
        raise MisconfiguredConnector(f"'url' names the unknown database {dialect}; known are {', '.join(_DIALECTS)}")
    if dialect == "sqlite" and url.database and not PurePath(url.database).is_absolute():
        raise MisconfiguredConnector(
            f"'url' names the file {url.database} from wherever Isthmus is started; give its whole path, "
            "with four slashes: sqlite:////path/to/file"
        )
    return replace(
        settings,
        url="",
        dialect=dialect,
        host=url.host or "",
        port=url.port,
        database=url.database or "",
        user=url.username or "",
    )
