"""The OpenAPI 3.1 document: valid by an independent validator, and true of what the endpoint answers."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest

from connectors.servers.requirement import missing
from harness import CORE, ENTERPRISE, OWN, PATCH_OP, Bench, Client


@pytest.fixture(autouse=True)
def independent() -> None:
    """Skip, or fail where everything is required, without the validators."""
    for name in ("jsonschema", "openapi_spec_validator"):
        if importlib.util.find_spec(name) is None:
            missing("openapi-spec-validator")


@pytest.fixture(params=["app", "hr", "strict"])
def client(request: pytest.FixtureRequest, served: Bench) -> Client:
    return served.client(request.param)


def document(client: Client) -> Any:
    answer = client.get("/openapi.json")
    assert answer.status == 200, answer
    return answer.json


def validator(client: Client, name: str) -> Any:
    import jsonschema

    found = document(client)
    schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_it_is_a_valid_document(client: Client) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert [error.message for error in OpenAPIV31SpecValidator(document(client)).iter_errors()] == []


def test_it_needs_a_token(served: Bench) -> None:
    assert served.literally("GET", "/scim/app/openapi.json", b"", {}).status == 401


def test_it_names_the_base_url_and_every_endpoint(app: Client) -> None:
    found = document(app)
    assert found["openapi"].startswith("3.1")
    assert found["servers"] == [{"url": "https://scim.example.com/ecma2host_app/scim"}]
    endpoints = {each["endpoint"] for each in app.get("/ResourceTypes").json["Resources"]}
    assert {f"{each}{more}" for each in endpoints for more in ("", "/{id}", "/.search")} <= found["paths"].keys()
    ids = [
        operation["operationId"]
        for path in found["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    assert len(ids) == len(set(ids))


def test_every_path_is_answered_as_described(app: Client, name: str) -> None:
    """No path is unknown, and no status but those that are described comes back."""
    ident = {"/Users": app.created(name), "/Groups": app.created(name, "/Groups")}
    for template, operations in document(app)["paths"].items():
        base = "/" + template.split("/")[1]
        ids = {**ident, "/ResourceTypes": "User", "/Schemas": CORE}
        path = template.replace("{id}", ids.get(base, ""))
        for method, operation in operations.items():
            if method in {"parameters", "delete"}:
                continue
            answer = app(method.upper(), path, {} if "requestBody" in operation else None)
            assert str(answer.status) in operation["responses"], (method, path, answer)
            assert answer.status != 404, path


def test_answers_fit_their_schemas(app: Client, name: str) -> None:
    boss = app.created(f"{name}-boss")
    body = {
        "schemas": [CORE, ENTERPRISE, OWN],
        "userName": name,
        "name": {"givenName": "A", "familyName": "B"},
        "emails": [{"type": "work", "value": f"{name}@x.org"}],
        "active": False,
        ENTERPRISE: {"manager": {"value": boss}},
        OWN: {
            "salary": 1.5,
            "employeeNumber": 7,
            "phones": ["1", "2"],
            "rooms": [1],
            "hiredAt": "2024-01-02T03:04:05Z",
        },
    }
    validator(app, "User.body").validate(body)
    made = app.post(body)
    assert made.status == 201, made
    validator(app, "User").validate(made.json)
    validator(app, "User.list").validate(app.get("/Users").json)
    group = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": [{"value": boss}],
    }
    validator(app, "Group.body").validate(group)
    made_group = app.post(group, "/Groups")
    validator(app, "Group").validate(made_group.json)
    validator(app, "Any.list").validate(app.get("/?cursor=&count=1").json)
    validator(app, "Error").validate(app.get("/Users/nobody").json)
    bulk = app.post({"Operations": [{"method": "DELETE", "path": "/Users/nobody"}]}, "/Bulk")
    validator(app, "BulkResponse").validate(bulk.json)
    for path in ("/Schemas", "/ResourceTypes"):
        validator(app, "ListResponse").validate(app.get(path).json)


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("PatchOp", {"schemas": [PATCH_OP], "Operations": []}),
        ("PatchOp", {"schemas": [PATCH_OP], "Operations": [{"op": "burn"}]}),
        ("PatchOp", {"schemas": ["urn:x"], "Operations": [{"op": "add"}]}),
        ("User.body", {"schemas": [CORE]}),
        ("User.body", {"schemas": [CORE], "userName": 5}),
        ("BulkRequest", {"schemas": [], "Operations": []}),
    ],
)
def test_what_the_schemas_refuse(app: Client, message: str, body: Any) -> None:
    assert not validator(app, message).is_valid(body)


def test_what_a_client_may_not_send_is_not_in_the_body(app: Client) -> None:
    schemas = document(app)["components"]["schemas"]
    assert not {"id", "meta"} & schemas["User.body"]["properties"].keys()
    assert "password" in schemas["User.body"]["properties"]
    assert "password" not in schemas["User"]["properties"]
    assert "pin" in schemas["User.body"]["properties"][OWN]["properties"]
    assert "pin" not in schemas["User"]["properties"][OWN]["properties"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in schemas)
