"""What operators do with runs, journal and guard: the functions behind commands and pages."""

from __future__ import annotations

import time

import orjson

from isthmus.engine.host import Host
from isthmus.engine.target import now_text
from isthmus.store.records import AuditRecord, Entry, EntryState, Hold, Run


class NoSuch(LookupError):
    """There is no run, entry or hold with this id."""


class TooLate(Exception):
    """What an operator wants to decide has ended, was decided before, or is just being done."""


def note(
    host: Host,
    operation: str,
    *,
    actor: str,
    connector: str = "",
    object_type: str = "",
    name: str = "",
    outcome: str = "done",
    message: str = "",
) -> None:
    """Write down in the audit what an operator did."""
    host.store.audit.write(
        AuditRecord(
            at=time.time(),
            connector=_as_written(host, connector),
            actor=actor,
            address="",
            operation=operation,
            object_type=object_type,
            name=name,
            outcome=outcome,
            message=message,
        )
    )


def journal_list(host: Host, connector: str | None = None) -> list[Entry]:
    """Return the entries whose outcome is not known, oldest first."""
    return host.store.journal.unfinished(None if connector is None else connector.casefold())


def journal_show(host: Host, entry_id: str) -> Entry:
    """Return one entry."""
    entry = host.store.journal.get(entry_id)
    if entry is None:
        raise NoSuch(f"there is no journal entry {entry_id!r}; 'isthmus journal list' shows them")
    return entry


def journal_resolve(host: Host, entry_id: str, outcome: EntryState, *, actor: str) -> Entry:
    """Close an entry by an operator's word, after looking at the target: DONE or NOT_DONE.

    The space learns what the target has by the next import or look-up, so nothing is recorded but the word.

    Raises:
        NoSuch: there is none.
        TooLate: it is settled, or so young that the write may still be under way.
    """
    entry = journal_show(host, entry_id)
    if entry.state not in (EntryState.OPEN, EntryState.IN_DOUBT):
        raise TooLate(f"journal entry {entry.id} is settled already: {entry.state.value.replace('_', ' ')}")
    age = time.time() - entry.opened
    if entry.state is EntryState.OPEN and age < host.configuration.host.scim.request_timeout:
        raise TooLate(f"the write of journal entry {entry.id} began {age:.0f} s ago and may still be under way; wait")
    host.store.journal.close(
        entry.id,
        outcome,
        reason=f"resolved by {actor}",
        audit=AuditRecord(
            at=time.time(),
            connector=_connector_of(host, entry),
            actor=actor,
            address="",
            operation=f"resolve {entry.operation}",
            object_id=entry.object_id or "",
            outcome="done" if outcome is EntryState.DONE else "not done",
            correlation=entry.correlation,
            message=entry.reason,
            new=orjson.loads(orjson.dumps(dict(entry.intent))),
        ),
        now=now_text(),
    )
    return journal_show(host, entry_id)


def _connector_of(host: Host, entry: Entry) -> str:
    for space in host.store.space.all():
        if space.number == entry.space:
            return _as_written(host, space.connector)
    return ""


def _as_written(host: Host, connector: str) -> str:
    """Return the connector's name as the audit records of its requests have it."""
    endpoint = host.endpoint(connector)
    return connector if endpoint is None else endpoint.name


def run_list(host: Host, connector: str | None = None, limit: int = 20) -> list[Run]:
    """Return the watches that go on, then the latest runs, newest first."""
    key = None if connector is None else connector.casefold()
    watches = list(host.store.runs.watches(key))
    shown = {watch.id for watch in watches}
    return [*watches, *(run for run in host.store.runs.list(connector=key, limit=limit) if run.id not in shown)]


def run_show(host: Host, run_id: str) -> Run:
    """Return one run."""
    run = host.store.runs.get(run_id)
    if run is None:
        raise NoSuch(f"there is no run {run_id!r}; 'isthmus run list' shows them")
    return run


def run_cancel(host: Host, run_id: str, *, actor: str = "operator") -> Run:
    """Ask a run to stop; what it has applied so far stays. One that the guard holds is closed with its hold.

    Raises:
        NoSuch: there is none.
        TooLate: it has ended.
    """
    run = run_show(host, run_id)
    if run.state == "held":
        for hold in host.store.guard.holds(run.connector, active=True):
            if hold.run == run_id:
                guard_cancel(host, hold.id, actor=actor)
                return run_show(host, run_id)
    if run.kind == "watch" and run.ended is None:
        raise TooLate(f'run {run_id} is a watch; watch = "off" in the connector\'s file ends it')
    if run.state not in ("queued", "running"):
        raise TooLate(f"run {run_id} has ended: {run.state}")
    host.store.runs.cancel(run_id)
    note(host, "cancel run", actor=actor, connector=run.connector, message=f"run {run_id}, scope {run.scope}")
    return run_show(host, run_id)


def end_imports(host: Host, name: str) -> None:
    """Have the imports of a connector end that wait or are under way."""
    for run in host.store.runs.list(connector=name.casefold(), limit=1_000):
        if run.state in ("queued", "running"):
            host.store.runs.cancel(run.id)


def guard_list(host: Host, connector: str | None = None, *, active: bool = True) -> list[Hold]:
    """Return what the guard holds back."""
    return host.store.guard.holds(None if connector is None else connector.casefold(), active=active)


def guard_show(host: Host, hold_id: str) -> Hold:
    """Return one hold."""
    hold = host.store.guard.get(hold_id)
    if hold is None:
        raise NoSuch(f"the guard holds nothing by the id {hold_id!r}; 'isthmus guard show' lists what it holds")
    return hold


def guard_release(host: Host, hold_id: str, *, hours: float, actor: str) -> Hold:
    """Let what is held back through: for some hours, and queue the held run again.

    Raises:
        NoSuch: there is none.
        TooLate: it was cancelled, or is over.
    """
    hold = guard_show(host, hold_id)
    if not host.store.guard.release(hold_id, time.time() + hours * 3600, actor):
        raise _decided(hold)
    _audit_guard(host, hold, "release guard", actor)
    if hold.run is not None:
        host.store.runs.release(hold.run)
    return guard_show(host, hold_id)


def guard_cancel(host: Host, hold_id: str, *, actor: str) -> Hold:
    """Keep what is held back from happening; a held run is closed without removing anything.

    Raises:
        NoSuch: there is none.
        TooLate: it was cancelled before, or is over.
    """
    hold = guard_show(host, hold_id)
    if not host.store.guard.cancel(hold_id, actor):
        raise _decided(hold)
    _audit_guard(host, hold, "cancel guard", actor)
    if hold.run is not None:
        run = host.store.runs.get(hold.run)
        if run is not None and run.state == "running":
            host.store.runs.cancel(run.id)  # it ends by itself: until then it has its scope
        else:
            host.store.runs.finish(hold.run, "cancelled", f"cancelled by {actor}: nothing was removed")
    return guard_show(host, hold_id)


def run_release(host: Host, run_id: str, *, actor: str, hours: float = 1.0) -> Run:
    """Release the hold that keeps a run; the run reads the target anew."""
    run = run_show(host, run_id)
    for hold in host.store.guard.holds(None, active=True):
        if hold.run == run_id and run.state == "held":
            guard_release(host, hold.id, hours=hours, actor=actor)
            return run_show(host, run_id)
    raise NoSuch(
        f"the guard does not hold run {run_id}, which is {run.state}; 'isthmus guard show' lists what it holds"
    )


def connector_forget(host: Host, name: str, *, actor: str) -> None:
    """Forget what is known by the name of a connector that was removed: another one may be given the same name.

    First what ends at once, for emptying the space takes its time: it is closed before, and emptied further when it is
    used again.
    """
    store, target = host.store, host.target(name)
    store.schedules.remove(target.key)
    end_imports(host, name)
    for hold in store.guard.holds(target.key):
        guard_cancel(host, hold.id, actor=actor)
    target.forget()
    store.space.drop(target.key)


def _decided(hold: Hold) -> TooLate:
    return TooLate(f"the hold {hold.id} is {hold.state} already; 'isthmus guard show' lists what is held back now")


def _audit_guard(host: Host, hold: Hold, operation: str, actor: str) -> None:
    note(host, operation, actor=actor, connector=hold.connector, object_type=hold.object_type, message=hold.message)
