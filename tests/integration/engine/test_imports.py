"""Imports: only what changed is written, removal only after a complete run, and never over something newer."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import variants
from harness import Bench, SqlPeople, bench, memory_document, sql_document
from isthmus.engine import operations, scheduling
from isthmus.engine.identifying import object_lock
from isthmus.engine.target import Target, now_text
from isthmus.store import Store, StoreBusy, StoreFull
from isthmus.store.records import Entry, EntryState
from isthmus.store.schedules import Schedules
from isthmus.web import importer
from memory_host import MemoryHost, Serve


def versions(app: MemoryHost) -> dict[str, str]:
    return {user["userName"]: user["meta"]["version"] for user in app.client.get("/Users?count=1000").resources}


def many(app: MemoryHost, count: int) -> list[str]:
    names = [f"u{number:03}" for number in range(count)]
    app.put(*names)
    return names


def test_a_first_import_brings_everything(app: MemoryHost) -> None:
    names = many(app, 30)
    run = app.bench.imported("app")
    assert (run.objects, run.changed, run.removed) == (30, 30, 0)
    assert app.listed() == names


def test_an_unchanged_object_keeps_version_and_moment(app: MemoryHost) -> None:
    many(app, 5)
    app.bench.imported("app")
    before = app.client.get("/Users").json
    number = app.host.store.number()
    run = app.bench.imported("app")
    assert (run.objects, run.changed, run.removed) == (5, 0, 0)
    assert app.client.get("/Users").json == before
    assert app.host.store.number() == number, "nothing is written at all"


def test_only_the_changed_object_gets_a_new_version(app: MemoryHost) -> None:
    many(app, 5)
    app.bench.imported("app")
    before = versions(app)
    app.target.change("user", ("u002",), displayName=("New",))
    run = app.bench.imported("app")
    assert run.changed == 1
    after = versions(app)
    assert {name for name in after if after[name] != before[name]} == {"u002"}
    answer = app.client.get(f"/Users/{app.client.named('u001')[0]['id']}", {"If-None-Match": after["u001"]})
    assert answer.status == 304


def test_what_was_written_through_us_is_unchanged_for_the_import(app: MemoryHost) -> None:
    app.client.created("anna", displayName="A", title="T")
    before = versions(app)
    run = app.bench.imported("app")
    assert run.changed == 0
    assert versions(app) == before


def test_what_is_gone_is_removed_and_comes_back_as_another(app: MemoryHost) -> None:
    app.put("anna", "bert")
    app.bench.imported("app")
    ident = app.client.named("anna")[0]["id"]
    app.target.drop("user", ("anna",))
    run = app.bench.imported("app")
    assert run.removed == 1
    app.client.get(f"/Users/{ident}").refused(404)
    app.put("anna")
    app.bench.imported("app")
    [user] = app.client.named("anna")
    assert user["id"] != ident, "an id is never given to another object"
    app.client.get(f"/Users/{ident}").refused(404)


def test_a_renamed_row_with_a_natural_key_is_another_person(app: MemoryHost) -> None:
    app.put("anna", "bert")
    app.bench.imported("app")
    ident = app.client.named("anna")[0]["id"]
    app.target.change("user", ("anna",), login=("anne",))
    app.bench.imported("app")
    assert app.listed() == ["anne", "bert"]
    app.client.get(f"/Users/{ident}").refused(404)


def test_a_failed_run_removes_nothing(serve: Serve, app: MemoryHost, between: Callable[..., None]) -> None:
    app.reconfigure(extra="page_size = 10")
    names = many(app, 30)
    app.bench.imported("app")
    for name in names[:2]:
        app.target.drop("user", (name,))

    def fail(page: int) -> None:
        app.target.weather.down = page == 1

    between(fail)
    run = app.bench.run_import("app")
    app.target.weather.down = False
    assert (run.state, run.removed) == ("failed", 0)
    assert app.listed() == names


def test_a_cancelled_run_removes_nothing(app: MemoryHost, between: Callable[..., None]) -> None:
    app.reconfigure(extra="page_size = 10")
    names = many(app, 30)
    app.bench.imported("app")
    app.target.drop("user", (names[0],))
    [queued] = scheduling.request_import(app.host, "app", requested_by="test")
    between(lambda page: operations.run_cancel(app.host, queued.id) and None)
    run = scheduling.execute_next(app.host)
    assert run is not None
    assert (run.state, run.removed) == ("cancelled", 0)
    assert names[0] in app.listed()


def test_a_bug_in_the_connector_fails_the_run_only(app: MemoryHost, between: Callable[..., None]) -> None:
    names = many(app, 3)
    app.bench.imported("app")

    def bug(page: int) -> None:
        raise ZeroDivisionError("with a value in it")

    between(bug)
    run = app.bench.run_import("app")
    assert run.state == "failed"
    assert "ZeroDivisionError" in run.message
    assert "value" not in run.message
    assert app.listed() == names


def test_what_a_request_writes_during_a_run_is_not_overwritten(app: MemoryHost, between: Callable[..., None]) -> None:
    """Each page was read before the write and is applied after it."""
    app.reconfigure(extra="page_size = 10")
    names = many(app, 30)
    app.bench.imported("app")
    ids = {name: app.client.named(name)[0]["id"] for name in (names[0], names[5], names[9], names[25])}
    app.target.change("user", (names[1],), displayName=("theirs",))
    made: list[str] = []

    def write(page: int) -> None:
        if page == 1:
            for name in (names[0], names[25]):
                answer = app.client.patch(ids[name], {"op": "replace", "path": "displayName", "value": "ours"})
                assert answer.status == 200
            assert app.client.delete(ids[names[5]]).status == 204
            rename = {"op": "replace", "path": "userName", "value": "renamed"}
            assert app.client.patch(ids[names[9]], rename).status == 200
            made.append(app.client.created("aaa-new"))

    between(write)
    run = app.bench.imported("app")
    assert run.removed == 0
    assert app.client.user(ids[names[0]])["displayName"] == "ours"
    assert app.client.user(ids[names[25]])["displayName"] == "ours"
    assert app.client.user(made[0])["userName"] == "aaa-new"
    assert app.client.named(names[1])[0]["displayName"] == "theirs"
    assert app.client.user(ids[names[9]])["userName"] == "renamed"
    gone = {names[5], names[9]}
    assert app.listed() == sorted({*names, "aaa-new", "renamed"} - gone), "nothing comes back from an old page"


def test_creates_during_a_run_do_not_look_like_losses(app: MemoryHost, between: Callable[..., None]) -> None:
    """A run that began before them has not seen them: the guard must not hold it for that."""
    many(app, 12)
    app.bench.imported("app")
    between(lambda page: [app.client.created(f"new-{page}-{n}") for n in range(15)] and None if page == 1 else None)
    run = app.bench.run_import("app")
    assert (run.state, run.removed) == ("done", 0), run
    assert len(app.listed()) == 27


def test_an_object_reported_twice_ends_as_it_was_last(app: MemoryHost, between: Callable[..., None]) -> None:
    app.reconfigure(extra="page_size = 1")
    many(app, 2)

    class Twice(variants.Watched):
        pass

    original = variants.Watched.import_full

    def doubled(self: variants.Watched, *args: object, **named: object) -> Iterator[object]:
        yield from original(self, *args, **named)  # type: ignore[arg-type]
        app.target.change("user", ("u000",), displayName=("later",))
        yield from original(self, *args, **named)  # type: ignore[arg-type]

    variants.Watched.import_full = doubled  # type: ignore[method-assign,assignment]
    try:
        app.bench.imported("app")
    finally:
        variants.Watched.import_full = original  # type: ignore[method-assign]
    assert app.client.named("u000")[0]["displayName"] == "later"


def test_a_paused_connector_is_not_imported(app: MemoryHost) -> None:
    """Not by a run that was queued before, or whose hold is released meanwhile."""
    many(app, 3)
    [queued] = scheduling.request_import(app.host, "app", requested_by="timer")
    app.reconfigure(extra="paused = true")
    run = scheduling.execute_next(app.host)
    assert run is not None
    assert (run.id, run.state) == (queued.id, "cancelled")
    assert "isthmus connector resume" in run.message
    assert app.asked["import_full"] == 0
    assert app.listed() == []


# -- delta


def test_a_delta_brings_changes_and_deletes(app: MemoryHost) -> None:
    many(app, 20)
    app.bench.imported("app")
    app.target.change("user", ("u003",), displayName=("changed",))
    app.target.drop("user", ("u004",))
    app.put("v")
    run = app.bench.imported("app", "delta")
    assert (run.changed, run.removed) == (2, 1)
    assert app.client.named("u003")[0]["displayName"] == "changed"
    assert "u004" not in app.listed()
    assert "v" in app.listed()
    assert app.bench.imported("app", "delta").changed == 0


def test_an_expired_watermark_becomes_a_full_import(app: MemoryHost) -> None:
    many(app, 3)
    app.bench.imported("app")
    app.target.expire_watermarks()
    app.put("v")
    run = app.bench.imported("app", "delta")
    assert run.changed == 1
    assert "v" in app.listed()


def test_the_first_delta_is_a_full_import(app: MemoryHost) -> None:
    many(app, 3)
    assert app.bench.imported("app", "delta").changed == 3


def test_a_delta_does_not_take_a_vanished_attribute_for_cleared(app: MemoryHost) -> None:
    app.put("ann", costCentre=("A1",))
    app.bench.imported("app")
    variants.without[app.name] = {"costCentre"}
    try:
        app.target.change("user", ("ann",), costCentre=(), displayName=("changed",))
        run = app.bench.run_import("app", "delta")
    finally:
        del variants.without[app.name]
    assert run.state == "failed"
    assert "costCentre" in run.message
    [ann] = app.client.get("/Users").resources
    assert ann["title"] == "A1"


def test_a_delta_waits_once_for_writes_under_way_and_not_at_each_page(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.engine.importing.OVERTAKEN_SECONDS", 0.3)
    app.reconfigure(extra="page_size = 1")
    names = many(app, 20)
    app.bench.imported("app")
    for name in names:
        app.target.change("user", (name,), displayName=("changed",))
    store = app.host.store
    [space] = [space for space in store.space.all() if space.object_type == "user"]
    entry = store.journal.open(
        space=space,
        operation="patch",
        object_id=None,
        anchor=("u000",),
        session="",
        correlation="",
        intent={},
        locks=[object_lock(("u000",))],
    )
    assert isinstance(entry, Entry)
    reads = app.asked["read"]
    run = app.bench.imported("app", "delta")
    assert run.changed == 19
    assert app.asked["read"] - reads < 20, "some at the end, and not some for each page"
    store.journal.close(entry.id, EntryState.NOT_DONE, now=now_text())
    app.bench.imported("app", "delta")
    assert app.client.named("u000")[0]["displayName"] == "changed", "told again"


def test_a_removed_connector_leaves_no_watermark_to_the_next_one_of_its_name(app: MemoryHost) -> None:
    names = many(app, 3)
    app.bench.imported("app")
    store = app.host.store
    store.settings.set("watch:app:all", "a watch's own")
    store.settings.set("watermark:apple:all", "of another connector")
    operations.connector_forget(app.host, "app", actor="operator")
    assert list(store.settings.list("watch:") | store.settings.list("watermark:")) == ["watermark:apple:all"]
    assert app.bench.imported("app", "delta").changed == 3
    assert app.listed() == names


def test_an_object_made_and_deleted_within_one_delta(app: MemoryHost) -> None:
    many(app, 3)
    app.bench.imported("app")
    app.put("short")
    app.target.drop("user", ("short",))
    app.bench.imported("app", "delta")
    assert app.listed() == ["u000", "u001", "u002"]


# -- several processes


def test_another_process_s_import_is_seen_at_once(app: MemoryHost) -> None:
    other = Bench(app.bench.folder, tokens=app.bench.tokens)
    try:
        app.client.get("/Users")
        many(app, 4)
        other.imported("app")
        assert app.listed() == ["u000", "u001", "u002", "u003"]
        ident = app.client.named("u000")[0]["id"]
        assert other.client("app").delete(ident).status == 204
        app.client.get(f"/Users/{ident}").refused(404)
    finally:
        other.close()


def test_a_run_is_queued_once_and_claimed_once(app: MemoryHost) -> None:
    first = scheduling.request_import(app.host, "app", requested_by="a")
    again = scheduling.request_import(app.host, "app", requested_by="b")
    assert [run.id for run in first] == [run.id for run in again]
    assert scheduling.execute_next(app.host) is not None
    assert scheduling.execute_next(app.host) is None


# -- a table


def test_rows_of_a_table(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sql")
    people = SqlPeople(folder / "people.db")
    for number in range(25):
        people.run("INSERT INTO people (login, first) VALUES (?, 'F')", f"u{number:03}")
    document = sql_document(people.path, extra="page_size = 10")
    with bench(folder / "host", {"hr": document}) as served:
        client = served.client("hr")
        assert served.imported("hr").changed == 25
        before = client.get("/Users").json
        number = served.host.store.number()
        assert served.imported("hr").changed == 0
        assert served.host.store.number() == number
        assert client.get("/Users").json == before
        people.run("UPDATE people SET first = 'G' WHERE login = 'u007'")
        people.run("DELETE FROM people WHERE login = 'u008'")
        ident = client.created(f"new-{uuid.uuid4().hex[:4]}")
        run = served.imported("hr")
        assert (run.changed, run.removed) == (1, 1)
        assert client.named("u007")[0]["name"]["givenName"] == "G"
        assert client.user(ident)["id"] == ident
        people.run("DELETE FROM people")
        held = served.run_import("hr")
        assert (held.state, held.removed) == ("held", 0)
        assert client.get("/Users").total == 25


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_between_imports_the_space_ends_as_the_table(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("sql")
    people = SqlPeople(folder / "people.db")
    for number in range(60):
        people.run("INSERT INTO people (login, first) VALUES (?, ?)", f"u{number:03}", f"F{number}")
    document = sql_document(people.path, extra=f"page_size = {chance.choice([7, 1000])}")
    with bench(folder / "host", {"hr": document}) as served:
        client = served.client("hr")
        served.imported("hr")
        for turn in range(8):
            one, other = chance.sample([row[0] for row in people.run("SELECT login FROM people ORDER BY login")], 2)
            first, second = people.row(one), people.row(other)
            assert first is not None
            assert second is not None
            match chance.choice(["change", "swap", "move", "equal", "through us", "lose", "nothing"]):
                case "change":
                    people.run("UPDATE people SET first = ? WHERE login = ?", f"T{turn}", one)
                case "swap":  # each row is where the other was, and has its contents
                    people.run("UPDATE people SET login = 'x' WHERE login = ?", one)
                    people.run("UPDATE people SET login = ? WHERE login = ?", one, other)
                    people.run("UPDATE people SET login = ? WHERE login = 'x'", other)
                case "move":
                    people.run("DELETE FROM people WHERE login = ?", one)
                    people.run("INSERT INTO people (login, first) VALUES (?, ?)", one, first["first"])
                case "equal":
                    people.run("UPDATE people SET first = ? WHERE login = ?", second["first"], one)
                case "through us":
                    user = client.named(one)[0]
                    body = {**user, "name": {"givenName": f"U{turn}"}}
                    assert client.put(user["id"], body).status == 200
                    if chance.random() < 0.5:  # and back again behind our back
                        people.run("UPDATE people SET first = ? WHERE login = ?", first["first"], one)
                case "lose":
                    people.run("DELETE FROM people WHERE login = ?", one)
            served.imported("hr")
            table = dict(people.run("SELECT login, first FROM people"))
            shown = client.get("/Users?count=1000").resources
            assert {user["userName"]: user["name"]["givenName"] for user in shown} == table
        assert served.imported("hr").changed == 0


def test_a_store_that_cannot_be_written_at_the_start_leaves_no_connector_without_its_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that was to see to it tries again: nobody else knows that it is still to be done."""
    documents = {name: memory_document(uuid.uuid4().hex) for name in ("first", "second")}
    refused = [StoreFull("no room left for the store: free disk space"), StoreBusy("the store is locked")]
    opened, begun = Store.open, Schedules.set

    def opening(folder: Path) -> Store:
        if len(refused) == 2:
            raise refused.pop()
        return opened(folder)

    def putting(self: Schedules, connector: str, interval_seconds: float) -> None:
        if refused and connector == "second":
            raise refused.pop()
        begun(self, connector, interval_seconds)

    with bench(tmp_path, documents) as served:
        monkeypatch.setattr(importer, "AGAIN_SECONDS", 0.01)
        monkeypatch.setattr(Store, "open", opening)
        monkeypatch.setattr(Schedules, "set", putting)
        importer.carry_out(served.host.configuration, list(documents))
        store = served.host.store
        assert [store.schedules.next(name) is not None for name in documents] == [True, True]
        assert sorted((run.connector, run.state) for run in store.runs.list()) == [
            ("first", "done"),
            ("second", "queued"),
        ]


def test_one_that_cannot_be_asked_at_the_start_leaves_no_other_without_its_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = {name: memory_document(uuid.uuid4().hex) for name in ("first", "second")}
    with bench(tmp_path, documents) as served:
        host = served.host

        def busy(_target: Target) -> list[str]:
            raise StoreBusy("another process keeps the store's write lock; try again")

        monkeypatch.setattr(scheduling, "scopes_of", busy)
        with pytest.raises(StoreBusy):
            scheduling.start(host, ["first", "gone", "second"])
        assert [host.store.schedules.next(name) is not None for name in documents] == [True, True]
        monkeypatch.undo()
        scheduling.start(host, ["second"])
        assert [run.connector for run in host.store.runs.list()] == ["second"]
