"""PATCH against scim2-models, an independent implementation: over random schemas, the resource after it is the same.

Both sides know a type by the same Schema document, ours. Where they differ, RFC 7644 3.5.2 decides; each difference is
named in `DIFFERENCES` with its reason, and the generated operations keep away from it. Lists are compared without order
(RFC 7643 2.4 gives them none). Our side is `strict`, for what it tolerates otherwise no RFC describes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scim2_models import Context, PatchOp, Path, Resource, Schema
from scim2_models.exceptions import SCIMException

from drawing import examples
from harness import PATCH_OP
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.plans import CurrentObject, UpdatePlan
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.errors import ScimError
from isthmus.scim.patch import parse_operations
from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Operation, Value

T = AttributeType
Body = dict[str, Any]
DESCRIBING = {"type", "display", "primary"}


@dataclass(frozen=True)
class Shape:
    """A schema to be: simple attributes by name, and the sub-attributes of complex ones."""

    single: tuple[tuple[str, AttributeType], ...]
    lists: tuple[str, ...]
    complex: tuple[tuple[str, AttributeType], ...]
    elements: tuple[str, ...]
    """Sub-attributes of the multi-valued complex attribute `items`; `value` is one of them."""


@cache
def sides(shape: Shape) -> tuple[ResourceType, Any, Any, Any]:
    """Return the type as we and as they know it, their PATCH message and their path.

    Their classes are kept, each made once: scim2-models finds a bound path again in a weak dictionary, by a test and
    then a look-up, and raises KeyError if the garbage collector comes in between.
    """
    items = tuple(_definition(name, T.BOOLEAN if name == "primary" else T.STRING) for name in shape.elements)
    parts = tuple(_definition(name, kind) for name, kind in shape.complex)
    attributes = [
        _definition("key", required=True),
        *(_definition(name, kind) for name, kind in shape.single),
        *(_definition(name, multivalued=True) for name in shape.lists),
        _definition("items", T.COMPLEX, multivalued=True, sub_attributes=items),
    ]
    if parts:
        attributes.append(_definition("whole", T.COMPLEX, sub_attributes=parts))
    kind = ObjectType(name="Things", anchor=("key",), attributes=tuple(attributes), operations=frozenset(Operation))
    names = tuple(each.name for each in attributes)
    definition = ResourceTypeDefinition(object_type="Things", name="Thing", endpoint="Things", attributes=names)
    ours = compile_resource_type(definition, kind, shape=1, strict=True, names={"Things": "Thing"})
    theirs = Resource.from_schema(Schema.model_validate(ours.schema_documents()[0]))
    path = Path[theirs]
    return ours, theirs, PatchOp[theirs], path


def _definition(name: str, kind: AttributeType = T.STRING, **facts: Any) -> AttributeDefinition:
    return AttributeDefinition(name=name, type=kind, case_exact=False, **facts)


def ours_after(shape: Shape, body: Body, operations: Sequence[Body]) -> Body | None:
    """Return the resource after the operations, None if they are refused."""
    rt = sides(shape)[0]
    made = rt.plan_create(body).attributes
    current = CurrentObject(id="i", attributes={a.name: made.get(a.name, ()) for a in rt.object_type.attributes})
    try:
        plan = rt.plan_patch(parse_operations(_message(operations), strict=True), current)
    except ScimError:
        return None
    return _plain(json.loads(rt.render(_applied(plan, current))))


def theirs_after(shape: Shape, body: Body, operations: Sequence[Body]) -> Body | None:
    _, model, patch_op, _ = sides(shape)
    resource = model.model_validate(body)
    try:
        message = patch_op.model_validate(_message(operations), scim_ctx=Context.RESOURCE_PATCH_REQUEST)
        message.patch(resource)
    except (ValidationError, SCIMException):
        return None
    return _plain(resource.model_dump())


def _message(operations: Sequence[Body]) -> Body:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def _plain(resource: Body) -> Body:
    return {name: value for name, value in resource.items() if name not in {"schemas", "meta", "id"}}


def _applied(plan: UpdatePlan, current: CurrentObject) -> dict[str, tuple[Value, ...]]:
    after = dict(current.attributes)
    for change in plan.changes:
        if change.replace is not None:
            after[change.name] = change.replace
        else:
            kept = [value for value in after[change.name] if value not in change.remove]
            after[change.name] = (*kept, *(value for value in change.add if value not in kept))
    return after


def unordered(resource: Body | None) -> object:
    if resource is None:
        return None
    return {
        name: Counter(json.dumps(each, sort_keys=True) for each in value) if isinstance(value, list) else value
        for name, value in resource.items()
    }


# -- random schemas, resources and operations

kinds = st.sampled_from([T.STRING, T.INTEGER, T.BOOLEAN, T.DECIMAL])
simple = st.lists(st.tuples(st.sampled_from(["alpha", "beta", "gamma"]), kinds), max_size=3, unique_by=lambda x: x[0])
shapes = st.builds(
    lambda single, lists, parts, elements: Shape(tuple(single), tuple(lists), tuple(parts), ("value", *elements)),
    simple,
    st.lists(st.sampled_from(["tags", "colours"]), max_size=2, unique=True),
    st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), kinds), max_size=3, unique_by=lambda x: x[0]),
    st.lists(st.sampled_from(["type", "display", "primary", "extra"]), max_size=4, unique=True),
)

words = st.sampled_from(["a", "b", "c", "ä", "x y"])
VALUES: dict[AttributeType, st.SearchStrategy[Any]] = {
    T.STRING: words,
    T.INTEGER: st.integers(-5, 5),
    T.BOOLEAN: st.booleans(),
    T.DECIMAL: st.sampled_from([0.5, -1.25, 2.75]),
}


@st.composite
def element(draw: st.DrawFn, shape: Shape, *, whole: bool = False) -> Body:
    found: Body = {"value": draw(words)}
    for name in shape.elements[1:]:
        if whole or draw(st.booleans()):
            found[name] = draw(st.booleans() if name == "primary" else words)
    return found


def one_primary(elements: list[Body]) -> bool:
    return sum(each.get("primary") is True for each in elements) < 2


def different(elements: list[Body]) -> bool:
    seen = [(each.get("value"), each.get("type")) for each in elements]
    return len(seen) == len(set(seen))


@st.composite
def resources(draw: st.DrawFn, shape: Shape) -> Body:
    body: Body = {"schemas": [sides(shape)[0].schemas[0]], "key": "k"}
    for name, kind in shape.single:
        if draw(st.booleans()):
            body[name] = draw(VALUES[kind])
    for name in shape.lists:
        if found := draw(st.lists(words, max_size=3, unique=True)):
            body[name] = found
    if found := draw(st.lists(element(shape), max_size=3).filter(one_primary).filter(different)):
        body["items"] = found
    if shape.complex and (found := draw(parts_of(shape))):
        body["whole"] = found
    return body


def parts_of(shape: Shape) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in shape.complex})


def condition(shape: Shape) -> st.SearchStrategy[str]:
    texts = [name for name in shape.elements if name != "primary"]
    equal = st.builds(lambda name, word: f'{name} eq "{word}"', st.sampled_from(texts), words)
    others = [st.builds(lambda name, word: f'{name} sw "{word}"', st.sampled_from(texts), words)]
    others.append(st.sampled_from(texts).map(lambda name: f"not ({name} pr)"))
    if "primary" in shape.elements:
        others.append(st.sampled_from(["primary eq true", "primary ne true"]))
    both = st.builds(lambda one, other, word: f"{one} {word} {other}", equal, equal, st.sampled_from(["and", "or"]))
    return st.one_of(equal, both, *others)


@st.composite
def operations(draw: st.DrawFn, shape: Shape) -> Body:
    verb = draw(st.sampled_from(["add", "replace", "remove"]))
    choices = ["items", "items[]", "items[].sub", "pathless", *(["whole", "whole.part"] if shape.complex else [])]
    choices += [*(["single"] if shape.single else []), *(["list"] if shape.lists else [])]
    value: Any
    match draw(st.sampled_from(choices)):
        case "single":
            path, kind = draw(st.sampled_from(shape.single))
            value = draw(VALUES[kind] | (st.none() if verb == "replace" else st.nothing()))
        case "list":
            path, value = draw(st.sampled_from(shape.lists)), draw(st.lists(words, min_size=1, max_size=3, unique=True))
        case "whole":
            path, value = "whole", draw(parts_of(shape).filter(bool))
        case "whole.part":
            name, kind = draw(st.sampled_from(shape.complex))
            path, value = f"whole.{name}", draw(VALUES[kind])
        case "items":
            path, value = "items", draw(st.lists(element(shape), min_size=1, max_size=2).filter(different))
        case "items[]":
            path, value = f"items[{draw(condition(shape))}]", draw(element(shape, whole=verb == "replace"))
        case "items[].sub":
            sub = draw(st.sampled_from(shape.elements))
            path = f"items[{draw(condition(shape))}].{sub}"
            value = draw(st.booleans() if sub == "primary" else words)
        case _:
            verb = "add" if verb == "remove" else verb
            return {"op": verb, "value": {**draw(resources(shape)), "schemas": [sides(shape)[0].schemas[0]]}}
    return {"op": verb, "path": path} | ({} if verb == "remove" else {"value": value})


# -- where they differ, and which of both the RFC means

SHAPE = Shape(
    (("alpha", T.STRING), ("beta", T.INTEGER)),
    ("tags",),
    (("one", T.STRING),),
    ("value", "type", "display", "primary"),
)
WORK = {"value": "a", "type": "work", "primary": True}
HOME = {"value": "b", "type": "home"}
START = {"key": "k", "tags": ["x", "y"], "items": [WORK, HOME]}

DIFFERENCES: dict[str, tuple[Body, Body | None, Body | None]] = {
    # RFC 7644 3.5.2.1: what an add names and is not there is added; noTarget is said of remove and replace only
    "an add whose filter fits nothing makes the element that the filter describes": (
        {"op": "add", "path": 'items[type eq "other"].value', "value": "z"},
        {"items": [WORK, HOME, {"value": "z", "type": "other"}]},
        None,
    ),
    # RFC 7644 table 9: noTarget where "the path value contains a filter that yields no match"
    "a remove whose filter fits nothing is refused": (
        {"op": "remove", "path": 'items[type eq "other"]'},
        None,
        {"items": [WORK, HOME]},
    ),
    # RFC 7644 3.5.2.3: "all matching record values SHALL be replaced"; what the filter names stays true of them
    "a replace with a filter replaces the whole element": (
        {"op": "replace", "path": 'items[type eq "work"]', "value": {"value": "c"}},
        {"items": [{"value": "c", "type": "work"}, HOME]},
        {"items": [{"value": "c", "type": "work", "primary": True}, HOME]},
    ),
    # RFC 7643 2.4: the same value and type should not be there more than once
    "an element that is there already is not added again": (
        {"op": "add", "path": "items", "value": [{"value": "a", "type": "work", "display": "n"}]},
        {"items": [{**WORK, "display": "n"}, HOME]},
        {"items": [WORK, HOME, {"value": "a", "type": "work", "display": "n"}]},
    ),
    # RFC 7643 2.4: type, display and primary describe a value; without any value they describe nothing
    "an element of which only the description is left is removed": (
        {"op": "remove", "path": 'items[type eq "work"].value'},
        {"items": [HOME]},
        {"items": [{"type": "work", "primary": True}, HOME]},
    ),
    # RFC 7644 3.5.2.1: to a multi-valued attribute a new value is added
    "an add beside a simple value keeps it": (
        {"op": "add", "path": 'tags[value eq "x"]', "value": "z"},
        {"tags": ["x", "y", "z"]},
        {"tags": ["z", "y"]},
    ),
    # RFC 7643 2.3.4: an integer has no quotes
    "a number in quotes is no number": ({"op": "add", "path": "beta", "value": "5"}, None, {"beta": 5}),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences(name: str) -> None:
    operation, ours, theirs = DIFFERENCES[name]
    body = {"schemas": [sides(SHAPE)[0].schemas[0]], **START}
    assert unordered(ours_after(SHAPE, body, [operation])) == unordered(None if ours is None else START | ours)
    assert unordered(theirs_after(SHAPE, body, [operation])) == unordered(None if theirs is None else START | theirs)


def apart(shape: Shape, body: Body, operation: Body) -> bool:
    """Tell whether the two are known to differ here, by the list above."""
    path = str(operation.get("path", ""))
    elements: list[Body] = body.get("items", [])
    result = theirs_after(shape, body, [operation])
    if result is not None and not different(result.get("items", [])):
        return True  # the same value and type twice
    if "[" not in path:
        return False
    condition, _, sub = path.removeprefix("items[").partition("]")
    probe = {"op": "remove", "path": f"items[{condition}]"}
    removed = theirs_after(shape, {"key": "k", **body}, [probe]) or {}
    left = removed.get("items", [])
    chosen = [each for each in elements if each not in left]
    if not chosen:
        return True  # nothing fits: three ways to see it
    if operation["op"] != "remove" and not sub and len(chosen) > 1:
        return True  # they become the same; with a mark as primary theirs refuses, ours has one of them left
    if operation["op"] == "remove":
        return any(not each.keys() - DESCRIBING - {sub.removeprefix(".")} for each in chosen) if sub else False
    return False


@settings(max_examples=examples(250), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_same_resource_after_it(data: st.DataObject) -> None:
    shape = data.draw(shapes, label="schema")
    body = data.draw(resources(shape), label="resource")
    for _ in range(data.draw(st.integers(1, 3))):
        operation = data.draw(operations(shape), label="operation")
        if apart(shape, body, operation):
            continue
        ours, theirs = ours_after(shape, body, [operation]), theirs_after(shape, body, [operation])
        assert unordered(ours) == unordered(theirs), (body, operation)
        if ours is not None:
            body = {"schemas": body["schemas"], **ours}


AGREED: list[Body] = [
    {"op": "add", "path": "items", "value": [{"value": "c", "primary": True}]},
    {"op": "add", "path": "items", "value": {"value": "q"}},
    {"op": "replace", "path": 'items[type eq "work"].value', "value": "z"},
    {"op": "replace", "path": 'items[type eq "other"].value', "value": "z"},
    {"op": "add", "path": 'items[type eq "work"]', "value": {"display": "D"}},
    {"op": "remove", "path": 'items[type eq "work"].type'},
    {"op": "replace", "path": 'items[value eq "b"].primary', "value": True},
    {"op": "replace", "path": "items.type", "value": "other"},
    {"op": "replace", "path": "items", "value": []},
    {"op": "replace", "path": "whole", "value": {"one": "x"}},
    {"op": "remove", "path": "whole"},
    {"op": "add", "path": "tags", "value": ["z", "x"]},
    {"op": "remove", "path": "tags"},
    {"op": "remove", "path": "key"},
    {"op": "replace", "path": "alpha", "value": None},
    {"op": "replace", "path": "nope", "value": "5"},
    {"op": "add", "value": {"alpha": "a", "whole": {"one": "w"}, "items": [{"value": "w"}]}},
    {"op": "replace", "value": {"alpha": "a", "whole": {"one": "w"}, "items": [{"value": "w"}]}},
    {"op": "remove"},
    {"op": "add", "path": "alpha"},
]


@pytest.mark.parametrize("operation", AGREED, ids=json.dumps)
def test_hand_picked(operation: Body) -> None:
    body = {"schemas": [sides(SHAPE)[0].schemas[0]], **START}
    assert unordered(ours_after(SHAPE, body, [operation])) == unordered(theirs_after(SHAPE, body, [operation]))
