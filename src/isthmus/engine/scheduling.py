"""Timers that live in the store: whoever is alive makes what is due happen, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import structlog

from isthmus.engine.host import Host
from isthmus.engine.importing import Import, Report, scopes_of
from isthmus.spi import ConnectorError
from isthmus.store.records import Run

log = structlog.get_logger("isthmus.schedule")

HOUSEKEEPING_SECONDS = 60.0
"""How long one round of housekeeping goes on at most: others write in between, and the next one goes on."""
DAY = 86_400.0
JOURNAL_DAYS = 7
RUN_DAYS = 90
GUARD_DAYS = 7
"""Days that events are kept at least for which the guard's window is shorter, lest making it longer loses them."""


def request_import(host: Host, name: str, *, kind: str = "full", requested_by: str) -> list[Run]:
    """Queue an import of every scope of a connector; a scope that is queued already is not queued twice."""
    target = host.target(name)
    return [host.store.runs.request(target.key, kind, scope, requested_by) for scope in scopes_of(target)]


def start(host: Host, names: Iterable[str]) -> None:
    """Put connectors on their timers and queue a first import of each, so that a restart refreshes behind the answers.

    First all timers: a target that hangs when it is opened, or a store that is busy, must not leave others without.
    """
    present = [name for name in names if host.has(name)]
    for name in present:
        schedule(host, name)
    for name in present:
        if not host.target(name).document.paused:
            _request(host, name, "start")


def schedule(host: Host, name: str) -> None:
    """Make the connector's timer what its document says."""
    document = host.target(name).document
    if document.autosync_minutes > 0 and not document.paused:
        host.store.schedules.set(name.casefold(), document.autosync_minutes * 60)
    else:
        host.store.schedules.remove(name.casefold())


def tick(host: Host) -> None:
    """Queue what is due, and fail what died."""
    for run in host.store.runs.fail_dead():
        log.error("import_died", connector=run.connector, run=run.id)
    for key in host.store.schedules.due(time.time()):
        if host.has(key):
            _request(host, key, "timer")


def _request(host: Host, name: str, requested_by: str) -> None:
    try:
        request_import(host, name, requested_by=requested_by)
    except ConnectorError as exc:
        host.target(name).attention.failed(exc.message)


def execute_next(host: Host, report: Report | None = None) -> Run | None:
    """Claim the oldest queued run and carry it out in this process; None if there is none."""
    run = host.store.runs.claim(host.store.owner)
    return None if run is None else execute(host, run, report)


def execute(host: Host, run: Run, report: Report | None = None) -> Run:
    """Carry out a run that this process has claimed."""
    if (reason := _unwanted(host, run.connector)) is not None:
        host.store.runs.finish(run.id, "cancelled", reason, objects=0, changed=0, removed=0)
    else:
        log.info("import_begins", connector=run.connector, run=run.id, kind=run.kind, scope=run.scope)
        work = Import(host.target(run.connector), run, report)
        state, message = work.execute()
        progress = work.progress
        host.store.runs.finish(
            run.id, state, message, objects=progress.objects, changed=progress.changed, removed=progress.removed
        )
        note = log.info if state == "done" else log.error
        note(
            "import_ended",
            connector=run.connector,
            run=run.id,
            state=state,
            objects=progress.objects,
            changed=progress.changed,
            removed=progress.removed,
            message=message,
        )
    finished = host.store.runs.get(run.id)
    assert finished is not None
    return finished


def _unwanted(host: Host, connector: str) -> str | None:
    """Return why a connector is not to be imported any more."""
    if not host.has(connector):
        return "the connector has been removed"
    target = host.target(connector)
    if target.document.paused:
        return f"the connector is paused; 'isthmus connector resume {target.name}' ends that"
    return None


def housekeeping(host: Host, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Drop all that is older than its retention, slice by slice; cheap when nothing is."""
    now, store, audit = time.time(), host.store, host.configuration.host.audit
    windows = [document.guard.provider_hours * 3600 for document in host.configuration.connectors.values()]
    records, values = now - audit.retention_days * DAY, now - audit.values_days * DAY
    left: list[Callable[[], int]] = [
        lambda: store.audit.prune(records_before=records, values_before=values),
        lambda: store.journal.prune(now - JOURNAL_DAYS * DAY),
        lambda: store.space.prune_tombstones(now - DAY),
        lambda: store.guard.prune(now - max([GUARD_DAYS * DAY, *windows])),
        lambda: store.guard.prune_holds(records),
        lambda: store.runs.prune(now - RUN_DAYS * DAY),
    ]
    until = time.monotonic() + HOUSEKEEPING_SECONDS
    while left and time.monotonic() < until and not should_stop():
        left = [prune for prune in left if prune()]
