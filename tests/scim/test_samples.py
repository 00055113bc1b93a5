"""Every example of RFC 7643 and RFC 7644 (samples/, by section) goes through the code that reads or makes its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.scim import documents, urns
from isthmus.scim.body import parse_json
from isthmus.scim.errors import ScimError
from isthmus.scim.etag import matches
from isthmus.scim.filter import parse_filter, parse_path
from isthmus.scim.group_schema import GROUP
from isthmus.scim.listing import parse_search_request
from isthmus.scim.patch import parse_operations
from isthmus.scim.projection import Projection
from isthmus.scim.schema import COMMON_ATTRIBUTES, ScimAttribute, ScimSchema
from isthmus.scim.service_schemas import RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG, SERVICE_SCHEMAS
from isthmus.scim.user_schema import ENTERPRISE_USER, USER

SAMPLES = Path(__file__).parent / "samples"
FILES = sorted(path.name for path in SAMPLES.glob("*.json"))
SCHEMAS = {schema.id: schema for schema in (USER, ENTERPRISE_USER, GROUP, *SERVICE_SCHEMAS)}
MESSAGES = {urns.ERROR, urns.LIST_RESPONSE, urns.PATCH_OP, urns.SEARCH_REQUEST}
BULK = {f"urn:ietf:params:scim:api:messages:2.0:Bulk{kind}" for kind in ("Request", "Response")}

# The Schema schema can name the sub-attributes of sub-attributes but not describe them (RFC 7643 7).
UNDESCRIBED = {"rfc7643-8.7.2-schema-schema.json": ["attributes.subAttributes.subAttributes"]}


def load(name: str) -> dict[str, Any]:
    return parse_json((SAMPLES / name).read_bytes())


def named(*fragments: str) -> list[str]:
    found = [name for name in FILES if any(fragment in name for fragment in fragments)]
    assert found, fragments
    return found


def test_every_example_is_here() -> None:
    assert len(FILES) == 49
    assert (SAMPLES / "SOURCES.md").read_text().startswith("Every JSON example of RFC 7643 and RFC 7644")


@pytest.mark.parametrize("name", FILES)
def test_every_example_is_read_and_is_of_a_kind_we_know(name: str) -> None:
    assert set(load(name)["schemas"]) <= SCHEMAS.keys() | MESSAGES | BULK


def resources(value: Any) -> Iterator[dict[str, Any]]:
    """Yield everything in a document that says which schemas it follows and is no message."""
    if isinstance(value, list):
        for each in value:
            yield from resources(each)
    elif isinstance(value, dict):
        schemas = value.get("schemas")
        if isinstance(schemas, list) and set(schemas) <= SCHEMAS.keys():
            yield value
        else:
            for each in value.values():
                yield from resources(each)


def misfits(resource: dict[str, Any]) -> list[str]:
    """Return the dotted names in a resource that our schema data does not know or gives another type."""
    attributes: dict[str, ScimAttribute] = {attribute.name: attribute for attribute in COMMON_ATTRIBUTES}
    found: list[str] = []
    for urn in resource["schemas"]:
        if urn in resource:
            found += unfit(
                resource[urn], {attribute.name: attribute for attribute in SCHEMAS[urn].attributes}, f"{urn}:"
            )
        else:
            attributes |= {attribute.name: attribute for attribute in SCHEMAS[urn].attributes}
    body = {name: value for name, value in resource.items() if name not in SCHEMAS}
    return found + unfit(body, attributes, "")


PYTHON = {
    "string": str,
    "reference": str,
    "binary": str,
    "dateTime": str,
    "boolean": bool,
    "integer": int,
    "complex": dict,
}


def unfit(values: dict[str, Any], attributes: dict[str, ScimAttribute], prefix: str) -> list[str]:
    found: list[str] = []
    lowered = {name.lower(): attribute for name, attribute in attributes.items()}
    for name, value in values.items():
        attribute = lowered.get(name.lower())
        if attribute is None:
            found.append(prefix + name)
            continue
        if attribute.multi_valued != isinstance(value, list):
            found.append(f"{prefix}{name} (plurality)")
            continue
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, PYTHON[attribute.type]):
                found.append(f"{prefix}{name} (type)")
            elif attribute.type == "complex":
                found += unfit(each, {sub.name: sub for sub in attribute.sub_attributes}, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("name", [name for name in FILES if any(resources(load(name)))])
def test_our_schemas_describe_every_resource(name: str) -> None:
    for resource in resources(load(name)):
        assert misfits(resource) == UNDESCRIBED.get(name, [])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("rfc7643-8.7.1-schema-user.json", USER),
        ("rfc7643-8.7.1-schema-enterprise_user.json", ENTERPRISE_USER),
        ("rfc7643-8.7.1-schema-group.json", GROUP),
        ("rfc7643-8.7.2-schema-service_provider_configuration.json", SERVICE_PROVIDER_CONFIG),
        ("rfc7643-8.7.2-schema-resource_type.json", RESOURCE_TYPE),
        ("rfc7643-8.7.2-schema-schema.json", SCHEMA),
    ],
)
def test_our_schema_data_says_what_the_rfc_says(name: str, ours: ScimSchema) -> None:
    document = ours.to_json()
    example = load(name)
    assert (document["id"], document["name"]) == (example["id"], example["name"])
    theirs = facts(example["attributes"])
    mine = facts(document["attributes"])
    assert {name for name in mine if name.split(".")[0] not in LATER.get(ours.id, set())} == theirs.keys()
    mine = {name: mine[name] for name in theirs}
    differing = {key for key in mine if mine[key] != theirs[key]}
    assert differing == DIFFERENCES.get(ours.id, set()), {key: (mine[key], theirs[key]) for key in differing}


DIFFERENCES: dict[str, set[str]] = {
    # RFC 7643 4.3 calls both RECOMMENDED.
    urns.ENTERPRISE_USER: {"manager.value", "manager.$ref"},
    # RFC 7643 6: schemaExtensions is OPTIONAL in the text; a type without extensions has none to name.
    urns.RESOURCE_TYPE: {"schemaExtensions"},
}


LATER: dict[str, set[str]] = {
    # RFC 9865 adds it.
    urns.SERVICE_PROVIDER_CONFIG: {"pagination"},
}


def facts(attributes: list[dict[str, Any]], prefix: str = "") -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for attribute in attributes:
        name = prefix + attribute["name"]
        with_case = attribute["type"] in {"string", "reference", "binary"}
        found[name] = (
            attribute["type"],
            attribute.get("multiValued", False),
            attribute.get("required", False),
            attribute.get("caseExact", False) if with_case else None,
            attribute.get("mutability", "readWrite"),
            attribute.get("returned", "default"),
            attribute.get("uniqueness", "none") if attribute["type"] != "complex" else None,
            tuple(attribute.get("canonicalValues", ())),
            tuple(attribute.get("referenceTypes", ())),
        )
        found |= facts(attribute.get("subAttributes", []), f"{name}.")
    return found


@pytest.mark.parametrize("name", named("patch_op"))
def test_every_patch_is_parsed_in_both_modes(name: str) -> None:
    sent = load(name)
    parsed = parse_operations(sent, strict=True)
    assert parsed == parse_operations(sent)
    assert [operation.op for operation in parsed] == [operation["op"] for operation in sent["Operations"]]
    assert [operation.text for operation in parsed] == [operation.get("path") for operation in sent["Operations"]]
    for operation in parsed:
        for path in [operation.path] if operation.path is not None else map(parse_path, operation.value):
            schema = USER if USER.attribute(path.path.name) else GROUP
            assert schema.attribute(path.path.full_name) is not None


def patches_in_bulk() -> list[dict[str, Any]]:
    return [
        {"Operations": operation["data"] if isinstance(operation["data"], list) else operation["data"]["Operations"]}
        for name in named("bulk_request")
        for operation in load(name)["Operations"]
        if operation["method"] == "PATCH"
    ]


def test_patches_within_bulk_requests_are_parsed() -> None:
    found = patches_in_bulk()
    assert found
    for sent in found:
        assert len(parse_operations(sent)) == len(sent["Operations"])


def errors_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from errors_in(each)
    elif isinstance(value, dict):
        if value.get("schemas") == [urns.ERROR]:
            yield value
        for each in value.values():
            yield from errors_in(each)


@pytest.mark.parametrize("name", [name for name in FILES if any(errors_in(load(name)))])
def test_every_error_could_be_one_of_ours(name: str) -> None:
    for example in errors_in(load(name)):
        ours = ScimError(int(example["status"]), example["detail"], example.get("scimType"))
        assert parse_json(ours.body()) == example


def test_the_search_request() -> None:
    request = parse_search_request(load("rfc7644-3.4.3-search_request.json"))
    assert (request.start_index, request.count) == (1, 10)
    assert request.filter is not None
    assert parse_filter(request.filter) == parse_filter('displayName sw "smith"')
    assert request.projection is Projection.parse("displayName,userName", None)


def test_the_partial_answer_is_what_our_projection_makes() -> None:
    full = load("rfc7644-3.4.1-user-known-resource.json")
    projection = Projection.parse("userName", None)
    assert projection is not None
    shown = projection.apply(full)
    partial = load("rfc7644-3.9-user-partial_response.json")
    assert shown.keys() == partial.keys()
    assert shown["schemas"] == partial["schemas"]


def test_list_responses_have_the_members_of_ours() -> None:
    ours = parse_json(documents.list_response([], total=0)).keys()
    for name in named("list_response"):
        assert load(name).keys() <= ours


def test_our_service_provider_config_has_the_members_of_the_example() -> None:
    ours = documents.service_provider_config(
        base_url="https://example.com/v2", max_results=200, documentation_uri="https://x"
    )
    example = load("rfc7643-8.5-service_provider_configuration.json")
    assert ours.keys() == example.keys() | LATER[urns.SERVICE_PROVIDER_CONFIG]
    assert all(
        ours[name].keys() == example[name].keys()
        for name in ("patch", "bulk", "filter", "changePassword", "sort", "etag")
    )
    assert misfits(ours) == []


@pytest.mark.parametrize("name", named("8.6-resource_type"))
def test_our_resource_types_are_those_of_the_example(name: str) -> None:
    example = load(name)
    ours = documents.resource_type(
        example["name"],
        endpoint=example["endpoint"].lstrip("/"),
        schema=example["schema"],
        extensions={each["schema"]: each["required"] for each in example.get("schemaExtensions", [])},
        description=example["description"],
        base_url="https://example.com/v2",
    )
    assert ours == example


def test_versions_in_the_examples_are_entity_tags() -> None:
    found = [
        resource["meta"]["version"]
        for name in FILES
        for resource in resources(load(name))
        if "version" in resource.get("meta", {})
    ]
    assert found
    for version in found:
        # RFC 7643 8 prints a backslash that JSON would not need; it is part of the string.
        assert matches(version.replace("\\", ""), version.replace("\\", ""))
