"""Every `scimType` of RFC 7644 table 9 and of RFC 9865, each by a request that earns it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from harness import Answer, Client, bench, memory_document, memory_target, quoted
from isthmus.scim.errors import ScimType


def patch(client: Client, *operations: Any) -> Answer:
    return client.patch(client.created(f"p-{len(client.bench.audit())}"), *operations)


def twice(client: Client) -> Answer:
    client.created("somebody")
    return client.post({"userName": "somebody"})


def expired(client: Client) -> Answer:
    client.created("first"), client.created("second")
    cursor = client.get("/Users?cursor=&count=1").json["nextCursor"]
    client.bench.endpoint("app")._searcher._cursors._timeout = -1
    return client.get(f"/Users?cursor={cursor}&count=1")


def search(client: Client, condition: str) -> Answer:
    return client.get(f"/Users?filter={quoted(condition)}")


EARNED: dict[str, tuple[int, Callable[[Client], Answer]]] = {
    "invalidFilter": (400, lambda app: app.post({"filter": "userName eqq 1"}, "/Users/.search")),
    "tooMany": (400, lambda app: app.get("/Users?sortBy=userName&startIndex=500000")),
    "uniqueness": (409, twice),
    "mutability": (400, lambda app: patch(app, {"op": "replace", "path": "id", "value": "mine"})),
    "invalidSyntax": (400, lambda app: patch(app, {"op": "explode", "path": "title"})),
    "invalidPath": (400, lambda app: patch(app, {"op": "replace", "path": "emails[", "value": "x"})),
    "noTarget": (400, lambda app: patch(app, {"op": "remove"})),
    "invalidValue": (400, lambda app: app.post({"userName": ["a", "b"]})),
    "invalidVers": (400, lambda app: app.get("/v1/Users")),
    "sensitive": (403, lambda app: search(app, 'userName eq "ada"')),
    "invalidCursor": (400, lambda app: app.get("/Users?cursor=made-up")),
    "expiredCursor": (400, expired),
    "invalidCount": (400, lambda app: app.get("/Users?cursor=&count=ten")),
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Client]:
    with (
        memory_target() as (name, _),
        bench(tmp_path, {"app": memory_document(name)}, host="[scim]\nfilter_in_url = false\n") as opened,
    ):
        yield opened.client("app")


def test_there_is_a_request_for_every_keyword() -> None:
    assert EARNED.keys() == set(get_args(ScimType))


@pytest.mark.parametrize("keyword", EARNED)
def test_a_request_that_earns_it(app: Client, keyword: str) -> None:
    status, send = EARNED[keyword]
    assert len(send(app).refused(status, keyword)) > 10


def test_a_filter_in_a_body_is_not_in_the_url(app: Client) -> None:
    ident = app.created("ada")
    found = app.post({"filter": 'userName eq "ada"'}, "/Users/.search")
    assert [each["id"] for each in found.resources] == [ident]
    for path in ("/", "/Users", "/Groups", "/Users?sortBy=userName", "/Users?cursor="):
        joint = "&" if "?" in path else "?"
        app.get(f"{path}{joint}filter={quoted('displayName pr')}").refused(403, "sensitive")
    assert app.get("/Users").total == 1


def test_the_version_of_the_protocol_in_the_url(app: Client) -> None:
    ident = app.created("ada")
    found = app.get("/v2/Users").resources
    assert found[0]["meta"]["location"].endswith(f"/scim/v2/Users/{ident}")
    assert app.get(f"/V2/Users/{ident}").status == 200
    for path in ("/v1", "/v1/Users", "/v3/Users/x", "/v1.1/Users", f"/v10/Users/{ident}/y"):
        app.get(path).refused(400, "invalidVers")
    app.get("/version/Users").refused(404)
