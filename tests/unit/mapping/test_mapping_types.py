"""Object types that are neither people nor groups, and what discovery says of every type."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from composite_samples import made_of
from mapping_samples import CORE, T, attribute, bind, current, op, patch, written

from isthmus.mapping.bound import BoundComparison, BoundElement, BoundReference
from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition
from isthmus.mapping.problems import MappingProblem
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.errors import ScimError
from isthmus.scim.projection import Projection
from isthmus.spi import Complex, ObjectType, Operation, Reference

DEVICE_URN = "urn:isthmus:params:scim:schemas:core:2.0:Device"
OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Device"
NAMES = {"devices": "Device", "people": "User", "teams": "Group"}

DEVICE = ObjectType(
    name="devices",
    anchor=("serial",),
    operations=frozenset({Operation.CREATE, Operation.UPDATE, Operation.IMPORT, Operation.LOOKUP}),
    attributes=(
        attribute("serial", required=True, unique=True, case_exact=True),
        attribute("label"),
        attribute("model no.", T.INTEGER),
        attribute("price", T.DECIMAL),
        attribute("bought", T.DATETIME, readonly=True),
        attribute("tags", multivalued=True),
        attribute("lost", T.BOOLEAN),
        attribute("owner", T.REFERENCE, reference_to="people"),
        attribute("users", T.REFERENCE, multivalued=True),
        attribute("id", T.INTEGER),
        attribute("pin", secret=True),
        made_of("ports", attribute("number", T.INTEGER, required=True), attribute("kind"), multivalued=True),
    ),
)


def devices(*, strict: bool = False, object_type: ObjectType = DEVICE, **changes: Any) -> ResourceType:
    settings: dict[str, Any] = {
        "object_type": "devices",
        "name": "Device",
        "endpoint": "Devices",
        "attributes": tuple(a.name for a in object_type.attributes),
        "matching": ("serial",),
        "flows": {"displayName": Flow(attribute="label"), "priceTag": Flow(attribute="price")},
    }
    definition = ResourceTypeDefinition(**(settings | changes))
    return compile_resource_type(definition, object_type, shape=1, strict=strict, names=NAMES)


RT = devices()


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {attribute["name"]: attribute for attribute in document["attributes"]}


def test_the_schema_of_a_device() -> None:
    core, extension = RT.schema_documents()
    assert (core["id"], core["name"], extension["id"]) == (DEVICE_URN, "Device", OWN)
    found = by_name(core)
    assert set(found) == {
        "displayName", "priceTag", "serial", "model_x0020_no_x002E_", "bought", "tags", "lost", "owner", "users", "pin",
        "ports",
    }  # fmt: skip
    assert {name: a["type"] for name, a in found.items() if a["type"] != "string"} == {
        "priceTag": "decimal", "model_x0020_no_x002E_": "integer", "bought": "dateTime", "lost": "boolean",
        "owner": "complex", "users": "complex", "ports": "complex",
    }  # fmt: skip
    serial = found["serial"]
    assert (serial["required"], serial["uniqueness"], serial["caseExact"]) == (True, "server", True)
    assert serial["mutability"] == "immutable", "this target cannot rename"
    assert found["bought"]["mutability"] == "readOnly"
    assert (found["pin"]["mutability"], found["pin"]["returned"]) == ("writeOnly", "never")
    assert found["tags"]["multiValued"] is True
    owner, users = ({sub["name"]: sub for sub in found[name]["subAttributes"]} for name in ("owner", "users"))
    assert owner["$ref"]["referenceTypes"] == ["User"]
    assert users["$ref"]["referenceTypes"] == ["Device", "User", "Group"]
    assert [(s["name"], s["required"]) for s in found["ports"]["subAttributes"]] == [("number", True), ("kind", False)]
    # names that mean something else in SCIM, and those that flow elsewhere, are in the extension only
    assert set(by_name(extension)) == {"id", "label", "price"}
    document = RT.resource_type_document()
    assert (document["id"], document["endpoint"], document["schema"]) == ("Device", "/Devices", DEVICE_URN)
    assert document["schemaExtensions"] == [{"schema": OWN, "required": False}]


def test_a_device() -> None:
    values: Any = {
        "serial": ("S1",),
        "label": ("Lamp",),
        "model no.": (5,),
        "tags": ("a", "b"),
        "id": (9,),
        "ports": (Complex({"number": 1}),),
        "lost": (False,),
    }
    shown = orjson.loads(
        RT.finish(
            RT.render(values),
            meta={},
            id="the-id",
            references={"owner": [("u1", "Ann", "https://h/scim/Users/u1", "User")]},
        )
    )
    assert shown == {
        "schemas": [DEVICE_URN, OWN],
        "id": "the-id",
        "displayName": "Lamp",
        "serial": "S1",
        "model_x0020_no_x002E_": 5,
        "tags": ["a", "b"],
        "lost": False,
        "ports": [{"number": 1}],
        "owner": {"value": "u1", "$ref": "https://h/scim/Users/u1", "type": "User", "display": "Ann"},
        "users": [],
        OWN: {"id": 9, "label": "Lamp"},
        "meta": {},
    }
    only = RT.finish(RT.render(values), meta={}, projection=Projection.parse(f"{DEVICE_URN}:serial", None), id="i")
    assert orjson.loads(only) == {"schemas": [DEVICE_URN, OWN], "id": "i", "serial": "S1"}


def test_writing_a_device() -> None:
    plan = RT.plan_create(
        {
            "schemas": [DEVICE_URN],
            "serial": "S1",
            "displayName": "Lamp",
            "priceTag": 2.5,
            "model no.": 5,
            "tags": ["a"],
            "owner": {"value": "u1"},
            "users": [{"value": "u1"}, {"value": "u2"}],
            "ports": [{"number": 1, "kind": "usb"}],
            "id": "chosen by the client",
            OWN: {"id": 7},
        }
    )
    assert plan.references == (("owner", "u1"), ("users", "u1"), ("users", "u2"))
    assert plan.attributes["ports"] == (Complex({"number": 1, "kind": "usb"}),)
    assert (plan.attributes["model no."], plan.attributes["id"], plan.attributes["tags"]) == ((5,), (7,), ("a",))
    on = current({"serial": ("S1",)}, references={})
    assert written(patch(RT, op("replace", f"{DEVICE_URN}:lost", value=True), on=on)) == {"lost": (True,)}
    assert patch(RT, op("replace", "owner", {"value": "u2"}), on=on).references[0].replace == ("u2",)
    assert patch(RT, op("add", "users", [{"value": "u3"}]), on=on).references[0].add == ("u3",)
    for path, kind in (("serial", "mutability"), ("bought", "mutability"), ("colour", "invalidPath")):
        with pytest.raises(ScimError) as caught:
            patch(RT, op("replace", path, "2025-01-01T00:00:00Z"), on=on)
        assert caught.value.scim_type == kind
    with pytest.raises(ScimError, match="serial"):
        RT.plan_create({"displayName": "Lamp"})


def test_the_extension_understands_every_own_name() -> None:
    plan = RT.plan_create({OWN: {"serial": "S1", "model no.": 5, "owner": {"value": "u1"}, "ports": [{"number": 1}]}})
    assert plan.references == (("owner", "u1"),)
    assert (plan.attributes["serial"], plan.attributes["model no."]) == (("S1",), (5,))
    on = current({"serial": ("S1",)}, references={})
    assert written(patch(RT, op("replace", f"{OWN}:lost", value=True), on=on)) == {"lost": (True,)}
    assert bind(RT, f'{OWN}:serial eq "S1"') == bind(RT, 'serial eq "S1"')


def test_filters_on_devices() -> None:
    serial = BoundComparison("serial", "eq", "S1", "text", True, True, "S1")
    assert bind(RT, 'serial eq "S1"') == bind(RT, f'{DEVICE_URN}:serial eq "S1"') == serial
    assert bind(RT, 'owner.value eq "u1"') == bind(RT, 'owner eq "u1"') == BoundReference("owner", "u1")
    assert isinstance(bind(RT, "ports[number gt 1]"), BoundElement)
    assert RT.indexed == ("serial",)
    with pytest.raises(ScimError, match="serial"):
        bind(RT, 'serail eq "x"')


def test_active_and_password_are_there_where_they_mean_something() -> None:
    capable = ObjectType(
        name="devices", anchor=("serial",), attributes=DEVICE.attributes, operations=frozenset(Operation)
    )
    rt = devices(object_type=capable, disable=Deprovisioning(action="set", values={"lost": True}))
    core = by_name(rt.schema_documents()[0])
    assert core["active"]["type"] == "boolean"
    assert core["password"]["returned"] == "never"
    assert core["serial"]["mutability"] == "readWrite"
    assert "active" not in by_name(RT.schema_documents()[0])


def test_a_flow_may_rename_an_attribute_and_its_parts() -> None:
    flows = {
        "sockets": Flow(attribute="ports", sub_attributes={"position": "number"}),
        "holder": Flow(attribute="owner"),
        f"{DEVICE_URN}:stolen": Flow(attribute="lost", invert=True),
        "labels": Flow(attribute="tags"),
    }
    rt = devices(flows=flows)
    values: Any = {"ports": (Complex({"number": 1, "kind": "usb"}),), "lost": (False,), "tags": ("a", "b")}
    shown = orjson.loads(
        rt.finish(rt.render(values), meta={}, references={"owner": [("u", None, "https://h/scim/Users/u", "User")]})
    )
    assert shown["sockets"] == [{"position": 1, "kind": "usb"}]
    assert (shown["stolen"], shown["labels"], shown["holder"]["value"]) == (True, ["a", "b"], "u")
    assert "ports" not in shown
    assert rt.plan_create({"serial": "S", "sockets": [{"position": 2}]}).attributes["ports"] == (
        Complex({"number": 2}),
    )
    assert [sub["name"] for sub in by_name(rt.schema_documents()[0])["sockets"]["subAttributes"]] == [
        "position",
        "kind",
    ]


@pytest.mark.parametrize(
    ("flows", "says"),
    [
        ({"id": Flow(attribute="serial")}, "belongs to the server"),
        ({"place.city": Flow(attribute="label")}, "no sub-attributes"),
        ({"sockets": Flow(attribute="ports", sub_attributes={"a": "nmuber"})}, "no part 'nmuber'"),
        ({"urn:other:thing": Flow(attribute="label")}, "no attribute"),
    ],
)
def test_flows_of_a_device_that_cannot_work(flows: Any, says: str) -> None:
    with pytest.raises(MappingProblem) as caught:
        devices(flows=flows)
    assert says in str(caught.value)


def test_a_device_may_be_published_as_a_user() -> None:
    rt = devices(name="User", endpoint="Users", flows={"userName": Flow(attribute="serial")})
    core, own = rt.schema_documents()
    assert core["id"] == CORE
    assert set(by_name(core)) == {"userName", "active"}
    assert "serial" in by_name(own)


def test_what_points_at_a_type_that_is_not_published_names_no_type() -> None:
    definition = RT.definition
    rt = compile_resource_type(definition, DEVICE, shape=1, names={"devices": "Device"})
    owner = {sub["name"]: sub for sub in by_name(rt.schema_documents()[0])["owner"]["subAttributes"]}
    assert "referenceTypes" not in owner["$ref"]


def test_references_are_kept_apart() -> None:
    assert RT.reference_attributes == ("owner", "users")
    assert Reference(("u",)).key == ("u",)
