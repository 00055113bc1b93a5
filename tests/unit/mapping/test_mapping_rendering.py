"""What is shown of an object, and what the schemas say about it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import (
    CORE,
    ENTERPRISE,
    OWN,
    PRESENT,
    T,
    attribute,
    current,
    definition,
    employees,
    op,
    patch,
    teams,
    written,
)

from isthmus.mapping.definition import Deprovisioning, Flow
from isthmus.scim.errors import InvalidValue
from isthmus.scim.projection import Projection
from isthmus.spi import ObjectType, Reference

RT = employees()
META = b'{"resourceType":"User","version":"W/\\"1\\""}'


def shown(rt: Any = RT, attributes: Any = PRESENT, **facts: Any) -> dict[str, Any]:
    return orjson.loads(rt.finish(rt.render(attributes), meta=META, **facts))


def test_a_user() -> None:
    user = shown(
        id="the-id",
        external_id="ext",
        references={"Manager": [("boss", "The Boss", "https://h/scim/Users/boss", "User")]},
    )
    own = user.pop(OWN)
    assert user == {
        "schemas": [CORE, ENTERPRISE, OWN],
        "id": "the-id",
        "externalId": "ext",
        "userName": "jdoe",
        "name": {"givenName": "Jane", "familyName": "Doe"},
        "title": "Clerk",
        "active": True,
        "emails": [{"value": "jane@contoso.example", "type": "work", "primary": True}],
        "phoneNumbers": [{"value": "+1 (555) 0100", "type": "work", "primary": True}],
        "addresses": [{"streetAddress": "Main Street 1", "locality": "Springfield", "type": "work", "primary": True}],
        ENTERPRISE: {
            "department": "Sales",
            "employeeNumber": "701",
            "manager": {"value": "boss", "$ref": "https://h/scim/Users/boss", "displayName": "The Boss"},
        },
        "meta": {"resourceType": "User", "version": 'W/"1"'},
    }
    assert own["Number"] == 701
    assert own["Tags"] == ["a", "b"]
    assert own["Disabled"] is False
    assert "Salary" not in own
    assert "Pin" not in own
    assert "Manager" not in own


def test_an_attribute_without_a_flow_is_in_the_extension_only_and_one_with_a_flow_in_both() -> None:
    user = shown(attributes={"Status": ("s",), "Title": ("t",)})
    assert user[OWN] == {"Status": "s", "Title": "t"}
    assert user["title"] == "t"
    assert "s" not in {value for key, value in user.items() if isinstance(value, str) and key != OWN}


def test_no_value_is_left_out() -> None:
    user = shown(attributes={"Login": ("x",), "Title": ("",), "FirstName": (), "Tags": ("",), "Email": ("",)})
    assert set(user) == {"schemas", "userName", "active", OWN, "meta"}
    assert user[OWN] == {"Login": "x"}


def test_what_the_store_kept_is_shown_alike() -> None:
    assert RT.render(RT.decode(RT.encode(PRESENT))) == RT.render(dict(PRESENT))


def test_the_dn_is_shown() -> None:
    assert orjson.loads(RT.render({}, dn="cn=x", id="i", external_id="e")) == {
        "schemas": [CORE, ENTERPRISE, OWN],
        "id": "i",
        "externalId": "e",
        "active": True,
        OWN: {"-dn-": "cn=x"},
    }


def test_every_type_under_its_own_name() -> None:
    user = shown(
        attributes={
            "Salary": (Decimal("12345678901234567890.10"),),
            "Hired": (datetime(2025, 1, 31, 8, tzinfo=UTC),),
            "Photo": (b"\x00\x01\x02",),
            "Number": (2**63 - 1,),
        }
    )
    assert user[OWN]["Hired"] == "2025-01-31T08:00:00Z"
    assert user[OWN]["Photo"] == "AAEC"
    assert user[OWN]["Number"] == 2**63 - 1
    assert user[ENTERPRISE]["employeeNumber"] == str(2**63 - 1)


def test_decimals_keep_every_digit_also_where_the_answer_is_cut_down() -> None:
    digits = "12345678901234567890.123456789"
    scim = RT.render({"Salary": (Decimal(digits),)})
    for projection in (None, Projection.parse(f"{OWN}:Salary", None)):
        text = RT.finish(scim, meta=META, projection=projection)
        assert json.loads(text, parse_float=str)[OWN]["Salary"] == digits
    assert b'"NaN"' in RT.render({"Salary": (Decimal("NaN"),)})


def test_half_a_surrogate_pair_does_not_stop_an_answer() -> None:
    assert shown(attributes={"Title": ("a\ud800",)})["title"] == "a?"


@pytest.mark.parametrize(
    ("attributes", "active"),
    [({"Disabled": (True,)}, False), ({"Disabled": (False,)}, True), ({"Disabled": ()}, True), ({}, True)],
)
def test_active(attributes: Any, active: bool) -> None:
    assert shown(attributes=attributes)["active"] is active
    assert RT.is_active(attributes) is active


def test_active_by_other_types_and_by_values() -> None:
    flows = {"userName": Flow(attribute="Login"), "active": Flow(attribute="Number")}
    assert [employees(flows=flows).is_active({"Number": (n,)}) for n in (0, 1, 5)] == [False, True, True]
    rt = employees(flows={}, disable=Deprovisioning(action="set", values={"Status": "gone", "Title": None}))
    assert rt.is_active({"Status": ("gone",), "Title": ("x",)}) is True
    assert rt.is_active({"Status": ("Gone",), "Title": ()}) is False
    assert rt.is_active({"Status": ("gone",)}) is True  # Title was not read
    assert employees(flows={}, disable=None).is_active({}) is True


def test_what_flows_write() -> None:
    assert RT.disabling() == {"Disabled": (True,)}
    assert RT.enabling() == {"Disabled": (False,)}
    assert RT.deleting() == {}
    rt = employees(
        disable=Deprovisioning(action="nothing"),
        delete=Deprovisioning(action="set", values={"Status": "deleted", "Remote": False}, restore={"Status": "here"}),
    )
    assert rt.disabling() == {}
    assert rt.deleting() == {"Disabled": (True,), "Status": ("deleted",), "Remote": (False,)}
    assert rt.enabling() == {"Disabled": (False,), "Status": ("here",), "Remote": (True,)}


def test_references_of_a_group() -> None:
    rt = teams()
    scim = rt.render({"name": ("Sales",), "members": (Reference(("a",)),)})
    members = [("u1", "Jane", "https://h/scim/Users/u1", "User"), ("g2", None, "https://h/scim/Groups/g2", "Group")]
    group = orjson.loads(rt.finish(scim, meta=META, references={"members": members}, id="g"))
    assert group["members"] == [
        {"value": "u1", "$ref": "https://h/scim/Users/u1", "type": "User", "display": "Jane"},
        {"value": "g2", "$ref": "https://h/scim/Groups/g2", "type": "Group"},
    ]
    assert "active" not in group
    empty = orjson.loads(rt.finish(scim, meta=META, references={}, id="g"))
    assert empty["members"] == []
    without = rt.finish(
        scim, meta=META, references={"members": members}, projection=Projection.parse(None, "members"), id="g"
    )
    assert b"members" not in without
    assert b"u1" not in without
    only = orjson.loads(
        rt.finish(
            scim, meta=META, references={"members": members}, projection=Projection.parse("members.value", None), id="g"
        )
    )
    assert only == {"schemas": group["schemas"], "id": "g", "members": [{"value": "u1"}, {"value": "g2"}]}


def test_a_reference_without_a_flow_is_shown_under_its_own_name() -> None:
    rt = employees(attributes=("Manager",), matching=(), flows={}, disable=None)
    user = orjson.loads(
        rt.finish(rt.render({}), meta=META, references={"Manager": [("b", None, "https://h/scim/Users/b", "User")]})
    )
    assert user[OWN] == {"Manager": {"value": "b", "$ref": "https://h/scim/Users/b", "type": "User"}}


def test_projections() -> None:
    user = shown(id="i", projection=Projection.parse("userName,emails.value", None))
    assert user == {
        "schemas": [CORE, ENTERPRISE, OWN],
        "id": "i",
        "userName": "jdoe",
        "emails": [{"value": "jane@contoso.example"}],
    }
    assert OWN not in shown(projection=Projection.parse(None, OWN))


def test_meta_may_be_a_dict() -> None:
    assert orjson.loads(RT.finish(RT.render({}), meta={"version": "1"}))["meta"] == {"version": "1"}


def test_several_elements_and_the_primary_one() -> None:
    rt = employees(
        flows={
            'emails[type eq "home"].value': Flow(attribute="HomeEmail"),
            'emails[type eq "work" and primary eq true].value': Flow(attribute="Email"),
            "phoneNumbers": Flow(attribute="Tags"),
            "x509Certificates": Flow(attribute="Photo"),
        },
        disable=None,
    )
    user = shown(rt, {"HomeEmail": ("h",), "Email": ("w",), "Tags": ("1", "2"), "Photo": (b"\x00",)})
    assert user["emails"] == [{"value": "h", "type": "home"}, {"value": "w", "type": "work", "primary": True}]
    assert user["phoneNumbers"] == [{"value": "1"}, {"value": "2"}]
    assert user["x509Certificates"] == [{"value": "AA==", "primary": True}]
    plan = rt.plan_replace({"phoneNumbers": [{"value": "3", "type": "work"}, {"value": "4"}]}, current())
    assert written(plan) == {"Tags": ("3", "4")}
    assert written(patch(rt, op("add", "phoneNumbers", [{"value": "5"}]))) == {"Tags": ("+", "5")}
    assert written(patch(rt, op("remove", 'phoneNumbers[value eq "a"]'))) == {"Tags": ("-", "a")}


def test_the_first_of_several_values_is_shown_and_written() -> None:
    rt = employees(flows={"title": Flow(attribute="Tags"), "userName": Flow(attribute="Login")}, disable=None)
    assert shown(rt, {"Tags": ("a", "b")})["title"] == "a"
    assert written(patch(rt, op("replace", "title", "z"))) == {"Tags": ("z", "b")}
    assert written(patch(rt, op("remove", "title"))) == {"Tags": ()}


def test_display_names() -> None:
    assert RT.display_name(PRESENT) == "jdoe"
    assert teams().display_name({"name": ("Sales",)}) == "Sales"
    pair = ObjectType(name="Employees", anchor=("a", "b"), attributes=(attribute("a", T.INTEGER), attribute("b")))
    rt = employees(object_type=pair, attributes=("a",), matching=(), flows={}, disable=None)
    assert rt.display_name({"a": (5,), "b": ("x",)}) == "5+x"
    assert rt.display_name({}) == ""


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Status": texts,
    "Number": st.integers(-(2**63), 2**63 - 1),
    "Salary": st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    "Remote": st.booleans(),
    "Hired": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat().replace("+00:00", "Z")),
    "Tags": st.lists(texts, min_size=1, unique=True),
    "Title": texts,
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_was_written_is_what_is_shown(values: dict[str, Any]) -> None:
    plan = RT.plan_create({"userName": "u", "name": {"familyName": "f"}, OWN: values})
    text = RT.finish(RT.render(RT.decode(RT.encode(plan.attributes))), meta=META)
    own = json.loads(text, parse_float=Decimal)[OWN]
    for name, value in values.items():
        if name == "Salary":
            assert Decimal(own[name]) == Decimal(value)
        else:
            assert own[name] == value
    if "Title" in values:
        assert json.loads(text)["title"] == values["Title"]


@given(texts, texts, texts)
def test_core_values_come_back_exactly_as_sent(login: str, family: str, mail: str) -> None:
    body = {
        "userName": login,
        "name": {"familyName": family},
        "emails": [{"type": "work", "value": mail, "primary": True}],
    }
    rt = employees(
        object_type=ObjectType(
            name="Employees",
            anchor=("Login",),
            attributes=tuple(
                attribute(a.name, a.type, multivalued=a.multivalued, secret=a.secret) if a.name != "Serial" else a
                for a in RT.object_type.attributes
            ),
        )
    )
    back = shown(rt, rt.plan_create(body).attributes)
    assert {key: back[key] for key in body} == body


# -- schemas


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {attribute["name"]: attribute for attribute in document["attributes"]}


def test_schemas_say_what_is_there() -> None:
    core, enterprise, own = RT.schema_documents()
    assert [d["id"] for d in (core, enterprise, own)] == [CORE, ENTERPRISE, OWN]
    user = by_name(core)
    assert set(user) == {
        "userName",
        "name",
        "title",
        "active",
        "password",
        "emails",
        "phoneNumbers",
        "addresses",
        "roles",
    }
    assert user["userName"]["required"] is True
    assert user["userName"]["uniqueness"] == "server"
    assert user["password"]["mutability"] == "writeOnly"
    assert user["password"]["returned"] == "never"
    assert [sub["name"] for sub in user["name"]["subAttributes"]] == ["familyName", "givenName"]
    emails = {sub["name"]: sub for sub in user["emails"]["subAttributes"]}
    assert emails["type"]["canonicalValues"] == ["work", "home"]
    assert set(emails) == {"value", "type", "primary"}
    assert set(by_name(enterprise)) == {"employeeNumber", "department", "manager"}
    manager = {sub["name"]: sub for sub in by_name(enterprise)["manager"]["subAttributes"]}
    assert manager["$ref"]["referenceTypes"] == ["User"]


@pytest.mark.parametrize(
    ("needed", "emails", "value", "addresses"),
    [
        ({"Email"}, True, False, False),
        ({"Email", "HomeEmail"}, True, True, False),
        ({"City"}, False, False, True),
        (set(), False, False, False),
    ],
)
def test_a_list_is_required_where_one_of_its_elements_is(
    needed: set[str], emails: bool, value: bool, addresses: bool
) -> None:
    attributes = tuple(replace(each, required=each.name in needed) for each in RT.object_type.attributes)
    rt = employees(object_type=replace(RT.object_type, attributes=attributes))
    core = by_name(rt.schema_documents()[0])
    subs = {sub["name"]: sub for sub in core["emails"]["subAttributes"]}
    assert (core["emails"]["required"], subs["value"]["required"], core["addresses"]["required"]) == (
        emails, value, addresses,
    )  # fmt: skip
    assert not subs["type"]["required"]
    if needed:
        with pytest.raises(InvalidValue) as refused:
            rt.plan_create({"userName": "u"})
        assert all(name in refused.value.detail for name in needed)
    else:
        assert rt.plan_create({"userName": "u"}).attributes == {"Login": ("u",)}


def test_the_extension_has_every_published_attribute() -> None:
    own = by_name(RT.schema_documents()[2])
    published = set(definition().attributes) | {flow.attribute for flow in definition().flows.values()}
    assert set(own) == published - {"Manager"} | {"-dn-", "export_password"}
    types = {name: own[name]["type"] for name in ("Login", "Number", "Salary", "Remote", "Hired", "Photo")}
    assert list(types.values()) == ["string", "integer", "decimal", "boolean", "dateTime", "binary"]
    assert own["Tags"]["multiValued"] is True
    assert own["Serial"]["mutability"] == "readOnly"
    assert (own["Pin"]["mutability"], own["Pin"]["returned"]) == ("writeOnly", "never")
    assert own["export_password"]["returned"] == "never"
    assert own["Code"]["caseExact"] is True
    assert own["Login"]["required"] is True


def test_an_anchor_that_cannot_be_renamed_is_immutable() -> None:
    rt = employees(object_type=ObjectType(name="Employees", anchor=("Login",), attributes=RT.object_type.attributes))
    assert by_name(rt.schema_documents()[0])["userName"]["mutability"] == "immutable"


def test_what_cannot_be_changed_is_announced_so() -> None:
    for disable in (None, Deprovisioning(action="nothing")):
        core = by_name(employees(flows={}, disable=disable).schema_documents()[0])
        assert core["active"]["mutability"] == "readOnly"
    assert by_name(RT.schema_documents()[0])["active"]["mutability"] == "readWrite"
    assert by_name(RT.schema_documents()[2])["-dn-"]["mutability"] == "readOnly"


def test_resource_types() -> None:
    document = RT.resource_type_document()
    assert document["endpoint"] == "/Users"
    assert document["schema"] == CORE
    assert document["schemaExtensions"] == [
        {"schema": ENTERPRISE, "required": False},
        {"schema": OWN, "required": False},
    ]
    own_only = employees(flows={}, disable=None)
    assert own_only.resource_type_document()["schemaExtensions"] == [{"schema": OWN, "required": True}]
    members = by_name(teams().schema_documents()[0])["members"]
    assert {sub["name"]: sub for sub in members["subAttributes"]}["$ref"]["referenceTypes"] == ["User", "Group"]


def test_schemas_are_json() -> None:
    for rt in (RT, teams()):
        for document in rt.schema_documents():
            assert None not in orjson.loads(orjson.dumps(document)).values()
