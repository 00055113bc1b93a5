"""The short way of reads (engine.showing, web.quick) gives what the long way gives, and steps aside for all else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import MEMORY_ATTRIBUTES, Answer, Bench, bench, memory_document, memory_target
from isthmus.engine.caller import Caller
from isthmus.engine.endpoint import Endpoint
from isthmus.engine.reading import Reader
from isthmus.engine.showing import Showing, list_response
from isthmus.mapping.resource_type import ResourceType

CALLER = Caller(actor="t", address="127.0.0.1", correlation="c", deadline=float("inf"), base_url='https://x/"\\/scim')
PLAIN = tuple(name for name in MEMORY_ATTRIBUTES if name != "manager")


def document(target: str, attributes: tuple[str, ...] = PLAIN, **more: str) -> str:
    return memory_document(target, attributes=attributes, groups=False, **more)  # type: ignore[arg-type]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Bench]:
    """A connector without references, with people of all kinds."""
    with memory_target() as (name, target), bench(tmp_path, {"app": document(name)}) as b:
        client = b.client("app")
        client.created("anna", displayName='A "quoted" \\ name, not ASCII: äöü', externalId='e"1')
        client.created("Bert", title="T", salary=None)
        for number in range(120):
            target.put("user", {"login": (f"u{number:03}",), "costCentre": ("many",)})
        b.imported("app")
        yield b


def endpoint(app: Bench) -> tuple[Endpoint, ResourceType]:
    found = app.endpoint("app")
    return found, found.resource_types()["users"]


def target_of(app: Bench) -> str:
    return str(app.endpoint("app").document.settings["name"])


def everyone(app: Bench) -> list[dict[str, object]]:
    return app.client("app").get("/Users?count=1000&attributes=userName").resources


def long(app: Bench, path: str) -> Answer:
    """Ask so that every resource is made the long way: something is left out, but nothing that there is."""
    return app.client("app").get(path + ("&" if "?" in path else "?") + "excludedAttributes=nobody")


def test_one_resource_is_the_same_text_both_ways(app: Bench) -> None:
    found, rt = endpoint(app)
    assert rt.whole is not None
    reader, showing = Reader(found.target), Showing(found.target)
    for user in everyone(app)[:5]:
        shown = showing.one(rt, str(user["id"]), CALLER)
        assert shown is not None
        assert shown == reader.resource(rt, reader.stored(rt, str(user["id"])), CALLER)
        assert json.loads(shown.body)["meta"]["location"] == shown.location


def test_a_page_put_together_in_the_store_is_the_same_text(app: Bench) -> None:
    """External ids hold what has to be escaped, for the store escapes them and not orjson."""
    client = app.client("app")
    odd = ['"', "\\", "%s %d %%", "\u2028 ä 😀", "</script>", "'"]  # control characters are refused
    for number, text in enumerate(odd):
        client.created(f"odd{number}", externalId=text, displayName="%s %d")
    found, rt = endpoint(app)
    reader, showing = Reader(found.target), Showing(found.target)
    for start, count in ((1, 1000), (3, 7), (125, 50), (1000, 5), (1, 0)):
        shown = showing.page(rt, None, start, count, CALLER)
        assert shown is not None
        page = found.target.store.space.page(found.target.space(rt), None, start=start, count=count)
        resources = reader.resources(rt, page.objects, CALLER, None)
        assert shown == list_response(page.total, start, len(resources), b",".join(resources))
        json.loads(shown)


def test_over_http_both_ways_say_the_same(app: Bench) -> None:
    user = everyone(app)[0]
    for path in (
        f"/Users/{user['id']}",
        "/Users",
        "/Users?startIndex=3&count=7",
        "/Users?startIndex=122",
        "/Users?startIndex=123",
        "/Users?count=0",
        '/Users?filter=userName eq "anna"',
        '/users?filter=USERNAME eq "ANNA"&startIndex=2',
        f'/Users?filter=urn:ietf:params:scim:schemas:core:2.0:User:userName eq "{"anna"}"',
        '/Users?filter=userName eq "anna"&count=0',
        '/Users?filter=externalId eq "e\\"1"',
    ):
        quick, slow = app.client("app").get(path), long(app, path)
        assert quick.status == slow.status == 200, path
        assert quick.json == slow.json, path
        assert quick.headers.keys() == slow.headers.keys(), path


def test_a_condition_of_the_client_goes_the_long_way(app: Bench) -> None:
    client = app.client("app")
    user = everyone(app)[0]
    whole = client.get(f"/Users/{user['id']}")
    assert client.get(f"/Users/{user['id']}", {"If-None-Match": whole.headers["etag"]}).status == 304
    assert set(client.get(f"/Users/{user['id']}?attributes=userName").json) == {"schemas", "id", "userName"}
    client.get("/Users/nobody").refused(404)
    client.get('/Users?filter=nonsense eq "x"').refused(400, "invalidFilter")
    client.get('/Users?filter=not eq "x"').refused(400, "invalidFilter")
    assert client.get('/Users?filter=userName eq "anna" and title eq "x"').total == 0
    assert client.get('/Users?filter=userName eq ""').total == 0


def test_texts_of_an_older_shape_are_made_anew(app: Bench) -> None:
    before = app.client("app").get('/Users?filter=userName eq "bert"').resources[0]
    fewer = tuple(name for name in PLAIN if name != "costCentre")
    app.reconfigure("app", document(target_of(app), fewer))
    found, rt = endpoint(app)
    assert Showing(found.target).one(rt, before["id"], CALLER) is None
    after = app.client("app").get(f"/Users/{before['id']}").json
    assert "title" in before
    assert "title" not in after
    listed = app.client("app").get('/Users?filter=userName eq "bert"').resources
    assert listed == [after]


def test_many_objects_with_one_key_are_paged_the_long_way(app: Bench) -> None:
    app.reconfigure("app", document(target_of(app), matching='["login", "costCentre"]'))
    app.imported("app")
    found, rt = endpoint(app)
    condition = 'title eq "many"'
    assert Showing(found.target).page(rt, condition, 1, 5, CALLER) is None
    page = app.client("app").get(f"/Users?filter={condition}&startIndex=101&count=30")
    assert page.total == 120
    assert [one["userName"] for one in page.resources] == [f"u{number:03}" for number in range(100, 120)]


def test_a_revoked_token_is_not_remembered(app: Bench) -> None:
    token, secret = app.host.tokens.create("app", name="second")
    for _ in range(2):
        assert app.request("app", "GET", "/Users?count=1", token=secret.reveal()).status == 200
    app.host.tokens.revoke(token.id)
    assert app.request("app", "GET", "/Users?count=1", token=secret.reveal()).status == 401
