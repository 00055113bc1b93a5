"""What SCIM takes from HTTP: conditions, HEAD, OPTIONS, methods and media types (RFC 7644 3.1, 3.14; RFC 9110)."""

from __future__ import annotations

import pytest

from harness import CORE, Client

DOCUMENTS = [
    "/ServiceProviderConfig", "/Schemas", f"/Schemas/{CORE}", "/ResourceTypes", "/ResourceTypes/User", "/openapi.json",
]  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_have_versions(app: Client, path: str) -> None:
    first = app.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert app.get(path).headers["etag"] == tag
    unchanged = app.get(path, {"If-None-Match": tag})
    assert (unchanged.status, unchanged.raw, unchanged.headers["etag"]) == (304, b"", tag)
    assert app.get(path, {"If-None-Match": 'W/"other"'}).raw == first.raw
    assert app.get(path, {"If-Match": tag}).status == 200
    app.get(path, {"If-Match": 'W/"other"'}).refused(412)
    app.get(path, {"If-None-Match": '"'}).refused(400, "invalidSyntax")
    head = app("HEAD", path)
    assert (head.status, head.headers["etag"]) == (200, tag)
    assert head.headers["Content-Length"] == str(len(first.raw))


@pytest.mark.parametrize("path", ["/Users", "/Groups"])
def test_conditions_on_every_method(app: Client, name: str, path: str) -> None:
    at = f"{path}/{app.created(name, path)}"
    tag = app.get(at).headers["etag"]
    body = {"userName" if path == "/Users" else "displayName": name}
    change = {"Operations": [{"op": "add", "path": "externalId", "value": name}]}
    assert app.get(at).json["meta"]["version"] == tag
    assert app.get(at, {"If-None-Match": f'W/"x", {tag}'}).status == 304
    assert app.get(at, {"If-Match": tag}).status == 200
    app.get(at, {"If-Match": 'W/"x"'}).refused(412)
    for method, sent in (("PUT", body), ("PATCH", change), ("DELETE", None)):
        app(method, at, sent, {"If-Match": 'W/"x"'}).refused(412)
        app(method, at, sent, {"If-None-Match": "*"}).refused(412)
        app(method, at, sent, {"If-None-Match": tag}).refused(412)
        app(method, at, sent, {"If-Match": ","}).refused(400, "invalidSyntax")
        app(method, at, sent, {"If-None-Match": '"'}).refused(400, "invalidSyntax")
    assert app.get(at).headers["etag"] == tag
    put = app("PUT", at, body, {"If-Match": tag, "If-None-Match": 'W/"x"'})
    assert put.status == 200
    patched = app("PATCH", at, change, {"If-Match": put.headers["etag"]})
    assert patched.status in {200, 204}
    assert patched.headers["etag"] != tag
    app("DELETE", at, None, {"If-Match": tag}).refused(412)
    assert app("DELETE", at, None, {"If-Match": "*"}).status == 204
    app("DELETE", at, None, {"If-None-Match": "*"}).refused(404)


@pytest.mark.parametrize("path", ["/", "/Users", "/Groups", "/Users/{id}", *DOCUMENTS])
def test_head_is_get_without_the_content(app: Client, name: str, path: str) -> None:
    path = path.replace("{id}", app.created(name))
    head, got = app("HEAD", path), app.get(path)
    names = {"etag", "content-location", "Content-Type", "Content-Length"}
    assert head.status == got.status == 200
    assert {key: head.headers.get(key) for key in names} == {key: got.headers.get(key) for key in names}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", {"GET", "HEAD"}),
        ("/Users", {"GET", "HEAD", "POST"}),
        ("/Users/x", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("/.search", {"POST"}),
        ("/Users/.search", {"POST"}),
        ("/Bulk", {"POST"}),
        ("/Schemas", {"GET", "HEAD"}),
        ("/ServiceProviderConfig", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_methods(app: Client, path: str, methods: set[str]) -> None:
    answer = app("OPTIONS", path)
    assert answer.status in {200, 204}
    assert (
        set(answer.headers["allow"].split(", ")) == methods | {"OPTIONS"}
        or set(answer.headers["allow"].split(", ")) == methods
    )
    assert not [key for key in answer.headers if key.lower().startswith("access-control-")]
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - methods:
        refused = app(method, path, None if method in {"GET", "HEAD"} else {})
        refused.refused(405)
        assert set(refused.headers["Allow"].split(", ")) >= methods


@pytest.mark.parametrize("path", ["/Users", "/Users/.search", "/.search", "/Bulk", "/Users/x"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/scim+json", 0),
        ("application/json", 0),
        ("application/json; charset=utf-8", 0),
        ("Application/SCIM+JSON; charset=UTF-8; profile=x", 0),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/scim+json; charset=latin-1", 400),
    ],
)
def test_media_types_of_bodies(app: Client, path: str, kind: str, status: int) -> None:
    method = "PUT" if path == "/Users/x" else "POST"
    answer = app(method, path, b"{}", {"Content-Type": kind})
    if status:
        answer.refused(status, "invalidSyntax" if status == 400 else None)
    else:
        assert answer.status in {200, 400, 404}
        assert answer.headers["Content-Type"] == "application/scim+json"


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "application/scim+json;q=0.5", "image/*"])
def test_whatever_is_accepted_the_answer_is_scim(app: Client, accept: str) -> None:
    answer = app.get("/Users?count=1", {"Accept": accept, "Accept-Charset": "utf-8", "Content-Type": "text/plain"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/scim+json")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_me_is_nobody(app: Client, method: str) -> None:
    app(method, "/Me", None if method == "GET" else {}).refused(501)
