"""What holds back a mass change: of an import, and of the identity provider."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness import Answer, at_once, until
from isthmus.engine import operations, scheduling
from memory_host import MemoryHost, Serve

DISABLE = {"op": "replace", "path": "active", "value": False}
ENABLE = {"op": "replace", "path": "active", "value": True}
TIGHT = "provider_objects = 3\nprovider_share = 0.0"


def fill(app: MemoryHost, count: int) -> list[str]:
    """Add users behind our back and return the ids they get."""
    names = [f"u{number:03}" for number in range(count)]
    app.put(*names)
    app.bench.imported("app")
    return [user["id"] for user in app.client.get("/Users?count=1000").resources]


def drop(app: MemoryHost, numbers: range) -> None:
    for number in numbers:
        app.target.drop("user", (f"u{number:03}",))


# -- imports


@pytest.mark.parametrize(
    ("present", "gone", "state"), [(20, 10, "done"), (20, 11, "held"), (90, 18, "done"), (90, 19, "held")]
)
def test_more_than_a_fifth_and_more_than_ten(app: MemoryHost, present: int, gone: int, state: str) -> None:
    fill(app, present)
    drop(app, range(gone))
    run = app.bench.run_import("app")
    assert run.state == state
    assert len(app.listed()) == (present - gone if state == "done" else present)


def test_a_target_that_returns_nothing_is_always_held(app: MemoryHost) -> None:
    fill(app, 3)
    drop(app, range(3))
    assert app.bench.run_import("app").state == "held"
    assert len(app.listed()) == 3


def test_a_held_run_is_shown_released_and_let_through_once(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    held = app.bench.run_import("app")
    [hold] = operations.guard_list(app.host, "app")
    assert (hold.kind, hold.run, hold.count) == ("removal", held.id, 15)
    assert operations.guard_show(app.host, hold.id).state == "held"
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    done = scheduling.execute_next(app.host)
    assert done is not None
    assert (done.state, done.removed) == ("done", 15)
    assert len(app.listed()) == 5
    drop(app, range(15, 20))
    assert app.bench.run_import("app").state == "held", "a release is for one run"


def test_a_held_run_is_cancelled(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    held = app.bench.run_import("app")
    [hold] = operations.guard_list(app.host)
    operations.guard_cancel(app.host, hold.id, actor="operator")
    assert operations.run_show(app.host, held.id).state == "cancelled"
    assert operations.guard_list(app.host) == []
    assert scheduling.execute_next(app.host) is None
    assert len(app.listed()) == 20


def test_an_object_that_comes_back_before_the_release_is_kept(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    app.bench.run_import("app")
    app.put(*[f"u{number:03}" for number in range(14)])
    [hold] = operations.guard_list(app.host)
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    scheduling.execute_next(app.host)
    assert len(app.listed()) == 19


def test_a_release_lets_through_what_was_shown_and_not_whatever_is_missing_by_then(app: MemoryHost) -> None:
    fill(app, 40)
    drop(app, range(15))
    app.bench.run_import("app")
    [shown] = operations.guard_list(app.host)
    operations.guard_release(app.host, shown.id, hours=1, actor="operator")
    drop(app, range(15, 40))
    again = scheduling.execute_next(app.host)
    assert again is not None
    assert again.state == "held", "the view lost its rights meanwhile"
    assert len(app.listed()) == 40
    [hold] = operations.guard_list(app.host)
    assert (hold.id != shown.id, hold.state, hold.count) == (True, "held", 40)


def test_a_release_is_over_with_its_run_also_if_that_did_not_need_it(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    app.bench.run_import("app")
    [hold] = operations.guard_list(app.host)
    app.put(*[f"u{number:03}" for number in range(15)])
    operations.guard_release(app.host, hold.id, hours=24, actor="operator")
    done = scheduling.execute_next(app.host)
    assert done is not None
    assert done.state == "done"
    drop(app, range(20))
    assert app.bench.run_import("app").state == "held", "hours later, and for another reason"
    assert len(app.listed()) == 20


def test_a_delta_is_held_as_a_whole_not_page_by_page(app: MemoryHost) -> None:
    app.reconfigure(extra="page_size = 5")
    fill(app, 60)
    drop(app, range(55))
    run = app.bench.run_import("app", "delta")
    assert run.state == "held", run
    assert len(app.listed()) >= 48
    [hold] = operations.guard_list(app.host)
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    done = scheduling.execute_next(app.host)
    assert done is not None
    assert done.state == "done", "and let through as a whole"
    assert len(app.listed()) == 5


def test_a_delta_lets_through_no_more_than_was_shown(app: MemoryHost) -> None:
    """What the operator is shown is all that is missing, not what the delta had come to by then."""
    app.reconfigure(extra="page_size = 5")
    fill(app, 60)
    drop(app, range(20))
    assert app.bench.run_import("app", "delta").state == "held"
    [hold] = operations.guard_list(app.host)
    assert (hold.count, len(app.listed())) == (10, 50), "ten were let through before"
    drop(app, range(20, 60))
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    again = scheduling.execute_next(app.host)
    assert again is not None
    assert again.state == "held"
    assert len(app.listed()) == 50


def test_deltas_one_after_the_other_count_together(app: MemoryHost) -> None:
    fill(app, 30)
    drop(app, range(6))
    app.bench.imported("app", "delta")
    drop(app, range(6, 12))
    assert app.bench.run_import("app", "delta").state == "held"
    [hold] = operations.guard_list(app.host)
    assert hold.count == 6
    assert "6 more" in hold.message
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    done = scheduling.execute_next(app.host)
    assert done is not None
    assert done.state == "done"
    drop(app, range(12, 16))
    assert app.bench.imported("app", "delta").removed == 4, "what an operator has let through counts no more"


def test_a_full_import_that_removes_nothing_is_done_whatever_was_deleted_lately(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(10))
    app.bench.imported("app", "delta")
    app.bench.imported("app")
    assert operations.guard_list(app.host) == []


def test_a_hold_is_over_when_what_was_missing_is_back(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    held = app.bench.run_import("app")
    app.put(*[f"u{number:03}" for number in range(15)])
    done = app.bench.imported("app")
    assert operations.guard_list(app.host) == [], "nothing is held back any more"
    ended = operations.run_show(app.host, held.id)
    assert (ended.state, done.id in ended.message) == ("cancelled", True)


def test_a_later_run_takes_the_place_of_one_that_is_held(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    first = app.bench.run_import("app")
    second = app.bench.run_import("app")
    assert second.state == "held"
    [hold] = operations.guard_list(app.host)
    assert hold.run == second.id
    assert operations.run_show(app.host, first.id).state == "cancelled", "nobody could release or cancel it"
    operations.run_release(app.host, second.id, actor="operator")
    assert [run.state for run in app.host.store.runs.list(connector="app")][:2] == ["queued", "cancelled"]


def test_a_run_that_waits_already_takes_the_place_of_the_one_released(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    held = app.bench.run_import("app")
    [waiting] = scheduling.request_import(app.host, "app", requested_by="timer")
    operations.run_release(app.host, held.id, actor="operator")
    done = scheduling.execute_next(app.host)
    assert done is not None
    assert (done.id, done.state, done.removed) == (waiting.id, "done", 15)
    assert scheduling.execute_next(app.host) is None
    assert operations.run_show(app.host, held.id).state == "cancelled"


def test_a_release_is_cancelled_while_its_run_reads(
    app: MemoryHost, between: Callable[[Callable[[int], None]], None]
) -> None:
    """The run learns of it and stops; as long as it works no other run of the scope begins."""
    fill(app, 20)
    drop(app, range(15))
    app.bench.run_import("app")
    [hold] = operations.guard_list(app.host)
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    states = []

    def cancel(_page: int) -> None:
        operations.guard_cancel(app.host, hold.id, actor="operator")
        states.append(operations.run_show(app.host, str(hold.run)).state)

    between(cancel)
    ended = scheduling.execute_next(app.host)
    assert ended is not None
    assert (states, ended.state) == (["running"], "cancelled")
    assert operations.guard_list(app.host) == [], "what an operator has cancelled is not held anew by the same run"
    assert len(app.listed()) == 20


def test_a_removed_connector_leaves_no_release_to_the_next_one_of_its_name(app: MemoryHost) -> None:
    fill(app, 20)
    drop(app, range(15))
    held = app.bench.run_import("app")
    [hold] = operations.guard_list(app.host)
    operations.guard_release(app.host, hold.id, hours=24, actor="operator")
    operations.connector_forget(app.host, "app", actor="operator")
    assert operations.guard_list(app.host) == []
    assert operations.run_show(app.host, held.id).state == "cancelled"


@pytest.mark.parametrize("how", ["read", "write", "delete"])
def test_requests_that_find_too_many_gone_forget_no_more_of_them(app: MemoryHost, how: str) -> None:
    """A view that lost its rows looks like an empty company to them too, and who is forgotten gets another id."""
    app.reconfigure(extra='live_read = "all"' if how == "read" else "", guard="provider_objects = 100")
    ids = fill(app, 60)
    drop(app, range(60))

    def ask(ident: str) -> Answer:
        match how:
            case "read":
                return app.client.get(f"/Users/{ident}")
            case "write":
                return app.client.patch(ident, {"op": "replace", "path": "title", "value": "x"})
            case _:
                return app.client.delete(ident)

    answers = [ask(ident) for ident in ids]
    assert [answer.status for answer in answers] == [404] * 12 + [503] * 48
    assert "isthmus run start app" in answers[-1].refused(503)
    assert app.bench.unfinished() == []
    assert app.bench.run_import("app").state == "held"
    app.put(*[f"u{number:03}" for number in range(60)])
    app.reconfigure()
    app.bench.imported("app")
    assert {user["id"] for user in app.client.get("/Users?count=1000").resources} >= set(ids[12:])


def test_repair_that_finds_too_many_gone_forgets_no_more_of_them(serve: Serve) -> None:
    """A database that comes back empty after an outage is still being restored."""
    app = serve(guard="import_objects = 2\nimport_share = 0.0")
    ids = fill(app, 6)
    for ident in ids[:5]:
        app.target.weather.lose_answers = 1
        app.client.patch(ident, {"op": "replace", "path": "title", "value": "x"}).refused(503)
    drop(app, range(6))
    for _ in range(2):
        app.host.repair()
    assert len(app.listed()) == 4
    assert len(app.bench.unfinished()) == 3
    app.put(*[f"u{number:03}" for number in range(6)], costCentre=("x",))
    until(lambda: app.host.repair() == 0 and not app.bench.unfinished())
    app.bench.imported("app")
    assert {user["id"] for user in app.client.get("/Users").resources} >= set(ids[2:])


def test_limits_are_settings(serve: Serve) -> None:
    app = serve(guard="import_objects = 1\nimport_share = 0.0")
    fill(app, 20)
    drop(app, range(2))
    assert app.bench.run_import("app").state == "held"


# -- the identity provider


def test_disables_beyond_the_limit_are_held_back(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    for ident in ids[:3]:
        assert app.client.patch(ident, DISABLE).status == 200
    updates = app.asked["update"]
    answer = app.client.patch(ids[3], DISABLE)
    detail = answer.refused(503)
    assert int(answer.headers["Retry-After"]) >= 60
    assert app.asked["update"] == updates, "nothing is sent to the target"
    assert app.client.user(ids[3])["active"] is True
    [hold] = operations.guard_list(app.host)
    assert (hold.kind, hold.connector) == ("disable", "app")
    assert hold.id in detail
    assert app.client.put(ids[4], {"userName": "u004", "active": False}).status == 503, "a PUT disables as well"
    assert len(operations.guard_list(app.host)) == 1
    held = [record for record in app.bench.audit() if record.status == 503]
    assert held, "the audit has it"
    assert "guard" in held[0].message


def test_counting_is_by_object_and_other_changes_pass(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    for ident in ids[:3]:
        assert app.client.patch(ident, DISABLE).status == 200
    assert app.client.patch(ids[3], DISABLE).status == 503
    assert app.client.patch(ids[3], {"op": "replace", "path": "title", "value": "x"}).status == 200
    assert app.client.patch(ids[0], ENABLE).status == 200
    assert app.client.patch(ids[0], DISABLE).status == 200, "counted already"
    assert app.client.patch(ids[0], DISABLE).status == 200, "disabled already"
    assert app.client.delete(ids[5]).status == 204, "deletes are counted by themselves"


def test_deletes_beyond_the_limit_are_held_back_until_released(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    for ident in ids[:3]:
        assert app.client.delete(ident).status == 204
    app.client.delete(ids[3]).refused(503)
    assert "u003" in app.logins()
    [hold] = operations.guard_list(app.host)
    operations.guard_release(app.host, hold.id, hours=1, actor="operator")
    for ident in ids[3:6]:
        assert app.client.delete(ident).status == 204
    [record] = [record for record in app.bench.audit() if record.operation == "release guard"]
    assert record.actor == "operator"


def test_a_cancelled_hold_stays_a_limit(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    for ident in ids[:3]:
        app.client.delete(ident)
    app.client.delete(ids[3]).refused(503)
    [hold] = operations.guard_list(app.host)
    operations.guard_cancel(app.host, hold.id, actor="operator")
    app.client.delete(ids[3]).refused(503)


def test_objects_created_in_the_window_do_not_count(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    mine = [app.client.created(f"new-{number}") for number in range(6)]
    for ident in mine[:3]:
        assert app.client.delete(ident).status == 204
    for ident in ids[:3]:
        assert app.client.delete(ident).status == 204
    app.client.delete(ids[3]).refused(503)
    for ident in mine[3:]:
        assert app.client.delete(ident).status == 204, "also once the limit is reached"


def test_counters_survive_a_restart(serve: Serve) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 10)
    for ident in ids[:3]:
        app.client.delete(ident)
    app.bench.reopen()
    app.client.delete(ids[3]).refused(503)


def test_a_share_of_the_type(serve: Serve) -> None:
    app = serve(guard="provider_objects = 1\nprovider_share = 0.5")
    ids = fill(app, 10)
    statuses = [app.client.patch(ident, DISABLE).status for ident in ids]
    assert statuses == [200] * 5 + [503] * 5


def test_emptied_groups(serve: Serve) -> None:
    app = serve(guard="provider_objects = 2\nprovider_share = 0.0")
    user = app.client.created("anna")
    for number in range(5):
        app.target.put("group", {"name": (f"g{number}",)})
    app.bench.imported("app")
    groups = [group["id"] for group in app.client.get("/Groups").resources]
    empty = {"op": "remove", "path": "members"}
    for group in groups:
        assert app.client.patch(group, empty, path="/Groups").status == 204, "they were empty before"
    add = {"op": "add", "path": "members", "value": [{"value": user}]}
    for group in groups:
        assert app.client.patch(group, add, path="/Groups").status == 204
    remove = {"op": "remove", "path": f'members[value eq "{user}"]'}
    assert app.client.patch(groups[4], remove, path="/Groups").status == 204
    replace = {"op": "replace", "path": "members", "value": []}
    assert app.client.patch(groups[0], empty, path="/Groups").status == 204
    assert app.client.patch(groups[1], replace, path="/Groups").status == 204
    app.client.patch(groups[2], empty, path="/Groups").refused(503)
    assert len(app.client.get(f"/Groups/{groups[2]}").json["members"]) == 1
    put = app.client("PUT", f"/Groups/{groups[3]}", {"displayName": "g3", "members": []})
    assert put.status == 503, "a PUT empties as well"


def test_disable_under_the_attribute_s_own_name_counts(serve: Serve) -> None:
    app = serve(guard="provider_objects = 1\nprovider_share = 0.0")
    ids = fill(app, 4)
    own = {"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User:active", "value": False}
    assert app.client.patch(ids[0], own).status == 200
    app.client.patch(ids[1], own).refused(503)


def test_a_disable_flow_that_deletes_counts_as_delete(serve: Serve) -> None:
    app = serve(disable='{ action = "delete" }', guard="provider_objects = 1\nprovider_share = 0.0")
    ids = fill(app, 4)
    assert app.client.patch(ids[0], DISABLE).status == 204
    app.client.patch(ids[1], DISABLE).refused(503)
    assert app.logins() == ["u001", "u002", "u003"]


@pytest.mark.parametrize("kind", ["delete", "disable"])
def test_many_at_once_do_not_slip_through(serve: Serve, kind: str) -> None:
    app = serve(guard=TIGHT)
    ids = fill(app, 12)

    def one(ident: str) -> int:
        answer = app.client.delete(ident) if kind == "delete" else app.client.patch(ident, DISABLE)
        return answer.status

    statuses = at_once(*[lambda ident=ident: one(ident) for ident in ids])
    assert sorted(statuses) == [204 if kind == "delete" else 200] * 3 + [503] * 9
    assert app.asked["delete"] + app.asked["update"] == 3
    assert app.bench.unfinished() == []
