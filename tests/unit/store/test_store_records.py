"""Guard, audit, tokens and settings."""

from __future__ import annotations

import time
from dataclasses import replace

from isthmus.store import AuditRecord, EntryState, Space, Store, Token
from unit.store.store_objects import NOW, a_write, open_entry


def _write(store: Store, space: Space, operation: str, name: str, kind: str | None = None) -> str:
    entry = open_entry(store, space, f"object:{name}", operation=operation)
    write = a_write(name, version=len(store.journal.all(limit=10_000)))
    guard = None if kind is None else (kind, store.space.ids(space, [(name,)])[name,])
    applied = store.journal.close(entry.id, EntryState.DONE, write=write, guard=guard, now=NOW)
    assert applied is not None
    return applied.id


def test_the_guard_counts_objects_not_created_meanwhile(store: Store, people: Space) -> None:
    store.space.apply(people, [a_write(f"old{n}") for n in range(3)], noted=None, now=NOW)
    for n in range(3):
        _write(store, people, "update", f"old{n}", "disable")
    _write(store, people, "update", "old0", "disable")
    _write(store, people, "create", "new")
    _write(store, people, "update", "new", "disable")
    _write(store, people, "update", "new", "delete")
    assert store.guard.count("hr", "Person", "disable", 0) == 3
    assert store.guard.count("hr", "Person", "delete", 0) == 0
    assert store.guard.count("hr", "Person", "disable", time.time() + 60) == 0
    assert store.guard.count("hr", "Group", "disable", 0) == 0
    assert store.guard.count("crm", "Person", "disable", 0) == 0
    with Store.open(store.path.parent) as other:
        assert other.guard.count("hr", "Person", "disable", 0) == 3
    assert store.guard.prune(time.time() + 60) == 7
    assert store.guard.count("hr", "Person", "disable", 0) == 0


def test_a_hold_stands_until_it_is_decided(store: Store) -> None:
    about = {"connector": "hr", "object_type": "Person", "kind": "delete"}
    hold = store.guard.hold(**about, count=21, limit=20, message="too many")  # type: ignore[arg-type]
    assert (hold.state, hold.count, hold.limit, hold.message) == ("held", 21, 20, "too many")
    again = store.guard.hold(**about, count=22, limit=20, message="more")  # type: ignore[arg-type]
    assert (again.id, again.count) == (hold.id, 22)
    assert store.guard.holds() == store.guard.holds("hr") == [again]
    assert store.guard.holds("crm") == []
    now = time.time()
    assert store.guard.active_release("hr", "Person", "delete", now) is None
    assert store.guard.release(hold.id, now + 60, "ops")
    released = store.guard.active_release("hr", "Person", "delete", now)
    assert released is not None
    assert released.id == hold.id
    assert store.guard.active_release("hr", "Person", "delete", now + 61) is None
    assert store.guard.active_release("hr", "Person", "disable", now) is None
    assert store.guard.over(hold.id)
    assert store.guard.active_release("hr", "Person", "delete", now) is None
    assert not store.guard.release(hold.id, None, "ops"), "it is over"
    assert store.guard.holds() == []
    assert [one.state for one in store.guard.holds(active=False)] == ["over"]
    other = store.guard.hold(**about, run="r1", count=5, limit=4, message="x")  # type: ignore[arg-type]
    assert other.id != hold.id
    assert store.guard.cancel(other.id, "ops")
    found = store.guard.get(other.id)
    assert found is not None
    assert (found.state, found.run) == ("cancelled", "r1")
    assert store.guard.get("none") is None


def _record(n: int, **more: object) -> AuditRecord:
    record = AuditRecord(
        at=float(n), connector="hr", actor="token", address="127.0.0.1", operation="update", object_type="Person",
        object_id=f"id{n}", name=f"Jo.{n}", outcome="done", status=200, duration=0.5, correlation=f"c{n}",
        message="m", sent=("UPDATE",), old={"title": ["a"]}, new={"title": ["b"], "x": None},
    )  # fmt: skip
    return replace(record, **more)  # type: ignore[arg-type]


def test_the_audit_log_is_queried_by_everything(store: Store) -> None:
    records = [_record(n) for n in range(10)]
    records.append(_record(10, connector="crm", actor="ops", operation="delete", outcome="failed", name="Straße"))
    for record in records:
        store.audit.write(record)

    def found(**how: object) -> list[float]:
        return [record.at for _, record in store.audit.query(**how)]  # type: ignore[arg-type]

    assert [record for _, record in store.audit.query()] == records[::-1]
    assert found(limit=3) == [10, 9, 8]
    assert found(connector="crm") == found(actor="ops") == found(operation="delete") == found(outcome="failed") == [10]
    assert found(object_id="id3") == found(correlation="c3") == found(name="JO.3") == [3]
    assert found(name="jo.") == list(range(9, -1, -1))
    assert found(name="STRASSE") == found(name="stras") == [10]
    assert found(name="o.3") == found(name="%") == found(name="jo_3") == []
    assert found(since=3, until=5) == [4, 3]
    assert found(name="jo", since=8, connector="hr") == [9, 8]
    last = store.audit.query(limit=3)[-1][0]
    assert found(limit=2, before=last) == [7, 6]


def test_values_go_before_records(store: Store) -> None:
    for n in range(10):
        store.audit.write(_record(n))
    assert store.audit.prune(records_before=2, values_before=6, slice=3) == 5
    assert store.audit.prune(records_before=2, values_before=6, slice=3) == 1
    assert store.audit.prune(records_before=2, values_before=6, slice=3) == 0
    left = [record for _, record in store.audit.query()][::-1]
    assert [record.at for record in left] == list(range(2, 10))
    assert all((record.sent, record.old, record.new) == ((), {}, {}) for record in left[:4])
    assert left[0].name == "Jo.2"
    assert left[4:] == [_record(n) for n in range(6, 10)]


def test_tokens(store: Store) -> None:
    token = Token(
        id="t1", connector="hr", name="entra", scope="write", hash="sha256:ab", created=1.0, expires=None, revoked=None,
        last_used=None,
    )  # fmt: skip
    other = replace(token, id="t2", connector="crm", created=2.0, expires=9.0, hash="sha256:cd")
    store.tokens.add(token)
    store.tokens.add(other)
    assert store.tokens.list() == [token, other]
    assert store.tokens.list("crm") == [other]
    with Store.open(store.path.parent) as second:
        assert second.tokens.revoke("t1", 5.0)
    assert not store.tokens.revoke("t1", 6.0)
    found = store.tokens.get("t1")
    assert found is not None
    assert found.revoked == 5.0
    assert store.tokens.get("none") is None


def test_the_use_of_a_token_is_written_once_a_minute(store: Store) -> None:
    token = Token(
        id="t", connector="hr", name="n", scope="read", hash="h", created=1.0, expires=None, revoked=None,
        last_used=None,
    )  # fmt: skip
    store.tokens.add(token)

    def used(at: float) -> float | None:
        store.tokens.touch("t", at)
        found = store.tokens.get("t")
        assert found is not None
        return found.last_used

    assert [used(at) for at in (100.0, 130.0, 159.0, 160.0, 150.0)] == [100.0, 100.0, 100.0, 160.0, 160.0]
    store.tokens.touch("none", 5.0)


def test_settings(store: Store) -> None:
    assert store.settings.get("a") is None
    store.settings.set("a", "1")
    store.settings.set("a", "2")
    store.settings.set("a%", "3")
    store.settings.set("b", "4")
    assert store.settings.get("a") == "2"
    assert store.settings.list("a") == {"a": "2", "a%": "3"}
    assert store.settings.list("a%") == {"a%": "3"}
    store.settings.remove("a")
    assert store.settings.get("a") is None
