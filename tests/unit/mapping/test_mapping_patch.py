"""PATCH: RFC 7644 3.5.2, both of Entra's dialects, Okta's and authentik's forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import (
    CORE,
    EMPLOYEE,
    ENTERPRISE,
    FLOWS,
    OWN,
    T,
    attribute,
    current,
    employees,
    op,
    patch,
    teams,
    written,
)

from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition
from isthmus.mapping.plans import UNSET, CurrentObject, ReferenceChange
from isthmus.mapping.resource_type import compile_resource_type
from isthmus.scim.errors import ScimError
from isthmus.spi import AttributeType, ObjectType, Operation

RT = employees()
STRICT = employees(strict=True)
WORK = 'emails[type eq "work"].value'
HOME = 'emails[type eq "home"].value'


def refused(*operations: dict[str, Any], rt: Any = RT, on: CurrentObject | None = None) -> ScimError:
    with pytest.raises(ScimError) as caught:
        patch(rt, *operations, on=on)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        # with a path, one operation for each attribute (Entra without the flag)
        (op("Replace", WORK, "new@x"), {"Email": ("new@x",)}),
        (op("Replace", "name.familyName", "Roe"), {"LastName": ("Roe",)}),
        (op("Add", "title", "Boss"), {"Title": ("Boss",)}),
        (op("Replace", "NAME.GIVENNAME", "Ann"), {"FirstName": ("Ann",)}),
        (op("Replace", f"{ENTERPRISE}:department", "IT"), {"Department": ("IT",)}),
        (op("Replace", f"{CORE}:userName", "jroe"), {"Login": ("jroe",)}),
        (op("Replace", "department", "IT"), {"Department": ("IT",)}),
        (op("Replace", f"{OWN}:Title", "Boss"), {"Title": ("Boss",)}),
        (op("Replace", f"{OWN}:Email", "n@x"), {"Email": ("n@x",)}),
        (op("Replace", f"{ENTERPRISE}:employeeNumber", "815"), {"Number": (815,)}),
        # a value that did not change is named all the same
        (op("Replace", "title", "Clerk"), {"Title": ("Clerk",)}),
        # an element that does not exist yet is made by Add and by Replace
        (op("Add", 'emails[type eq "home"].value', "h@x"), {"HomeEmail": ("h@x",)}),
        (op("Replace", 'emails[type eq "home"].value', "h@x"), {"HomeEmail": ("h@x",)}),
        (op("Add", 'phoneNumbers[type eq "mobile"].value', "1"), {"Mobile": ("1",)}),
        (op("Add", 'roles[primary eq "True"].value', '{"id":"r1"}'), {"Role": ('{"id":"r1"}',)}),
        (op("Replace", "roles[primary eq true].value", "r"), {"Role": ("r",)}),
        (op("Add", 'roles[primary eq "True"].value', {"id": "1", "value": "Reader"}), {"Role": ("Reader",)}),
        (
            op("Add", "roles", [{"primary": "True", "type": "WindowsAzureActiveDirectoryRole", "value": "r"}]),
            {"Role": ("r",)},
        ),
        # without a path, nested or with dotted, filtered and URN keys (Entra with aadOptscim062020)
        (
            op("replace", None, {"title": "Boss", "name": {"givenName": "Ann"}}),
            {"Title": ("Boss",), "FirstName": ("Ann",)},
        ),
        (
            op("replace", None, {"name.givenName": "Ann", "name.familyName": "Roe"}),
            {"FirstName": ("Ann",), "LastName": ("Roe",)},
        ),
        (
            op("add", None, {WORK: "n@x", 'emails[type eq "home"].value': "h@x"}),
            {"Email": ("n@x",), "HomeEmail": ("h@x",)},
        ),
        (
            op("replace", None, {f"{ENTERPRISE}:employeeNumber": "5", f"{ENTERPRISE}:department": "IT"}),
            {"Number": (5,), "Department": ("IT",)},
        ),
        (op("replace", None, {ENTERPRISE: {"department": "IT"}}), {"Department": ("IT",)}),
        (op("replace", None, {OWN: {"Status": "x", "Remote": "False"}}), {"Status": ("x",), "Remote": (False,)}),
        (op("replace", None, {f"{OWN}:Status": "x"}), {"Status": ("x",)}),
        (op("replace", ENTERPRISE, {"department": "IT"}), {"Department": ("IT",)}),
        (
            op("replace", None, {"emails": [{"type": "work", "value": "n@x", "primary": True}]}),
            {"Email": ("n@x",), "HomeEmail": ()},
        ),
        (op("add", "emails", [{"type": "home", "value": "h@x"}]), {"HomeEmail": ("h@x",)}),
        (op("replace", 'emails[type eq "work"]', {"value": "n@x"}), {"Email": ("n@x",)}),
        (
            op("replace", 'emails[type eq "work"]', {"type": "home", "value": "n@x"}),
            {"Email": (), "HomeEmail": ("n@x",)},
        ),
        (op("replace", 'emails[type eq "work"]', {"type": "fax", "value": "n@x"}), {}),
        (
            op("replace", 'emails[type eq "work"]', {"type": "Work", "primary": True, "value": "n@x"}),
            {"Email": ("n@x",)},
        ),
        (op("add", 'roles[primary eq "True"]', {"primary": "True", "value": "r"}), {"Role": ("r",)}),
        (op("replace", 'emails[type eq "work"]', [{"type": "work", "value": "n@x"}]), {"Email": ("n@x",)}),
        (op("replace", "emails.value", "n@x"), {"Email": ("n@x",)}),
        (op("replace", 'emails[value eq "JANE@contoso.example"].value', "n@x"), {"Email": ("n@x",)}),
        (op("replace", 'emails[type eq "work" and value co "jane"].value', "n@x"), {"Email": ("n@x",)}),
        (op("replace", 'emails[not (type eq "home")].value', "n@x"), {"Email": ("n@x",)}),
        (op("replace", 'phoneNumbers[type eq "mobile" and primary eq true].value', "1"), {"Mobile": ("1",)}),
        (op("replace", 'addresses[type eq "work"].locality', "Ulm"), {"City": ("Ulm",)}),
        (op("add", 'addresses[type eq "work"]', {"locality": "Ulm"}), {"City": ("Ulm",)}),
        (op("replace", 'addresses[type eq "work"]', {"locality": "Ulm"}), {"City": ("Ulm",), "Street": ()}),
        (op("replace", "name", {"givenName": "Ann"}), {"FirstName": ("Ann",)}),
        (op("Replace", "title", ["Boss"]), {"Title": ("Boss",)}),
        (op("Replace", "title", {"value": "Boss"}), {"Title": ("Boss",)}),
        # clearing
        (op("Remove", "title"), {"Title": ()}),
        (op("Replace", "title", None), {"Title": ()}),
        (op("Replace", "title", ""), {"Title": ()}),
        (op("Replace", "title", []), {"Title": ()}),
        (op("Replace", "title", {"value": ""}), {"Title": ()}),
        (op("Add", "title", ""), {"Title": ()}),
        (op("remove", 'phoneNumbers[type eq "work"]'), {"Phone": ()}),
        (op("remove", 'phoneNumbers[type eq "work"].value'), {"Phone": ()}),
        (op("remove", 'phoneNumbers[type eq "mobile"]'), {"Mobile": ()}),
        (op("remove", "phoneNumbers"), {"Phone": (), "Mobile": ()}),
        (op("remove", "phoneNumbers", [{"type": "work", "value": "+1 (555) 0100"}]), {"Phone": ()}),
        (op("remove", "phoneNumbers", [{"type": "work", "value": "other"}]), {}),
        (op("remove", "phoneNumbers", [{"type": None, "value": "+1 (555) 0100", "display": "D"}]), {"Phone": ()}),
        (op("remove", "phoneNumbers", [{}]), {}),
        (op("remove", "phoneNumbers", [{"display": "D"}]), {}),
        (op("remove", "phoneNumbers", [{"value": None}]), {}),
        (op("replace", WORK, None), {"Email": ()}),
        (op("replace", WORK, ""), {"Email": ()}),
        (op("remove", ENTERPRISE), {"Number": (), "Department": ()}),
        (op("remove", f"{OWN}:Status"), {"Status": ()}),
        (op("remove", "name.givenName"), {"FirstName": ()}),
        # a multi-valued attribute of the target
        (op("add", f"{OWN}:Tags", ["b", "c"]), {"Tags": ("+", "b", "c")}),
        (op("add", f"{OWN}:Tags", [{"value": "c"}]), {"Tags": ("+", "c")}),
        (
            op("add", f"{OWN}:Tags", [{"value": "c"}, {"type": "work"}, {"type": "x", "value": ""}]),
            {"Tags": ("+", "c")},
        ),
        (op("remove", f"{OWN}:Tags", ["a"]), {"Tags": ("-", "a")}),
        (op("remove", f'{OWN}:Tags[value eq "a"]'), {"Tags": ("-", "a")}),
        (op("replace", f'{OWN}:Tags[value eq "a"]', "z"), {"Tags": ("-", "a", "+", "z")}),
        (op("replace", f"{OWN}:Tags", ["z", "z"]), {"Tags": ("z",)}),
        (op("remove", f"{OWN}:Tags"), {"Tags": ()}),
        # disable, both spellings
        (op("Replace", "active", "False"), {"Disabled": (True,)}),
        (op("replace", "active", False), {"Disabled": (True,)}),
        (op("replace", None, {"active": False}), {"Disabled": (True,)}),
        (op("replace", "active", [{"value": "True"}]), {"Disabled": (False,)}),
        # members of operations and values that nobody knows
        (op("replace", "title", "Boss", name="x"), {"Title": ("Boss",)}),
        (
            op("replace", None, {"title": "Boss", "schemas": [CORE], "id": "the-id", "meta": {}, "groups": []}),
            {"Title": ("Boss",)},
        ),
    ],
)
def test_operations(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    on = current({"Status": ("s",)})
    if (
        "Tags" in expected
        and (operation["op"], operation.get("path")) == ("remove", f"{OWN}:Tags")
        and "value" not in operation
    ):
        assert written(patch(RT, operation, on=on)) == {"Tags": ()}
        return
    if operation["op"] == "remove" and operation.get("path") == ENTERPRISE:
        plan = patch(RT, operation, on=on)
        assert plan.references == (ReferenceChange(attribute="Manager", replace=()),)
        assert written(plan) == expected
        return
    assert written(patch(RT, operation, on=on)) == expected


def test_a_value_is_chosen_by_its_own_case_rule_and_type() -> None:
    lists = ObjectType(
        name="Lists",
        anchor=("key",),
        attributes=(
            attribute("key", required=True),
            attribute("aliases", multivalued=True, case_exact=True),
            attribute("nicks", multivalued=True),
            attribute("rooms", AttributeType.INTEGER, multivalued=True),
        ),
        operations=frozenset(Operation),
    )
    definition = ResourceTypeDefinition(
        object_type="Lists", name="List", endpoint="Lists", attributes=("key", "aliases", "nicks", "rooms")
    )
    rt = compile_resource_type(definition, lists, shape=1)
    on = CurrentObject(
        id="l", attributes={"key": ("k",), "aliases": ("Bob", "bob"), "nicks": ("Bob", "x"), "rooms": (1, 20, 300)}
    )
    for path, gone in {
        'aliases[value eq "Bob"]': {"aliases": ("-", "Bob")},
        'nicks[value eq "BOB"]': {"nicks": ("-", "Bob")},
        "rooms[value gt 5]": {"rooms": ("-", 20, 300)},
        'rooms[value eq "20"]': {"rooms": ("-", 20)},
        'nicks[value sw "b" or value eq "x"]': {"nicks": ("-", "Bob", "x")},
    }.items():
        assert written(patch(rt, op("remove", path), on=on)) == gone, path
    assert refused(op("remove", 'rooms[value co "2"]'), rt=rt, on=on).scim_type == "invalidFilter"


def test_what_disables_says_so() -> None:
    assert patch(RT, op("Replace", "active", "False")).active is False
    assert patch(RT, op("Replace", "active", True)).active is True
    assert patch(RT, op("Replace", "title", "x")).active is None
    own = patch(RT, op("Replace", f"{OWN}:Disabled", "True"))
    assert own.active is False
    assert written(own) == {"Disabled": (True,)}


def test_one_request_may_not_contradict_itself() -> None:
    error = refused(op("replace", "title", "A"), op("replace", f"{OWN}:Title", "B"))
    assert error.scim_type == "invalidValue"
    assert "title" in error.detail
    assert OWN in error.detail
    assert written(patch(RT, op("replace", "title", "A"), op("replace", f"{OWN}:Title", "A"))) == {"Title": ("A",)}
    assert written(patch(RT, op("replace", "title", "A"), op("replace", "title", "B"))) == {"Title": ("B",)}


def test_the_path_that_keeps_the_present_value_yields() -> None:
    for operations in (
        [op("replace", "title", "Clerk"), op("replace", f"{OWN}:Title", "B")],
        [op("replace", f"{OWN}:Title", "B"), op("replace", "title", "Clerk")],
    ):
        assert written(patch(RT, *operations)) == {"Title": ("B",)}


def test_later_operations_see_earlier_ones() -> None:
    plan = patch(
        RT,
        op("add", 'emails[type eq "home"].value', "h@x"),
        op("replace", 'emails[value eq "h@x"].value', "g@x"),
        op("add", f"{OWN}:Tags", "c"),
        op("remove", f"{OWN}:Tags", ["c", "a"]),
    )
    assert written(plan) == {"HomeEmail": ("g@x",), "Tags": ("-", "c", "a")}


TAGS = f"{OWN}:Tags"


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        # a whole that is removed or replaced takes along what an operation before it wrote
        ([op("add", "name.givenName", "Ann"), op("remove", "name.givenName")], {"FirstName": ()}),
        (
            [op("add", HOME, "h@x"), op("replace", "emails", [{"type": "work", "value": "w"}])],
            {"HomeEmail": (), "Email": ("w",)},
        ),
        ([op("add", HOME, "h@x"), op("remove", "emails")], {"HomeEmail": (), "Email": ()}),
        ([op("add", "addresses.locality", "Ulm"), op("remove", "addresses")], {"Street": (), "City": ()}),
        # values that are one to the target, however they are spelt
        ([op("replace", TAGS, ["A", "b"]), op("remove", TAGS, ["a"])], {"Tags": ("b",)}),
        ([op("add", TAGS, ["Ä", "ä", "Ä"])], {"Tags": ("+", "Ä", "ä")}),  # the target may tell them apart
        ([op("remove", TAGS, ["Ä", "ä", "Ä"])], {"Tags": ("-", "Ä", "ä")}),
        ([op("add", TAGS, ["Q"]), op("remove", TAGS, ["q"])], {"Tags": ("-", "q")}),
        ([op("remove", TAGS, ["a"]), op("add", TAGS, ["A"])], {"Tags": ("-", "a", "+", "A")}),
        ([op("add", TAGS, ["Q"]), op("replace", f'{TAGS}[value eq "q"]', "r")], {"Tags": ("-", "Q", "+", "r")}),
    ],
)
def test_of_operations_on_the_same_the_later_counts(operations: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert written(patch(RT, *operations)) == expected


def test_a_path_that_names_the_attribute_outweighs_a_whole_it_belongs_to_in_any_order() -> None:
    rt = employees(flows={**FLOWS, "title": Flow(attribute="Email")})
    named, whole = op("replace", "title", "t@x"), op("remove", "emails")
    for operations in ([named, whole], [whole, named]):
        assert written(patch(rt, *operations))["Email"] == ("t@x",)


def test_elements_are_chosen_by_the_case_rule_of_the_target() -> None:
    flows = {'emails[type eq "work"].value': "Exact", 'emails[type eq "home"].value': "Any"}
    kind = ObjectType(
        name="Kind",
        anchor=("key",),
        attributes=(
            attribute("key", required=True),
            attribute("Exact", case_exact=True),
            attribute("Any"),
        ),
    )
    settings = ResourceTypeDefinition(
        object_type="Kind", attributes=(), flows={path: Flow(attribute=name) for path, name in flows.items()}
    )
    rt = compile_resource_type(settings, kind, shape=1)
    on = CurrentObject(id="i", attributes={"key": ("k",), "Exact": ("Bob",), "Any": ("Bob",)})
    assert written(patch(rt, op("remove", 'emails[value eq "bob"]'), on=on)) == {"Any": ()}
    assert written(patch(rt, op("remove", "emails", [{"value": "BOB"}]), on=on)) == {"Any": ()}
    assert written(patch(rt, op("remove", "emails", [{"value": "Bob"}]), on=on)) == {"Exact": (), "Any": ()}
    assert written(patch(rt, op("replace", 'emails[type EQ "WORK" and value sw "B"].value', "x"), on=on)) == {
        "Exact": ("x",)
    }


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("boss-2", ("boss-2",)),
        (["boss-2"], ("boss-2",)),
        ([{"$ref": "https://h/scim/Users/boss-2", "value": "boss-2"}], ("boss-2",)),
        ({"value": "boss-2"}, ("boss-2",)),
        ({"Value": "boss-2", "$ref": None}, ("boss-2",)),
        ({"$ref": "../Users/boss%2D2"}, ("boss-2",)),
        ({"value": ""}, ()),
        ("", ()),
        (None, ()),
        ([], ()),
        ({"value": None}, ()),
    ],
)
@pytest.mark.parametrize("path", ["manager", f"{ENTERPRISE}:manager", f"{OWN}:Manager", "manager.value", None])
def test_every_form_of_a_manager(path: str | None, value: Any, ids: tuple[str, ...]) -> None:
    operation = op("Add", path, value) if path is not None else op("Replace", None, {"manager": value})
    assert patch(RT, operation).references == (ReferenceChange(attribute="Manager", replace=ids),)


def test_a_manager_is_removed() -> None:
    for operation in (
        op("Remove", "manager"),
        op("remove", f"{ENTERPRISE}:manager"),
        op("remove", "manager", [{"value": "x"}]),
    ):
        assert patch(RT, operation).references == (ReferenceChange(attribute="Manager", replace=()),)


@pytest.mark.parametrize("value", [{"displayName": "Bob"}, [{"displayName": "Bob"}]])
def test_a_manager_s_name_alone_says_nothing_about_who_it_is(value: Any) -> None:
    """What Okta sends where only the name of the manager is mapped."""
    for operation in (op("add", "manager", value), op("replace", None, {ENTERPRISE: {"manager": value}})):
        assert patch(RT, operation).references == ()
    assert RT.plan_replace({"userName": "jane", ENTERPRISE: {"manager": value}}, current()).references == ()


def test_two_managers_are_refused() -> None:
    assert refused(op("add", "manager", ["a", "b"])).scim_type == "invalidValue"
    assert refused(op("replace", "manager.displayName", "x")).scim_type == "mutability"


GROUP = teams()
GROUP_NOW = CurrentObject(id="g", attributes={"name": ("Sales",), "members": ()})


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        (op("Add", "members", [{"$ref": None, "value": "u1"}]), {"add": ("u1",)}),
        (op("Add", "members", [{"value": "u1"}, {"value": "u1"}, {"value": "u2"}]), {"add": ("u1", "u2")}),
        (op("Remove", "members", [{"$ref": None, "value": "u1"}]), {"remove": ("u1",)}),
        (op("remove", 'members[value eq "u1"]'), {"remove": ("u1",)}),
        (op("remove", 'members[value eq "u1" or value eq "u2"]'), {"remove": ("u1", "u2")}),
        (op("remove", 'members[value eq "u1"].value'), {"remove": ("u1",)}),
        (op("replace", "members", [{"value": "u1", "display": "U"}]), {"replace": ("u1",)}),
        (op("add", None, {"members": [{"value": "u1"}]}), {"add": ("u1",)}),
        (op("replace", None, {"id": "g", "schemas": [], "members": [{"value": "u1"}]}), {"replace": ("u1",)}),
        (op("add", 'members[value eq "u1"]', {"value": "u1"}), {"add": ("u1",)}),
        (op("remove", "members"), {"replace": ()}),
        (op("replace", "members", []), {"replace": ()}),
        (op("replace", None, {"members": None}), {"replace": ()}),
    ],
)
def test_members(operation: dict[str, Any], change: dict[str, Any]) -> None:
    plan = patch(GROUP, operation, on=GROUP_NOW)
    assert plan.references == (ReferenceChange(attribute="members", **change),)
    assert plan.changes == ()
    assert plan.clears_members is (change.get("replace") == ())


def test_removing_no_member_removes_none() -> None:
    assert patch(GROUP, op("Remove", "members", []), on=GROUP_NOW).references == ()
    assert patch(GROUP, op("Add", "members", []), on=GROUP_NOW).references == ()


def test_members_are_chosen_by_id_only() -> None:
    assert refused(op("remove", 'members[display sw "A"]'), rt=GROUP, on=GROUP_NOW).scim_type == "invalidPath"
    assert refused(op("add", "members", [{"value": 5}]), rt=GROUP, on=GROUP_NOW).scim_type == "invalidValue"


def test_additions_and_removals_are_settled_in_order() -> None:
    plan = patch(
        GROUP,
        op("add", "members", [{"value": "a"}, {"value": "b"}]),
        op("remove", 'members[value eq "a"]'),
        op("add", "members", [{"value": "c"}]),
        on=GROUP_NOW,
    )
    assert plan.references == (ReferenceChange(attribute="members", add=("b", "c"), remove=("a",)),)
    plan = patch(GROUP, op("replace", "members", []), op("add", "members", [{"value": "c"}]), on=GROUP_NOW)
    assert plan.references == (ReferenceChange(attribute="members", replace=("c",)),)
    assert plan.clears_members is False


def test_what_is_left_at_the_end_counts() -> None:
    """RFC 7644 3.5.2.2 has an example that removes all members and adds one."""
    kind = ObjectType(
        name="Teams",
        anchor=("name",),
        attributes=(
            attribute("name", required=True),
            attribute("members", AttributeType.REFERENCE, multivalued=True, required=True),
        ),
        operations=frozenset(Operation),
    )
    definition = ResourceTypeDefinition(
        object_type="Teams",
        name="Group",
        endpoint="Groups",
        attributes=("name", "members"),
        flows={"displayName": Flow(attribute="name"), "members": Flow(attribute="members")},
    )
    rt = compile_resource_type(definition, kind, shape=1)
    plan = patch(rt, op("remove", "members"), op("add", "members", [{"value": "c"}]), on=GROUP_NOW)
    assert plan.references == (ReferenceChange(attribute="members", replace=("c",)),)
    for operations in (
        [op("remove", "members")],
        [op("replace", "members", [{"value": "c"}]), op("remove", 'members[value eq "c"]')],
    ):
        assert refused(*operations, rt=rt, on=GROUP_NOW).scim_type == "mutability"
        assert patch(GROUP, *operations, on=GROUP_NOW).clears_members, "and the guard counts it"
    with pytest.raises(ScimError, match="required"):
        rt.plan_replace({"displayName": "Sales", "members": []}, GROUP_NOW)


def test_okta_renames_a_group_with_its_id() -> None:
    plan = patch(GROUP, op("replace", None, {"id": "g", "displayName": "New"}), on=GROUP_NOW)
    assert written(plan) == {"name": ("New",)}


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        (op("replace", "id", "other"), "mutability"),
        (op("replace", None, {"id": "other"}), "mutability"),
        (op("remove", "id"), "mutability"),
        (op("replace", "meta.created", "x"), "mutability"),
        (op("add", "groups", [{"value": "g"}]), "mutability"),
        (op("replace", f"{OWN}:Serial", 10), "mutability"),
        (op("remove", f"{OWN}:Serial"), "mutability"),
        (op("remove", "active"), "mutability"),
        (op("remove", "userName"), "mutability"),
        (op("remove", "name.familyName"), "mutability"),
        (op("replace", "name.familyName", ""), "mutability"),
        (op("replace", 'manager[value eq "boss-id"]', {"value": "other"}), "invalidPath"),
        (op("remove", 'manager[value eq "other"]'), "invalidPath"),
        (op("replace", "nosuch", "x"), "invalidPath"),
        (op("replace", "emails.nosuch", "x"), "invalidPath"),
        (op("replace", "title.sub", "x"), "invalidPath"),
        (op("replace", 'title[value eq "x"]', "x"), "invalidPath"),
        (op("replace", 'name[givenName eq "x"].familyName', "x"), "invalidPath"),
        (op("replace", f"{OWN}:Nosuch", "x"), "invalidPath"),
        (op("replace", None, {f"{OWN}:Nosuch": "x"}), "invalidPath"),
        (op("replace", None, {OWN: {"Nosuch": "x"}}), "invalidValue"),
        (op("replace", "urn:example:Custom:thing", "x"), "invalidPath"),
        (op("remove", OWN), "mutability"),
        (op("replace", 'emails[type eq "work" and value eq "other"].value', "x"), "noTarget"),
        (op("replace", 'emails[value sw "zzz"].value', "x"), "noTarget"),
        (op("replace", f'{OWN}:Tags[value sw "zzz"]', "x"), "noTarget"),
        (op("replace", "name.givenName", "x" * 41), "invalidValue"),
        (op("replace", "name.givenName", "a\x00b"), "invalidValue"),
        (op("replace", "userName", "a\nb"), "invalidValue"),
        (op("replace", "title", ["a", "b"]), "invalidValue"),
        (op("replace", "title", {"x": 1}), "invalidValue"),
        (op("replace", "name", "Jane Doe"), "invalidValue"),
        (op("replace", "emails", 5), "invalidValue"),
        (op("replace", "emails", [["x"]]), "invalidValue"),
        (op("replace", f"{OWN}:Salary", "much"), "invalidValue"),
        (op("replace", "active", 1), "invalidValue"),
        (op("replace", "active", "perhaps"), "invalidValue"),
    ],
)
def test_what_a_patch_may_not_do(operation: dict[str, Any], scim_type: str) -> None:
    assert refused(operation).scim_type == scim_type


def test_errors_name_the_attribute_and_not_the_value() -> None:
    error = refused(op("replace", "name.givenName", "secret-value" * 9))
    assert "name.givenName" in error.detail
    assert "secret-value" not in error.detail
    assert "'Status'" in refused(op("replace", f"{OWN}:Statsu", "x")).detail


def test_read_only_with_the_same_value_is_fine() -> None:
    plan = patch(RT, op("replace", f"{OWN}:Serial", 9), op("replace", "id", "the-id"), op("replace", "title", "x"))
    assert written(plan) == {"Title": ("x",)}


def test_unmapped_attributes_are_dropped_with_a_warning_or_refused() -> None:
    for operation in (
        op("replace", "nickName", "J"),
        op("replace", None, {"nickName": "J"}),
        op("replace", 'emails[type eq "other"].value', "o@x"),
        op("add", "emails", [{"type": "other", "value": "o@x"}]),
        op("replace", "name.middleName", "M"),
        op("replace", f"{ENTERPRISE}:costCenter", "C"),
        op("add", 'roles[type eq "x"].value', "y"),
    ):
        plan = patch(RT, operation)
        assert written(plan) == {}, operation
        assert len(plan.warnings) == 1, operation
        assert refused(operation, rt=STRICT).scim_type in {"invalidPath", "noTarget"}, operation


def test_unknown_members_of_a_value_are_dropped_with_a_warning() -> None:
    plan = patch(RT, op("replace", None, {"title": "x", "urn:example:Custom": {"a": 1}, "favouriteColour": "red"}))
    assert written(plan) == {"Title": ("x",)}
    assert len(plan.warnings) == 2
    assert refused(op("replace", None, {"favouriteColour": "red"}), rt=STRICT).scim_type == "invalidValue"


def test_strict_follows_the_rfc_where_nothing_fits_the_filter() -> None:
    assert refused(op("replace", 'emails[type eq "home"].value', "x"), rt=STRICT).scim_type == "noTarget"
    assert refused(op("remove", 'emails[type eq "home"]'), rt=STRICT).scim_type == "noTarget"
    assert written(patch(STRICT, op("add", 'emails[type eq "home"].value', "x"))) == {"HomeEmail": ("x",)}
    assert refused(op("replace", f'{OWN}:Tags[value eq "q"]', "x"), rt=STRICT).scim_type == "noTarget"
    assert refused(op("replace", "active", "False"), rt=STRICT).scim_type == "invalidValue"
    assert refused(op("replace", "manager", "boss"), rt=STRICT).scim_type == "invalidValue"
    assert written(patch(STRICT, op("replace", f"{OWN}:Status", ""))) == {"Status": ("",)}


def test_a_renamed_anchor_is_a_change_and_an_unchanged_one_is_none() -> None:
    assert written(patch(RT, op("replace", "userName", "jdoe"), op("replace", "title", "x"))) == {"Title": ("x",)}
    assert written(patch(RT, op("replace", "userName", "JDOE"))) == {"Login": ("JDOE",)}
    fixed = employees(
        object_type=ObjectType(
            name="Employees",
            anchor=("Login",),
            attributes=RT.object_type.attributes,
            operations=frozenset(Operation) - {Operation.RENAME},
        )
    )
    assert refused(op("replace", "userName", "other"), rt=fixed).scim_type == "mutability"
    assert written(patch(fixed, op("replace", "userName", "JDOE"))) == {}


def test_external_id_without_a_flow_belongs_to_the_host() -> None:
    assert patch(RT, op("replace", "externalId", "e2")).external_id == "e2"
    assert patch(RT, op("remove", "externalId")).external_id is None
    assert patch(RT, op("replace", "title", "x")).external_id is UNSET
    assert patch(RT, op("replace", "externalId", "e2")).changes == ()


def test_passwords_are_secrets_from_the_start() -> None:
    for operation in (op("replace", "password", "hunter2"), op("add", f"{OWN}:export_password", "hunter2")):
        plan = patch(RT, operation)
        assert plan.password is not None
        assert plan.password.reveal() == "hunter2"
        assert "hunter2" not in repr(plan)
        assert plan.changes == ()
    assert patch(RT, op("replace", "password", "")).password is None
    assert patch(RT, op("replace", "password", "")).warnings
    secret = patch(RT, op("replace", f"{OWN}:Pin", "4711"))
    assert written(secret) == {"Pin": ("4711",)}
    assert "4711" not in repr(secret)


def test_active_without_a_disable_flow_names_the_setting() -> None:
    rt = employees(disable=None)
    error = refused(op("replace", "active", False), rt=rt)
    assert "disable" in error.detail
    assert patch(rt, op("replace", "active", False), on=current({"Disabled": (True,)})).active is None
    assert written(patch(rt, op("replace", "active", True))) == {"Disabled": (False,)}


def test_disable_nothing_changes_nothing_and_warns() -> None:
    plan = patch(employees(disable=Deprovisioning(action="nothing")), op("replace", "active", "False"))
    assert (plan.active, plan.changes) == (None, ())
    assert "disable" in plan.warnings[0]


def test_disable_delete_is_left_to_the_engine() -> None:
    plan = patch(employees(disable=Deprovisioning(action="delete")), op("replace", "active", False))
    assert (plan.active, plan.changes) == (False, ())


def status(**restore: Any) -> Any:
    flows = {path: flow for path, flow in RT.definition.flows.items() if path != "active"}
    return employees(
        flows=flows,
        disable=Deprovisioning(action="set", values={"Status": "gone", "Remote": False}, restore=restore),
    )


def test_an_empty_text_takes_back_what_had_no_value() -> None:
    """Such as the moment of a soft delete, or pwdAccountLockedTime; a configuration file has no null."""
    left = attribute("LeftAt", T.DATETIME)
    object_type = replace(EMPLOYEE, attributes=(*EMPLOYEE.attributes, left))
    flows = {path: flow for path, flow in RT.definition.flows.items() if path != "active"}
    rule = Deprovisioning(action="set", values={"LeftAt": "2026-01-31T00:00:00Z"}, restore={"LeftAt": ""})
    rt = employees(object_type=object_type, flows=flows, disable=rule)
    assert rt.is_active({"LeftAt": ()})
    off = patch(rt, op("replace", "active", False))
    assert written(off)["LeftAt"] != ()
    gone = current({"LeftAt": written(off)["LeftAt"]})
    assert not rt.is_active(gone.attributes)
    assert written(patch(rt, op("replace", "active", True), on=gone)) == {"LeftAt": ()}


def test_disable_by_values() -> None:
    rt = status(Status="here")
    assert written(patch(rt, op("replace", "active", False))) == {"Status": ("gone",), "Remote": (False,)}
    gone = current({"Status": ("GONE",), "Remote": (False,)})
    assert rt.is_active(gone.attributes) is False
    assert written(patch(rt, op("replace", "active", True), on=gone)) == {"Status": ("here",), "Remote": (True,)}
    away = current({"Status": ("on leave",), "Remote": (False,)})
    assert rt.is_active(away.attributes) is True
    assert written(patch(rt, op("replace", "active", True), on=away)) == {"Remote": (True,)}


def test_enabling_what_cannot_be_restored_warns() -> None:
    flows = {path: flow for path, flow in RT.definition.flows.items() if path != "active"}
    rt = employees(flows=flows, disable=Deprovisioning(action="set", values={"Status": "gone"}))
    plan = patch(rt, op("replace", "active", True), on=current({"Status": ("gone",)}))
    assert plan.changes == ()
    assert "restore" in plan.warnings[0]


def test_active_and_its_own_attribute_may_not_contradict_each_other() -> None:
    assert (
        refused(
            op("replace", "active", False), op("replace", f"{OWN}:Disabled", "False"), on=current({"Disabled": ()})
        ).scim_type
        == "invalidValue"
    )
    plan = patch(RT, op("replace", "active", False), op("replace", f"{OWN}:Disabled", False))
    assert written(plan) == {"Disabled": (True,)}


def test_dn_is_new_only_if_it_differs() -> None:
    assert patch(RT, op("replace", f"{OWN}:-dn-", "cn=x")).new_dn is None
    named = employees(
        object_type=ObjectType(
            name="Employees",
            anchor=("Login",),
            attributes=RT.object_type.attributes,
            operations=frozenset(Operation),
            dn="Code",
        )
    )
    assert patch(named, op("replace", f"{OWN}:-dn-", "cn=x")).new_dn == "cn=x"
    assert patch(named, op("replace", f"{OWN}:-dn-", "cn=x"), on=current(dn="cn=x")).new_dn is None


WRITABLE = ["Status", "Code", "Salary", "Remote", "Title", "Email"]


@given(st.dictionaries(st.sampled_from(WRITABLE), st.none(), min_size=1))
def test_attributes_that_are_not_named_are_not_in_the_plan(names: dict[str, None]) -> None:
    values: dict[str, Any] = {"Salary": "1.5", "Remote": True}
    plan = patch(RT, op("replace", None, {OWN: {name: values.get(name, "v") for name in names}}))
    assert set(written(plan)) == set(names)
    assert (plan.references, plan.password, plan.external_id, plan.new_dn) == ((), None, UNSET, None)
