"""Writes whose answer never came: the entry stays open, is repaired by reading, and never sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

import variants
from harness import Bench, at_once, meanwhile, until
from isthmus.engine import operations, recovery
from isthmus.engine.recovery import Recovery
from isthmus.spi import ImportPage
from isthmus.store.records import Entry, EntryState
from memory_host import MemoryHost, Serve

SOON = 0.6
FAST_HOST = "[scim]\nrequest_timeout = 3\nbody_timeout = 2\nheader_timeout = 2\n"


def settled(served: MemoryHost) -> None:
    """Repair as the background thread does until nothing is open."""
    until(lambda: served.host.repair() == 0 and not served.bench.unfinished())


# -- before anything was sent


def test_a_target_that_is_down_before_the_write(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    with app.target.weather.outage():
        app.client.post({"userName": "bert"}).refused(503)
        app.client.patch(ident, {"op": "replace", "path": "displayName", "value": "A"}).refused(503)
        app.client.delete(ident).refused(503)
        assert app.bench.unfinished() == []
    assert app.client.patch(ident, {"op": "replace", "path": "displayName", "value": "A"}).status == 200
    assert app.client.post({"userName": "bert"}).status == 201
    assert app.logins() == ["anna", "bert"]


def test_throttling_is_handed_on(app: MemoryHost) -> None:
    app.client.created("anna")
    with app.target.weather.throttling(7):
        answer = app.client.post({"userName": "bert"})
        assert (answer.status, answer.headers["retry-after" if "retry-after" in answer.headers else "Retry-After"]) == (
            429,
            "7",
        )
    assert app.bench.unfinished() == []


# -- the write took effect, and its answer was lost


def test_a_create_whose_answer_was_lost(app: MemoryHost) -> None:
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert", "externalId": "e-7"}).refused(503)
    [entry] = app.bench.unfinished()
    assert (entry.operation, entry.state) == ("create", EntryState.OPEN)
    assert app.asked["create"] == 2
    app.client.post({"userName": "bert"}).refused(409, "uniqueness")
    assert app.asked["create"] == 2, "it is not sent again"
    assert app.bench.unfinished() == []
    [user] = app.client.named("bert")
    assert user["externalId"] == "e-7"
    assert app.logins() == ["anna", "bert"]
    done = operations.journal_show(app.host, entry.id)
    assert done.state is EntryState.DONE


def test_an_external_id_that_a_lost_change_set_or_cleared(app: MemoryHost) -> None:
    ident = app.client.created("anna", externalId="e-1")
    for number, (value, shown) in enumerate([("e-2", "e-2"), (None, None), ("e-3", "e-3"), ("", None)]):
        app.target.weather.lose_answers = 1
        display = {"op": "replace", "path": "displayName", "value": f"Anna {number}"}
        app.client.patch(ident, display, {"op": "replace", "path": "externalId", "value": value}).refused(503)
        settled(app)
        user = app.client.user(ident)
        assert (user["displayName"], user.get("externalId")) == (f"Anna {number}", shown)


def test_an_open_create_is_repaired_in_the_background(app: MemoryHost) -> None:
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    app.host.start_background()
    until(lambda: not app.bench.unfinished())
    assert [user["userName"] for user in app.client.get("/Users").resources] == ["anna", "bert"]
    assert app.asked["create"] == 2


def test_a_create_that_never_arrived(serve: Serve) -> None:
    app = serve(timeout=SOON)
    app.client.created("anna")
    with app.target.weather.hang():
        app.client.post({"userName": "bert"}).refused(503)
        # the session is ended before the target goes on, so the write never takes effect
        with app.target.weather._lock:
            app.target.weather._late.clear()
    settled(app)
    assert app.logins() == ["anna"]
    assert app.client.post({"userName": "bert"}).status == 201
    assert app.logins() == ["anna", "bert"]


def test_a_write_that_takes_effect_late(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "REPAIR_SECONDS", SOON)
    app = serve(timeout=SOON)
    app.client.created("anna")
    with app.target.weather.hang():
        app.client.post({"userName": "bert"}).refused(503)
        assert app.host.repair() == 1, "while the target hangs nothing can be told"
    settled(app)
    assert [user["userName"] for user in app.client.named("bert")] == ["bert"]
    assert app.asked["create"] == 2


@pytest.mark.parametrize("attribute", ["displayName", "title"])
def test_an_update_whose_answer_was_lost(app: MemoryHost, attribute: str) -> None:
    ident = app.client.created("anna", displayName="before")
    app.target.weather.lose_answers = 1
    change = {"op": "replace", "path": attribute, "value": "after"}
    app.client.patch(ident, change).refused(503)
    updates = app.asked["update"]
    app.host.repair()
    assert app.bench.unfinished() == []
    assert app.client.user(ident)[attribute] == "after"
    assert app.asked["update"] == updates
    assert app.client.patch(ident, change).status == 200


def test_a_rename_whose_answer_was_lost(app: MemoryHost) -> None:
    ident = app.client.created("anna", displayName="A")
    app.target.weather.lose_answers = 1
    app.client.patch(ident, {"op": "replace", "path": "userName", "value": "beate"}).refused(503)
    settled(app)
    assert app.client.user(ident)["userName"] == "beate"
    assert app.listed() == ["beate"]
    app.bench.imported("app")
    assert app.client.user(ident)["userName"] == "beate"


def test_a_delete_whose_answer_was_lost(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.delete(ident).refused(503)
    settled(app)
    app.client.get(f"/Users/{ident}").refused(404)
    app.client.delete(ident).refused(404)
    assert app.logins() == []


def test_a_delete_by_setting_whose_answer_was_lost(serve: Serve) -> None:
    app = serve(delete='{ action = "set", values = { active = false }, restore = { active = true } }')
    ident = app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.delete(ident).refused(503)
    settled(app)
    app.client.get(f"/Users/{ident}").refused(404)
    assert app.target.get("user", ("anna",))["active"] == (False,)  # type: ignore[index]


def test_a_disable_whose_answer_was_lost_counts_for_the_guard(serve: Serve) -> None:
    app = serve(guard="provider_objects = 1\nprovider_share = 0.0")
    app.put("anna", "bert", "carl")
    app.bench.imported("app")
    disable = {"op": "replace", "path": "active", "value": False}
    ids = [app.client.named(name)[0]["id"] for name in ("anna", "bert")]
    app.target.weather.lose_answers = 1
    app.client.patch(ids[0], disable).refused(503)
    settled(app)
    assert app.client.user(ids[0])["active"] is False
    app.client.patch(ids[1], disable).refused(503)
    assert app.client.user(ids[1])["active"] is True


def test_members_whose_answer_was_lost(app: MemoryHost) -> None:
    user = app.client.created("anna")
    group = app.client.created("staff", "/Groups")
    app.target.weather.lose_answers = 1
    add = {"op": "add", "path": "members", "value": [{"value": user}]}
    app.client.patch(group, add, path="/Groups").refused(503)
    [entry] = app.bench.unfinished()
    settled(app)
    assert operations.journal_show(app.host, entry.id).state is EntryState.DONE
    assert [member["value"] for member in app.client.get(f"/Groups/{group}").json["members"]] == [user]


def test_a_name_in_another_case_is_still_recognised(app: MemoryHost) -> None:
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "Bert"}).refused(503)
    app.target.change("user", ("bert",), login=("BERT",))
    settled(app)
    assert len(app.client.named("bert")) == 1
    audit = [record for record in app.bench.audit() if record.operation == "repair create"]
    assert [record.outcome for record in audit] == ["done"]


def test_while_the_target_is_away_an_open_entry_keeps_writes_out(serve: Serve) -> None:
    app = serve(timeout=2, host=FAST_HOST)
    ident = app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.patch(ident, {"op": "replace", "path": "title", "value": "x"}).refused(503)
    updates = app.asked["update"]
    with app.target.weather.outage():
        began = time.monotonic()
        app.client.patch(ident, {"op": "replace", "path": "title", "value": "y"}).refused(503)
        assert time.monotonic() - began < 2.5, "there is nothing to wait for"
    assert app.asked["update"] == updates
    assert app.client.user(ident)["userName"] == "anna", "reads go on"
    assert app.client.patch(ident, {"op": "replace", "path": "title", "value": "z"}).json["title"] == "z"


# -- entries of a process that is gone


def test_another_process_repairs_what_a_dead_one_left(serve: Serve) -> None:
    app = serve()
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    app.bench.close()
    app.bench.open()
    app.host = app.bench.host
    assert [user["userName"] for user in app.client.named("bert")] in ([], ["bert"])
    app.client.post({"userName": "bert"}).refused(409, "uniqueness")
    assert app.bench.unfinished() == []
    assert app.asked["create"] == 2


@pytest.mark.parametrize("trouble", [OSError(24, "Too many open files"), KeyError("mail")], ids=["files", "fault"])
def test_whatever_goes_wrong_in_a_repair_the_next_round_tries_again(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    troubles, look = [trouble], Recovery.is_orphan

    def troubled(recovery: Recovery, entry: Entry) -> bool:
        if troubles:
            raise troubles.pop()
        return look(recovery, entry)

    monkeypatch.setattr(Recovery, "is_orphan", troubled)
    app.host.start_background()
    until(lambda: not app.bench.unfinished())
    assert not troubles


def test_an_entry_nobody_can_make_sense_of_keeps_no_other_open(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.client.created("anna")
    for name in ("bert", "carl"):
        app.target.weather.lose_answers = 1
        app.client.post({"userName": name}).refused(503)
    first, _ = app.bench.unfinished()
    settle = Recovery._settle

    def puzzled(recovery: Recovery, entry: Entry, timeout: float) -> bool:
        if entry.id == first.id:
            raise ValueError("a value of another type than the attribute has now")
        return settle(recovery, entry, timeout)

    monkeypatch.setattr(Recovery, "_settle", puzzled)
    app.host.repair()
    assert [entry.id for entry in app.bench.unfinished()] == [first.id]
    assert "cannot be found out" in app.client.post({"userName": "bert"}).refused(503)


def test_a_connector_that_was_removed_while_it_was_written_to_and_came_back(app: MemoryHost) -> None:
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    app.host.store.space.drop("app")
    assert app.host.repair() == 1, "what it was written for is gone"
    app.bench.imported("app")
    settled(app)
    assert app.listed() == ["anna", "bert"]


def test_a_clock_that_was_set_back_keeps_no_entry_open(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that cannot end another session's work is waited for, and not until the clock has caught up."""
    monkeypatch.setattr(recovery, "SupportsSettling", type("Nobody", (), {}))
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    earlier = SimpleNamespace(time=lambda: time.time() - 3 * 3600, monotonic=time.monotonic)
    monkeypatch.setattr(recovery, "time", earlier)
    settled(app)
    assert app.listed() == ["anna", "bert"]


def test_an_entry_of_a_living_process_is_left_alone(serve: Serve) -> None:
    app = serve(timeout=SOON, host=FAST_HOST)
    app.client.created("anna")
    other = Bench(app.bench.folder)
    try:
        app.target.weather.stop_answering()
        with meanwhile(lambda: app.client.post({"userName": "bert"})) as first:
            until(other.unfinished)
            assert other.host.repair() == 0, "it is not an orphan"
            assert other.unfinished()[0].state is EntryState.OPEN
        first[0].refused(503)
    finally:
        app.target.weather.answer_again()
        other.close()


# -- in doubt


def test_without_lookup_the_entry_is_in_doubt_until_an_operator_settles_it(serve: Serve) -> None:
    app = serve(type="blind")
    ident = app.client.created("anna")
    app.target.weather.lose_answers = 1
    change = {"op": "replace", "path": "title", "value": "x"}
    app.client.patch(ident, change).refused(503)
    app.host.repair()
    [entry] = app.bench.unfinished()
    assert entry.state is EntryState.IN_DOUBT
    detail = app.client.patch(ident, change).refused(503)
    assert f"isthmus journal resolve {entry.id}" in detail
    assert app.client.user(ident)["userName"] == "anna", "reads go on"
    resolved = operations.journal_resolve(app.host, entry.id, EntryState.DONE, actor="operator")
    assert resolved.state is EntryState.DONE
    assert app.client.patch(ident, change).json["title"] == "x"
    [record] = [record for record in app.bench.audit() if record.operation.startswith("resolve")]
    assert (record.actor, record.connector.lower()) == ("operator", "app")


def test_a_create_in_doubt_is_settled_by_an_import(serve: Serve) -> None:
    app = serve(type="blind")
    app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    app.host.repair()
    assert [entry.state for entry in app.bench.unfinished()] == [EntryState.IN_DOUBT]
    app.client.post({"userName": "bert"}).refused(503)
    app.bench.imported("app")
    assert app.bench.unfinished() == []
    app.client.post({"userName": "bert"}).refused(409, "uniqueness")
    assert app.logins() == ["anna", "bert"]


def test_an_import_that_reports_an_object_twice_settles_what_is_in_doubt(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one object, as it was reported last."""
    app = serve(type="blind")
    ident = app.client.created("anna")
    app.target.weather.lose_answers = 1
    app.client.post({"userName": "bert"}).refused(503)
    app.target.weather.lose_answers = 1
    app.client.patch(ident, {"op": "replace", "path": "title", "value": "x"}).refused(503)
    app.host.repair()
    assert [entry.state for entry in app.bench.unfinished()] == [EntryState.IN_DOUBT] * 2
    once = variants.Watched.import_full

    def twice(self: variants.Watched, *given: Any, **named: Any) -> Iterator[ImportPage]:
        yield from once(self, *given, **named)
        app.target.change("user", ("anna",), displayName=("later",))
        yield from once(self, *given, **named)

    monkeypatch.setattr(variants.Watched, "import_full", twice)
    app.bench.imported("app")
    assert app.bench.unfinished() == []
    assert (app.client.user(ident)["title"], app.client.user(ident)["displayName"]) == ("x", "later")
    app.client.post({"userName": "bert"}).refused(409, "uniqueness")


def test_a_generated_anchor_with_a_correlation_attribute(serve: Serve) -> None:
    """Where nothing else identifies the row, the entry's id in a column does."""
    app = serve()
    document = f"""type = "watched"
[settings]
name = "{app.name}"
[[resource_types]]
object_type = "device"
name = "Device"
endpoint = "Devices"
attributes = ["number", "label", "owner"]
delete = {{ action = "delete" }}
"""
    app.bench.reconfigure("things", document)
    things = app.bench.client("things")
    urn = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Device"
    made = things.post({"schemas": [urn], urn: {"label": "same"}}, "/Devices")
    assert made.status == 201, made
    app.target.weather.lose_answers = 1
    things.post({"schemas": [urn], urn: {"label": "same"}}, "/Devices").refused(503)
    app.target.put("device", {"label": ("same",)})
    settled(app)
    assert things.get("/Devices").total == 2, "the stranger's twin is not taken for ours"
    again = things.post({"schemas": [urn], urn: {"label": "same"}}, "/Devices")
    assert again.status == 201
    assert len(app.target.anchors("device")) == 4
    assert variants.asked[app.name]["create"] == 3


# -- locks


def test_two_changes_of_one_object_come_one_after_the_other(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    answers = at_once(
        *[
            lambda n=n: app.client.patch(ident, {"op": "replace", "path": "displayName", "value": f"n{n}"})
            for n in range(6)
        ]
    )
    assert {answer.status for answer in answers} == {200}
    kept = app.target.get("user", ("anna",))
    assert kept is not None
    assert app.client.user(ident)["displayName"] == kept["displayName"][0]
    assert app.bench.unfinished() == []


def test_six_creates_of_one_person(app: MemoryHost) -> None:
    app.client.get("/Users")
    answers = at_once(*[lambda: app.client.post({"userName": "Anna"})] * 6)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    assert app.logins() == ["anna"]


def test_two_people_with_one_mail_address(app: MemoryHost) -> None:
    mail = [{"type": "work", "value": "same@x.org"}]
    app.client.get("/Users")
    answers = at_once(*[lambda n=n: app.client.post({"userName": f"u{n}", "emails": mail}) for n in range(4)])
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert len(app.logins()) == 1


def test_two_processes_and_one_person(app: MemoryHost) -> None:
    app.client.get("/Users")
    other = Bench(app.bench.folder, tokens=app.bench.tokens)
    try:
        theirs = other.client("app")
        for number in range(5):
            answers = at_once(*[lambda c=c, n=number: c.post({"userName": f"u{n}"}) for c in (app.client, theirs)])
            assert sorted(answer.status for answer in answers) == [201, 409]
    finally:
        other.close()
    assert len(app.logins()) == 5


def test_waiting_for_a_lock_ends_with_the_request_s_own_deadline(serve: Serve) -> None:
    app = serve(timeout=4, host="[scim]\nrequest_timeout = 5\nbody_timeout = 2\nheader_timeout = 2\n")
    ident = app.client.created("anna")
    app.target.weather.stop_answering()
    try:
        with meanwhile(lambda: app.client.patch(ident, {"op": "replace", "path": "title", "value": "1"})) as first:
            until(app.bench.unfinished)
            other = Bench(app.bench.folder, tokens=app.bench.tokens)
            other.application._timeout = 0.5
            try:
                began = time.monotonic()
                other.client("app").patch(ident, {"op": "replace", "path": "title", "value": "2"}).refused(503)
                assert 0.3 < time.monotonic() - began < 3
            finally:
                other.close()
                app.target.weather.answer_again()
        assert first[0].status in {200, 503}
    finally:
        app.target.weather.answer_again()


def test_a_waiting_request_goes_on_once_the_lock_is_free(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    app.target.weather.stop_answering()
    with meanwhile(lambda: app.client.patch(ident, {"op": "replace", "path": "title", "value": "1"})):
        until(app.bench.unfinished)
        with meanwhile(lambda: app.client.patch(ident, {"op": "replace", "path": "displayName", "value": "2"})) as two:
            until(app.bench.host.waiting)
            app.target.weather.answer_again()
    app.host.repair()
    assert two[0].status == 200


# -- a target that hangs


def _all_entries(served: MemoryHost) -> set[str]:
    return {entry.id for entry in served.host.store.journal.all(limit=1000)}


def test_a_hung_target_refuses_at_once_and_writes_no_entry(serve: Serve) -> None:
    served = serve(threads=8, timeout=20)
    ident = served.client.created("anna")
    change = {"op": "replace", "path": "displayName", "value": "A"}
    with ThreadPoolExecutor(2) as pool:
        with served.target.weather.hang():
            slow = [pool.submit(served.client.post, {"userName": f"slow{n}"}) for n in range(2)]
            until(lambda: served.host.waiting() == {"app": 2} and len(served.bench.unfinished()) == 2)
            # Let in while the target was well; it waits as long as a healthy target takes, and nothing is sent.
            served.client.post({"userName": "impatient"}).refused(503)
            before = _all_entries(served)
            for _ in range(3):
                served.client.post({"userName": "bert"}).refused(503)
                served.client.patch(ident, change).refused(503)
                served.client.delete(ident).refused(503)
            assert _all_entries(served) == before
            assert len(served.bench.unfinished()) == 2
            assert served.client.get(f"/Users/{ident}").status == 200
        assert {one.result(30).status for one in slow} == {503}, "the target takes the writes, and has not answered"
    assert served.host.waiting() == {}
    settled(served)
    assert served.logins() == ["anna", "slow0", "slow1"]
    assert served.client.post({"userName": "bert"}).status == 201
    assert served.client.patch(ident, change).status == 200


def test_who_waits_for_another_request_keeps_nobody_from_the_target(serve: Serve) -> None:
    served = serve(threads=16, timeout=20)
    ident, other = served.client.created("anna"), served.client.created("bert")
    change = {"op": "replace", "path": "displayName", "value": "A"}
    with ThreadPoolExecutor(8) as pool:
        with served.target.weather.hang():
            waiting = [pool.submit(served.client.patch, ident, change)]
            until(lambda: served.host.waiting() == {"app": 1})
            waiting += [pool.submit(served.client.patch, ident, change) for _ in range(3)]
            until(lambda: served.host._admission._locks._value == 1)  # a quarter of 16, less three that wait
            waiting.append(pool.submit(served.client.patch, other, change))
            until(lambda: served.host.waiting() == {"app": 2})
        assert all(one.result(30).status in (200, 503) for one in waiting)
    assert served.host.waiting() == {}
    settled(served)
