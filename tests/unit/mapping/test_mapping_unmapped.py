"""`own_names = "unmapped"`: the extension has only what no flow shows; and what is published of fixed elements."""

from __future__ import annotations

from typing import Any

import pytest
from mapping_samples import OWN, current, employees, op, patch, written

from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError

RT = employees(own_names="unmapped", attributes=("Login", "Email", "Status", "Tags"))


def attributes(rt: ResourceType, urn: str) -> dict[str, Any]:
    [found] = [each for each in rt.schema_documents() if each["id"] == urn]
    return {each["name"]: each for each in found["attributes"]}


def test_the_extension_has_only_what_no_flow_shows() -> None:
    assert set(attributes(RT, OWN)) == {"Status", "Tags"}
    assert set(attributes(employees(), OWN)) > {"Login", "Email", "Status", "Tags", "-dn-", "export_password"}
    bare = employees(own_names="unmapped", attributes=("Login", "Email"))
    assert OWN not in {each["id"] for each in bare.schema_documents()}


def test_it_may_be_removed_as_a_whole() -> None:
    there = current({"Login": ("jdoe",), "Status": ("new",), "Tags": ("a",)})
    assert written(patch(RT, op("remove", OWN), on=there)) == {"Status": (), "Tags": ()}
    with pytest.raises(ScimError, match="cannot be removed; name its attributes"):
        patch(employees(), op("remove", OWN), on=there)


def test_schemas_within_an_extension_say_nothing() -> None:
    for rt in (RT, employees()):
        plan = patch(rt, op("add", OWN, {"schemas": [OWN], "Status": "new"}), on=current({"Login": ("jdoe",)}))
        assert written(plan) == {"Status": ("new",)}


def test_which_of_several_flows_is_primary_cannot_be_written() -> None:
    urn = "urn:ietf:params:scim:schemas:core:2.0:User"
    subs = {each["name"]: each for each in attributes(RT, urn)["emails"]["subAttributes"]}
    assert subs["primary"]["mutability"] == "readOnly"
    assert subs["value"]["mutability"] == "readWrite"
