"""Whatever JSON a client sends, the answer is a plan or a SCIM error in the 400s, never another exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from composite_samples import applied, persons, present
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_samples import CORE, ENTERPRISE, OWN, current, employees, teams

from drawing import examples
from isthmus.scim.errors import ScimError
from isthmus.scim.filter import parse_filter
from isthmus.scim.patch import parse_operations
from isthmus.spi import Complex

TYPES = [employees(), employees(strict=True), teams(), teams(strict=True)]
NAMES = [
    "userName", "name", "name.givenName", "emails", 'emails[type eq "work"].value', 'emails[value eq "x"]',
    "roles", 'roles[primary eq "True"].value', "addresses", "manager", "members", 'members[value eq "a"]',
    "active", "externalId", "password", "id", "meta", "schemas", "groups", "nickName", "title", CORE, ENTERPRISE,
    OWN, f"{OWN}:Tags", f'{OWN}:Tags[value eq "a"]', f"{OWN}:-dn-", f"{OWN}:Salary", f"{OWN}:Hired",
    f"{OWN}:Photo", f"{OWN}:Pin", f"{OWN}:Manager", f"{ENTERPRISE}:employeeNumber", "value", "type", "primary",
    "$ref", "display", "", "a[", "x.y.z", "displayName", "Login", "Tags", "Manager", "Serial", "export_password",
    "-dn-",
]  # fmt: skip


def outcome(call: Callable[[], Any]) -> Any:
    """Return the plan, or the error that a client would get."""
    try:
        return call()
    except ScimError as error:
        return error


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["True", "work"]),
)
keys = st.one_of(st.sampled_from(NAMES), st.text(max_size=4))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
bodies = st.dictionaries(keys, values, max_size=5)


@pytest.mark.parametrize("rt", TYPES, ids=["tolerant", "strict", "group", "strict group"])
@given(body=bodies)
@settings(max_examples=examples(150), deadline=None)
def test_whole_resources(rt: Any, body: dict[str, Any]) -> None:
    for found in (outcome(lambda: rt.plan_create(body)), outcome(lambda: rt.plan_replace(body, current()))):
        assert not isinstance(found, ScimError) or found.status == 400


operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["Add", "replace", "Remove"])}, optional={"path": st.sampled_from(NAMES), "value": values}
)


@pytest.mark.parametrize("rt", TYPES, ids=["tolerant", "strict", "group", "strict group"])
@given(sent=st.lists(operations, min_size=1, max_size=4))
@settings(max_examples=examples(200), deadline=None)
def test_patches(rt: Any, sent: list[dict[str, Any]]) -> None:
    plan = outcome(lambda: rt.plan_patch(parse_operations({"Operations": sent}), current()))
    if isinstance(plan, ScimError):
        assert plan.status == 400
        return
    named = [change.name for change in plan.changes]
    assert len(named) == len(set(named))
    assert not any(name.startswith("#") for name in named)
    for change in plan.changes:
        definition = rt.object_type.attribute(change.name)
        assert definition is not None
        assert not definition.readonly
        assert change.replace is None or not (change.add or change.remove)
        if change.replace == ():
            assert not definition.required


paths = st.sampled_from([name for name in NAMES if name and "[" not in name])
literals = st.sampled_from(
    ['"x"', '""', "true", '"True"', "null", "5", "1.5", "bare", '"2025-01-31T08:00:00Z"', '"AAEC"']
)
comparisons = st.builds(
    "{} {} {}".format, paths, st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]), literals
)
filters = st.recursive(
    st.one_of(comparisons, st.builds("{} pr".format, paths)),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds(
            "{}[{} {} {}]".format, paths, st.sampled_from(["value", "type", "primary", "x"]), st.just("eq"), literals
        ),
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("rt", [TYPES[0], TYPES[2]], ids=["user", "group"])
@given(text=filters)
@settings(max_examples=examples(200), deadline=None)
def test_filters(rt: Any, text: str) -> None:
    found = outcome(lambda: rt.bind(parse_filter(text)))
    assert not isinstance(found, ScimError) or (found.status, found.scim_type) == (400, "invalidFilter")


# -- attributes made of parts

PERSONS = [persons(), persons(strict=True)]
PARTS = [
    "emails", "emails.value", 'emails[type eq "work"]', 'emails[type eq "work"].value', "emails[primary eq true].type",
    'emails[not (value co "x")]', "emails.primary", "phoneNumbers", 'phoneNumbers[value eq "+1"].primary', "name",
    "name.givenName", "roles", 'roles[primary eq "True"].value', f"{OWN}:Facts", f"{OWN}:Facts.share",
    f"{OWN}:Facts[whole gt 1].seal", f"{OWN}:Telephones.row", f"{OWN}:FullName.Suffix", "addresses.locality", OWN,
    "value", "type", "primary", "display", "whole", "share", "on", "since", "seal", "userName", "x",
]  # fmt: skip
part_keys = st.one_of(st.sampled_from(PARTS), st.text(max_size=3))
part_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(part_keys, inner, max_size=4), max_leaves=8
)
part_operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["Add", "replace", "Remove"])},
    optional={"path": st.sampled_from(PARTS), "value": part_values},
)


@pytest.mark.parametrize("rt", PERSONS, ids=["tolerant", "strict"])
@given(body=st.dictionaries(part_keys, part_values, max_size=5))
@settings(max_examples=examples(150), deadline=None)
def test_whole_resources_made_of_parts(rt: Any, body: dict[str, Any]) -> None:
    created = outcome(lambda: rt.plan_create(body))
    assert not isinstance(created, ScimError) or created.status == 400
    if not isinstance(created, ScimError):
        rt.render(rt.decode(rt.encode(created.attributes)))
    replaced = outcome(lambda: rt.plan_replace(body, present()))
    assert not isinstance(replaced, ScimError) or replaced.status == 400


@pytest.mark.parametrize("rt", PERSONS, ids=["tolerant", "strict"])
@given(sent=st.lists(part_operations, min_size=1, max_size=4))
@settings(max_examples=examples(250), deadline=None)
def test_patches_of_parts(rt: Any, sent: list[dict[str, Any]]) -> None:
    plan = outcome(lambda: rt.plan_patch(parse_operations({"Operations": sent}), present()))
    if isinstance(plan, ScimError):
        assert plan.status == 400
        return
    for change in plan.changes:
        definition = rt.object_type.attribute(change.name)
        for value in (*(change.replace or ()), *change.add):
            if isinstance(value, Complex):
                assert value.parts
                allowed = {part.name: part for part in definition.sub_attributes}
                assert {name for name, _ in value.parts} <= allowed.keys()
                assert all(value.get(n) is not None for n, part in allowed.items() if part.required)
    after = applied(plan, present())
    rt.render(rt.decode(rt.encode(after)))
