"""A watched target: what somebody else changes is shown at once, by one process at a time, whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import harness
import variants
from harness import Bench, bench, memory_document, memory_target, until
from isthmus.connectors.memory import MemoryTarget
from isthmus.engine import operations, scheduling
from isthmus.engine.watching import Watch, Watches
from isthmus.store.records import Run
from watching import WatchingHost

NOW = 30.0
"""Seconds that "at once" may take here; what is promised is one, on a machine that does nothing else."""


def user(login: str, **more: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    return {"login": (login,), "displayName": (login,), "active": (True,), **more}


class Watched(WatchingHost):
    """A host that watches an in-memory target."""

    def __init__(self, made: Bench, target: MemoryTarget) -> None:
        super().__init__(made)
        self.target = target

    def watch(self) -> Run | None:
        return next(iter(self.bench.host.store.runs.watches("app")), None)

    def state(self) -> str | None:
        found = self.watch()
        return None if found is None else found.state

    def message(self) -> str:
        found = self.watch()
        return "" if found is None else found.message

    def names(self) -> list[str]:
        return sorted(each["userName"] for each in self.bench.client("app").get("/Users?count=1000").resources)

    def shows(self, *names: str) -> None:
        until(lambda: self.names() == sorted(names), timeout=NOW)


@contextmanager
def watched(folder: Path, name: str, target: MemoryTarget, **more: Any) -> Iterator[Watched]:
    with bench(folder, {"app": memory_document(name, extra='watch = "on"', **more)}) as made:
        found = Watched(made, target)
        try:
            yield found
        finally:
            found.stop()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Watched]:
    with memory_target() as (name, target):
        target.put("user", user("ann"))
        with watched(tmp_path, name, target) as found:
            until(lambda: found.state() == "watching")
            yield found


def test_changes_are_shown_as_they_happen(app: Watched) -> None:
    app.shows("ann")
    app.target.put("user", user("bob"))
    app.shows("ann", "bob")
    app.target.change("user", ("ann",), displayName=("Ann Other",))
    until(lambda: app.bench.client("app").named("ann")[0]["displayName"] == "Ann Other", timeout=NOW)
    app.target.drop("user", ("bob",))
    app.shows("ann")
    until(lambda: (app.watch() or pytest.fail("nobody watches")).removed == 1, timeout=NOW)


def test_own_writes_keep_their_version(app: Watched) -> None:
    """The target tells us of our own writes as well; they make no second version."""
    client = app.bench.client("app")
    made = client.post({"userName": "eve", "externalId": "e-1"})
    assert made.status == 201
    for turn in range(20):
        path = {"op": "replace", "path": "displayName", "value": f"Eve {turn}"}
        assert client.patch(made.id, path).status == 200
    version = client.user(made.id)["meta"]["version"]
    app.target.put("user", user("last"))
    until(lambda: client.named("last"), timeout=NOW)
    assert client.user(made.id)["meta"]["version"] == version
    assert client.user(made.id)["externalId"] == "e-1"


def test_others_and_we_write_the_same_objects(app: Watched) -> None:
    """At the end the space is what the target is, whoever wrote last."""
    client, target = app.bench.client("app"), app.target
    logins = [f"u{number}" for number in range(5)]
    ids = {login: client.created(login) for login in logins}
    failures: list[BaseException] = []

    def run(action: Callable[[str, int], None]) -> threading.Thread:
        def each() -> None:
            try:
                for turn in range(60):
                    action(logins[turn % len(logins)], turn)
            except BaseException as exc:
                failures.append(exc)

        thread = threading.Thread(target=each)
        thread.start()
        return thread

    def ours(login: str, turn: int) -> None:
        answer = client.patch(ids[login], {"op": "replace", "path": "displayName", "value": f"ours {turn}"})
        assert answer.status == 200, answer

    def theirs(login: str, turn: int) -> None:
        target.change("user", (login,), displayName=(f"theirs {turn}",))

    for thread in [run(ours), run(theirs), run(ours), run(theirs)]:
        thread.join()
    assert not failures

    def equal() -> bool:
        return all(
            client.user(ids[login])["displayName"] == (target.get("user", (login,)) or {})["displayName"][0]
            for login in logins
        )

    until(equal, timeout=NOW)


def test_a_target_that_goes_away_and_comes_back(app: Watched) -> None:
    with app.target.weather.outage():
        until(lambda: app.state() == "waiting" and "tried again in" in app.message(), timeout=NOW)
        app.target.put("user", user("meanwhile"))
    until(lambda: app.state() == "watching", timeout=30)
    app.shows("ann", "meanwhile")


def test_a_watermark_that_expired_begins_anew(app: Watched) -> None:
    app.shows("ann")
    app.target.expire_watermarks()
    app.target.put("user", user("after"))
    app.target.drop("user", ("ann",))
    app.shows("after")
    until(lambda: app.state() == "watching", timeout=NOW)
    app.target.put("user", user("later"))
    app.shows("after", "later")


def test_many_deletions_are_left_to_the_guard(app: Watched) -> None:
    for number in range(30):
        app.target.put("user", user(f"u{number}"))
    until(lambda: len(app.names()) == 31, timeout=NOW)
    for number in range(20):
        app.target.drop("user", (f"u{number}",))
    runs = app.bench.host.store.runs
    held = until(lambda: next((run for run in runs.list(connector="app") if run.state == "held"), None), timeout=NOW)
    until(lambda: "guard" in app.message(), timeout=NOW)
    assert len(app.names()) >= 21, "no more than the guard lets an import remove"
    operations.run_release(app.bench.host, held.id, actor="test")
    app.look()
    until(lambda: len(app.names()) == 11, timeout=NOW)
    until(lambda: app.state() == "watching", timeout=NOW)
    app.target.put("user", user("new"))
    until(lambda: "new" in app.names(), timeout=NOW)


def test_deletions_one_after_the_other_count_together(app: Watched) -> None:
    """Neither a full import in between nor a watch that begins anew lets the next few through."""
    for number in range(30):
        app.target.put("user", user(f"u{number}"))
    until(lambda: len(app.names()) == 31, timeout=NOW)
    runs = app.bench.host.store.runs

    def held() -> bool:
        return any(run.state == "held" for run in runs.list(connector="app"))

    for number in range(30):
        if number == 5:
            with app.target.weather.outage():
                until(lambda: app.state() == "waiting", timeout=NOW)
            until(lambda: app.state() == "watching", timeout=NOW)
        app.target.drop("user", (f"u{number}",))
        until(lambda number=number: held() or f"u{number}" not in app.names(), timeout=NOW)  # type: ignore[misc]
        if held():
            break
    assert len(app.names()) == 21, "ten within the hour"


def test_a_watch_goes_on_with_what_is_published_meanwhile(tmp_path: Path) -> None:
    """What it is told of after an attribute was published keeps that attribute."""
    attributes = tuple(name for name in harness.MEMORY_ATTRIBUTES if name != "costCentre")
    with memory_target() as (name, target), ExitStack() as stack:
        variants.without[name] = {"costCentre"}
        stack.callback(variants.without.pop, name, None)
        target.put("user", user("ann", costCentre=("A1",)))
        extra = 'watch = "on"\npublish_new = true'
        document = memory_document(name, extra=extra, type="watched", attributes=attributes)
        made = stack.enter_context(bench(tmp_path, {"app": document}))
        app = Watched(made, target)
        stack.callback(app.stop)
        until(lambda: app.state() == "watching", timeout=NOW)
        variants.without.pop(name)
        scheduling.request_import(made.host, "app", requested_by="test")
        app.look()
        client = made.client("app")
        until(lambda: client.named("ann")[0].get(harness.OWN, {}).get("costCentre") == "A1", timeout=NOW)
        target.change("user", ("ann",), displayName=("Ann Other",))
        until(lambda: client.named("ann")[0]["displayName"] == "Ann Other", timeout=NOW)
        assert client.named("ann")[0][harness.OWN]["costCentre"] == "A1"


def test_a_watch_does_not_take_a_vanished_attribute_for_cleared(tmp_path: Path) -> None:
    with memory_target() as (name, target), ExitStack() as stack:
        target.put("user", user("ann", costCentre=("A1",)))
        app = stack.enter_context(watched(tmp_path, name, target, type="watched"))
        until(lambda: app.state() == "watching", timeout=NOW)
        client = app.bench.client("app")
        variants.without[name] = {"costCentre"}
        stack.callback(variants.without.pop, name, None)
        assert app.bench.run_import("app").state == "failed"
        target.change("user", ("ann",), costCentre=())
        until(lambda: "operator" in app.message(), timeout=NOW)
        assert client.named("ann")[0]["title"] == "A1"


def test_one_of_two_processes_watches_and_the_other_takes_over(tmp_path: Path) -> None:
    with memory_target() as (name, target), watched(tmp_path, name, target) as first:
        until(lambda: first.state() == "watching")
        second = Watched(Bench(first.bench.folder), target)
        try:
            second.watches.look()
            second.watches.look()
            owners = {run.owner for run in first.bench.host.store.runs.watches()}
            assert owners == {first.bench.host.store.owner}
            target.put("user", user("one"))
            second.shows("one")
            first.watches.stop()
            until(
                lambda: {run.owner for run in second.bench.host.store.runs.watches()} == {second.bench.host.store.owner}
            )
            until(lambda: second.state() == "watching")
            target.put("user", user("two"))
            first.shows("one", "two")
        finally:
            second.stop()
            second.bench.close()


def test_a_watch_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    with memory_target() as (name, target):
        with watched(tmp_path, name, target) as app:
            until(lambda: app.state() == "watching")
            target.put("user", user("before"))
            app.shows("before")
        target.put("user", user("between"))
        made = Bench(tmp_path / "isthmus")
        later = Watched(made, target)
        try:
            later.shows("before", "between")
            runs = made.host.store.runs.list(connector="app")
            assert [(run.kind, run.state) for run in runs] == [
                ("watch", "watching"),
                ("delta", "done"),  # of the first; the second needed none
                ("watch", "done"),
            ]
        finally:
            later.stop()
            made.close()


@pytest.mark.parametrize("ends", ["at once", "later"])
def test_a_watch_whose_thread_is_gone_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    """Its process lives, so nobody else would take the watch over."""
    ended: list[str] = []

    def fail(watch: Watch) -> None:
        if not ended:
            ended.append(ends)
            if ends == "at once":
                raise RuntimeError("can't start new thread")
            monkeypatch.setattr(watch, "run", lambda: None)
        threading.Thread.start(watch)

    monkeypatch.setattr(Watch, "start", fail)
    with memory_target() as (name, target), watched(tmp_path, name, target) as app:
        until(lambda: app.state() == "watching", timeout=NOW)
        target.put("user", user("ann"))
        app.shows("ann")
        runs = app.bench.host.store.runs.list(connector="app")
        assert [run.state for run in runs if run.kind == "watch"] == ["watching", "failed"]


@pytest.mark.parametrize("extra", ['watch = "off"', "", 'watch = "on"\npaused = true'])
def test_not_watched(tmp_path: Path, extra: str) -> None:
    """Off, paused, or of a type that is not watched unless that is set."""
    with memory_target() as (name, _), bench(tmp_path, {"app": memory_document(name, extra=extra)}) as made:
        watches = Watches(made.host, work=lambda: pytest.fail("nothing is to be imported"))
        watches.look()
        assert not made.host.store.runs.watches()


def test_a_connector_that_cannot_be_watched_says_so(tmp_path: Path) -> None:
    people = harness.SqlPeople(tmp_path / "people.db")
    with bench(tmp_path, {"app": harness.sql_document(people.path, extra='watch = "on"')}) as made:
        watches = Watches(made.host, work=lambda: None)
        watches.start()
        try:
            until(lambda: any("cannot be watched" in run.message for run in made.host.store.runs.watches()))
        finally:
            watches.stop()


def test_a_delta_does_not_miss_what_was_written_during_it(tmp_path: Path) -> None:
    """A change by somebody else right after ours, told of by a delta that began before both."""
    with memory_target() as (name, target), bench(tmp_path, {"app": memory_document(name)}) as made:
        client = made.client("app")
        target.put("user", user("ann"))
        made.imported("app")
        (ann,) = client.named("ann")

        def write() -> None:
            client.patch(ann["id"], {"op": "replace", "path": "displayName", "value": "ours"})
            target.change("user", ("ann",), displayName=("theirs",))

        connector: Any = made.host.target("app").connector
        changes = connector._target.changed_since
        connector._target.changed_since = lambda token: (write(), changes(token))[1]
        try:
            made.imported("app", "delta")
        finally:
            del connector._target.changed_since
        assert client.user(ann["id"])["displayName"] == "theirs"
