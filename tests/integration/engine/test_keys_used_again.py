"""A database that gives the key of a deleted row to a new one: the new person is not the old one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from harness import bench

DOCUMENT = """
type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "people"
[[resource_types]]
object_type = "people"
attributes = ["number", "login"]
matching = ["login"]
disable = {{ action = "nothing" }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
"""


def test_a_new_person_with_the_key_of_one_who_left_has_an_id_of_their_own(tmp_path: Path) -> None:
    """SQLite gives the highest rowid again once its row is gone (https://sqlite.org/autoinc.html)."""
    path = tmp_path / "hr.db"

    def run(statement: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement).fetchall()

    run("CREATE TABLE people (number INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE)")
    with bench(tmp_path / "host", {"app": DOCUMENT.format(path=path)}) as opened:
        client = opened.client("app")
        bob = client.created("bob", externalId="b")
        run("DELETE FROM people")  # behind our back
        carl = client.created("carl")
        assert carl != bob
        client.get(f"/Users/{bob}").refused(404)
        assert client.user(carl)["userName"] == "carl"
        assert "externalId" not in client.user(carl)
        assert client.delete(bob).status == 404
        assert run("SELECT login FROM people") == [("carl",)]
        assert opened.imported("app").changed == 0
        assert client.user(carl)["userName"] == "carl"
