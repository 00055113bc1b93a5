"""Columns that take a few words only are told from the others, and refuse the rest, in each database."""

from __future__ import annotations

import pytest

from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import BooleanColumn, SqlObjectType
from isthmus.spi import Call, TargetRejected

ENUM = {"postgresql": "mood", "mariadb": "enum('happy','it''s')", "sqlite": "text CHECK (mood IN ('happy', 'it''s'))"}


def test_enums_and_checks(target: Target) -> None:
    if target.dialect == "postgresql":
        target.run("CREATE TYPE mood AS ENUM ('happy', 'it''s')")
    target.run(
        f"CREATE TABLE t (k integer PRIMARY KEY, mood {ENUM[target.dialect]}, "
        "status varchar(10) NOT NULL CHECK (status IN ('new', 'left')), "
        "old varchar(3) CHECK (old IN ('Yes', 'No')), "
        "hidden varchar(9) CHECK (hidden IN ('a', 'b')), "
        "free varchar(9) CHECK (free <> 'x'))"
    )
    settings = target.settings(
        object_types=(
            SqlObjectType(
                name="t",
                boolean_columns=(BooleanColumn(column="old", true="Yes", false="No"),),
                secret_columns=("hidden",),
            ),
        )
    )
    connector = connector_type.open(settings)
    try:
        found = connector.read_schema(call=Call(timeout=20)).object_types["t"]
        told = {each.name: each.choices for each in found.attributes}
        assert told == {
            "k": (), "mood": ("happy", "it's"), "status": ("new", "left"), "old": (), "hidden": (), "free": ()
        }  # fmt: skip
        call = Call(timeout=20)
        made = connector.create("t", {"k": (1,), "mood": ("it's",), "status": ("left",)}, call=call)
        assert made.attributes["mood"] == ("it's",)
        with pytest.raises(TargetRejected):
            connector.create("t", {"k": (2,), "status": ("other",)}, call=call)
    finally:
        connector.close()
