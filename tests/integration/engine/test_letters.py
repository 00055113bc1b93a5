"""Names that are one by Unicode's full case folding, and two to the database: nobody is taken for somebody else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness import bench

DOCUMENT = """type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "people"
[[resource_types]]
object_type = "people"
attributes = ["login", "mail"]
matching = ["login", "mail"]
disable = {{ action = "nothing" }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
'emails[type eq "work"].value' = {{ attribute = "mail" }}
"""


@pytest.mark.parametrize(
    ("one", "other"), [("straße", "STRASSE"), ("mike", "mi\u212ae"), ("ﬁnn", "finn"), ("\u017fara", "sara")]
)
def test_whoever_has_another_name_is_another_person(tmp_path: Path, one: str, other: str) -> None:
    path = tmp_path / "hr.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE people (login text COLLATE NOCASE PRIMARY KEY NOT NULL, mail text COLLATE NOCASE)"
        )
    with bench(tmp_path / "host", {"hr": DOCUMENT.format(path=path)}) as made:
        client = made.client("hr")
        first = client.created(one, emails=[{"type": "work", "value": f"{one}@x.org"}])
        assert client.find(f'userName eq "{other}"') == []
        assert client.find(f'emails[type eq "work"].value eq "{other}@x.org"') == []
        second = client.created(other, emails=[{"type": "work", "value": f"{other}@x.org"}])
        made.imported("hr")
        for name, ident in ((one, first), (other, second)):
            (found,) = client.find(f'userName eq "{name.upper() if name.isascii() else name}" and active eq true')
            assert found["id"] == ident
        client.patch(first, {"op": "replace", "path": "userName", "value": other}).refused(409, "uniqueness")
