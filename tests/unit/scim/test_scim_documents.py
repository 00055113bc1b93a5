"""List answers and the documents of discovery."""

from __future__ import annotations

import orjson
import pytest

from isthmus.scim import GROUP, USER, urns
from isthmus.scim.documents import list_of, list_response, resource_type, schema_document, service_provider_config

BASE = "https://host:8585/ecma2host_hr/scim"


@pytest.mark.parametrize("resources", [[], [b'{"id":"1"}'], [b'{"id":"1"}', b'{"id":"2"}']])
def test_a_list_response(resources: list[bytes]) -> None:
    assert orjson.loads(list_response(resources, total=500, start_index=11)) == {
        "schemas": [urns.LIST_RESPONSE],
        "totalResults": 500,
        "startIndex": 11,
        "itemsPerPage": len(resources),
        "Resources": [orjson.loads(resource) for resource in resources],
    }


def test_a_list_of_documents() -> None:
    listed = orjson.loads(list_of([{"id": "User"}, {"id": "Group"}]))
    assert (listed["totalResults"], listed["itemsPerPage"]) == (2, 2)
    assert listed["Resources"] == [{"id": "User"}, {"id": "Group"}]


def test_service_provider_config_claims_what_this_release_keeps() -> None:
    config = service_provider_config(base_url=BASE, max_results=200)
    assert config["patch"] == {"supported": True}
    assert config["filter"] == {"supported": True, "maxResults": 200}
    assert config["etag"] == {"supported": True}
    assert config["bulk"] == {"supported": False, "maxOperations": 0, "maxPayloadSize": 0}
    assert config["sort"] == {"supported": False}
    assert config["changePassword"] == {"supported": False}
    assert [scheme["type"] for scheme in config["authenticationSchemes"]] == ["oauthbearertoken"]
    assert config["meta"] == {"resourceType": "ServiceProviderConfig", "location": f"{BASE}/ServiceProviderConfig"}
    assert "documentationUri" not in config


def test_service_provider_config_says_what_it_is_told() -> None:
    config = service_provider_config(
        base_url=BASE,
        max_results=7,
        change_password=True,
        sort=True,
        bulk_max_operations=100,
        bulk_max_payload=1000,
        patch=False,
        filter=False,
        etag=False,
        documentation_uri="https://docs.example",
    )
    assert config["bulk"] == {"supported": True, "maxOperations": 100, "maxPayloadSize": 1000}
    assert [config[name]["supported"] for name in ("patch", "filter", "etag", "sort", "changePassword")] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert config["documentationUri"] == "https://docs.example"


def test_a_resource_type() -> None:
    assert resource_type(
        "User", endpoint="Users", schema=urns.USER, extensions={urns.ENTERPRISE_USER: False}, base_url=BASE
    ) == {
        "schemas": [urns.RESOURCE_TYPE],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "User",
        "schema": urns.USER,
        "schemaExtensions": [{"schema": urns.ENTERPRISE_USER, "required": False}],
        "meta": {"resourceType": "ResourceType", "location": f"{BASE}/ResourceTypes/User"},
    }
    assert "schemaExtensions" not in resource_type("Group", endpoint="Groups", schema=urns.GROUP)


@pytest.mark.parametrize("schema", [USER, GROUP])
def test_a_schema_document(schema: object) -> None:
    assert schema in (USER, GROUP)
    document = schema_document(USER if schema is USER else GROUP, base_url=BASE)
    assert document["meta"] == {"resourceType": "Schema", "location": f"{BASE}/Schemas/{document['id']}"}
    assert document["schemas"] == [urns.SCHEMA]
