"""Made-up people, the same in every run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

COLUMNS = ("login", "first", "last", "email", "title", "department", "employee", "disabled")
Row = tuple[str, str, str, str, str, str, int, bool]

CREATE_POSTGRESQL = (
    "CREATE TABLE people (login varchar(80) PRIMARY KEY, first varchar(80), last varchar(80), "
    "email varchar(120) UNIQUE, title varchar(80), department varchar(80), "
    "employee bigint, disabled boolean NOT NULL DEFAULT false)"
)
CREATE_SQLITE = CREATE_POSTGRESQL.replace("bigint", "integer")


def row(number: int) -> Row:
    """Return the person with this number."""
    login = f"person.{number:07d}"
    return (
        login,
        f"First{number % 997}",
        f"Last{number % 9973}",
        f"{login}@example.com",
        f"Title {number % 31}",
        f"Department {number % 53}",
        number,
        number % 50 == 0,
    )


def rows(count: int) -> Iterator[Row]:
    """Yield so many people."""
    return map(row, range(count))


def make_sqlite(path: Path, count: int) -> None:
    """Make a database with a table of so many people."""
    with sqlite3.connect(path) as connection:
        connection.execute(CREATE_SQLITE)
        marks = ",".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO people VALUES ({marks})", rows(count))
    connection.close()


def make_joined(path: Path, count: int) -> None:
    """Make a database of so many people who have a manager and two groups each, of a hundred and of a thousand."""
    make_sqlite(path, count)
    teams = count // 100
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE people ADD COLUMN boss varchar(80) REFERENCES people (login)")
        connection.execute("CREATE TABLE teams (name varchar(80) PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE team_people (team varchar(80) NOT NULL REFERENCES teams (name), "
            "login varchar(80) NOT NULL REFERENCES people (login), PRIMARY KEY (team, login))"
        )
        bosses = [(row(number // 10)[0], row(number)[0]) for number in range(1, count)]
        connection.executemany("UPDATE people SET boss = ? WHERE login = ?", bosses)
        names = [f"Team {number}" for number in range(teams)] + [f"Division {n}" for n in range(max(1, teams // 10))]
        connection.executemany("INSERT INTO teams VALUES (?)", [(name,) for name in names])
        memberships = [
            (team, row(number)[0])
            for number in range(count)
            for team in (f"Team {number % teams}", f"Division {number % max(1, teams // 10)}")
        ]
        connection.executemany("INSERT INTO team_people VALUES (?, ?)", memberships)
    connection.close()


def joined_document(settings: str) -> str:
    """Return the connector's document for people with managers and groups."""
    plain = document(settings)
    plain = plain.replace(
        'name = "people"\n',
        """name = "people"
[[settings.object_types.reference_columns]]
column = "boss"
object_type = "people"
[[settings.object_types]]
name = "teams"
child_tables = [{ attribute = "members", table = "team_people" }]
""",
    )
    plain = plain.replace('"disabled"]', '"disabled", "boss"]')
    return plain.replace(
        "[guard]\n",
        """"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager" = { attribute = "boss" }
[[resource_types]]
object_type = "teams"
name = "Group"
endpoint = "Groups"
attributes = ["name", "members"]
matching = ["name"]
delete = { action = "delete" }
[resource_types.flows]
"displayName" = { attribute = "name" }
"members" = { attribute = "members" }
[guard]
""",
    )


def document(settings: str, *, autosync: int = 0) -> str:
    """Return the connector's document for the table of people."""
    return f"""type = "sql"
autosync_minutes = {autosync}
[settings]
{settings}
[[settings.object_types]]
name = "people"
[[resource_types]]
object_type = "people"
attributes = ["login", "first", "last", "email", "title", "department", "employee", "disabled"]
matching = ["login", "email"]
disable = {{ action = "set", values = {{ disabled = true }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
"userName" = {{ attribute = "login" }}
"name.givenName" = {{ attribute = "first" }}
"name.familyName" = {{ attribute = "last" }}
"title" = {{ attribute = "title" }}
'emails[type eq "work"].value' = {{ attribute = "email" }}
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" = {{ attribute = "department" }}
[guard]
provider_objects = 10000000
"""
