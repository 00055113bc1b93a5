"""The texts of many objects at once are those of each."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import ENTERPRISE, FLOWS, T, attribute, employees, teams

from isthmus.mapping import templates
from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.spi import Anchor, Columns, ConnectorObject, Identity, ObjectType

ALONE = {path: flow for path, flow in FLOWS.items() if path != "manager"}
TYPES = {
    "usual": employees(flows=ALONE),
    "no flows": employees(flows={}, disable=None),
    "active by values": employees(
        flows=ALONE
        | {"active": Flow(attribute="Number")}
        | {f"{ENTERPRISE}:employeeNumber": Flow(attribute="Serial", direction="import")}
    ),
    "active by a setting": employees(
        flows={"userName": Flow(attribute="Login")},
        disable=Deprovisioning(action="set", values={"Status": "gone", "Title": None}),
    ),
    "turned round, and as text": employees(
        flows={
            "userName": Flow(attribute="Login"),
            "title": Flow(attribute="Hired"),
            "active": Flow(attribute="Remote"),
        }
    ),
}
TEXT = st.sampled_from(["", "x", "%s %d", '",\n  "', "a\\b\t\x00\x01", "Ünï", "null", "Gone", "\u2028", "\x010\x01"])
VALUES: dict[T, st.SearchStrategy[Any]] = {
    T.STRING: st.one_of(st.none(), TEXT, st.text(st.characters(exclude_categories=["Cs"]))),
    T.INTEGER: st.one_of(st.none(), st.sampled_from([0, 1, -5, 2**63 - 1, -(2**63)])),
    T.DECIMAL: st.one_of(st.none(), st.sampled_from([Decimal("1.50"), Decimal("NaN"), Decimal("1E+30")])),
    T.DATETIME: st.one_of(st.none(), st.sampled_from([datetime(2025, 1, 2, 3, tzinfo=UTC), datetime(2025, 1, 2, 3)])),
    T.BINARY: st.one_of(st.none(), st.binary(max_size=4)),
    T.BOOLEAN: st.one_of(st.none(), st.booleans()),
}


def _objects(rt: ResourceType, columns: Columns) -> list[ConnectorObject]:
    return [
        ConnectorObject(
            object_type=rt.definition.object_type,
            identity=Identity(Anchor(anchor)),
            attributes={n: () if column[i] is None else (column[i],) for n, column in columns.values.items()},  # type: ignore[dict-item]
        )
        for i, anchor in enumerate(columns.anchors)
    ]


def _agree(rt: ResourceType, columns: Columns) -> None:
    found = rt.texts(columns)
    for _ in columns.anchors:  # a template more each time
        found = found or rt.texts(columns)
    assert found is not None
    objects = _objects(rt, columns)
    assert [bytes(one) for one in found.attributes] == [rt.encode(one.attributes) for one in objects]
    assert [bytes(one) for one in found.scim] == [rt.render(one.attributes) for one in objects]
    assert list(found.canonical) == [rt.canonical(one) for one in objects]
    assert [list(one) for one in found.keys] == [sorted(rt.keys(one)) for one in objects]


@pytest.mark.parametrize("name", TYPES)
@given(draw=st.data())
def test_as_one_by_one(name: str, draw: st.DataObject) -> None:
    rt = TYPES[name]
    count = draw.draw(st.integers(1, 5))
    types = {one.name: one.type for one in rt.object_type.attributes}
    values = {
        each: draw.draw(st.lists(VALUES[types[each]], min_size=count, max_size=count)) for each in rt.read_attributes
    }
    values["Login"] = [f"login{n}" for n in range(count)]
    _agree(rt, Columns([(text,) for text in values["Login"]], values))


def _columns(rt: ResourceType, count: int = 2, **values: Any) -> Columns:
    nothing: dict[str, Any] = {name: [None] * count for name in rt.read_attributes}
    return Columns([(f"a{n}",) for n in range(count)], nothing | values)


def test_an_anchor_that_is_no_attribute_is_a_key_all_the_same() -> None:
    pair = ObjectType(name="Employees", anchor=("a", "b"), attributes=(attribute("a", T.INTEGER), attribute("b")))
    rt = employees(object_type=pair, attributes=("b",), matching=(), flows={}, disable=None)
    columns = Columns([("1", "x"), ("2", "")], {"a": [1, 2], "b": ["X", ""]})
    _agree(rt, columns)


def test_a_type_that_shows_no_active() -> None:
    room = ObjectType(name="rooms", anchor=("id",), attributes=(attribute("id"), attribute("title")))
    definition = ResourceTypeDefinition(name="Room", endpoint="Rooms", object_type="rooms", attributes=("id", "title"))
    rt = compile_resource_type(definition, room, shape=1)
    _agree(rt, Columns([("1",), ("2",)], {"id": ["1", "2"], "title": ["A", None]}))


def test_what_json_cannot_hold_is_left_to_the_other_way() -> None:
    rt = TYPES["usual"]
    assert rt.texts(_columns(rt, Number=[1, 2**70])) is None
    assert rt.texts(_columns(rt, Title=["a\ud800", "b"])) is None
    assert rt.texts(_columns(rt, Title=["a", "b"])) is not None


def test_references_and_attributes_that_were_not_read_are_left_to_the_other_way() -> None:
    rt = TYPES["usual"]
    some = _columns(rt)
    assert rt.texts(Columns(some.anchors, {"Login": ["a", "b"]})) is None
    assert rt.texts(Columns((), some.values)) is None
    team = teams()
    assert team.texts(Columns([("t",)], {"name": ["t"], "displayName": ["T"]})) is None


def test_few_objects_of_many_kinds_are_left_to_the_other_way_until_their_templates_are_known() -> None:
    rt = employees(flows=ALONE)
    some = _columns(rt, count=3, Title=["a", None, None], Code=[None, "b", None])
    assert rt.texts(some) is None
    assert rt.texts(some) is None
    _agree(rt, some)


def test_so_many_templates_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_MOST", 2)
    rt = employees(flows=ALONE)
    for name in ("Title", "Code", "Status", "Title"):
        _agree(rt, _columns(rt, **{name: ["a", "b"]}))
