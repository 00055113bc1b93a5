"""Settings: a URL or its parts, never a password in it, and nothing shown that is secret."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.choosing import open_database, resolved
from isthmus.connectors.sql.settings import BooleanColumn, ChildTable, ReferenceColumn, SqlObjectType, SqlSettings
from isthmus.spi import MisconfiguredConnector, Secret, SupportsSettling, settings_of


def test_every_setting_has_a_label() -> None:
    for kind in (SqlSettings, SqlObjectType, ChildTable):
        assert all(each.label for each in settings_of(kind))
    assert [each.name for each in settings_of(SqlSettings) if each.secret] == ["password"]


def test_a_url_is_taken_apart() -> None:
    found = resolved(SqlSettings(url="postgresql+psycopg://ann@db.example.org:6543/hr%20data"))
    assert (found.dialect, found.user, found.host, found.port) == ("postgresql", "ann", "db.example.org", 6543)
    assert found.database == "hr data"
    assert resolved(SqlSettings(url="sqlite:////var/lib/hr.db")).database == "/var/lib/hr.db"
    assert resolved(SqlSettings(url="mysql://h/d")).dialect == "mysql"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter22@db/hr",
        "mariadb://:hunter22@db/hr",
        "hunter22",
        "postgresql://ann:hunter22@db:port/hr",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(MisconfiguredConnector) as caught:
        connector_type.open(SqlSettings(url=url))
    assert "hunter22" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "give 'url'"),
        ({"dialect": "oracle", "database": "x"}, "dialect"),
        ({"dialect": "postgresql"}, "no database"),
        ({"url": "postgresql://h/d", "host": "h"}, "not both"),
        ({"url": "postgresql://h/d?sslmode=disable"}, "sslmode"),
        ({"url": "oracle://h/d"}, "unknown database oracle"),
        ({"url": "sqlite://"}, "no database"),
        ({"dialect": "sqlite", "database": ":memory:"}, "file"),
        ({"url": "postgresql://h/d", "tls": "maybe"}, "tls"),
        ({"url": "postgresql://h/d", "session_locks": False, "statement_timeout": 61.0}, "statement_timeout"),
        ({"url": "mariadb://h/d", "object_types": (SqlObjectType(name="a"), SqlObjectType(name="a"))}, "twice"),
    ],
)
def test_settings_that_name_no_database(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(MisconfiguredConnector, match=says):
        connector_type.open(SqlSettings(**settings))


def test_opening_talks_to_nobody_and_shows_nothing() -> None:
    settings = SqlSettings(url="postgresql://ann@192.0.2.1/hr", password=Secret("hunter22"))
    connector = connector_type.open(settings)
    assert isinstance(connector, SupportsSettling)
    assert "hunter22" not in f"{connector!r}{vars(connector)!r}{settings!r}"
    connector.close()


def test_without_session_locks_nothing_is_settled() -> None:
    settings = SqlSettings(url="postgresql://h/d", session_locks=False)
    assert not isinstance(connector_type.open(settings), SupportsSettling)


def test_tls_and_limits_reach_the_driver() -> None:
    from isthmus.connectors.sql.postgresql import PostgresDatabase

    base = SqlSettings(url="postgresql://h/d", password=Secret("it's"))
    for changes, part in (
        ({}, "sslmode=prefer"),
        ({"tls": "disable"}, "sslmode=disable"),
        ({"tls": "require"}, "sslmode=require"),
        ({"tls": "require", "tls_ca": "/ca"}, "sslmode=verify-ca"),
        ({"tls": "verify-full"}, "sslrootcert=system"),
        ({"tls": "verify-full", "tls_ca": "/ca"}, "sslrootcert=/ca"),
    ):
        database = open_database(dataclasses.replace(base, **changes))
        assert isinstance(database, PostgresDatabase)
        assert part in database._conninfo().split()
    assert "set_config('statement_timeout', '20000', false)" in database._prepare


def test_every_setting_stands_in_the_reference() -> None:
    """With its name and its default."""
    page = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "sql-connector.md").read_text()
    for kind in (SqlSettings, SqlObjectType, ChildTable):
        for each in settings_of(kind):
            row = re.search(rf"^\| `{each.name}` \| *(.*?) *\|", page, re.MULTILINE)
            assert row is not None, each.name
            if isinstance(each.default, float | bool | int):
                assert row[1] == f"`{str(each.default).lower()}`", each.name
    for form in (BooleanColumn, ReferenceColumn):
        assert all(f"`{each.name}`" in page for each in settings_of(form))
