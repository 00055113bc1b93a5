"""Which suggested tables go with the one that was chosen."""

from __future__ import annotations

from isthmus.connectors.sql.settings import ChildTable, ReferenceColumn, SqlObjectType
from isthmus.wizard.belonging import as_settings, belonging

SUGGESTED = as_settings(
    (
        SqlObjectType(
            name="people",
            reference_columns=(
                ReferenceColumn(column="boss", object_type="people"),
                ReferenceColumn(column="site", object_type="sites"),
            ),
            child_tables=(
                ChildTable(attribute="emails", table="emails"),
                ChildTable(attribute="sites", table="person_sites", reference_to="sites"),
            ),
        ),
        SqlObjectType(name="groups", child_tables=(ChildTable(attribute="members", table="m", reference_to="people"),)),
        SqlObjectType(name="sites"),
    )
)


def test_settings_stand_without_their_defaults() -> None:
    assert as_settings(SqlObjectType(name="a", anchor=("b", "c"))) == {"name": "a", "anchor": ["b", "c"]}


def test_people_come_with_their_groups_and_without_references_to_strangers() -> None:
    people, groups = belonging(SUGGESTED, {"name": "people"})
    assert people["reference_columns"] == [{"column": "boss", "object_type": "people"}]
    assert people["child_tables"] == [{"attribute": "emails", "table": "emails"}]
    assert groups["name"] == "groups"
    assert belonging(SUGGESTED, {"name": "sites"})[0] == {"name": "sites"}


def test_another_anchor_and_an_unknown_table_stay_by_themselves() -> None:
    assert belonging(SUGGESTED, {"name": "view"}) == [{"name": "view"}]
    [people] = belonging(SUGGESTED, {"name": "people", "anchor": ["login"]})
    assert "child_tables" not in people
    assert people["anchor"] == ["login"]
