"""Cases in which gateways were seen to fail: what is asked after a delete, of a target that is down, and in bulk.

Each test has a connector of its own, since it changes what the connector is set to or what its target does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness import PATCH_OP, Bench, Client, SqlPeople, bench, memory_document, memory_target, quoted, sql_document
from isthmus.connectors.memory import MemoryTarget
from isthmus.engine import operations

Opened = tuple[Client, MemoryTarget]
DISABLE = {"op": "Replace", "path": "active", "value": "False"}
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


@pytest.fixture
def serve(served: Bench) -> Iterator[Callable[..., Opened]]:
    """Serve one more connector; call it with what its document shall say otherwise."""
    numbers = itertools.count()
    with ExitStack() as stack:

        def start(**changes: Any) -> Opened:
            target_name, target = stack.enter_context(memory_target())
            name = f"trouble-{next(numbers)}-{target_name[:6]}"
            served.reconfigure(name, memory_document(target_name, **changes))
            return served.client(name), target

        yield start


# -- the same question, asked otherwise


def test_a_search_by_post_is_answered_as_a_get(client: Client, name: str) -> None:
    made = [client.created(f"{name}-{number}") for number in range(3)]
    condition = f'userName sw "{name}-"'
    got = client.get(f"/Users?filter={quoted(condition)}&startIndex=2&count=1&attributes=userName").json
    body = {"schemas": [SEARCH], "filter": condition, "startIndex": 2, "count": 1, "attributes": ["userName"]}
    found = client("POST", "/Users/.search", body)
    assert (found.status, found.json) == (200, got)
    assert [each["id"] for each in got["Resources"]] == [made[1]]
    client("POST", "/Users/.search", {"schemas": [SEARCH], "filter": 'nosuch eq "x"'}).refused(400, "invalidFilter")


def test_sorting_comes_before_paging(client: Client, name: str) -> None:
    shown = ["Carl", "Anna", "Bert", "Anna", "Dora"]
    made = [client.created(f"{name}-{number}", displayName=each) for number, each in enumerate(shown)]
    condition = f'userName sw "{name}-"'
    asked = f"/Users?filter={quoted(condition)}&sortBy=displayName"
    pages = [client.get(f"{asked}&startIndex={start}&count=2").json for start in (1, 3, 5)]
    assert [page["totalResults"] for page in pages] == [5] * 3
    found = [each["id"] for page in pages for each in page["Resources"]]
    assert found == [made[1], made[3], made[2], made[0], made[4]], "equals stay in one order; none twice, none lost"
    falling = client.get(f"{asked}&sortOrder=descending&count=1").resources
    assert [each["id"] for each in falling] == [made[4]]


@pytest.mark.parametrize("body", [{"schemas": [PATCH_OP]}, {"schemas": [PATCH_OP], "Operations": None}, {}])
def test_a_patch_without_operations(client: Client, name: str, body: Any) -> None:
    ident = client.created(name, displayName="before")
    client("PATCH", f"/Users/{ident}", body).refused(400, "invalidSyntax")
    assert client.user(ident)["displayName"] == "before"


def test_a_read_only_attribute_is_refused_unless_its_value_is_the_present_one(app: Client, name: str) -> None:
    user = app.created(name)
    group = app.created(name, "/Groups", members=[{"value": user}])
    present = app.user(user)["groups"]
    app.patch(user, {"op": "replace", "path": "groups", "value": []}).refused(400, "mutability")
    app.patch(user, {"op": "remove", "path": "groups"}).refused(400, "mutability")
    app.patch(user, {"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"}).refused(
        400, "mutability"
    )
    assert app.put(user, {"userName": name, "groups": []}).status == 200, "in a whole resource it is ignored"
    assert [each["value"] for each in app.user(user)["groups"]] == [group] == [each["value"] for each in present]


def test_a_sub_attribute_in_capitals(client: Client, name: str) -> None:
    ident = client.created(name)
    answer = client.patch(ident, {"op": "Add", "path": 'emails[type eq "work"].Value', "value": f"{name}@x.org"})
    assert answer.json["emails"][0]["value"] == f"{name}@x.org"
    found = client.find(f'emails[type eq "work"].Value eq "{name}@x.org"')
    assert [each["id"] for each in found] == [ident]


def test_dates_in_filters(client: Client, name: str) -> None:
    """Okta's on-premises agent asks so for what has changed."""
    ident = client.created(name)
    changed = client.user(ident)["meta"]["lastModified"]
    mine = f'userName eq "{name}"'
    assert [each["id"] for each in client.find(f'{mine} and meta.lastModified ge "{changed}"')] == [ident]
    assert [each["id"] for each in client.find(f'{mine} and meta.created le "{changed}"')] == [ident]
    assert client.find(f'{mine} and meta.lastModified gt "{changed}"') == []
    assert client.find(f'{mine} and meta.lastModified lt "2011-05-13T04:42:34+02:00"') == []


# -- deleted, and created again


@pytest.mark.parametrize(
    "delete", ['{ action = "nothing" }', '{ action = "set", values = { active = false }, restore = { active = true } }']
)
def test_a_person_who_was_deleted_without_leaving_the_target(
    served: Bench, serve: Callable[..., Opened], name: str, delete: str
) -> None:
    client, target = serve(delete=delete)
    ident = client.created(name, displayName="Before")
    assert client.delete(ident).status == 204
    for _ in range(2):
        client.get(f"/Users/{ident}").refused(404)
        client.delete(ident).refused(404)
        assert client.get("/Users").total == 0
        assert client.named(name) == []
        served.imported(client.connector)
    assert target.get("user", (name,)) is not None, "the target keeps the person"
    again = client.post({"userName": name, "displayName": "After"})
    assert (again.status, again.id) == (201, ident), "revived by an update"
    assert client.user(ident)["displayName"] == "After"
    assert len(client.named(name)) == 1


# -- more than the guard lets through


def test_a_mass_change_is_held_back_until_an_operator_releases_it(
    served: Bench, serve: Callable[..., Opened], name: str
) -> None:
    client, target = serve(guard="provider_objects = 2\nprovider_share = 0.0")
    for number in range(6):
        target.put("user", {"login": (f"{name}-{number}",), "active": (True,)})
    served.imported(client.connector)
    ids = {each["userName"]: each["id"] for each in client.find(f'userName sw "{name}-"')}
    for number in range(2):
        assert client.patch(ids[f"{name}-{number}"], DISABLE).status == 200
    held = client.patch(ids[f"{name}-2"], DISABLE)
    detail = held.refused(503)
    [hold] = [each for each in operations.guard_list(served.host) if each.connector == client.connector]
    assert hold.id in detail
    kept = target.get("user", (f"{name}-2",))
    assert kept is not None
    assert kept["active"] == (True,), "nothing was sent to the target"
    assert [each.status for each in served.audit(connector=client.connector, name=f"{name}-2")] == [503]
    operations.guard_release(served.host, hold.id, hours=1, actor="operator")
    assert client.patch(ids[f"{name}-2"], DISABLE).json["active"] is False


def test_a_bare_remove_of_all_members_counts_for_the_guard(
    served: Bench, serve: Callable[..., Opened], name: str
) -> None:
    client, target = serve(guard="provider_objects = 1\nprovider_share = 0.0")
    user = client.created(name)
    for number in range(2):
        target.put("group", {"name": (f"{name}-{number}",)})
    served.imported(client.connector)
    groups = [each["id"] for each in client.get("/Groups").resources]
    for group in groups:
        added = client.patch(group, {"op": "Add", "path": "members", "value": [{"value": user}]}, path="/Groups")
        assert added.status == 204
    empty = {"op": "Remove", "path": "members"}
    assert client.patch(groups[0], empty, path="/Groups").status == 204
    client.patch(groups[1], empty, path="/Groups").refused(503)
    assert [each["value"] for each in client.get(f"/Groups/{groups[1]}").json["members"]] == [user]
    some = {"op": "Remove", "path": "members", "value": [{"value": user}]}
    assert client.patch(groups[1], some, path="/Groups").status == 204, "one by one they may go"


# -- a target that is down


def test_a_target_that_is_down_is_never_an_empty_list(serve: Callable[..., Opened], name: str) -> None:
    client, target = serve()
    ident = client.created(name, displayName="D")
    with target.weather.outage():
        assert client.user(ident)["displayName"] == "D", "what the space can answer is answered"
        assert [each["id"] for each in client.named(name)] == [ident]
        assert client.get("/Users").total == 1
        client.get(f'/Users?filter=userName eq "{name}-unknown"').refused(503)
        client.post({"userName": f"{name}-new"}).refused(503)
        client.put(ident, {"userName": name, "displayName": "E"}).refused(503)
        client.patch(ident, {"op": "Replace", "path": "displayName", "value": "E"}).refused(503)
        client.delete(ident).refused(503)
    assert client.get(f'/Users?filter=userName eq "{name}-unknown"').total == 0, "back, without a restart"
    assert client.patch(ident, {"op": "Replace", "path": "displayName", "value": "E"}).json["displayName"] == "E"
    assert client.post({"userName": f"{name}-new"}).status == 201


def test_a_published_attribute_that_cannot_be_read_now(tmp_path: Path, name: str) -> None:
    people = SqlPeople(tmp_path / "people.db")
    with bench(tmp_path / "host", {"hr": sql_document(people.path)}) as opened:
        client = opened.client("hr")
        ident = client.created(name, title="head")
        opened.imported("hr")
        people.run("ALTER TABLE people DROP COLUMN title")
        assert opened.run_import("hr").state == "failed"
        assert "title" in client.get('/Users?filter=title eq "head"').refused(503)
        assert client.user(ident)["title"] == "head", "it never means cleared"
