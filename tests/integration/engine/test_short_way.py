"""The short way (engine.showing, web.quick) gives what the long way gives, and steps aside for all else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import examples
from harness import (
    ENTERPRISE,
    MEMORY_ATTRIBUTES,
    OWN,
    OWN_GROUP,
    Answer,
    Bench,
    bench,
    memory_document,
    memory_target,
    quoted,
)
from isthmus.engine.caller import Caller
from isthmus.engine.endpoint import Endpoint
from isthmus.engine.reading import Reader
from isthmus.engine.showing import Showing, list_response
from isthmus.mapping.finishing import Finisher
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.projection import Projection
from isthmus.spi import Reference
from isthmus.web.quick import Writes

CALLER = Caller(actor="t", address="127.0.0.1", correlation="c", deadline=float("inf"), base_url='https://x/"\\/scim')
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_CHANGING = re.compile(r'"(?:created|lastModified)":"[^"]*"|W/\\"[0-9]+')
_OWN_HEADERS = {"etag", "X-Correlation-Id", "x-correlation-id"}
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


@contextmanager
def long_way() -> Iterator[None]:
    """Let every resource be made the long way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Showing, "one", lambda *_: None)
        patch.setattr(Showing, "page", lambda *_: None)
        patch.setattr(Finisher, "leaves_whole", lambda *_: False)
        yield


def long(app: Bench, path: str) -> Answer:
    with long_way():
        return app.client("app").get(path)


def test_one_resource_is_the_same_text_both_ways(app: Bench) -> None:
    found, rt = endpoint(app)
    assert rt.whole is not None
    reader, showing = Reader(found.target), Showing(found.target)
    for user in everyone(app)[:5]:
        shown = showing.one(rt, str(user["id"]), None, CALLER)
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
        shown = showing.page(rt, None, start, count, None, CALLER)
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
        assert quick.raw == slow.raw, path
        assert quick.headers.keys() == slow.headers.keys(), path


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/Users", {"userName": "NAME"}, {}, 201),
        ("POST", "/users", {"userName": "NAME", "externalId": "x NAME"}, {}, 201),
        ("POST", "/Users?attributes=userName", {"userName": "NAME"}, {}, 201),
        ("POST", "/Users", {"userName": "anna"}, {}, 409),
        ("POST", "/Users", b"{nonsense", {}, 400),
        ("POST", "/Users", b"", {}, 400),
        ("POST", "/Users", {"userName": "NAME"}, {"Content-Type": "text/plain"}, 415),
        ("POST", "/Nobody", {"userName": "NAME"}, {}, 404),
        ("POST", "/Schemas", {"userName": "NAME"}, {}, 405),
        ("POST", "/Users/nobody", {"userName": "NAME"}, {}, 405),
        ("PATCH", "/Users/ID", {"op": "replace", "path": "title", "value": "a NAME"}, {}, 200),
        ("PATCH", "/Users/ID?attributes=title", {"op": "replace", "path": "title", "value": "b NAME"}, {}, 200),
        ("PATCH", "/Users/ID", {"op": "replace", "path": "nonsense", "value": "x"}, {}, 400),
        ("PATCH", "/Users/ID", {"op": "replace", "path": "title", "value": "x"}, {"If-Match": 'W/"0"'}, 412),
        ("PATCH", "/Users/nobody", {"op": "replace", "path": "title", "value": "x"}, {}, 404),
        ("PATCH", "/Users", {"op": "replace", "path": "title", "value": "x"}, {}, 405),
    ],
)
def test_writes_are_answered_alike_both_ways(
    app: Bench, method: str, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    app.client("app").created("sho")
    app.client("app").created("lon")
    answers = []
    for name in ("sho", "lon"):
        own = app.client("app").named(name)[0]["id"]
        sent = {"Operations": [body], "schemas": [PATCH_OP]} if method == "PATCH" else body
        if isinstance(sent, dict):
            sent = json.loads(json.dumps(sent).replace("NAME", f"{name}1"))
        with pytest.MonkeyPatch.context() as patch:
            if name == "lon":
                patch.setattr(Writes, "answer", lambda *_: None)
            answer = app.request("app", method, path.replace("ID", own), sent, headers)
        assert answer.status == status
        made = answer.headers.get("location", own).rpartition("/")[2]
        text = answer.raw.decode().replace(made, "ID").replace(name, "NAME")
        kept = {key: value.replace(made, "ID") for key, value in answer.headers.items()}
        answers.append((_CHANGING.sub("", text), {k: v for k, v in kept.items() if k not in _OWN_HEADERS}))
    assert answers[0] == answers[1]


def test_the_answer_to_a_patch_has_no_body_both_ways(town: Bench) -> None:
    group = town.client("app").get("/Groups?attributes=id").resources[0]["id"]
    sent = {"Operations": [{"op": "remove", "path": "members"}], "schemas": [PATCH_OP]}
    quick = town.request("app", "PATCH", f"/Groups/{group}", sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writes, "answer", lambda *_: None)
        slow = town.request("app", "PATCH", f"/Groups/{group}", sent)
    assert (quick.status, quick.raw) == (slow.status, slow.raw) == (204, b"")
    assert quick.headers.keys() == slow.headers.keys()


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
    assert Showing(found.target).one(rt, before["id"], None, CALLER) is None
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
    assert Showing(found.target).page(rt, condition, 1, 5, None, CALLER) is None
    page = app.client("app").get(f"/Users?filter={condition}&startIndex=101&count=30")
    assert page.total == 120
    assert [one["userName"] for one in page.resources] == [f"u{number:03}" for number in range(100, 120)]


def test_a_revoked_token_is_not_remembered(app: Bench) -> None:
    token, secret = app.host.tokens.create("app", name="second")
    for _ in range(2):
        assert app.request("app", "GET", "/Users?count=1", token=secret.reveal()).status == 200
    app.host.tokens.revoke(token.id)
    assert app.request("app", "GET", "/Users?count=1", token=secret.reveal()).status == 401


# -- references, and what a request wants to see

NAMES = (
    "userName", "name", "name.givenName", "NAME.FAMILYNAME", "emails", "emails.value", "groups", "groups.display",
    "members", "members.value", "members.type", "displayName", "externalId", "meta", "meta.location", "id", "schemas",
    "nobody",
    "nobody.there", ENTERPRISE, f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value", OWN, f"{OWN}:login", OWN_GROUP,
    f"{OWN}:manager", "password", " ",
)  # fmt: skip
LISTS = st.lists(st.sampled_from(NAMES), max_size=3).map(",".join)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """People with managers and groups, and groups, some of groups."""
    with memory_target() as (name, target):
        for number in range(40):
            manager = (Reference((f"u{number // 3:03}",), "user"),) if number % 4 else ()
            display = {"displayName": (f'"{number}"\\ ä',)} if number % 3 else {}
            target.put("user", {"login": (f"u{number:03}",), "manager": manager, **display})
        for number in range(12):
            members = tuple(Reference((f"u{each:03}",), "user") for each in range(0, 40, number + 1))
            target.put("group", {"name": (f"g{number}",), "members": members if number % 5 else ()})
        with bench(tmp_path_factory.mktemp("town"), {"app": memory_document(name)}) as b:
            b.imported("app")
            b.client("app").created(
                "last", externalId="e", **{ENTERPRISE: {"manager": {"value": everyone(b)[5]["id"]}}}
            )
            yield b


@settings(max_examples=examples(300), deadline=None)
@given(
    endpoint=st.sampled_from(["Users", "Groups"]),
    attributes=LISTS,
    excluded=LISTS,
    number=st.integers(0, 45),
    count=st.integers(0, 12),
    condition=st.sampled_from(
        ["", 'userName eq "u007"', 'displayName eq "G3"', 'externalId eq "e"', 'userName eq "?"']
    ),
)
def test_any_projection_gives_the_same_text_both_ways(
    town: Bench, endpoint: str, attributes: str, excluded: str, number: int, count: int, condition: str
) -> None:
    shown = "&".join(
        f"{name}={quoted(text)}"
        for name, text in (("attributes", attributes), ("excludedAttributes", excluded))
        if text
    )
    ids = [one["id"] for one in town.client("app").get(f"/{endpoint}?attributes=id&count=100").resources]
    asked = f"&filter={quoted(condition)}" if condition else ""
    for path in (
        f"/{endpoint}/{ids[number % len(ids)]}?{shown}",
        f"/{endpoint}?startIndex={number}&count={count}{asked}&{shown}",
    ):
        quick, slow = town.client("app").get(path), long(town, path)
        assert (quick.status, quick.raw) == (slow.status, slow.raw), path
        assert quick.headers.get("etag") == slow.headers.get("etag")
        if quick.status == 200:
            json.loads(quick.raw)


def test_managers_and_groups_and_groups_without_members_go_the_short_way(town: Bench) -> None:
    found = town.endpoint("app")
    showing, types = Showing(found.target), found.resource_types()
    without = Projection.parse(None, "members")
    [person] = town.client("app").named("u006")
    body = showing.one(types["users"], person["id"], None, CALLER)
    assert body is not None
    shown = json.loads(body.body)
    assert shown[ENTERPRISE]["manager"]["displayName"] == '"2"\\ ä'
    assert len(shown["groups"]) > 1
    assert showing.page(types["users"], 'userName eq "u006"', 1, 1, None, CALLER) is not None
    [group] = town.client("app").get('/Groups?filter=displayName eq "g3"').resources
    assert group["members"]
    assert showing.one(types["groups"], group["id"], None, CALLER) is None
    one = showing.one(types["groups"], group["id"], without, CALLER)
    assert one is not None
    assert "members" not in json.loads(one.body)
    assert showing.page(types["groups"], 'displayName eq "g3"', 1, 1, without, CALLER) is not None
