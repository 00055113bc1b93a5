"""References in mapping: digests that add up, what a request wants to see, groups of a user."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import EMPLOYEE, bind, definition, employees, op, teams

from isthmus.mapping.bound import BoundMembership, BoundNot
from isthmus.mapping.finishing import GROUPS
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.errors import InvalidFilter
from isthmus.scim.patch import parse_operations
from isthmus.scim.projection import Projection
from isthmus.spi import Anchor, ConnectorObject, Identity, Reference

TEAMS = teams()
META = {"resourceType": "User"}


def with_groups() -> ResourceType:
    return compile_resource_type(definition(), EMPLOYEE, shape=1, groups=True)


def team(name: str, *members: str) -> ConnectorObject:
    references = tuple(Reference((member,)) for member in members)
    return ConnectorObject(
        object_type=TEAMS.definition.object_type,
        identity=Identity(Anchor((name,))),
        attributes={"name": (name,), "members": references},
    )


names = st.lists(st.text(max_size=3), max_size=8, unique=True)


@given(before=names, after=names, renamed=st.booleans())
def test_a_digest_goes_on_with_what_came_and_went(before: list[str], after: list[str], renamed: bool) -> None:
    old, new = team("a", *before), team("b" if renamed else "a", *after)
    add = set(TEAMS.links(new)) - set(TEAMS.links(old))
    remove = set(TEAMS.links(old)) - set(TEAMS.links(new))
    gone_on = TEAMS.canonical_changed(TEAMS.canonical(old), old, new, add=add, remove=remove)
    assert gone_on == TEAMS.canonical(new)
    assert -(2**63) <= gone_on < 2**63


def test_the_order_of_members_does_not_count_and_their_number_does() -> None:
    assert TEAMS.canonical(team("a", "x", "y")) == TEAMS.canonical(team("a", "y", "x", "x"))
    digests = [TEAMS.canonical(team("a", *members)) for members in ("", "x", "y", "xy", "xyz")]
    assert len(set(digests)) == len(digests)


def test_members_not_read_are_not_no_members() -> None:
    unread = ConnectorObject(
        object_type="team", identity=Identity(Anchor(("a",))), attributes={"name": ("a",)}
    )  # a connector that leaves an attribute out in an import does not say that it is empty
    assert TEAMS.canonical(unread) != TEAMS.canonical(team("a"))


@pytest.mark.parametrize(
    ("operation", "depends"),
    [
        (op("remove", 'members[value eq "a"]'), False),
        (op("remove", 'members[value eq "a" or value eq "b"]'), False),
        (op("replace", value={'members[value eq "a"]': [{"value": "b"}]}), False),
        (op("remove", "members", [{"value": "a"}]), False),
        (op("add", value={"members": []}), False),
        (op("remove", 'members[display eq "a"]'), True),
        (op("remove", 'members[value eq "a" and type eq "User"]'), True),
    ],
)
def test_members_named_by_id_depend_on_no_others(operation: dict[str, Any], depends: bool) -> None:
    [parsed] = parse_operations({"Operations": [operation]})
    assert TEAMS.depends_on_values(parsed) is depends


def test_other_filters_in_paths_depend_on_what_is_there() -> None:
    [parsed] = parse_operations({"Operations": [op("replace", 'emails[type eq "work"].value', "a@b.c")]})
    assert employees().depends_on_values(parsed)


@pytest.mark.parametrize(
    ("wanted", "unwanted", "shown"),
    [
        (None, None, ("members",)),
        (None, "members", ()),
        (None, "MEMBERS,displayName", ()),
        (None, "members.display", ("members",)),
        ("displayName", None, ()),
        ("members.value", None, ("members",)),
        ("urn:ietf:params:scim:schemas:core:2.0:Group:members", None, ("members",)),
    ],
)
def test_what_is_not_shown_need_not_be_read(wanted: str | None, unwanted: str | None, shown: tuple[str, ...]) -> None:
    assert TEAMS.shown_references(Projection.parse(wanted, unwanted)) == shown


def test_groups_are_shown_where_there_are_any() -> None:
    rt = with_groups()
    assert GROUPS in rt.shown_references(None)
    assert GROUPS not in rt.shown_references(Projection.parse(None, "groups"))
    assert GROUPS not in employees().shown_references(None)
    groups = [("g", "Sales", "https://h/scim/Groups/g", "Group")]
    user = orjson.loads(rt.finish(rt.render({}), meta=META, references={GROUPS: groups}))
    assert user["groups"] == [{"value": "g", "$ref": "https://h/scim/Groups/g", "type": "direct", "display": "Sales"}]
    assert "groups" not in orjson.loads(rt.finish(rt.render({}), meta=META))


def test_groups_in_a_filter() -> None:
    rt = with_groups()
    assert bind(rt, 'groups.value eq "g"') == bind(rt, 'groups eq "g"') == BoundMembership("g")
    assert bind(rt, 'groups[value eq "g"]') == BoundMembership("g")
    assert bind(rt, 'groups.$ref eq "https://h/scim/Groups/g"') == BoundMembership("g")
    assert bind(rt, 'groups[value ne "g"]') == bind(rt, 'groups ne "g"') == BoundNot(BoundMembership("g"))
    assert bind(rt, "groups pr") == bind(rt, "groups ne null") == BoundMembership(None)
    assert bind(rt, "groups eq null") == BoundNot(BoundMembership(None))
    for text in ('groups co "g"', 'groups.display eq "g"', 'groups[display eq "g"]', 'groups.type eq "direct"'):
        with pytest.raises(InvalidFilter):
            bind(rt, text)
    with pytest.raises(InvalidFilter, match="not mapped"):
        bind(employees(), 'groups eq "g"')


def test_groups_in_the_schema_say_that_they_are_direct() -> None:
    [schema, *_] = with_groups().schema_documents()
    [groups] = [attribute for attribute in schema["attributes"] if attribute["name"] == "groups"]
    assert (groups["mutability"], groups["multiValued"], groups["type"]) == ("readOnly", True, "complex")
    subs = {sub["name"]: sub for sub in groups["subAttributes"]}
    assert set(subs) == {"value", "$ref", "display", "type"}
    assert subs["type"]["canonicalValues"] == ["direct"]
    [schema, *_] = employees().schema_documents()
    assert "groups" not in [attribute["name"] for attribute in schema["attributes"]]


def test_names_for_people() -> None:
    assert TEAMS.display_attributes == ("name",)
    assert TEAMS.members == "members"
    assert TEAMS.lists == {"members"}
    assert employees().members is None
    assert employees().lists == frozenset()
