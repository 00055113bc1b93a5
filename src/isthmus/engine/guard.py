"""Hold back a mass change until an operator has looked at it."""

from __future__ import annotations

import time

import structlog

from isthmus.config.documents import GuardSettings
from isthmus.engine.answers import Held, unavailable
from isthmus.engine.auditing import Trail
from isthmus.store import Store
from isthmus.store.records import Entry, Hold, Space

log = structlog.get_logger("isthmus.guard")


class TooManyDeleted(Held):
    """A target that tells of deletions told of more than the guard lets an import remove.

    Only a full import, which the guard then holds, may say so: it knows how many are missing in all.
    """


TOLD = "told"
"""What the store counts: an object removed because the target told a delta, a watch or a request that it is gone."""

TOLD_SECONDS = 3600.0
"""Deletions told within this time count together, as those that one full import finds do."""


def import_limit(settings: GuardSettings, present: int) -> int:
    """Return how many objects one run may remove from a type that has `present` objects."""
    return max(settings.import_objects, int(present * settings.import_share))


def told_lately(store: Store, space: Space) -> int:
    """Return how many objects were removed lately because the target told of their deletion."""
    return store.guard.count(space.connector, space.object_type, TOLD, time.time() - TOLD_SECONDS)


class Told:
    """The deletions that a target tells of, one after the other, against what the guard lets an import remove.

    Counted in the store, for a watch that begins anew and the next delta go on with them; at most once a second, for
    they may be many and come one by one.
    """

    def __init__(self, store: Store, settings: GuardSettings) -> None:
        self._store = store
        self._settings = settings
        self._lately: dict[int, tuple[float, int]] = {}

    def check(self, space: Space, gone: int) -> None:
        """Raise `TooManyDeleted` if so many more are too many."""
        at, told = self._lately.get(space.number, (float("-inf"), 0))
        if time.monotonic() - at > 1.0:
            at, told = time.monotonic(), told_lately(self._store, space)
        present = self._store.space.count(space) + told
        if gone + told > import_limit(self._settings, present):
            raise TooManyDeleted(f"{gone + told} of {present} objects of {space.object_type} were deleted lately")
        self._lately[space.number] = at, told

    def removed(self, space: Space, count: int) -> None:
        """Count objects that were removed, as events of kind `TOLD`."""
        at, told = self._lately[space.number]
        self._lately[space.number] = at, told + count


def check_gone(store: Store, settings: GuardSettings, space: Space, connector: str) -> None:
    """Let a request forget one object that the target says it does not have, or refuse to believe it.

    Raises:
        ScimError: 503. Too many were gone lately: it may be the target that has lost its rows, or the right to them.
    """
    try:
        Told(store, settings).check(space, 1)
    except TooManyDeleted as exc:
        log.error(  # noqa: TRY400 - the text says it all
            "guard_holds_request", connector=space.connector, object_type=space.object_type, kind="removal"
        )
        raise unavailable(
            f"the target does not show this object, but the guard holds back that it is gone: {exc}; an import finds "
            f"out how many are: 'isthmus run start {connector}'",
            settings.retry_after_seconds,
        ) from exc


def hold_removal(
    store: Store, settings: GuardSettings, space: Space, *, run: str, present: int, read: int, missing: int, told: int
) -> Hold | None:
    """Return the hold if a run that read `read` objects may not remove `missing` of the `present` ones; None if it may.

    A run that read nothing is always held while the space is not empty. A released hold is for one run, whether that
    needs it or not, and for about as many objects as it was shown to hold: what else vanished since then, perhaps
    everything, nobody has looked at. Those `told_lately` are not among the present and count as well, but a run that
    would remove nothing passes. A hold that stood before is this run's now, or over, and the run that it kept ends.
    """
    limit = import_limit(settings, present + told)
    nothing_read = read == 0 and present > 0
    release = store.guard.active_release(space.connector, space.object_type, "removal", time.time())
    standing = store.guard.standing(space.connector, space.object_type, "removal")
    if release is not None:
        store.guard.over(release.id)
    passes = (missing + told <= limit or missing == 0) and not nothing_read
    if passes and standing is not None:
        store.guard.over(standing.id)
        log.info("guard_hold_over", connector=space.connector, object_type=space.object_type, hold=standing.id)
    for before in (release, standing):
        if before is not None and before.run not in (None, run):
            store.runs.supersede(before.run, run)
    if passes:
        return None
    if release is not None and missing <= release.count + limit:
        store.guard.forget(space.connector, space.object_type, TOLD)
        return None
    lately = f", and {told} more were deleted within the hour before" if told else ""
    reason = "the target returned no object at all" if nothing_read else f"more than {limit} would be removed"
    hold = store.guard.hold(
        connector=space.connector,
        object_type=space.object_type,
        kind="removal",
        run=run,
        count=missing,
        limit=limit,
        message=f"{missing} of {present} objects are missing in the target{lately}; {reason}",
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
