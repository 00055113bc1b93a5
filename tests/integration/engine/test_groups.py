"""Groups: one member more is one link more, in the target, in the space and in the digest, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import pytest

import variants
from harness import OWN, at_once, quoted, until
from isthmus.connectors.memory import MemoryTarget
from isthmus.spi import AttributeChange, Reference
from isthmus.store.records import EntryState
from memory_host import MemoryHost, Serve

MANY = 100_000


def add(*ids: str) -> dict[str, Any]:
    return {"op": "Add", "path": "members", "value": [{"value": ident} for ident in ids]}


def remove(*ids: str) -> dict[str, Any]:
    return {"op": "Remove", "path": "members", "value": [{"value": ident} for ident in ids]}


def patched(served: MemoryHost, ident: str, *operations: Any) -> None:
    answer = served.client.patch(ident, *operations, path="/Groups")
    assert (answer.status, answer.raw) == (204, b""), answer


def members(served: MemoryHost, ident: str) -> set[str]:
    answer = served.client.get(f"/Groups/{ident}")
    assert answer.status == 200, answer
    return {member["value"] for member in answer.json["members"]}


def group_named(served: MemoryHost, name: str) -> str:
    [found] = served.client.get(f'/Groups?filter=displayName eq "{name}"&excludedAttributes=members').resources
    return str(found["id"])


def in_target(target: MemoryTarget, name: str) -> set[str]:
    kept = target.get("group", (name,))
    assert kept is not None
    return {value.key[0] for value in kept["members"] if isinstance(value, Reference)}


def in_space(served: MemoryHost, ident: str) -> set[str]:
    target = served.host.target("app")
    rt = target.resource_type_of("group")
    stored = target.store.space.by_id(target.space(rt), ident)
    assert stored is not None
    return {orjson.loads(key)[0] for _, key in target.store.space.links([stored.row])[stored.row]}


# -- cost


@contextmanager
def steps_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Count the steps of SQLite's machine in every connection opened within; each call returns those since the last."""
    opened: list[sqlite3.Connection] = []
    count = 0
    connect = sqlite3.connect

    def counting(*args: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **more)
        opened.append(connection)
        return connection

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    def watch(handler: Callable[[], int] | None) -> None:
        for connection in opened:
            with suppress(sqlite3.ProgrammingError):  # closed by now
                connection.set_progress_handler(handler, 1)

    def taken() -> int:
        nonlocal count
        watch(step)  # again: a search takes it away
        result, count = count, 0
        return result

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", counting)
        yield taken
        watch(None)


@pytest.mark.timeout(300)
def test_a_member_of_a_group_of_100_000_costs_what_a_member_of_a_group_of_10_costs(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with steps_counted(monkeypatch) as taken:
        app = serve()
        for number in range(MANY + 1):
            app.target.put("user", {"login": (f"u{number}",)})
        groups = {}
        for name, size in (("small", 10), ("big", MANY)):
            everyone = tuple(Reference((f"u{number}",), "user") for number in range(size))
            app.target.put("group", {"name": (name,), "members": everyone})
            groups[name] = group_named(app, name)
        [user] = app.client.named(f"u{MANY}")
        [first] = app.client.named("u1")
        path = f'members[value eq "{user["id"]}"]'
        costs: dict[str, list[int]] = {name: [] for name in groups}
        for name, ident in groups.items():
            patched(app, ident, add(user["id"]))  # once for what is compiled and opened at first
            patched(app, ident, remove(user["id"]))
            asked = app.asked["read"]
            for operations in (
                [add(user["id"])],
                [add(user["id"])],
                [remove(user["id"])],
                [remove(user["id"])],
                [{"op": "add", "value": {"members": [{"value": user["id"]}]}}],
                [{"op": "remove", "path": path}],
                [{"op": "replace", "path": "displayName", "value": name}, add(user["id"], first["id"])],
                [remove(user["id"])],
            ):
                taken()
                patched(app, ident, *operations)
                costs[name].append(taken())
            for query in ("excludedAttributes=members", "attributes=displayName", "attributes=id"):
                taken()
                answer = app.client.get(f"/Groups/{ident}?{query}")
                assert (answer.status, "members" in answer.json) == (200, False)
                costs[name].append(taken())
            assert app.asked["read"] == asked, "nobody reads the group to add a member"
            assert len(in_target(app.target, name)) == {"small": 10, "big": MANY}[name]
        for small, big in zip(costs["small"], costs["big"], strict=True):
            assert 0 < big <= small * 1.2 + 20, costs
    taken_whole = app.client.get(f"/Groups/{groups['big']}").json["members"]
    assert [member["value"] for member in taken_whole] == [first["id"]], "who is not in the space is not shown"


@pytest.mark.parametrize("type", ["watched", "generous", "blind"])
def test_an_import_after_changes_of_members_finds_nothing_new(serve: Serve, type: str) -> None:
    app = serve(type=type)
    ids = [app.client.created(f"u{number}") for number in range(4)]
    ident = app.client.created("g", "/Groups", members=[{"value": ids[0]}])
    patched(app, ident, add(ids[1], ids[1], ids[2]), remove(ids[0]))
    patched(app, ident, {"op": "replace", "path": "displayName", "value": "h"}, add(ids[3]))
    patched(app, ident, remove(ids[0]), remove(ids[3]))
    assert members(app, ident) == {ids[1], ids[2]}
    assert in_space(app, ident) == in_target(app.target, "h") == {"u1", "u2"}
    number = app.host.store.number()
    assert app.bench.imported("app").changed == 0
    assert app.host.store.number() == number, "the digest is the one an import computes"


def test_what_changes_nothing_is_no_new_version(app: MemoryHost) -> None:
    one, two = app.client.created("one"), app.client.created("two")
    ident = app.client.created("g", "/Groups", members=[{"value": one}])
    tag = app.client.get(f"/Groups/{ident}").headers["etag"]
    patched(app, ident, add(one), remove(two))
    assert app.client.get(f"/Groups/{ident}").headers["etag"] == tag
    patched(app, ident, add(two))
    assert app.client.get(f"/Groups/{ident}").headers["etag"] != tag


@pytest.mark.parametrize("type", ["watched", "generous", "blind"])
def test_members_change_after_the_configuration_did(serve: Serve, type: str) -> None:
    """Digests and links made for another shape are not gone on with."""
    app = serve(type=type)
    ids = [app.client.created(f"u{number}") for number in range(3)]
    ident = app.client.created("g", "/Groups", members=[{"value": ids[0]}])
    empty = app.client.created("e", "/Groups")
    document = (app.bench.folder / "connectors" / "app.toml").read_text()
    changed = document.replace(
        '"displayName" = { attribute = "name" }', '"displayName" = { attribute = "displayName" }'
    )
    assert changed != document
    app.bench.reconfigure("app", changed)
    patched(app, ident, add(ids[1]), remove(ids[0]))
    patched(app, empty, add(ids[2]))
    assert in_space(app, ident) == in_target(app.target, "g") == {"u1"}
    assert in_space(app, empty) == in_target(app.target, "e") == {"u2"}
    patched(app, ident, add(ids[2]))
    assert in_space(app, ident) == in_target(app.target, "g") == {"u1", "u2"}
    app.bench.imported("app")
    assert app.bench.imported("app").changed == 0


@pytest.mark.parametrize("type", ["watched", "generous", "blind"])
def test_values_that_are_no_references_are_added_and_removed_too(serve: Serve, type: str) -> None:
    app = serve(type=type)
    ident = app.client.created("anna", **{OWN: {"phones": ["1", "2"]}})
    path = f"{OWN}:phones"
    answer = app.client.patch(ident, {"op": "add", "path": path, "value": ["2", "3"]})
    assert (answer.status, answer.json[OWN]["phones"]) == (200, ["1", "2", "3"])
    answer = app.client.patch(ident, {"op": "remove", "path": f'{path}[value eq "1"]'})
    assert answer.json[OWN]["phones"] == app.client.user(ident)[OWN]["phones"] == ["2", "3"]
    kept = app.target.get("user", ("anna",))
    assert kept is not None
    assert kept["phones"] == ("2", "3")
    assert app.bench.imported("app").changed == 0


# -- whole lists


def test_a_list_sent_as_a_whole_becomes_a_difference(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [app.client.created(f"u{number}") for number in range(5)]
    ident = app.client.created("g", "/Groups", members=[{"value": each} for each in ids[:3]])
    sent: list[AttributeChange] = []
    modify = MemoryTarget.modify

    def noted(self: MemoryTarget, key: Any, changes: Any, *rest: Any) -> Any:
        sent.extend(changes)
        return modify(self, key, changes, *rest)

    monkeypatch.setattr(MemoryTarget, "modify", noted)
    whole = [{"value": each} for each in ids[1:4]]
    app.target.change("group", ("g",), members=tuple(Reference((f"u{n}",), "user") for n in (0, 1, 2, 4)))
    patched(app, ident, {"op": "replace", "path": "members", "value": whole})
    [change] = sent
    assert change.replace is None
    assert {value.key[0] for value in change.add if isinstance(value, Reference)} == {"u3"}
    assert {value.key[0] for value in change.remove if isinstance(value, Reference)} == {"u0", "u4"}
    assert members(app, ident) == set(ids[1:4])
    sent.clear()
    answer = app.client("PUT", f"/Groups/{ident}", {"displayName": "g", "members": whole})
    assert answer.status == 200
    assert sent == [], "everything is as it was sent, and was just read"
    answer = app.client("PUT", f"/Groups/{ident}", {"displayName": "g", "members": []})
    assert answer.json["members"] == []
    assert in_target(app.target, "g") == in_space(app, ident) == set()


def test_without_lookup_a_whole_list_is_sent_as_it_is(serve: Serve) -> None:
    app = serve(type="blind")
    ids = [app.client.created(f"u{number}") for number in range(3)]
    ident = app.client.created("g", "/Groups", members=[{"value": ids[0]}])
    app.target.change("group", ("g",), members=(Reference(("u2",), "user"),))
    patched(app, ident, {"op": "replace", "path": "members", "value": [{"value": ids[1]}]})
    assert in_target(app.target, "g") == in_space(app, ident) == {"u1"}


# -- who is shown


def test_who_is_gone_is_no_member_and_who_was_renamed_still_is(app: MemoryHost) -> None:
    ids = [app.client.created(f"u{number}") for number in range(3)]
    ident = app.client.created("g", "/Groups", members=[{"value": each} for each in ids])
    assert app.client.delete(ids[0]).status == 204
    assert members(app, ident) == set(ids[1:])
    assert app.client.patch(ids[1], {"op": "replace", "path": "userName", "value": "new"}).status == 200
    app.bench.imported("app")
    assert in_space(app, ident) == in_target(app.target, "g") == {"new", "u2"}
    assert members(app, ident) == set(ids[1:])
    assert [group["value"] for group in app.client.user(ids[1])["groups"]] == [ident]


def test_members_and_groups_carry_reference_display_and_type(app: MemoryHost) -> None:
    base = "https://scim.example.com/ecma2host_app/scim"
    anna = app.client.created("anna", displayName="Anna A")
    bert = app.client.created("bert")
    inner = app.client.created("inner", "/Groups", members=[{"value": anna}])
    outer = app.client.created("outer", "/Groups", members=[{"value": inner}, {"value": bert}])
    shown = app.client.get(f"/Groups/{outer}").json["members"]
    assert sorted(shown, key=lambda member: str(member["display"])) == [
        {"value": bert, "$ref": f"{base}/Users/{bert}", "type": "User", "display": "bert"},
        {"value": inner, "$ref": f"{base}/Groups/{inner}", "type": "Group", "display": "inner"},
    ]
    assert app.client.user(anna)["groups"] == [
        {"value": inner, "$ref": f"{base}/Groups/{inner}", "type": "direct", "display": "inner"}
    ]
    assert app.client.get(f"/Groups/{outer}?attributes=members.value").json.keys() == {"schemas", "id", "members"}


# -- groups of a user


def test_groups_of_a_user_are_computed(app: MemoryHost) -> None:
    one, two = app.client.created("one"), app.client.created("two")
    assert "groups" not in app.client.user(one)
    first = app.client.created("first", "/Groups", members=[{"value": one}, {"value": two}])
    second = app.client.created("second", "/Groups")
    patched(app, second, add(one))
    assert {group["value"] for group in app.client.user(one)["groups"]} == {first, second}
    assert [group["value"] for group in app.client.user(two)["groups"]] == [first]
    listed = {user["userName"]: len(user.get("groups", ())) for user in app.client.get("/Users").resources}
    assert listed == {"one": 2, "two": 1}
    assert "groups" not in app.client.get(f"/Users/{one}?excludedAttributes=groups").json
    assert set(app.client.get(f"/Users/{one}?attributes=groups.display").json) == {"schemas", "id", "groups"}
    assert app.client("DELETE", f"/Groups/{first}").status == 204
    assert [group["value"] for group in app.client.user(one)["groups"]] == [second]
    assert "groups" not in app.client.user(two)


def test_users_are_found_by_their_groups(app: MemoryHost) -> None:
    ids = {name: app.client.created(name) for name in ("one", "two", "three")}
    first = app.client.created("first", "/Groups", members=[{"value": ids["one"]}, {"value": ids["two"]}])
    second = app.client.created("second", "/Groups", members=[{"value": ids["two"]}, {"value": first}])

    def found(condition: str) -> set[str]:
        return {user["userName"] for user in app.client.find(condition)}

    assert found(f'groups.value eq "{first}"') == {"one", "two"}
    assert found(f'groups eq "{second}"') == {"two"}, "who is a member of a member is not counted"
    assert found(f'groups[value eq "{first}"] and userName sw "t"') == {"two"}
    assert found(f'groups.$ref eq "https://scim.example.com/scim/Groups/{second}"') == {"two"}
    assert found(f'not (groups eq "{first}")') == {"three"}
    assert found(f'groups ne "{first}"') == {"three"}
    assert found("groups pr") == {"one", "two"}
    assert found("groups eq null") == found("not (groups pr)") == {"three"}
    assert found('groups eq "nobody"') == set()
    assert found(f'groups eq "{ids["one"]}"') == set()
    app.client.get(f"/Users?filter={quoted('groups co 1')}").refused(400, "invalidFilter")
    app.client.get(f"/Users?filter={quoted('groups.display eq 1')}").refused(400, "invalidFilter")


def test_groups_of_a_user_are_read_only(app: MemoryHost) -> None:
    user, group = app.client.created("one"), app.client.created("g", "/Groups")
    for operation in (
        {"op": "add", "path": "groups", "value": [{"value": group}]},
        {"op": "remove", "path": f'groups[value eq "{group}"]'},
    ):
        app.client.patch(user, operation).refused(400, "mutability")
    answer = app.client.put(user, {"userName": "one", "groups": [{"value": group}]})
    assert (answer.status, "groups" in answer.json) == (200, False)
    schemas = app.client.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").json["attributes"]
    [shown] = [attribute for attribute in schemas if attribute["name"] == "groups"]
    assert (shown["mutability"], shown["multiValued"]) == ("readOnly", True)


def test_without_groups_there_is_no_such_attribute(serve: Serve) -> None:
    app = serve(groups=False)
    ident = app.client.created("one")
    assert "groups" not in app.client.user(ident)
    schemas = app.client.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").json["attributes"]
    assert "groups" not in [attribute["name"] for attribute in schemas]
    app.client.get("/Users?filter=groups pr").refused(400, "invalidFilter")


# -- lost answers, and several at once


@pytest.mark.parametrize("type", ["watched", "generous"])
def test_members_whose_answer_was_lost_are_repaired_by_reading(serve: Serve, type: str) -> None:
    app = serve(type=type)
    ids = [app.client.created(f"u{number}") for number in range(4)]
    ident = app.client.created("g", "/Groups", members=[{"value": each} for each in ids[:2]])
    app.target.weather.lose_answers = 1
    app.client.patch(ident, add(ids[2]), remove(ids[0]), path="/Groups").refused(503)
    until(lambda: app.host.repair() == 0 and not app.bench.unfinished())
    assert in_space(app, ident) == in_target(app.target, "g") == {"u1", "u2"}
    patched(app, ident, add(ids[3]))
    assert in_space(app, ident) == in_target(app.target, "g") == {"u1", "u2", "u3"}
    assert app.bench.imported("app").changed == 0


def test_members_that_never_arrived_are_not_recorded(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [app.client.created(f"u{number}") for number in range(2)]
    ident = app.client.created("g", "/Groups", members=[{"value": ids[0]}])

    def lost(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(MemoryTarget, "modify", lost)
        app.client.patch(ident, add(ids[1]), path="/Groups").refused(503)
    [entry] = app.bench.unfinished()
    until(lambda: app.host.repair() == 0 and not app.bench.unfinished())
    settled = app.host.store.journal.get(entry.id)
    assert settled is not None
    assert settled.state is EntryState.NOT_DONE
    assert in_space(app, ident) == in_target(app.target, "g") == {"u0"}


def test_many_add_members_to_one_group_at_once(app: MemoryHost) -> None:
    ids = [app.client.created(f"u{number}") for number in range(8)]
    ident = app.client.created("g", "/Groups")

    def join(user: str) -> int:
        return app.client.patch(ident, add(user), path="/Groups").status

    assert at_once(*(lambda each=each: join(each) for each in ids)) == [204] * len(ids)
    assert members(app, ident) == set(ids)
    assert in_space(app, ident) == in_target(app.target, "g")
    assert app.bench.imported("app").changed == 0


def test_an_import_that_read_the_group_earlier_takes_no_member_away(app: MemoryHost) -> None:
    ids = [app.client.created(f"u{number}") for number in range(3)]
    ident = app.client.created("g", "/Groups", members=[{"value": ids[0]}])
    app.target.change("group", ("g",), members=(Reference(("u1",), "user"),))
    acted: list[int] = []

    def act(number: int) -> None:
        if not acted and number == 2:  # users were read, and the group was
            acted.append(number)
            patched(app, ident, add(ids[2]))

    variants.between_pages[app.name] = act
    try:
        app.bench.imported("app")
    finally:
        del variants.between_pages[app.name]
    assert acted
    assert "u2" in in_space(app, ident)
    app.bench.imported("app")
    assert in_space(app, ident) == in_target(app.target, "g") == {"u1", "u2"}
    assert app.bench.imported("app").changed == 0
