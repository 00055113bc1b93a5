"""Filters over random schemas: what the store finds is what scim2-models, an independent implementation, says matches.

Both sides know a type by the same Schema document, ours, and judge the same resources.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scim2_models import Resource, Schema, ScimFilter

from drawing import examples
from harness import folder_in_memory
from isthmus.engine.applying import write_of
from isthmus.engine.filtering import predicate_of
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.filter import parse_filter
from isthmus.spi import Anchor, AttributeDefinition, AttributeType, ConnectorObject, Identity, ObjectType, Operation
from isthmus.store import Store

T = AttributeType
Body = dict[str, Any]
Named = tuple[str, AttributeType, bool]
"""Name, type and whether case counts."""


@dataclass(frozen=True)
class Shape:
    """A schema to be: simple attributes, lists of simple values, the parts of one complex attribute and of a list."""

    single: tuple[Named, ...]
    lists: tuple[Named, ...]
    whole: tuple[Named, ...]
    items: tuple[Named, ...]


@cache
def sides(shape: Shape) -> tuple[ResourceType, Any]:
    """Return the type as we know it and as they do; their classes are kept, since they find them in weak ones."""
    attributes = [_definition(("key", T.STRING, True), required=True), *map(_definition, shape.single)]
    attributes += [_definition(each, multivalued=True) for each in shape.lists]
    for name, parts, several in (("whole", shape.whole, False), ("items", shape.items, True)):
        if parts:
            inner = tuple(map(_definition, parts))
            attributes.append(AttributeDefinition(name=name, type=T.COMPLEX, multivalued=several, sub_attributes=inner))
    kind = ObjectType(name="Things", anchor=("key",), attributes=tuple(attributes), operations=frozenset(Operation))
    names = tuple(each.name for each in attributes)
    definition = ResourceTypeDefinition(object_type="Things", name="Thing", endpoint="Things", attributes=names)
    ours = compile_resource_type(definition, kind, shape=1, strict=True, names={"Things": "Thing"})
    return ours, Resource.from_schema(Schema.model_validate(ours.schema_documents()[0]))


def _definition(named: Named, **facts: Any) -> AttributeDefinition:
    name, kind, exact = named
    return AttributeDefinition(name=name, type=kind, case_exact=exact, **facts)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with folder_in_memory("isthmus-filters-") as folder, Store.open(folder / "store") as opened:
        yield opened


_numbers = itertools.count()


class Crowd:
    """Some resources of one schema, in the store and as the other side reads them."""

    def __init__(self, store: Store, shape: Shape, bodies: list[Body]) -> None:
        self._store = store
        self._rt, self._model = sides(shape)
        self._space = store.space.ensure(f"filters-{next(_numbers)}", "Things")
        schemas = list(self._rt.schemas)
        plans = [
            self._rt.plan_create({"schemas": schemas, "key": str(number), **body}).attributes
            for number, body in enumerate(bodies)
        ]
        objects = [
            ConnectorObject(object_type="Things", identity=Identity(Anchor((str(number),))), attributes=each)
            for number, each in enumerate(plans)
        ]
        store.space.apply(self._space, [write_of(self._rt, each) for each in objects], noted=None, now=NOW)
        self._theirs = [self._model.model_validate(json.loads(self._rt.render(each.attributes))) for each in objects]

    def ours(self, text: str) -> set[int]:
        condition = predicate_of(self._rt.bind(parse_filter(text)), self._rt, lambda _: None)
        page = self._store.space.page(self._space, condition, start=1, count=1000, deadline=None)
        return {int(each.anchor[0]) for each in page.objects}

    def theirs(self, text: str) -> set[int]:
        asked = ScimFilter[self._model](text)
        return {number for number, each in enumerate(self._theirs) if asked.match(each)}


NOW = "2026-01-02T03:04:05Z"

# -- random schemas, resources and filters

TEXTS = ("a", "A", "ab", "Ab", "ä", "Ä", "x y", 'q"\\', "%", "_")
VALUES: dict[AttributeType, tuple[Any, ...]] = {
    T.STRING: TEXTS,
    T.INTEGER: (-2, 0, 1, 12, 2**53 + 1),
    T.BOOLEAN: (True, False),
    T.DECIMAL: (0.5, -1.25, 2.0, 12.5),
    T.DATETIME: ("2024-02-29T12:00:00+02:00", "2024-02-29T10:00:00Z", "2024-02-29T10:00:00.5Z", "1999-12-31T23:59:59Z"),
}
kinds = st.sampled_from([T.STRING, T.STRING, *VALUES])


def named(*names: str, least: int = 0) -> st.SearchStrategy[tuple[Named, ...]]:
    each = st.tuples(st.sampled_from(names), kinds, st.booleans())
    return st.lists(each, min_size=least, max_size=3, unique_by=lambda found: found[0]).map(tuple)


shapes = st.builds(
    Shape, named("alpha", "beta", "gamma"), named("tags", "sizes"), named("one", "two", "three"), named("p", "q", "r")
)


def value_of(kind: AttributeType) -> st.SearchStrategy[Any]:
    return st.sampled_from(VALUES[kind])


def parts_of(parts: tuple[Named, ...]) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({}, optional={name: value_of(kind) for name, kind, _ in parts}).filter(bool)


@st.composite
def bodies(draw: st.DrawFn, shape: Shape) -> Body:
    body: Body = {name: draw(value_of(kind)) for name, kind, _ in shape.single if draw(st.booleans())}
    for name, kind, _ in shape.lists:
        if found := draw(st.lists(value_of(kind), max_size=3, unique_by=json.dumps)):
            body[name] = found
    if shape.whole and draw(st.booleans()):
        body["whole"] = draw(parts_of(shape.whole))
    if shape.items and (found := draw(st.lists(parts_of(shape.items), max_size=3, unique_by=json.dumps))):
        body["items"] = found
    return body


OPERATORS: dict[AttributeType, tuple[str, ...]] = {
    T.STRING: ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"),
    T.BOOLEAN: ("eq", "ne"),
} | dict.fromkeys((T.INTEGER, T.DECIMAL, T.DATETIME), ("eq", "ne", "gt", "ge", "lt", "le"))


@st.composite
def comparison(draw: st.DrawFn, path: str, kind: AttributeType, *, several: bool) -> str:
    operator = draw(st.sampled_from(("pr", *OPERATORS[kind])))
    if operator == "pr":
        return f"{path} pr"
    value = draw(value_of(kind))
    return f"{path} {operator} {json.dumps(value, ensure_ascii=draw(st.booleans()))}"


def plain(shape: Shape) -> list[st.SearchStrategy[str]]:
    found = [comparison("key", T.STRING, several=False)]
    found += [comparison(name, kind, several=False) for name, kind, _ in shape.single]
    found += [comparison(name, kind, several=True) for name, kind, _ in shape.lists]
    found += [comparison(f"whole.{name}", kind, several=False) for name, kind, _ in shape.whole]
    found += [comparison(f"items.{name}", kind, several=True) for name, kind, _ in shape.items]
    if shape.items:
        inside = st.one_of([comparison(name, kind, several=False) for name, kind, _ in shape.items])
        found.append(st.recursive(inside, joined, max_leaves=3).map(lambda text: f"items[{text}]"))
        found.append(st.just("items pr"))
    return found


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    both = st.builds(lambda one, word, other: f"({one}) {word} ({other})", inner, st.sampled_from(["and", "or"]), inner)
    return both | inner.map(lambda text: f"not ({text})")


@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_store_finds_what_the_other_side_matches(store: Store, data: st.DataObject) -> None:
    shape = data.draw(shapes, label="schema")
    crowd = Crowd(store, shape, data.draw(st.lists(bodies(shape), min_size=1, max_size=5), label="resources"))
    filters = st.recursive(st.one_of(plain(shape)), joined, max_leaves=4)
    for text in data.draw(st.lists(filters, min_size=3, max_size=8), label="filters"):
        assert crowd.ours(text) == crowd.theirs(text), text


SHAPE = Shape(
    (("alpha", T.STRING, False), ("exact", T.STRING, True), ("flag", T.BOOLEAN, True), ("day", T.DATETIME, True)),
    (("tags", T.STRING, False), ("sizes", T.INTEGER, True)),
    (("one", T.STRING, False),),
    (("p", T.STRING, False), ("q", T.INTEGER, True), ("r", T.BOOLEAN, True)),
)
CROWD: list[Body] = [
    {"alpha": "Ab", "exact": "Ab", "flag": True, "day": "2024-02-29T12:00:00+02:00", "tags": ["x", "Y"]},
    {"alpha": "ab", "flag": False, "sizes": [1, 12], "items": [{"p": "a", "q": 1, "r": True}, {"p": "b", "q": 2}]},
    {"exact": "ab", "whole": {"one": "Q"}, "items": [{"p": "A", "q": 2, "r": False}]},
    {},
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('alpha eq "AB"', {0, 1}),
        ('exact eq "ab"', {2}),
        ('alpha ne "ab"', {2, 3}),
        ("flag eq true", {0}),
        ("flag ne true", {1, 2, 3}),
        ('day eq "2024-02-29T10:00:00Z"', {0}),
        ('day lt "2024-02-29T10:00:00.000001Z"', {0}),
        ('tags eq "y"', {0}),
        ('tags ne "y"', {1, 2, 3}),
        ("sizes gt 11", {1}),
        ('whole.one sw "q"', {2}),
        ("whole pr", {2}),
        ("items pr", {1, 2}),
        ('items[p eq "a" and q eq 2]', {2}),
        ('items[p eq "a"] and items[q eq 2]', {1, 2}),
        ("items[not (r pr)]", {1}),
        ("items[r eq false]", {2}),
        ('items.p eq "b" or not (items.q le 2)', {0, 1, 3}),
        ("sizes eq null", {0, 2, 3}),
    ],
)
def test_hand_picked(store: Store, text: str, found: set[int]) -> None:
    crowd = Crowd(store, SHAPE, CROWD)
    assert crowd.ours(text) == found
    assert crowd.theirs(text) == found
