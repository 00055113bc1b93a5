"""Tables that people are provisioned into, and a way to look at them that is not ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Limits:
    """Seconds that a target is allowed, and what its guard lets through."""

    timeout: float = 6
    statement: float = 4
    lock: float = 3
    connect: float = 5
    guard: str = "provider_objects = 1000000"


USUAL = Limits()


@dataclass(frozen=True)
class People:
    """A table, the connector's document for it, and `query` to look at it. `natural`: the login is the primary key.

    `query` also changes the table behind the host's back; each statement is its own transaction.
    """

    document: str
    query: Rows
    natural: bool
    database: str = ""

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the table's rows by login."""
        found: dict[str, list[dict[str, Any]]] = {}
        for login, first, last, disabled in self.query("SELECT login, first, last, disabled FROM people"):
            row = {"first": first, "last": last, "disabled": bool(disabled)}
            found.setdefault(login, []).append(row)
        return found


def document(url: str, *, natural: bool, limits: Limits = USUAL) -> str:
    anchor = '["login"]' if natural else '["id"]'
    correlation = "" if natural else 'correlation_attribute = "correlation"'
    attributes = '["login", "first", "last", "disabled"]' if natural else '["id", "login", "first", "last", "disabled"]'
    return f"""type = "sql"
timeout = {limits.timeout}
page_size = 500
[settings]
url = "{url}"
connect_timeout = {limits.connect}
statement_timeout = {limits.statement}
lock_timeout = {limits.lock}
[[settings.object_types]]
name = "people"
anchor = {anchor}
{correlation}
[[resource_types]]
object_type = "people"
attributes = {attributes}
matching = ["login"]
disable = {{ action = "set", values = {{ disabled = true }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
"userName" = {{ attribute = "login" }}
"name.givenName" = {{ attribute = "first" }}
"name.familyName" = {{ attribute = "last" }}
[guard]
{limits.guard}
"""


def table(kind: str, *, natural: bool) -> str:
    """Return the CREATE TABLE: with a natural key, or with one the database makes and no other unique constraint."""
    if natural:
        return (
            "CREATE TABLE people (login varchar(80) NOT NULL PRIMARY KEY, first varchar(80), last varchar(80), "
            "disabled boolean NOT NULL DEFAULT false)"
        )
    made = {
        "sqlite": "id INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgresql": "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "mariadb": "id bigint AUTO_INCREMENT PRIMARY KEY",
    }[kind]
    return (
        f"CREATE TABLE people ({made}, login varchar(80) NOT NULL, first varchar(80), last varchar(80), "
        "disabled boolean NOT NULL DEFAULT false, correlation varchar(36))"
    )


def sqlite_people(folder: Path, *, natural: bool, limits: Limits = USUAL) -> People:
    folder.mkdir(exist_ok=True)
    path = folder / "people.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(table("sqlite", natural=natural))
    connection.close()

    def query(statement: str) -> list[tuple[Any, ...]]:
        reader = sqlite3.connect(path, timeout=20, isolation_level=None)
        try:
            return reader.execute(statement).fetchall()
        finally:
            reader.close()

    return People(document(f"sqlite:///{path}", natural=natural, limits=limits), query, natural, str(path))


def server_people(server: Any, kind: str, *, natural: bool, limits: Limits = USUAL) -> People:
    database = server.create_database()
    server.run(table(kind, natural=natural), database=database)
    server_grant(server, kind, database)
    return People(
        with_password(document(server.url(database), natural=natural, limits=limits), server),
        lambda statement: server.run(statement, database=database),
        natural,
        database,
    )


def server_grant(server: Any, kind: str, database: str) -> None:
    """Let the connector's account use the table the administrator made."""
    if kind == "postgresql":
        server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC", database=database)
        server.run("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC", database=database)


def with_password(text: str, server: Any) -> str:
    """Have the settings take the account's password from the environment of the host."""
    del server
    return text.replace(
        "[[settings.object_types]]", 'password = { env = "PEOPLE_PASSWORD" }\n[[settings.object_types]]'
    )
