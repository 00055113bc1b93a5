"""From bound filters to conditions of the store, and the questions a filter puts to the target."""

from __future__ import annotations

import pytest

from isthmus.engine.filtering import lookups, predicate_of
from isthmus.engine.identifying import identifiers, identifying_attributes, locks_for
from isthmus.mapping.definition import Flow, ResourceTypeDefinition
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.filter import parse_filter
from isthmus.store import predicate as p
from unit.mapping.mapping_samples import EMPLOYEE


@pytest.fixture(scope="module")
def rt() -> ResourceType:
    definition = ResourceTypeDefinition(
        object_type="Employees",
        attributes=("Login", "FirstName", "LastName", "Email", "Number", "Manager"),
        matching=("Email",),
        flows={
            "userName": Flow(attribute="Login"),
            "name.familyName": Flow(attribute="LastName"),
            "displayName": Flow(attribute="FirstName"),
            'emails[type eq "work"].value': Flow(attribute="Email"),
            "manager": Flow(attribute="Manager"),
        },
    )
    return compile_resource_type(definition, EMPLOYEE, shape=1, strict=False, names={"Employees": "User"})


def condition(rt: ResourceType, text: str) -> p.Predicate:
    def key_of(wanted: str) -> str | None:
        return f'["{wanted}"]' if wanted == "known" else None

    return predicate_of(rt.bind(parse_filter(text)), rt, key_of)


def asked(rt: ResourceType, text: str) -> list[tuple[str, object]]:
    return [(found.attribute, found.value) for found in lookups(rt.bind(parse_filter(text)), rt)]


def test_equality_of_what_is_indexed_goes_by_the_index(rt: ResourceType) -> None:
    assert condition(rt, 'userName eq "Anna"') == p.KeyEquals("Login", rt.normalise("Login", "ANNA"))
    assert isinstance(condition(rt, 'name.familyName eq "Anna"'), p.Test)
    assert isinstance(condition(rt, 'userName sw "Anna"'), p.Test)
    assert condition(rt, 'externalId eq "x"') == p.KeyEquals(p.Pseudo.EXTERNAL_ID, "x")


def test_nobody_has_an_empty_name(rt: ResourceType) -> None:
    assert condition(rt, 'userName eq ""') == p.Constant(False)
    assert asked(rt, 'userName eq ""') == []


def test_references(rt: ResourceType) -> None:
    assert condition(rt, 'manager eq "known"') == p.LinkTo("Manager", '["known"]')
    assert condition(rt, 'manager eq "unknown"') == p.Constant(False)
    assert condition(rt, "manager pr") == p.LinkTo("Manager", None)


def test_what_is_asked_of_the_target(rt: ResourceType) -> None:
    assert asked(rt, 'userName eq "anna"') == [("Login", "anna")]
    assert asked(rt, 'userName eq "anna" and active eq true') == [("Login", "anna")]
    mail = 'emails[type eq "work"].value eq "a@x"'
    assert asked(rt, f'userName eq "anna" or {mail}') == [("Login", "anna"), ("Email", "a@x")]
    for never in ('not (userName eq "anna")', 'userName ne "anna"', 'userName sw "anna"', 'displayName eq "x"'):
        assert asked(rt, never) == [], never


def test_what_identifies_a_person(rt: ResourceType) -> None:
    assert identifying_attributes(rt) == (("Login",), ("Email",))
    found = identifiers(rt, {"Login": ("Anna",), "Email": ()})
    assert [(one.attributes, one.is_anchor, one.enforced) for one in found] == [(("Login",), True, True)]
    assert found[0].is_one_of(identifiers(rt, {"Login": ("ANNA",)}))
    assert not found[0].is_one_of(identifiers(rt, {"Login": ("Bert",)}))


def test_locks_are_the_same_for_equal_values_and_in_one_order(rt: ResourceType) -> None:
    one = locks_for([], identifiers(rt, {"Login": ("Anna",), "Email": ("A@x",)}))
    other = locks_for([], identifiers(rt, {"Login": ("ANNA",), "Email": ("a@X",)}))
    assert one == other == sorted(one)
    assert len(one) == 3, "the anchor's values, the object that has them, the address"
