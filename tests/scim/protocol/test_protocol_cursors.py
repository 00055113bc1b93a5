"""Paging by cursor (RFC 9865)."""

from __future__ import annotations

import base64
import itertools
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from harness import Bench, Client, at_once, bench, memory_document, memory_target, quoted
from isthmus.engine import cursors


def page(client: Client, cursor: str = "", path: str = "/Users", **asked: Any) -> Any:
    query = "&".join([f"cursor={quoted(cursor)}", *(f"{key}={quoted(str(value))}" for key, value in asked.items())])
    return client.get(f"{path}?{query}")


def follow(client: Client, path: str = "/Users", **asked: Any) -> list[list[str]]:
    """Return the ids of all pages."""
    pages: list[list[str]] = []
    cursor = ""
    while True:
        found = page(client, cursor, path, **asked)
        pages.append([each["id"] for each in found.resources])
        if "nextCursor" not in found.json:
            return pages
        cursor = found.json["nextCursor"]


def flat(pages: list[list[str]]) -> list[str]:
    return [each for one in pages for each in one]


def mine(name: str) -> str:
    return f'userName sw "{name}"'


def test_pages_follow_one_another(app: Client, name: str) -> None:
    ids = [app.created(f"{name}-{n}") for n in range(7)]
    pages = follow(app, filter=mine(name), count=3)
    assert [len(one) for one in pages] == [3, 3, 1]
    assert flat(pages) == ids
    first = page(app, filter=mine(name), count=3).json
    assert (first["totalResults"], first["itemsPerPage"]) == (7, 3)
    assert "startIndex" not in first
    assert "previousCursor" not in first
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", first["nextCursor"]), "RFC 3986 2.3"
    assert page(app, first["nextCursor"], filter=mine(name), count=5).json["itemsPerPage"] == 4


def test_without_a_filter_every_object_comes_once(app: Client, name: str) -> None:
    for n in range(5):
        app.created(f"{name}-{n}")
    everybody = [each["id"] for each in app.get("/Users?count=1000").resources]
    assert flat(follow(app, count=2)) == everybody
    assert page(app, count=len(everybody)).json.get("nextCursor") is None, "a full last page is the last one"


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_with_sorting(app: Client, name: str, order: str) -> None:
    chance = random.Random(order)
    for n in range(19):
        app.created(f"{name}-{n}", **({"title": chance.choice("abC")} if n % 4 else {}))
    asked = {"filter": mine(name), "sortBy": "title", "sortOrder": order}
    query = "&".join(f"{key}={quoted(value)}" for key, value in asked.items())
    whole = [each["id"] for each in app.get(f"/Users?{query}&count=1000").resources]
    for count in (1, 4, 19, 20):
        assert flat(follow(app, **asked, count=count)) == whole


@pytest.mark.parametrize("sort", [{}, {"sortBy": "title"}, {"sortBy": "title", "sortOrder": "descending"}])
def test_back_to_the_first_page(app: Client, name: str, sort: dict[str, str]) -> None:
    for n in range(8):
        app.created(f"{name}-{n}", **({"title": "x"} if n % 3 else {}))
    asked = {"filter": mine(name), "count": 3, **sort}
    forward = [page(app, **asked)]
    while "nextCursor" in forward[-1].json:
        forward.append(page(app, forward[-1].json["nextCursor"], **asked))
    assert len(forward) == 3
    at = forward[-1]
    for earlier in forward[-2::-1]:
        at = page(app, at.json["previousCursor"], **asked)
        assert [each["id"] for each in at.resources] == [each["id"] for each in earlier.resources]
    assert "previousCursor" not in at.json
    again = page(app, at.json["nextCursor"], **asked)
    assert again.resources == forward[1].resources


def test_all_types_at_the_root(app: Client, name: str) -> None:
    for n in range(3):
        app.created(f"{name}-{n}")
        app.created(f"{name}-{n}", "/Groups")
    users = [each["id"] for each in app.get("/Users?count=1000").resources]
    groups = [each["id"] for each in app.get("/Groups?count=1000").resources]
    assert flat(follow(app, "/", count=2)) == users + groups
    seen: list[str] = []
    body: dict[str, Any] = {"cursor": "", "count": 4, "sortBy": "displayName"}
    while True:
        found = app.post(body, "/.search")
        seen += [each["id"] for each in found.resources]
        if "nextCursor" not in found.json:
            break
        body["cursor"] = found.json["nextCursor"]
    assert sorted(seen) == sorted(users + groups)


@pytest.mark.parametrize("sort", [{}, {"sortBy": "userName"}, {"sortBy": "externalId", "sortOrder": "descending"}])
@pytest.mark.parametrize("filtered", [True, False])
def test_each_object_once_while_others_come_and_go(
    app: Client, name: str, sort: dict[str, str], filtered: bool
) -> None:
    chance = random.Random(f"{sort} {filtered}")
    stay = {app.created(f"{name}-{n:02}", externalId=f"{chance.random()}") for n in range(20)}
    leave = [app.created(f"{name}-x{n}", externalId=f"{chance.random()}") for n in range(6)]
    asked = {"count": 4, **sort, **({"filter": mine(name)} if filtered else {})}
    seen: list[str] = []
    cursor = ""
    while True:
        found = page(app, cursor, **asked)
        seen += [each["id"] for each in found.resources]
        if "nextCursor" not in found.json:
            break
        cursor = found.json["nextCursor"]
        if leave:
            assert app.delete(leave.pop(chance.randrange(len(leave)))).status == 204
        if len(seen) < 60:
            app.created(f"{name}-n{chance.random()}", externalId=f"{chance.random()}")
    assert len(seen) == len(set(seen)), "nothing twice"
    assert stay <= set(seen), "nothing that stayed is missing"


def test_the_object_a_page_ended_with_may_go(app: Client, name: str) -> None:
    ids = [app.created(f"{name}-{n}") for n in range(5)]
    for sort in ({}, {"sortBy": "userName"}):
        first = page(app, filter=mine(name), count=2, **sort)
        app.delete(first.resources[-1]["id"])
        rest = page(app, first.json["nextCursor"], filter=mine(name), **sort)
        shown = [each["id"] for each in rest.resources]
        assert shown == ids[2:] if not sort else shown == ids[3:]


# -- cursors that are none


def test_a_cursor_belongs_to_its_query(app: Client, served: Bench, name: str) -> None:
    for n in range(3):
        app.created(f"{name}-{n}", displayName=f"secret-{name}")
        app.created(f"{name}-{n}", "/Groups")
    asked = {"filter": mine(name), "count": 1, "sortBy": "displayName"}
    cursor = page(app, **asked).json["nextCursor"]
    assert page(app, cursor, **asked).status == 200
    assert page(app, cursor, **{**asked, "count": 2, "attributes": "userName"}).status == 200
    others = [
        {**asked, "filter": f'userName sw "{name[:-1]}"'},
        {**asked, "sortBy": "title"},
        {**asked, "sortOrder": "descending"},
        {"filter": mine(name), "count": 1},
        {"count": 1, "sortBy": "displayName"},
    ]
    for other in others:
        page(app, cursor, **other).refused(400, "invalidCursor")
    page(served.client("strict"), cursor, **asked).refused(400, "invalidCursor")
    unsorted_users = page(app, count=1).json["nextCursor"]
    page(app, unsorted_users, "/Groups", count=1).refused(400, "invalidCursor")
    page(app, unsorted_users, "/", count=1).refused(400, "invalidCursor")
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert b"secret" not in raw
    assert name.encode() not in raw


def test_a_cursor_cannot_be_changed(app: Client, name: str) -> None:
    app.created(f"{name}-1")
    app.created(f"{name}-2")
    cursor = page(app, count=1).json["nextCursor"]
    for at in range(0, len(cursor), 7):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        page(app, changed, count=1).refused(400, "invalidCursor")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ä", "=", "a" * 5000, "A" * 80, "../../etc", "null", "%"])
def test_a_text_that_is_no_cursor(app: Client, cursor: str) -> None:
    page(app, cursor, count=1).refused(400, "invalidCursor")


def test_a_cursor_expires(app: Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app.created(f"{name}-1")
    app.created(f"{name}-2")
    cursor = page(app, count=1).json["nextCursor"]
    stated = app.get("/ServiceProviderConfig").json["pagination"]["cursorTimeout"]
    now = time.time()
    monkeypatch.setattr(cursors.time, "time", lambda: now + stated - 5)
    assert page(app, cursor, count=1).status == 200
    monkeypatch.setattr(cursors.time, "time", lambda: now + stated + 5)
    page(app, cursor, count=1).refused(400, "expiredCursor")


def test_cursors_outlive_a_restart(served: Bench, app: Client, name: str) -> None:
    for n in range(3):
        app.created(f"{name}-{n}")
    cursor = page(app, filter=mine(name), count=1).json["nextCursor"]
    served.reopen()
    assert page(app, cursor, filter=mine(name)).json["itemsPerPage"] == 2


def test_the_first_cursors_of_a_store_are_made_at_once(tmp_path: Path) -> None:
    """Whoever keeps the key in the store gives its turn away meanwhile, and must get it back."""
    with memory_target() as (key, target), bench(tmp_path, {"app": memory_document(key)}) as fresh:
        for n in range(3):
            target.put("user", {"login": (f"{n}",)})
        fresh.imported("app")
        client = fresh.client("app")
        fresh.token("app")
        answers = at_once(*[lambda: page(client, count=1)] * 24)
        for answer in answers:
            assert page(client, answer.json["nextCursor"], count=5).json["itemsPerPage"] == 2


def test_a_name_alone_asks_for_the_first_page_as_in_the_rfc_s_example(app: Client, name: str) -> None:
    """RFC 9865 2: `GET /Users?filter=userName%20sw%20J&cursor&count=10`."""
    for n in range(3):
        app.created(f"{name}-{n}")
    bare = app.get(f"/Users?filter=userName%20sw%20{name}&cursor&count=2").json
    assert set(bare) == {"schemas", "totalResults", "itemsPerPage", "nextCursor", "Resources"}
    assert (bare["totalResults"], bare["itemsPerPage"]) == (3, 2)
    rest = app.get(f"/Users?filter=userName%20sw%20{name}&cursor={bare['nextCursor']}&count=2").json
    assert set(rest) == {"schemas", "totalResults", "itemsPerPage", "previousCursor", "Resources"}
    assert len({each["id"] for each in [*bare["Resources"], *rest["Resources"]]}) == 3


def test_a_count_of_zero_or_less_asks_for_the_total_alone(app: Client, name: str) -> None:
    for n in range(3):
        app.created(f"{name}-{n}")
    first = page(app, filter=mine(name), count=1).json
    for cursor, count in itertools.product(("", first["nextCursor"]), (0, -1)):
        answer = page(app, cursor, filter=mine(name), count=count).json
        assert (answer["totalResults"], answer["itemsPerPage"], answer["Resources"]) == (3, 0, [])
        assert not {"nextCursor", "previousCursor"} & set(answer)


@pytest.mark.parametrize("count", ["ten", "1.5", "0x1", "--1"])
def test_a_count_of_a_page_by_cursor_is_a_number(app: Client, count: str) -> None:
    app.get(f"/Users?cursor=&count={count}").refused(400, "invalidCount")


def test_too_large_a_page_is_cut(app: Client, served: Bench) -> None:
    assert page(app, count=10**9).status == 200


def test_index_and_cursor_exclude_one_another(app: Client) -> None:
    app.get("/Users?cursor=&startIndex=1").refused(400, "invalidValue")
    app.post({"cursor": "", "startIndex": 2}, "/.search").refused(400, "invalidValue")


def test_an_empty_list(app: Client, name: str) -> None:
    found = page(app, filter=mine(name)).json
    assert (found["totalResults"], found["Resources"]) == (0, [])
    assert not {"nextCursor", "previousCursor"} & found.keys()


def test_what_the_service_says_of_its_pages(app: Client, served: Bench) -> None:
    scim = served.host.configuration.host.scim
    assert app.get("/ServiceProviderConfig").json["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": scim.default_count,
        "maxPageSize": scim.max_count,
        "cursorTimeout": scim.cursor_timeout,
    }
