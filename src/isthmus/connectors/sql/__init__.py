"""SQL databases: SQLite, PostgreSQL, MariaDB and MySQL."""

from __future__ import annotations

from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import Connector, ConnectorType


def _open(settings: SqlSettings) -> Connector:
    from isthmus.connectors.sql.connector import open_connector  # SQLAlchemy takes 0.2 s to import

    return open_connector(settings)


connector_type: ConnectorType[SqlSettings] = ConnectorType(
    id="sql",
    title="SQL database (SQLite, PostgreSQL, MariaDB, MySQL)",
    settings=SqlSettings,
    open=_open,
    password_in_create=True,
    settle_seconds=60.0,  # used with session_locks off: the default statement timeout of the server, three times
)

__all__ = ["SqlSettings", "connector_type"]
