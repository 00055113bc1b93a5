"""The compile step: what a definition must satisfy, and what is read, indexed and published."""

from __future__ import annotations

import pytest
from mapping_samples import EMPLOYEE, OWN, T, attribute, definition, employees, teams

from isthmus.mapping.definition import Deprovisioning, Flow
from isthmus.mapping.problems import MappingProblem, nearest
from isthmus.spi import ObjectType


def problem(**changes: object) -> MappingProblem:
    with pytest.raises(MappingProblem) as caught:
        employees(**changes)
    return caught.value


def test_an_unknown_attribute_is_named_with_its_place_and_the_nearest() -> None:
    found = problem(attributes=("Login", "Emial"))
    assert found.where == ("attributes", 1)
    assert "'Emial'" in found.message
    assert "'Email'" in found.message


def test_every_problem_is_reported_at_once() -> None:
    found = problem(
        attributes=("Nope",),
        matching=("Neither",),
        flows={"userName": Flow(attribute="Logn")},
        disable=Deprovisioning(action="set", values={"Gone": 1}, restore={"Away": 2}),
    )
    assert [where for where, _ in found.problems] == [
        ("attributes", 0),
        ("matching", 0),
        ("flows", "userName", "attribute"),
        ("disable", "values", "Gone"),
        ("disable", "restore", "Away"),
    ]


@pytest.mark.parametrize(
    ("path", "flow", "says"),
    [
        ("usrName", Flow(attribute="Login"), "userName"),
        ("emails[", Flow(attribute="Login"), "not a SCIM path"),
        ("name", Flow(attribute="Login"), "familyName"),
        ("name.firstName", Flow(attribute="Login"), "no sub-attribute"),
        ("userName.value", Flow(attribute="Login"), "no sub-attributes"),
        ("id", Flow(attribute="Login"), "belongs to the server"),
        ("meta.created", Flow(attribute="Hired"), "belongs to the server"),
        ("groups", Flow(attribute="Manager"), "belongs to the server"),
        ("title", Flow(attribute="Serial"), "direction"),
        ("active", Flow(attribute="Title"), "boolean"),
        ("title", Flow(attribute="Title", invert=True), "turned round"),
        ("title", Flow(attribute="Manager"), "manager and members"),
        ("x509Certificates", Flow(attribute="Number"), "binary"),
        ("password", Flow(attribute="Title"), "secret"),
        ("manager.displayName", Flow(attribute="Manager"), "as a whole"),
        ('emails[type sw "w"].value', Flow(attribute="Email"), "constants"),
        ('emails[colour eq "red"].value', Flow(attribute="Email"), "no sub-attribute colour"),
        ('emails[type eq "work"].type', Flow(attribute="Email"), "tells values apart"),
        ('name[type eq "x"].givenName', Flow(attribute="Email"), "name"),
        (f"{OWN}:Email", Flow(attribute="Email"), "needs no flow"),
        ("urn:example:Custom:thing", Flow(attribute="Email"), "no attribute"),
    ],
)
def test_flows_that_cannot_work_are_refused(path: str, flow: Flow, says: str) -> None:
    found = problem(flows={path: flow}, disable=None)
    assert found.where == ("flows", path)
    assert says in found.message


def test_one_path_is_served_once() -> None:
    found = problem(flows={"title": Flow(attribute="Title"), "TITLE": Flow(attribute="Status")}, disable=None)
    assert "already served" in found.message
    found = problem(
        flows={"emails": Flow(attribute="Tags"), 'emails[type eq "work"]': Flow(attribute="Email")}, disable=None
    )
    assert "as a whole" in found.message


def test_disable_set_needs_something_to_set() -> None:
    found = problem(flows={}, disable=Deprovisioning(action="set"))
    assert found.where == ("disable", "values")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"Number": "many"}, "integer"),
        ({"Serial": 1}, "computes"),
        ({"Manager": "x"}, "reference"),
        ({"Pin": "1"}, "secret"),
        ({"Login": "gone"}, "identifies"),
    ],
)
def test_disable_values_must_fit(values: dict[str, object], says: str) -> None:
    found = problem(disable=Deprovisioning(action="set", values=values))
    assert says in found.message


def test_disable_values_are_among_those_the_target_takes() -> None:
    state = attribute("state", choices=("on", "off"))
    object_type = ObjectType(name="Employees", anchor=("Login",), attributes=(*EMPLOYEE.attributes, state))
    for wrong in (
        Deprovisioning(action="set", values={"state": "gone"}),
        Deprovisioning(action="set", values={"state": "off"}, restore={"state": "yes"}),
    ):
        assert "'on', 'off'" in problem(object_type=object_type, disable=wrong).message
    employees(object_type=object_type, disable=Deprovisioning(action="set", values={"state": "OFF"}))


def test_values_that_the_flow_on_active_would_not_show_are_refused() -> None:
    found = problem(disable=Deprovisioning(action="set", values={"Disabled": False}))
    assert "still show the object as active" in found.message


def test_values_without_set_are_refused() -> None:
    assert problem(delete=Deprovisioning(action="nothing", values={"Status": "x"})).where == ("delete", "action")


def test_a_secret_attribute_cannot_be_matched_by() -> None:
    assert problem(matching=("Pin",)).where == ("matching", 0)


def test_the_anchor_must_be_an_attribute() -> None:
    broken = ObjectType(name="Employees", anchor=("Key",), attributes=EMPLOYEE.attributes)
    assert "anchor" in problem(object_type=broken).message


def test_what_is_read_leaves_out_secrets_and_what_nobody_selected() -> None:
    rt = employees()
    assert "Pin" not in rt.read_attributes
    assert set(rt.read_attributes) == set(definition().attributes) - {"Pin"} | {
        f.attribute for f in definition().flows.values()
    }
    assert rt.secret_attributes == {"Pin"}
    assert rt.reference_attributes == ("Manager",)
    small = employees(
        attributes=("Title",), matching=(), flows={}, disable=Deprovisioning(action="set", values={"Status": "x"})
    )
    assert set(small.read_attributes) == {"Login", "Title", "Status"}


def test_what_is_indexed() -> None:
    assert employees().indexed == ("Login", "Email")
    assert employees(flows={"userName": Flow(attribute="Email")}, matching=(), disable=None).indexed == (
        "Login",
        "Email",
    )
    assert teams(flows={"displayName": Flow(attribute="displayName")}).indexed == ("name", "displayName")


def test_urns() -> None:
    assert employees().extension_urn == OWN
    assert teams().extension_urn == "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Group"
    assert teams().endpoint == "Groups"


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    two = ObjectType(
        name="Employees", anchor=("a",), attributes=(attribute("a"), attribute("A"), attribute("n", T.INTEGER))
    )
    rt = employees(object_type=two, attributes=("a", "A"), matching=(), flows={}, disable=None)
    assert rt.plan_create({OWN: {"a": "x", "A": "y"}}).attributes == {"a": ("x",), "A": ("y",)}


def test_nearest() -> None:
    assert nearest("USERNAME", ["userName", "title"]) == "userName"
    assert nearest("emails", ["Email", "Title"]) == "Email"
    assert nearest("zzz", ["Email", "Title"]) is None
