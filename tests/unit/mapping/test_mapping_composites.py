"""Attributes made of parts: what is stored, shown, written and changed."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from composite_samples import (
    CELL,
    FLOWS,
    HOME,
    OFFICE,
    PERSON,
    PRESENT,
    WORK,
    applied,
    c,
    changes,
    made_of,
    persons,
    present,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_samples import OWN, T, attribute, current, employees, op, patch

from isthmus.mapping.definition import Flow
from isthmus.mapping.problems import MappingProblem
from isthmus.scim.errors import InvalidValue, NoTarget, ScimError, TooLarge
from isthmus.spi import AttributeChange, Complex, ConnectorObject, Identity, ObjectType
from isthmus.spi.objects import Anchor

RT = persons()
STRICT = persons(strict=True)
META = b'{"version":"1"}'


def shown(attributes: Any = PRESENT, rt: Any = RT) -> dict[str, Any]:
    return json.loads(rt.finish(rt.render(attributes), meta=META))


def refused(call: Any, *given_: Any, rt: Any = RT) -> ScimError:
    with pytest.raises(ScimError) as caught:
        call(rt, *given_)
    assert caught.value.status == 400
    return caught.value


def patched(rt: Any, *operations: Any) -> Any:
    return patch(rt, *operations, on=present())


# -- stored and shown


def test_what_is_shown() -> None:
    user = shown()
    assert user["emails"] == [
        {"value": "w@x", "type": "work", "primary": True},
        {"value": "h@x", "type": "home"},
    ]
    assert user["phoneNumbers"] == [
        {"value": "+1", "type": "work", "primary": True},
        {"value": "+2", "type": "mobile", "primary": False},
    ]
    assert user["name"] == {"familyName": "Doe", "givenName": "Jane", "honorificSuffix": "III"}
    own = user[OWN]
    assert own["Telephones"][0] == {"row": 7, "number": "+1", "kind": "work", "preferred": 1, "note": "ring twice"}
    assert own["FullName"] == {"givenName": "Jane", "familyName": "Doe", "Suffix": "III"}
    assert own["emails"] == [{"value": "w@x", "type": "work", "primary": True}, {"value": "h@x", "type": "home"}]
    assert "Facts" not in own


def test_what_has_no_value_is_left_out() -> None:
    user = shown({"emails": (c(value="", type=""), c(value="x", type="")), "FullName": (c(givenName=""),)})
    assert user["emails"] == [{"value": "x"}]
    assert "name" not in user


def test_the_stored_form() -> None:
    raw = RT.encode({"emails": (WORK,), "Facts": (c(since=datetime(2025, 1, 2, tzinfo=UTC), share=Decimal("1.50")),)})
    assert json.loads(raw) == {
        "Facts": [{"share": "1.50", "since": "2025-01-02T00:00:00.000000Z"}],
        "emails": [{"primary": True, "type": "work", "value": "w@x"}],
    }


texts = st.text(max_size=8).filter(lambda text: text != "")
facts = st.builds(
    Complex,
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
            "whole": st.integers(-(2**70), 2**70),
            "share": st.decimals(allow_nan=False, allow_infinity=False),
            "on": st.booleans(),
            "since": st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda moment: moment.replace(fold=0)),
            "seal": st.binary(max_size=8),
        },
    ),
)


@settings(deadline=None)
@given(st.lists(facts, max_size=3).map(tuple))
def test_nothing_is_lost_in_the_store(values: tuple[Complex, ...]) -> None:
    back = RT.decode(RT.encode({"Facts": values}))["Facts"]
    assert back == values
    for one, other in zip(values, back, strict=True):
        assert isinstance(other, Complex)
        for name, part in one.parts:
            assert type(other.get(name)) is type(part)
            assert repr(other.get(name)) == repr(part)
        if -(2**63) <= one.as_dict().get("whole", 0) < 2**63:  # type: ignore[operator]
            assert RT.decode(json.dumps({"Facts": [RT.plain(one)]}).encode())["Facts"] == (one,)


def test_a_part_that_the_target_lost_is_forgotten() -> None:
    assert RT.decode(b'{"Roles":[{"value":"a","gone":1}]}')["Roles"] == (c(value="a"),)


def test_the_digest_goes_by_content_and_not_by_order() -> None:
    def digest(*emails: Complex) -> int:
        return RT.canonical(
            ConnectorObject(object_type="Persons", identity=Identity(Anchor(("j",))), attributes={"emails": emails})
        )

    assert digest(WORK, HOME) == digest(HOME, WORK)
    assert digest(Complex({"a": 1, "b": 2})) == digest(Complex({"b": 2, "a": 1}))
    others = [digest(), digest(WORK), digest(WORK, c(type="home", value="H@x")), digest(c(type="work", value="w@x"))]
    assert len({digest(WORK, HOME), *others}) == 5


# -- whole resources


def test_a_post() -> None:
    plan = RT.plan_create(
        {
            "userName": "u",
            "emails": [{"value": "a@x", "type": "work", "primary": True}, {"Value": "b@x", "primary": "False"}, "c@x"],
            "phoneNumbers": [{"value": "+3", "type": "fax", "primary": True, "display": "dropped"}],
            "addresses": [None, {}, {"type": "work"}],
            "name": {"givenName": "A", "familyName": None},
            "roles": {"value": "R"},
        }
    )
    assert plan.attributes == {
        "Login": ("u",),
        "emails": (c(value="a@x", type="work", primary=True), c(value="b@x", primary=False), c(value="c@x")),
        "Telephones": (c(number="+3", kind="fax", preferred=1),),
        "FullName": (c(givenName="A"),),
        "Roles": (c(value="R"),),
    }


def test_a_post_with_keys_that_are_paths() -> None:
    plan = RT.plan_create(
        {
            "userName": "u",
            'emails[type eq "work"].value': "a@x",
            'emails[type eq "work"].primary': "True",
            'emails[type eq "home"].value': "b@x",
            "name.givenName": "A",
            "name.familyName": "B",
        }
    )
    assert set(plan.attributes["emails"]) == {c(type="work", value="a@x", primary=True), c(type="home", value="b@x")}
    assert plan.attributes["FullName"] == (c(givenName="A", familyName="B"),)


def test_a_post_under_own_names() -> None:
    sent = {
        "text": "t", "whole": 5, "share": "1.5", "on": True, "since": "2025-01-02T00:00:00Z", "seal": "AAEC",
    }  # fmt: skip
    plan = RT.plan_create({OWN: {"Login": "u", "Facts": [sent], "Telephones": [{"number": "1", "ROW": 5}]}})
    assert plan.attributes["Facts"] == (
        c(text="t", whole=5, share=Decimal("1.5"), on=True, since=datetime(2025, 1, 2, tzinfo=UTC), seal=b"\0\1\2"),
    )
    assert plan.attributes["Telephones"] == (c(number="1"),), "what the target makes is not sent"
    back = shown(plan.attributes)[OWN]["Facts"]
    assert back == [{**sent, "share": 1.5}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"emails": [{"type": "work", "display": "x", "value": {"a": 1}}]}, "single value"),
        ({"emails": [["a"]]}, "object"),
        ({"emails": 5.5}, "string"),
        ({"emails": [{"value": "x" * 10, "primary": "perhaps"}]}, "true or false"),
        ({"name": [{"givenName": "a"}, {"givenName": "b"}]}, "object"),
        ({"name": "Jane"}, "object"),
        ({OWN: {"Facts": [{"colour": "red"}]}}, "no sub-attribute 'colour'"),
        ({OWN: {"Facts": [{"whole": "many"}]}}, "integer"),
        ({OWN: {"Telephones": [{"kind": "fax"}]}}, "every element needs number"),
    ],
)
def test_what_cannot_be_taken(body: Any, says: str) -> None:
    error = refused(lambda rt: rt.plan_create({"userName": "u", **body}))
    assert error.scim_type == "invalidValue"
    assert says in error.detail


def test_at_most_one_element_is_primary() -> None:
    two = [{"value": "a", "primary": True}, {"value": "b", "primary": True}]
    plan = RT.plan_create({"userName": "u", "emails": two})
    assert plan.attributes["emails"] == (c(value="a", primary=True), c(value="b", primary=False))
    assert "primary" in plan.warnings[0]
    error = refused(lambda rt: rt.plan_create({"userName": "u", "emails": two}), rt=STRICT)
    assert (error.scim_type, "at most one" in error.detail) == ("invalidValue", True)


def test_a_put() -> None:
    plan = RT.plan_replace({"userName": "jdoe", "emails": [{"value": "n@x"}], "name": {"givenName": "Ann"}}, present())
    assert changes(plan) == {
        "emails": (c(value="n@x"),),
        "FullName": (c(givenName="Ann", familyName="Doe", Suffix="III"),),
    }
    assert changes(RT.plan_replace({"emails": [], "phoneNumbers": None, "name": None}, present())) == {
        "emails": (),
        "Telephones": (),
        "FullName": (),
    }
    assert changes(STRICT.plan_replace({"userName": "jdoe", "name": {"givenName": "Ann"}}, present())) == {
        "emails": (),
        "Telephones": (),
        "addresses": (),
        "Roles": (),
        "FullName": (c(givenName="Ann"),),
    }


def test_a_put_keeps_the_parts_that_a_path_does_not_show() -> None:
    sent = shown()["phoneNumbers"]
    assert changes(RT.plan_replace({"phoneNumbers": sent}, present())) == {"Telephones": (OFFICE, CELL)}
    sent[1]["value"] = "+9"
    plan = RT.plan_replace({"phoneNumbers": sent}, present())
    assert changes(plan) == {"Telephones": (OFFICE, c(number="+9", kind="mobile", preferred=0))}


def test_what_was_read_can_be_sent_back_with_one_change() -> None:
    user = shown()
    user["emails"][1]["value"] = "n@x"
    plan = RT.plan_replace(user, present())
    assert changes(plan)["emails"] == (WORK, c(type="home", value="n@x"))
    user = shown()
    user[OWN]["emails"].reverse()
    assert set(changes(RT.plan_replace(user, present()))["emails"]) == {WORK, HOME}
    user[OWN]["emails"] = [{"value": "other"}]
    user["emails"] = [{"value": "another"}]
    assert "same attribute" in refused(lambda rt: rt.plan_replace(user, present())).detail


@pytest.mark.parametrize("own_first", [False, True])
def test_one_path_s_change_counts_where_the_other_comes_back_as_it_was_read(own_first: bool) -> None:
    """Parts that the target computes do not come back; parts that a path does not show are as they are."""
    on = present()
    read = json.loads(RT.render(on.attributes, id="the-id"))
    assert read[OWN]["Telephones"][0]["row"] == 7
    cell = c(number="+2", kind="mobile", preferred=0, note="new")

    def put(**changed: Any) -> Any:
        whole = {**read, **changed}
        body = {OWN: whole.pop(OWN), **whole} if own_first else whole
        found = applied(RT.plan_replace(body, on), on)["Telephones"]
        return {Complex({n: part for n, part in one.parts if n != "row"}) for one in found}

    office = Complex({name: part for name, part in OFFICE.parts if name != "row"})
    assert put(phoneNumbers=read["phoneNumbers"][:1]) == {office}
    assert put(phoneNumbers=[]) == set()
    phones = [read[OWN]["Telephones"][0], {**read[OWN]["Telephones"][1], "note": "new"}]
    assert put(**{OWN: {**read[OWN], "Telephones": phones}}) == {office, cell}


# -- PATCH

NEW = c(type="work", value="n@x", primary=True)
UNMARKED = c(type="work", value="w@x", primary=False)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (op("Replace", 'emails[type eq "work"].value', "n@x"), {"emails": ({WORK}, {NEW})}),
        (op("Add", 'emails[type eq "work"].value', "n@x"), {"emails": ({WORK}, {NEW})}),
        (op("replace", 'emails[TYPE eq "WORK"].Value', "w@x"), {"emails": (set(), {WORK})}),
        (op("replace", 'emails[type eq "work" and value sw "w"].value', "n@x"), {"emails": ({WORK}, {NEW})}),
        (op("replace", 'emails[not (type eq "home")].value', "n@x"), {"emails": ({WORK}, {NEW})}),
        (
            op("replace", 'emails[type eq "work" or type eq "home"].display', "D"),
            {
                "emails": (
                    {WORK, HOME},
                    {c(type="work", value="w@x", primary=True, display="D"), c(type="home", value="h@x", display="D")},
                )
            },
        ),
        (op("replace", "emails[primary eq true].value", "n@x"), {"emails": ({WORK}, {NEW})}),
        (op("replace", 'emails[primary eq "True"].value', "n@x"), {"emails": ({WORK}, {NEW})}),
        # an element that is not there is made by Add and by Replace
        (op("Add", 'emails[type eq "other"].value', "o@x"), {"emails": (set(), {c(type="other", value="o@x")})}),
        (op("Replace", 'emails[type eq "other"].value', "o@x"), {"emails": (set(), {c(type="other", value="o@x")})}),
        (
            op("Add", 'addresses[type eq "home"].locality', "Bonn"),
            {"addresses": (set(), {c(type="home", locality="Bonn")})},
        ),
        (
            op("add", None, {'emails[type eq "other"].value': "o@x"}),
            {"emails": (set(), {c(type="other", value="o@x")})},
        ),
        # `type` has no place in the target's roles, so every role is meant
        (op("Replace", 'roles[type eq "x"].value', "Writer"), {"Roles": ({c(value="Reader")}, {c(value="Writer")})}),
        (op("Add", 'roles[primary eq "True"].value', "W"), {"Roles": ({c(value="Reader")}, {c(value="W")})}),
        # elements as wholes
        (op("add", "emails", [{"value": "n@x"}]), {"emails": (set(), {c(value="n@x")})}),
        (op("add", "emails", {"value": "n@x"}), {"emails": (set(), {c(value="n@x")})}),
        (op("add", None, {"emails": [{"value": "n@x"}]}), {"emails": (set(), {c(value="n@x")})}),
        (op("add", "emails", [{"type": "work", "value": "W@x"}]), {
            "emails": ({WORK}, {c(type="work", value="W@x", primary=True)})
        }),
        (op("replace", "emails", [{"value": "n@x"}]), {"emails": (c(value="n@x"),)}),
        (op("replace", None, {"emails": [{"value": "n@x"}]}), {"emails": (c(value="n@x"),)}),
        (op("replace", 'emails[type eq "work"]', {"value": "n"}), {"emails": ({WORK}, {c(type="work", value="n")})}),
        (op("add", 'emails[type eq "work"]', {"value": "n@x"}), {"emails": ({WORK}, {NEW})}),
        (
            op("replace", 'addresses[type eq "work"]', {"locality": "Bonn"}),
            {
                "addresses": (
                    {c(type="work", streetAddress="Main 1", locality="Ulm")},
                    {c(type="work", locality="Bonn")},
                )
            },
        ),
        (op("replace", "emails.display", "D"), {
            "emails": (
                {WORK, HOME},
                {c(type="work", value="w@x", primary=True, display="D"), c(type="home", value="h@x", display="D")},
            )
        }),
        # removing
        (op("remove", 'emails[type eq "work"]'), {"emails": ({WORK}, set())}),
        (op("remove", 'emails[type eq "work"].value'), {"emails": ({WORK}, set())}),
        (op("replace", 'emails[type eq "work"].value', ""), {"emails": ({WORK}, set())}),
        (op("replace", 'emails[type eq "work"]', None), {"emails": ({WORK}, set())}),
        (op("remove", 'emails[type eq "fax"]'), {}),
        (op("remove", "emails"), {"emails": ()}),
        (op("replace", "emails", []), {"emails": ()}),
        (op("replace", "emails", None), {"emails": ()}),
        (op("Remove", "emails", [{"value": "H@X"}]), {"emails": ({HOME}, set())}),
        (op("Remove", "emails", [{"type": "home", "value": "other"}]), {"emails": (set(), set())}),
        (op("Remove", "emails", [{"value": "h@x", "primary": False, "display": "?"}]), {"emails": ({HOME}, set())}),
        (op("Remove", "emails", [{"primary": True}]), {"emails": ({WORK}, set())}),
        (op("Remove", "emails", [{}, None, {"primary": False}]), {}),
        (
            op("remove", 'addresses[type eq "work"].locality'),
            {
                "addresses": (
                    {c(type="work", streetAddress="Main 1", locality="Ulm")},
                    {c(type="work", streetAddress="Main 1")},
                )
            },
        ),
        # another element becomes the primary one
        (op("replace", 'emails[type eq "home"].primary', True), {
            "emails": ({WORK, HOME}, {UNMARKED, c(type="home", value="h@x", primary=True)})
        }),
        (op("add", "emails", [{"value": "n@x", "primary": True}]), {
            "emails": ({WORK}, {UNMARKED, c(value="n@x", primary=True)})
        }),
        # other names, and parts that the path does not show
        (op("replace", 'phoneNumbers[type eq "work"].value', "+9"), {
            "Telephones": ({OFFICE}, {c(number="+9", kind="work", preferred=1, note="ring twice")})
        }),
        (op("replace", 'phoneNumbers[type eq "work"].value', "+1"), {"Telephones": (set(), {OFFICE})}),
        (op("replace", 'phoneNumbers[type eq "mobile"].primary', "True"), {
            "Telephones": (
                {OFFICE, CELL},
                {
                    c(number="+1", kind="work", preferred=0, note="ring twice"),
                    c(number="+2", kind="mobile", preferred=1),
                },
            )
        }),
        (op("add", "phoneNumbers", [{"value": "+1", "type": "work", "primary": False}]), {
            "Telephones": ({OFFICE}, {c(number="+1", kind="work", preferred=0, note="ring twice")})
        }),
        (op("replace", f'{OWN}:Telephones[kind eq "work"].note', "new"), {
            "Telephones": ({OFFICE}, {c(number="+1", kind="work", preferred=1, note="new")})
        }),
        # one value
        (op("replace", "name.givenName", "Ann"), {"FullName": (c(givenName="Ann", familyName="Doe", Suffix="III"),)}),
        (op("replace", "name", {"givenName": "Ann"}), {
            "FullName": (c(givenName="Ann", familyName="Doe", Suffix="III"),)
        }),
        (op("replace", None, {"name.givenName": "Ann", "name.familyName": "Roe"}), {
            "FullName": (c(givenName="Ann", familyName="Roe", Suffix="III"),)
        }),
        (op("remove", "name.honorificSuffix"), {"FullName": (c(givenName="Jane", familyName="Doe"),)}),
        (op("remove", "name"), {"FullName": ()}),
        (op("replace", "name", None), {"FullName": ()}),
        (op("replace", f"{OWN}:FullName.Suffix", "IV"), {
            "FullName": (c(givenName="Jane", familyName="Doe", Suffix="IV"),)
        }),
    ],
)  # fmt: skip
def test_patch(operation: Any, expected: Any) -> None:
    found = changes(patched(RT, operation))
    assert {name: change for name, change in found.items() if change != (set(), set())} == {
        name: change for name, change in expected.items() if change != (set(), set())
    }


@pytest.mark.parametrize(
    ("operation", "kind", "says"),
    [
        (op("replace", "emails.colour", "x"), "invalidPath", "no sub-attribute"),
        (op("remove", 'phoneNumbers[type eq "work"].value'), "mutability", "every element needs it"),
        (op("replace", 'phoneNumbers[type eq "work"].value', ""), "mutability", "every element needs it"),
        (op("replace", 'emails[colour eq "x"].value', "x"), "invalidFilter", "not in the schema"),
        (op("replace", 'emails[value sw "z"].value', "x"), "noTarget", "none can be made"),
        (op("replace", 'emails[type eq "work"]', [{"value": "a"}, {"value": "b"}]), "invalidValue", "one object"),
        (op("replace", 'name[givenName eq "x"]', {}), "invalidPath", "one value"),
        (op("replace", "emails[primary gt true].value", "x"), "invalidFilter", "eq and ne"),
        (op("replace", f'{OWN}:Telephones[kind eq "work"].row', 9), "mutability", "read-only"),
        (op("replace", "name.nickName", "x"), "invalidPath", "no sub-attribute"),
        (op("remove", 'emails[type eq "home" and'), "invalidPath", "parsed"),
    ],
)  # fmt: skip
def test_what_patch_refuses(operation: Any, kind: str, says: str) -> None:
    error = refused(patched, operation)
    assert error.scim_type == kind
    assert says in error.detail


def test_a_strict_patch_names_what_is_there() -> None:
    for operation in (op("replace", 'emails[type eq "fax"].value', "x"), op("remove", 'emails[type eq "fax"]')):
        assert refused(patched, operation, rt=STRICT).scim_type == "noTarget"
    assert changes(patched(STRICT, op("add", 'emails[type eq "fax"].value', "f"))) == {
        "emails": (set(), {c(type="fax", value="f")})
    }
    assert refused(patched, op("replace", 'roles[type eq "x"].value', "W"), rt=STRICT).scim_type == "invalidFilter"
    assert refused(patched, op("add", "emails", ["bare"]), rt=STRICT).scim_type == "invalidValue"
    assert refused(patched, op("replace", "roles", [{"value": "x", "colour": "y"}]), rt=STRICT)


def test_a_strict_service_takes_what_only_describes_a_value() -> None:
    """`display` and `type` that the target has no room for: no client could leave them out on its own."""
    plan = patched(STRICT, op("add", "roles", [{"value": "W", "type": "x", "primary": True}]))
    assert changes(plan) == {"Roles": (set(), {c(value="W")})}


def test_later_operations_see_earlier_ones() -> None:
    plan = patched(
        RT,
        op("add", 'emails[type eq "other"].value', "o@x"),
        op("replace", 'emails[value eq "o@x"].primary', True),
        op("remove", 'emails[type eq "home"]'),
    )
    assert set(applied(plan, present())["emails"]) == {UNMARKED, c(type="other", value="o@x", primary=True)}


def test_a_read_only_attribute() -> None:
    fixed = made_of("emails", attribute("value"), attribute("type"), multivalued=True, readonly=True)
    person = ObjectType(name="Persons", anchor=("Login",), attributes=(PERSON.attributes[0], fixed))
    flows = {"userName": Flow(attribute="Login"), "emails": Flow(attribute="emails", direction="import")}
    rt = persons(object_type=person, flows=flows)
    assert changes(rt.plan_replace({"emails": [{"value": "n"}]}, present())) == {}
    error = refused(patched, op("replace", 'emails[type eq "work"].value', "n"), rt=rt)
    assert error.scim_type == "mutability"
    [emails] = [a for a in rt.schema_documents()[0]["attributes"] if a["name"] == "emails"]
    assert emails["mutability"] == "readOnly"
    assert {sub["mutability"] for sub in emails["subAttributes"]} == {"readOnly"}


def test_room_for_one_element() -> None:
    single = made_of("home", attribute("street"), attribute("city"))
    person = ObjectType(name="Persons", anchor=("Login",), attributes=(PERSON.attributes[0], single))
    flow = Flow(attribute="home", sub_attributes={"streetAddress": "street", "locality": "city"})
    settings: Any = {"object_type": person, "flows": {"userName": Flow(attribute="Login"), "addresses": flow}}
    rt = persons(**settings)
    two = {"userName": "u", "addresses": [{"locality": "Ulm"}, {"locality": "Bonn"}]}
    plan = rt.plan_create(two)
    assert plan.attributes["home"] == (c(city="Ulm"),)
    assert "room for one" in plan.warnings[0]
    assert "room for one" in refused(lambda rt: rt.plan_create(two), rt=persons(**settings, strict=True)).detail
    assert shown(plan.attributes, rt)["addresses"] == [{"locality": "Ulm"}]
    on = present(home=(c(city="Ulm"),))
    assert patch(rt, op("replace", "addresses.locality", "Bonn"), on=on).changes == (
        AttributeChange("home", replace=(c(city="Bonn"),)),
    )


def test_which_patches_depend_on_what_the_target_has_now() -> None:
    from isthmus.scim.patch import parse_operations

    def judged(*operations: Any, rt: Any = RT) -> bool:
        return bool(rt.judged_on_values(parse_operations({"Operations": list(operations)})))

    assert judged(op("add", "emails", [{"value": "x"}]))
    assert judged(op("replace", None, {"name": {"givenName": "x"}}))
    assert judged(op("replace", None, {"name.givenName": "x"}))
    assert judged(op("replace", None, {OWN: {"Facts": []}}))
    assert not judged(op("replace", "userName", "x"))
    assert not judged(op("replace", None, {"userName": "x", OWN: {"Login": "x"}}))


# -- any sequence of changes

elements = st.fixed_dictionaries(
    {"value": st.sampled_from(["a", "b", "c"])},
    optional={"type": st.sampled_from(["work", "home"]), "primary": st.booleans(), "display": st.just("d")},
)
conditions = st.sampled_from(['type eq "work"', 'type eq "home"', "primary eq true", 'value eq "a"'])
steps = st.one_of(
    st.builds(lambda e: op("add", "emails", [e]), elements),
    st.builds(lambda e: op("replace", "emails", e), st.lists(elements, max_size=3)),
    st.builds(lambda e: op("remove", "emails", [e]), elements),
    st.builds(lambda w, v: op("replace", f"emails[{w}].value", v), conditions, st.sampled_from(["a", "z", ""])),
    st.builds(lambda w: op("add", f"emails[{w}].primary", value=True), conditions),
    st.builds(lambda w: op("remove", f"emails[{w}]"), conditions),
    st.builds(lambda w, e: op("replace", f"emails[{w}]", e), conditions, elements),
    st.just(op("remove", "emails")),
)


@settings(deadline=None)
@given(st.lists(st.lists(steps, min_size=1, max_size=4), max_size=5))
def test_any_sequence_of_patches(requests: list[list[Any]]) -> None:
    on = present()
    for operations in requests:
        try:
            plan = patch(RT, *operations, on=on)
        except (InvalidValue, NoTarget):
            continue
        on = present(emails=applied(plan, on)["emails"])
        emails = on.attributes["emails"]
        assert len(set(emails)) == len(emails)
        assert sum(1 for each in emails if isinstance(each, Complex) and each.get("primary") is True) <= 1
        assert all(isinstance(each, Complex) and each.get("value") for each in emails)


# -- what does not fit


@pytest.mark.parametrize(
    ("flows", "says"),
    [
        ({"emails": Flow(attribute="emails", sub_attributes={"valeu": "value"})}, "did you mean 'value'"),
        ({"emails": Flow(attribute="emails", sub_attributes={"value": "adress"})}, "no part 'adress'"),
        ({"emails": Flow(attribute="Telephones")}, "sub_attributes"),
        ({"emails.value": Flow(attribute="emails")}, "write emails alone"),
        ({'emails[type eq "work"]': Flow(attribute="emails")}, "write emails alone"),
        ({"title": Flow(attribute="emails")}, "made of parts"),
        ({"name": Flow(attribute="emails", sub_attributes={"givenName": "value"})}, "has one value"),
        ({"emails": Flow(attribute="emails", invert=True)}, "turned round"),
        ({"title": Flow(attribute="Login", sub_attributes={"value": "x"})}, "not made of parts"),
        ({"x509Certificates": Flow(attribute="Facts", sub_attributes={"value": "whole"})}, "binary"),
        ({"emails": Flow(attribute="emails"), 'emails[type eq "fax"]': Flow(attribute="Login")}, "as a whole"),
        ({'emails[type eq "fax"]': Flow(attribute="Login"), "emails": Flow(attribute="emails")}, "other flows"),
    ],
)
def test_flows_that_cannot_work(flows: Any, says: str) -> None:
    with pytest.raises(MappingProblem) as caught:
        persons(flows=flows)
    assert says in str(caught.value)


def test_nothing_is_matched_by_a_value_made_of_parts() -> None:
    with pytest.raises(MappingProblem, match="made of parts"):
        persons(matching=("emails",))


# -- effort


def _emails(count: int, **more: str) -> list[dict[str, str]]:
    return [{"value": f"{number}@x", "type": "work", **more} for number in range(count)]


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param(lambda count: [op("add", "emails", _emails(count, display="d"))], id="add"),
        pytest.param(lambda count: [op("remove", "emails", _emails(count))], id="remove"),
        pytest.param(lambda count: [op("replace", "phoneNumbers", _emails(count))], id="replace"),
        pytest.param(
            lambda count: [op("add", "emails", _emails(count, type="home")), op("replace", "emails.display", "d")],
            id="add and change",
        ),
        pytest.param(
            lambda count: [op("replace", "emails", _emails(count)), op("remove", "emails", _emails(count))],
            id="replace and remove",
        ),
    ],
)
def test_a_list_is_not_gone_through_for_each_of_its_elements(operations: Any) -> None:
    """A thread that plans keeps the others of its worker waiting: 3,000 elements took a quarter of a minute."""

    def calls(count: int) -> int:
        numbers = tuple(c(row=number, number=f"{number}@x", kind="home") for number in range(count))
        on = present(emails=tuple(c(**each) for each in _emails(count)), Telephones=numbers)
        counted = 0

        def note(_frame: Any, event: str, _argument: Any) -> None:
            nonlocal counted
            counted += event == "call"

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            patch(RT, *operations(count), on=on)
        finally:
            sys.setprofile(before)
        return counted

    assert calls(200) < 8 * calls(50), "four times as many elements; sixteen times the calls would be a square"


@pytest.mark.parametrize("attribute", ["emails", f"{OWN}:Tags"])
def test_what_the_filters_of_a_request_compare_is_limited(attribute: str) -> None:
    """Hundreds of comparisons in a filter, 1,000 operations and a list of thousands would be minutes of a worker."""
    rt, on = RT, present(emails=tuple(c(**each) for each in _emails(2_000)))
    if attribute != "emails":
        rt, on = employees(), current({"Tags": tuple(map(str, range(2_000)))})
    several = " or ".join(f'value eq "q{number}"' for number in range(150))
    one, many = op("remove", f"{attribute}[{several}]"), op("remove", f'{attribute}[value eq "q"]')
    patch(rt, one, *[many] * 100, on=on)
    with pytest.raises(TooLarge, match="too much to compare"):
        patch(rt, *[one] * 17, on=on)


def test_keys_that_are_paths_are_as_many_as_operations_may_be() -> None:
    """Each looks at all elements that there are, and makes one more: 20,000 fit into a body, and would take minutes."""
    value = {f'emails[type eq "t{number}"].value': "x" for number in range(1001)}
    for refusing in (
        lambda: patched(RT, op("add", None, value)),
        lambda: RT.plan_create({"userName": "u", **value}),
        lambda: RT.plan_replace({"userName": "u", **value}, present()),
    ):
        with pytest.raises(TooLarge):
            refusing()
    del value['emails[type eq "t0"].value']
    assert len(patched(RT, op("add", None, value)).changes) == 1


# -- schemas


def test_what_the_schemas_say() -> None:
    core, own = RT.schema_documents()
    attributes = {a["name"]: a for a in core["attributes"]}
    emails = attributes["emails"]
    subs = {sub["name"]: sub for sub in emails["subAttributes"]}
    assert (emails["type"], emails["multiValued"], list(subs)) == (
        "complex", True, ["value", "display", "type", "primary"],
    )  # fmt: skip
    assert subs["value"]["required"] is True
    assert subs["type"]["canonicalValues"] == ["work", "home", "other"]
    assert subs["display"]["caseExact"] is True
    assert subs["primary"]["type"] == "boolean"
    assert [sub["name"] for sub in attributes["roles"]["subAttributes"]] == ["value"]
    assert attributes["name"]["multiValued"] is False
    mine = {a["name"]: a for a in own["attributes"]}
    telephones = {sub["name"]: sub for sub in mine["Telephones"]["subAttributes"]}
    assert mine["Telephones"]["multiValued"] is True
    assert telephones["row"]["mutability"] == "readOnly"
    assert (telephones["preferred"]["type"], telephones["number"]["required"]) == ("integer", True)
    types = [sub["type"] for sub in mine["Facts"]["subAttributes"]]
    assert types == ["string", "integer", "decimal", "boolean", "dateTime", "binary"]
    assert set(FLOWS) - {"userName"} <= set(attributes)
    assert T.COMPLEX in {a.type for a in PERSON.attributes}
