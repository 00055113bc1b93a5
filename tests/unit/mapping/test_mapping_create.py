"""POST and PUT: what a whole resource means for the target."""

from __future__ import annotations

from typing import Any

import pytest
from mapping_samples import (
    CORE,
    EMPLOYEE,
    ENTERPRISE,
    OWN,
    T,
    attribute,
    current,
    definition,
    employees,
    teams,
    written,
)

from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition
from isthmus.mapping.plans import UNSET, CurrentObject, ReferenceChange
from isthmus.mapping.resource_type import compile_resource_type
from isthmus.scim.errors import NotMutable, ScimError
from isthmus.scim.filter import parse_path
from isthmus.scim.patch import PatchOperation
from isthmus.spi import ObjectType, Operation

RT = employees()
STRICT = employees(strict=True)
MINIMUM: dict[str, Any] = {"userName": "jdoe", "name": {"familyName": "Doe"}}


def refused(body: Any, rt: Any = RT) -> ScimError:
    with pytest.raises(ScimError) as caught:
        rt.plan_create(body)
    assert caught.value.status == 400
    return caught.value


def test_entra_creates_a_user() -> None:
    plan = RT.plan_create(
        {
            "schemas": [CORE, ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee",
            "active": True,
            "addresses": None,
            "displayName": None,
            "title": None,
            "emails": [{"primary": True, "type": "work", "value": "Test_User@testuser.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
            "roles": [],
            ENTERPRISE: {"department": "bob", "manager": "boss", "employeeNumber": None},
        }
    )
    assert plan.attributes == {
        "Login": ("Test_User_ab6490ee",),
        "Email": ("Test_User@testuser.example",),
        "FirstName": ("givenName",),
        "LastName": ("familyName",),
        "Department": ("bob",),
        "Disabled": (False,),
    }
    assert plan.external_id == "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"
    assert plan.references == (("Manager", "boss"),)
    assert plan.active is True
    assert plan.warnings == ("name.formatted is not mapped to an attribute of the target; its value was dropped",)


def test_entra_creates_a_user_under_the_targets_own_names() -> None:
    plan = RT.plan_create(
        {
            "schemas": [CORE, OWN],
            OWN: {
                "Login": "jdoe",
                "Email": "j@x",
                "Salary": "1.50",
                "Hired": "2025-01-31T08:00:00Z",
                "Photo": "AAEC",
                "LastName": "Doe",
                "Tags": ["a", "b", "a"],
                "export_password": "hunter2",
                "Pin": "4711",
                "-dn-": None,
            },
        }
    )
    assert plan.attributes["Tags"] == ("a", "b")
    assert plan.attributes["Photo"] == (b"\x00\x01\x02",)
    assert plan.attributes["Pin"] == ("4711",)
    assert plan.password is not None
    assert plan.password.reveal() == "hunter2"
    assert "hunter2" not in repr(plan)
    assert "4711" not in repr(plan)


def test_okta_creates_a_user() -> None:
    plan = RT.plan_create(
        {
            "schemas": [CORE],
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        }
    )
    assert plan.attributes["Email"] == ("test.user@okta.local",)
    assert plan.password is not None
    assert len(plan.warnings) == 2


def test_what_is_dropped_from_a_hostile_body_does_not_fill_the_audit() -> None:
    plan = RT.plan_create({"userName": "u", "name": {"familyName": "R"}, **{f"k{number}": 1 for number in range(5000)}})
    assert len("".join(plan.warnings)) < 10_000
    assert plan.warnings[0].startswith("k0 ")
    assert plan.warnings[-1] == "and 4950 more like these"


def test_names_are_found_in_any_case() -> None:
    plan = RT.plan_create(
        {
            "USERNAME": "a",
            "Name": {"FAMILYNAME": "b"},
            "EMAILS": [{"TYPE": "Work", "Value": "c"}],
            ENTERPRISE.upper(): {"DEPARTMENT": "d"},
            OWN.lower(): {"status": "e"},
        }
    )
    assert plan.attributes == {
        "Login": ("a",),
        "LastName": ("b",),
        "Email": ("c",),
        "Department": ("d",),
        "Status": ("e",),
    }


def test_the_misspelt_enterprise_urn_is_understood() -> None:
    body = MINIMUM | {"urn:ietf:params:scim:schemas:extension:enterprise:1.0:User": {"department": "d"}}
    assert RT.plan_create(body).attributes["Department"] == ("d",)


def test_the_core_schemas_attributes_may_stand_under_its_urn() -> None:
    assert RT.plan_create({CORE: MINIMUM}).attributes == {"Login": ("jdoe",), "LastName": ("Doe",)}


@pytest.mark.parametrize("empty", [None, "", []])
def test_no_value_is_not_written(empty: Any) -> None:
    body = MINIMUM | {
        "title": empty,
        "emails": empty,
        ENTERPRISE: {"manager": empty},
        OWN: {"Status": empty, "Tags": empty},
    }
    plan = RT.plan_create(body)
    assert plan.attributes == {"Login": ("jdoe",), "LastName": ("Doe",)}
    assert plan.references == ()
    assert plan.warnings == ()


def test_everything_that_is_required_and_missing_is_named_at_once() -> None:
    error = refused({"title": "x"})
    assert error.scim_type == "invalidValue"
    assert "userName" in error.detail
    assert "name.familyName" in error.detail
    assert refused(MINIMUM | {"userName": ""}).scim_type == "invalidValue"
    assert "LastName" in refused({"userName": "x", "name": {"familyName": None}}).detail


def test_a_required_attribute_that_is_not_selected_is_called_so() -> None:
    rt = employees(flows={"userName": Flow(attribute="Login")}, disable=None)
    assert "LastName (the target requires it" in refused({"userName": "x"}, rt).detail


def test_what_the_target_makes_itself_is_not_required() -> None:
    object_type = ObjectType(
        name="Employees",
        anchor=("Id",),
        correlation_attribute="Entry",
        attributes=(
            attribute("Id", T.INTEGER, required=True, generated=True),
            attribute("Entry", required=True),
            attribute("Computed", required=True, readonly=True),
            attribute("Disabled", T.BOOLEAN, required=True),
            attribute("Login"),
        ),
    )
    rt = employees(
        object_type=object_type,
        attributes=("Id",),
        matching=(),
        flows={"userName": Flow(attribute="Login"), "active": Flow(attribute="Disabled", invert=True)},
    )
    assert rt.plan_create({"userName": "x"}).attributes == {"Login": ("x",), "Disabled": (False,)}
    assert rt.plan_create({"userName": "x", OWN: {"Id": 7}}).attributes["Id"] == (7,)
    assert "userName" in refused({"displayName": "x"}, rt).detail
    assert rt.plan_create({OWN: {"Id": 7}}).attributes == {"Id": (7,), "Disabled": (False,)}


def test_unknown_own_names_are_refused_with_the_nearest() -> None:
    error = refused(MINIMUM | {OWN: {"Statsu": "x"}})
    assert error.scim_type == "invalidValue"
    assert "'Status'" in error.detail


def test_unmapped_attributes_are_dropped_or_refused() -> None:
    body = MINIMUM | {"nickName": "J", "urn:example:Custom": {"x": 1}, "emails": [{"type": "other", "value": "o@x"}]}
    plan = RT.plan_create(body)
    assert plan.attributes == {"Login": ("jdoe",), "LastName": ("Doe",)}
    assert len(plan.warnings) == 3
    for name in ("nickName", "urn:example:Custom", "emails"):
        assert refused(MINIMUM | {name: body[name]}, STRICT).scim_type == "invalidValue"


def test_server_owned_and_read_only_attributes_are_ignored() -> None:
    plan = RT.plan_create(
        MINIMUM | {"id": "mine", "meta": {"version": "1"}, "groups": [{"value": "g"}], OWN: {"Serial": 5}}
    )
    assert plan.attributes == {"Login": ("jdoe",), "LastName": ("Doe",)}
    assert plan.warnings == ()


@pytest.mark.parametrize(
    "sent",
    [
        {"title": "no number"},
        {"title": 2**70},
        {"title": ["a", "b"]},
        {"title": {"x": 1}},
        {"nickName": "x" * 50},
        {"phoneNumbers": [{"value": 1.5}]},
        {"phoneNumbers": ["x" * 50]},
        {"addresses": [{"value": "no address"}, 5]},
    ],
)
def test_what_is_read_only_is_ignored_though_it_would_not_fit(sent: dict[str, Any]) -> None:
    """RFC 7644 3.5.1; a client has its own idea of a title, and sends it with every PUT."""
    parts = (attribute("street", max_length=5),)
    kind = ObjectType(
        name="Computed",
        anchor=("Login",),
        attributes=(
            attribute("Login", required=True),
            attribute("Number", T.INTEGER, readonly=True),
            attribute("Short", readonly=True, max_length=5),
            attribute("Numbers", multivalued=True, readonly=True, max_length=5),
            attribute("Places", T.COMPLEX, multivalued=True, readonly=True, sub_attributes=parts),
        ),
        operations=frozenset(Operation),
    )
    flows = {
        "userName": Flow(attribute="Login"),
        "title": Flow(attribute="Number", direction="import"),
        "nickName": Flow(attribute="Short", direction="import"),
        "phoneNumbers": Flow(attribute="Numbers", direction="import"),
        "addresses": Flow(attribute="Places", direction="import", sub_attributes={"streetAddress": "street"}),
    }
    definition = ResourceTypeDefinition(object_type="Computed", attributes=("Login",), flows=flows)
    for strict in (False, True):
        rt = compile_resource_type(definition, kind, shape=1, strict=strict)
        now = CurrentObject(id="c", attributes={"Login": ("u",), "Number": (7,)})
        assert rt.plan_create({"userName": "u", **sent}).attributes == {"Login": ("u",)}
        assert written(rt.plan_replace({"userName": "u", **sent}, now)) == {}
    if sent.get("title") in ("no number", 2**70):
        operation = PatchOperation("replace", parse_path("title"), sent["title"], "title")
        with pytest.raises(NotMutable):
            rt.plan_patch([operation], now)


def test_the_same_attribute_twice() -> None:
    assert refused(MINIMUM | {"title": "a", OWN: {"Title": "b"}}).scim_type == "invalidValue"
    assert RT.plan_create(MINIMUM | {"title": "a", OWN: {"Title": "a"}}).attributes["Title"] == ("a",)


@pytest.mark.parametrize(
    ("emails", "expected"),
    [
        ([{"value": "a@x"}], {"Email": "a@x"}),
        ([{"value": "a@x", "primary": True}], {"Email": "a@x"}),
        ("a@x", {"Email": "a@x"}),
        (["a@x"], {"Email": "a@x"}),
        ({"type": "work", "value": "a@x"}, {"Email": "a@x"}),
        ([{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}], {"Email": "a@x", "HomeEmail": "b@x"}),
        ([{"type": "work", "value": "a@x"}, {"type": "work", "value": "b@x"}], {"Email": "a@x"}),
        (
            [
                {"type": "work", "value": "1@x"},
                {"type": "work", "value": "2@x", "primary": True},
                {"type": "home", "value": "3@x"},
            ],
            {"Email": "2@x", "HomeEmail": "3@x"},
        ),
        (
            [{"type": "work", "value": "1@x"}, {"type": "work", "value": "2@x", "primary": True}],
            {"Email": "2@x"},
        ),
        ([{"value": "1@x"}, {"value": "2@x", "primary": "True"}], {"Email": "2@x"}),
        ([{"type": "WORK", "value": "a@x", "display": "A"}], {"Email": "a@x"}),
        ([{"type": "work", "value": None}, {"type": "other"}], {}),
    ],
)
def test_several_emails(emails: Any, expected: dict[str, str]) -> None:
    found = RT.plan_create(MINIMUM | {"emails": emails}).attributes
    assert {name: value[0] for name, value in found.items() if "Email" in name} == expected


def test_strict_wants_elements_that_say_their_type() -> None:
    assert refused(MINIMUM | {"emails": [{"value": "a@x"}]}, STRICT).scim_type == "invalidValue"
    double = [{"type": "work", "value": "a"}, {"type": "work", "value": "b"}]
    assert refused(MINIMUM | {"emails": double}, STRICT).scim_type == "invalidValue"


def test_string_booleans_and_json_text() -> None:
    plan = RT.plan_create(
        MINIMUM | {"active": "True", "roles": [{"primary": "True", "value": '{"id":"1"}'}], OWN: {"Remote": "False"}}
    )
    assert plan.attributes["Role"] == ('{"id":"1"}',)
    assert plan.attributes["Remote"] == (False,)
    assert plan.active is True


def test_values_are_taken_as_they_are() -> None:
    name = 'O\'Brien, "X" + (Y) = <Z>; 100% \\ / # * é 漢字 🎉'
    assert RT.plan_create({"userName": name, "name": {"familyName": "Doe"}}).attributes["Login"] == (name,)
    for bad in ("a\x00", "a\x1f", "a\x7f", "a\nb", "x" * 65, 5.5, True, {"a": 1}, ["a", "b"]):
        assert refused(MINIMUM | {"userName": bad}).scim_type == "invalidValue"
    assert RT.plan_create(MINIMUM | {"title": "two\nlines\tand tab"}).attributes["Title"] == ("two\nlines\tand tab",)


def test_a_body_that_is_no_object() -> None:
    for body in ([], "x", None):
        assert refused(body).scim_type == "invalidSyntax"


def test_an_inactive_person() -> None:
    body = MINIMUM | {"active": False}
    plan = RT.plan_create(body)
    assert (plan.active, plan.attributes["Disabled"]) == (False, (True,))
    assert "disable" in refused(body, employees(disable=None)).detail
    assert "disable" in refused(body, employees(disable=Deprovisioning(action="delete"))).detail
    plan = employees(disable=Deprovisioning(action="nothing")).plan_create(body)
    assert plan.active is None
    assert "Disabled" not in plan.attributes
    assert "disable" in plan.warnings[0]


def test_passwords_where_the_target_has_none() -> None:
    no_password = ObjectType(
        name="Employees",
        anchor=("Login",),
        attributes=EMPLOYEE.attributes,
        operations=frozenset(Operation) - {Operation.PASSWORD},
    )
    rt = employees(object_type=no_password)
    plan = rt.plan_create(MINIMUM | {"password": "hunter2"})
    assert plan.password is None
    assert len(plan.warnings) == 1
    assert "hunter2" not in plan.warnings[0]
    error = refused({OWN: {"Login": "x", "LastName": "y", "export_password": "hunter2"}}, rt)
    assert "hunter2" not in error.detail


def test_a_password_flow_writes_a_secret_attribute() -> None:
    rt = employees(flows=definition().flows | {"password": Flow(attribute="Pin")})
    plan = rt.plan_create(MINIMUM | {"password": "hunter2"})
    assert plan.password is None
    assert plan.attributes["Pin"] == ("hunter2",)


def test_an_external_id_with_a_flow_is_an_attribute() -> None:
    rt = employees(flows=definition().flows | {"externalId": Flow(attribute="Code")})
    plan = rt.plan_create(MINIMUM | {"externalId": "e"})
    assert (plan.external_id, plan.attributes["Code"]) == (None, ("e",))


def test_directions() -> None:
    rt = employees(
        flows=definition().flows
        | {
            "displayName": Flow(attribute="Title", direction="import"),
            "nickName": Flow(attribute="Status", direction="export"),
        }
    )
    plan = rt.plan_create(MINIMUM | {"displayName": "shown", "title": "written", "nickName": "n"})
    assert plan.attributes["Title"] == ("written",)
    assert plan.attributes["Status"] == ("n",)
    shown = rt.render({"Title": ("t",), "Status": ("s",)})
    assert b'"displayName":"t"' in shown
    assert b"nickName" not in shown


def test_a_group() -> None:
    legacy = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
    rt = teams()
    plan = rt.plan_create(
        {"schemas": [legacy], "externalId": "e", "displayName": "Sales", "meta": {"resourceType": "Group"}}
    )
    assert plan.attributes == {"name": ("Sales",)}
    assert plan.references == ()
    assert plan.active is None
    plan = rt.plan_create(
        {"displayName": "Sales", "members": [{"value": "u1"}, {"value": "u2", "type": "User"}, {"value": "u1"}]}
    )
    assert plan.references == (("members", "u1"), ("members", "u2"))
    assert "members" not in plan.attributes


# -- PUT


def test_put_keeps_what_it_leaves_out() -> None:
    plan = RT.plan_replace({"userName": "jdoe", "title": "Boss"}, current())
    assert written(plan) == {"Title": ("Boss",)}
    assert (plan.external_id, plan.active, plan.references, plan.password) == (UNSET, None, (), None)


@pytest.mark.parametrize("empty", [None, [], ""])
def test_put_clears_what_it_empties(empty: Any) -> None:
    body = {"title": empty, "emails": empty, "externalId": empty, ENTERPRISE: {"manager": empty, "department": empty}}
    plan = RT.plan_replace(body, current())
    assert written(plan) == {"Title": (), "Email": (), "HomeEmail": (), "Department": ()}
    assert plan.references == (ReferenceChange(attribute="Manager", replace=()),)
    assert plan.external_id is None


def test_okta_puts_a_whole_user() -> None:
    body = {
        "schemas": [CORE],
        "id": "the-id",
        "userName": "jdoe",
        "name": {"givenName": "Another", "familyName": ""},
        "emails": [{"primary": True, "value": "j@x", "type": "work"}],
        "active": True,
        "groups": [],
        "meta": {"resourceType": "User"},
    }
    with pytest.raises(ScimError) as caught:
        RT.plan_replace(body, current())
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")
    body["name"] = {"givenName": "Another", "familyName": "Doe"}
    plan = RT.plan_replace(body, current())
    assert written(plan) == {
        "FirstName": ("Another",),
        "LastName": ("Doe",),
        "Email": ("j@x",),
        "HomeEmail": (),
        "Disabled": (False,),
    }
    assert plan.password is None
    assert plan.active is True


def test_put_of_elements_removes_those_left_out() -> None:
    plan = RT.plan_replace({"emails": [{"type": "home", "value": "h@x"}]}, current())
    assert written(plan) == {"HomeEmail": ("h@x",), "Email": ()}


def test_an_attribute_behind_two_paths_survives_an_empty_list() -> None:
    rt = employees(flows=definition().flows | {"displayName": Flow(attribute="Email")})
    assert written(rt.plan_replace({"displayName": "e@x", "emails": []}, current()))["Email"] == ("e@x",)


def test_reading_changing_and_writing_back() -> None:
    import orjson

    rt = employees()
    body = orjson.loads(rt.finish(rt.render(current().attributes, id="the-id"), meta={"version": "1"}))
    assert body["title"] == body[OWN]["Title"] == "Clerk"
    body["title"] = "Boss"
    assert written(rt.plan_replace(body, current()))["Title"] == ("Boss",)
    body["title"], body[OWN]["Title"] = "Clerk", "Chief"
    assert written(rt.plan_replace(body, current()))["Title"] == ("Chief",)
    body["title"] = "Boss"
    with pytest.raises(ScimError, match="different values"):
        rt.plan_replace(body, current())


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("own_first", [False, True])
def test_reading_taking_away_and_writing_back(strict: bool, own_first: bool) -> None:
    """What is taken out of a list is gone, though its old value comes back under the target's own name."""
    import orjson

    rt = employees(strict=strict)
    on = current({"HomeEmail": ("h@x",)})
    read = orjson.loads(rt.finish(rt.render(on.attributes, id="the-id"), meta={"version": "1"}))
    read["emails"] = [each for each in read["emails"] if each["type"] == "work"]
    assert read[OWN]["HomeEmail"] == "h@x"
    body = {OWN: read.pop(OWN), **read} if own_first else read
    assert written(rt.plan_replace(body, on))["HomeEmail"] == ()
    assert written(rt.plan_replace(body, on))["Email"] == ("jane@contoso.example",)
    body[OWN]["HomeEmail"] = "new@x"  # but this is new
    assert written(rt.plan_replace(body, on))["HomeEmail"] == ("new@x",)
    body.pop("emails")
    body[OWN]["HomeEmail"] = "h@x"
    assert written(rt.plan_replace(body, on))["HomeEmail"] == ("h@x",), "named, so not left out"


def test_strict_put_clears_what_it_leaves_out() -> None:
    plan = STRICT.plan_replace({"userName": "jdoe", "name": {"familyName": "Doe"}}, current())
    assert written(plan) == {
        "LastName": ("Doe",),
        "FirstName": (),
        "Email": (),
        "HomeEmail": (),
        "Phone": (),
        "Mobile": (),
        "Title": (),
        "Department": (),
        "Street": (),
        "City": (),
        "Number": (),
        "Role": (),
    }
    assert plan.references == (ReferenceChange(attribute="Manager", replace=()),)
    assert plan.external_id is None
    assert plan.active is None
    own = written(STRICT.plan_replace({"userName": "jdoe", "title": "T", OWN: {"Status": "x"}}, current()))
    assert own["Status"] == ("x",)
    assert own["Title"] == ("T",)
    assert own["Salary"] == own["Code"] == ()
    assert "Pin" not in own
    assert "Login" not in own
    assert "LastName" not in own


def test_put_ignores_read_only_values_and_refuses_another_anchor_where_it_is_fixed() -> None:
    assert written(RT.plan_replace({"id": "x", "meta": {}, OWN: {"Serial": 99}}, current())) == {}
    fixed = employees(object_type=ObjectType(name="Employees", anchor=("Login",), attributes=EMPLOYEE.attributes))
    with pytest.raises(ScimError) as caught:
        fixed.plan_replace({"userName": "other"}, current())
    assert caught.value.scim_type == "mutability"


def test_put_without_members_keeps_them() -> None:
    plan = teams().plan_replace({"displayName": "Sales"}, current({"name": ("Sales",)}))
    assert plan.references == ()
    plan = teams().plan_replace({"displayName": "Sales", "members": []}, current({"name": ("Sales",)}))
    assert plan.clears_members is True
