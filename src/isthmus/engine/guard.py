"""Hold back a mass change until an operator has looked at it."""

from __future__ import annotations

import time

import structlog

from isthmus.config.documents import GuardSettings
from isthmus.engine.answers import unavailable
from isthmus.engine.auditing import Trail
from isthmus.store import Store
from isthmus.store.records import Entry, Hold, Space

log = structlog.get_logger("isthmus.guard")


def import_limit(settings: GuardSettings, present: int) -> int:
    """Return how many objects one run may remove from a type that has `present` objects."""
    return max(settings.import_objects, int(present * settings.import_share))


def hold_removal(
    store: Store, settings: GuardSettings, space: Space, *, run: str, present: int, read: int, missing: int
) -> Hold | None:
    """Return the hold if a run that read `read` objects may not remove `missing` of the `present` ones; None if it may.

    A run that read nothing is always held while the space is not empty. A released hold is for one run, whether that
    needs it or not, and for about as many objects as it was shown to hold: what else vanished since then, perhaps
    everything, nobody has looked at.
    """
    limit = import_limit(settings, present)
    nothing_read = read == 0 and present > 0
    release = store.guard.active_release(space.connector, space.object_type, "removal", time.time())
    if release is not None:
        store.guard.over(release.id)
    if missing <= limit and not nothing_read:
        return None
    if release is not None and missing <= release.count + limit:
        return None
    reason = "the target returned no object at all" if nothing_read else f"more than {limit} would be removed"
    hold = store.guard.hold(
        connector=space.connector,
        object_type=space.object_type,
        kind="removal",
        run=run,
        count=missing,
        limit=limit,
        message=f"{missing} of {present} objects are missing in the target; {reason}",
    )
    log.error(
        "guard_holds_import", connector=space.connector, object_type=space.object_type, missing=missing, hold=hold.id
    )
    return hold


def provider_limit(settings: GuardSettings, present: int) -> int:
    """Return how many disables, or deletes, the identity provider may send within the window."""
    return max(settings.provider_objects, int(present * settings.provider_share))


def under_way(store: Store, space: Space, kind: str, entry: Entry) -> set[str]:
    """Return the objects with a change of this kind that was begun before this entry and has not ended."""
    found: set[str] = set()
    for other in store.journal.unfinished(space.connector):
        if other.id == entry.id:
            break
        counted = other.intent.get("guard")
        if other.space == space.number and counted and counted[0] == kind:
            found.add(counted[1])
    return found


def check_provider(
    store: Store,
    settings: GuardSettings,
    space: Space,
    kind: str,
    object_id: str,
    *,
    trail: Trail,
    entry: Entry | None = None,
) -> None:
    """Let one more disable, delete or emptied group from the identity provider through, or refuse it.

    What does not raise the count passes: an object that was counted already, or was created in the same window. Asked
    twice: before anything is written down, and with the open `entry`, when requests that came together have an order.

    Raises:
        ScimError: 503 with Retry-After; nothing was sent to the target. An operator releases it with
            `isthmus guard release`.
    """
    now = time.time()
    limit = provider_limit(settings, store.space.count(space))
    since = now - settings.provider_hours * 3600

    def counted(also: str | None = None) -> int:
        return store.guard.count(space.connector, space.object_type, kind, since, also=also)

    # The entries first: one that ends in between is counted as an event; the other way round it would be missed.
    others = set() if entry is None else under_way(store, space, kind, entry) - {object_id}
    count = before = counted()
    if count + len(others) < limit:
        return
    count += sum(counted(other) > before for other in others)
    if count < limit or counted(object_id) == before:
        return
    if store.guard.active_release(space.connector, space.object_type, kind, now) is not None:
        return
    hold = store.guard.hold(
        connector=space.connector,
        object_type=space.object_type,
        kind=kind,
        run=None,
        count=count + 1,
        limit=limit,
        message=f"{count} {kind} requests within {settings.provider_hours:g} hours; the guard allows {limit}",
    )
    log.error("guard_holds_request", connector=space.connector, object_type=space.object_type, kind=kind, hold=hold.id)
    error = unavailable(
        f"the guard holds back this {kind}: {limit} within {settings.provider_hours:g} hours are allowed; "
        f"an operator can let it through with 'isthmus guard release {hold.id}'",
        settings.retry_after_seconds,
    )
    if entry is None:
        store.audit.write(trail.record("held", error.status, error.detail))
    raise error
