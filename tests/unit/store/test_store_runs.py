from __future__ import annotations

import time

import pytest

from isthmus.store import Store


def test_a_run_is_queued_once_per_scope(store: Store) -> None:
    first = store.runs.request("hr", "delta", "all", "timer")
    assert store.runs.request("hr", "delta", "all", "cli").id == first.id
    assert store.runs.request("hr", "delta", "other", "cli").id != first.id
    upgraded = store.runs.request("hr", "full", "all", "cli")
    assert (upgraded.id, upgraded.kind, upgraded.requested_by) == (first.id, "full", "cli")
    assert store.runs.request("hr", "delta", "all", "timer").kind == "full"


def test_the_oldest_run_whose_scope_is_free_is_claimed(store: Store) -> None:
    first = store.runs.request("hr", "full", "all", "cli")
    claimed = store.runs.claim()
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.owner) == (first.id, "running", store.owner)
    assert claimed.started is not None
    again = store.runs.request("hr", "full", "all", "cli")
    assert again.id != first.id
    other = store.runs.request("crm", "full", "all", "cli")
    second = store.runs.claim("somebody")
    assert second is not None
    assert (second.id, second.owner) == (other.id, "somebody"), "the older one waits for its scope"
    assert store.runs.claim() is None
    assert store.runs.claim(id=again.id) is None
    store.runs.finish(first.id, "done", "fine", objects=5, changed=2, removed=1)
    ended = store.runs.get(first.id)
    assert ended is not None
    assert (ended.state, ended.message, ended.objects, ended.changed, ended.removed) == ("done", "fine", 5, 2, 1)
    third = store.runs.claim(id=again.id)
    assert third is not None
    assert third.id == again.id
    store.runs.finish(first.id, "failed", "too late")
    assert store.runs.get(first.id) == ended


def test_progress_tells_of_a_cancel(store: Store) -> None:
    run = store.runs.request("hr", "full", "all", "cli")
    assert store.runs.claim() is not None
    assert store.runs.progress(run.id, objects=10, changed=1, removed=0, expected=100) is False
    store.runs.cancel(run.id)
    assert store.runs.progress(run.id, objects=20, changed=2, removed=0) is True
    found = store.runs.get(run.id)
    assert found is not None
    assert (found.objects, found.expected, found.cancel_requested, found.state) == (20, 100, True, "running")
    assert store.runs.progress("none", objects=0, changed=0, removed=0) is False


def test_a_queued_run_is_cancelled_at_once(store: Store) -> None:
    run = store.runs.request("hr", "full", "all", "cli")
    store.runs.cancel(run.id)
    found = store.runs.get(run.id)
    assert found is not None
    assert found.state == "cancelled"
    assert store.runs.claim() is None


def test_a_held_run_is_released_once(store: Store) -> None:
    run = store.runs.request("hr", "full", "all", "cli")
    assert store.runs.release(run.id) is None
    store.runs.claim()
    store.runs.finish(run.id, "held", "the guard")
    released = store.runs.release(run.id)
    assert released is not None
    assert (released.id, released.state, released.ended) == (run.id, "queued", None)
    assert store.runs.release(run.id) is None
    claimed = store.runs.claim()
    assert claimed is not None
    store.runs.finish(run.id, "held", "the guard")
    waiting = store.runs.request("hr", "full", "all", "cli")
    assert store.runs.release(run.id) == waiting, "another one waits already"


def test_runs_of_ended_processes_fail(store: Store) -> None:
    dying = Store.open(store.path.parent)
    lost = dying.runs.request("hr", "full", "all", "cli")
    dying.runs.claim()
    kept = store.runs.request("crm", "full", "all", "cli")
    store.runs.claim()
    assert store.runs.fail_dead() == []
    dying.close()
    assert [(run.id, run.state, run.message) for run in store.runs.fail_dead()] == [
        (lost.id, "failed", "the process ended")
    ]
    assert store.runs.fail_dead() == []
    assert [run.id for run in store.runs.list()] == [kept.id, lost.id]
    assert [run.id for run in store.runs.list(connector="hr")] == [lost.id]
    store._writer.run(lambda c: c.execute("UPDATE runs SET ended = 5 WHERE ended IS NOT NULL").rowcount)
    assert store.runs.prune(6) == 1


def test_a_run_that_the_guard_holds_is_not_forgotten(store: Store) -> None:
    before, run = (store.runs.request("hr", "full", scope, "cli") for scope in ("all", "other"))
    for each in (before, run):
        store.runs.finish(each.id, "held", "the guard")
        hold = store.guard.hold(
            connector="hr", object_type="p", kind="removal", run=each.id, count=9, limit=1, message="many"
        )
    assert store.runs.prune(time.time() + 60) == 1, "the hold is of the later one"
    assert [each.id for each in store.runs.list()] == [run.id]
    store.guard.cancel(hold.id, "operator")
    assert store.runs.prune(time.time() + 60) == 1


def test_a_run_waits_until_its_scope_is_free(store: Store) -> None:
    assert not store.runs.waits()
    first = store.runs.request("hr", "full", "all", "cli")
    assert store.runs.waits()
    store.runs.claim()
    store.runs.request("hr", "delta", "all", "timer")
    for number in range(60):  # however many came after
        store.runs.finish(store.runs.request("crm", "full", f"{number}", "timer").id, "done")
    assert not store.runs.waits(), "its scope is busy"
    store.runs.finish(first.id, "done")
    assert store.runs.waits()


def test_a_claimed_run_is_handed_to_the_process_that_works(store: Store) -> None:
    run = store.runs.request("hr", "full", "all", "cli")
    store.runs.claim("supervisor")
    assert store.runs.hand_over(run.id, "supervisor")
    assert not store.runs.hand_over(run.id, "supervisor")
    found = store.runs.get(run.id)
    assert found is not None
    assert found.owner == store.owner


def test_each_due_connector_is_given_to_one(store: Store) -> None:
    store.schedules.set("hr", 60, now=1000)
    store.schedules.set("crm", 600, now=1000)
    assert store.schedules.due(1059) == []
    with Store.open(store.path.parent) as other:
        assert other.schedules.due(1060) == ["hr"]
        assert store.schedules.due(1060) == []
        assert store.schedules.next("hr") == 1120
    assert store.schedules.due(99_999) == ["crm", "hr"]
    assert store.schedules.next("hr") == 99_999 + 60, "missed runs are not made up for"
    store.schedules.remove("hr")
    assert store.schedules.next("hr") is None


def test_a_connector_is_due_at_once_where_the_clock_was_set_back(store: Store) -> None:
    store.schedules.set("hr", 600, now=50_000)
    assert not store.schedules.waits(49_999), "two processes read the clock one after the other"
    assert store.schedules.waits(14_000), "else nothing would be imported for ten hours"
    assert store.schedules.due(14_000) == ["hr"]
    assert store.schedules.next("hr") == 14_600
    assert store.schedules.due(14_599) == []
    assert store.schedules.due(14_600) == ["hr"]


def test_setting_the_same_interval_again_puts_nothing_off(store: Store) -> None:
    store.schedules.set("hr", 600, now=1000)
    store.schedules.set("hr", 600, now=1500)
    assert store.schedules.next("hr") == 1600
    store.schedules.set("hr", 60, now=1500)
    assert store.schedules.next("hr") == 1560
    store.schedules.set("hr", 600, now=1500)
    assert store.schedules.next("hr") == 1560
    store.schedules.set("hr", 600, now=10)
    assert store.schedules.next("hr") == 610, "the clock was set back"
    with pytest.raises(Exception, match="CHECK"):
        store.schedules.set("hr", 0, now=10)
