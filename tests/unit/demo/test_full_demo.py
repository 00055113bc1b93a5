"""The full demo's rows fit its tables, and are the same every time."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from isthmus.demo.full.database import FullDatabase
from isthmus.demo.full.filling import fill
from isthmus.demo.people import generate


def test_the_same_people_have_the_same_rows() -> None:
    assert fill(generate(30)) == fill(generate(30))


def test_managers_come_first_and_only_the_first_person_has_none() -> None:
    people = fill(generate(100))["people"]
    logins = [each["login"] for each in people]
    assert people[0]["manager"] is None
    assert all(each["manager"] in logins[:number] for number, each in enumerate(people) if number)


def test_tables_of_somebody_else_are_neither_used_nor_dropped(tmp_path: Path) -> None:
    database = FullDatabase(sa.URL.create("sqlite", database=str(tmp_path / "full.db")))
    with database.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE isthmus_demo_teams (precious TEXT)"))
    database.create(fill(generate(9)), own=False)
    assert database.prefix == "isthmus_demo_2_"
    assert database.counts()["people"] == 9
    database.drop()
    assert sa.inspect(database.engine).get_table_names() == ["isthmus_demo_teams"]
    database.close()
