"""Open journal entries: wait for whoever holds the same object or values, and repair what a dead process left."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from isthmus.engine.answers import unavailable
from isthmus.engine.caller import Caller
from isthmus.engine.target import Target
from isthmus.scim.errors import ScimError
from isthmus.store import Blocked
from isthmus.store.records import Entry, EntryState, Space, StoredObject

FIRST_WAIT = 0.002
LONGEST_WAIT = 0.05


class Repairer(Protocol):
    def is_orphan(self, entry: Entry) -> bool:
        """Tell whether nobody is working on the entry any more."""
        ...

    def abandon(self, entry: Entry, reason: str) -> None:
        """Take note that the thread which opened the entry stops without knowing the outcome."""
        ...

    def repair(self, entry: Entry, *, timeout: float) -> bool:
        """Find out what became of an entry that nobody is working on; True if it is no longer open."""
        ...


class Entries:
    """The journal of one connector as its writers use it."""

    def __init__(self, target: Target, repairer: Repairer) -> None:
        self._target = target
        self._repairer = repairer

    def open(
        self,
        space: Space,
        *,
        operation: str,
        object_id: str | None,
        anchor: tuple[str, ...] | None,
        intent: Mapping[str, Any],
        locks: Sequence[str],
        caller: Caller,
        absent: Sequence[tuple[str, str]] = (),
        unchanged: StoredObject | None = None,
        sends: bool = True,
    ) -> Entry | None:
        """Return the open entry, once every lock is free; it is durable when this returns.

        With `sends` this thread was then also let in at the target: before anything is written, so that a target which
        hangs costs no entry, and not while another request holds a lock. `holding` ends it.

        None: an object of the space has one of the keys in `absent`, or `unchanged` is not as it was. Both were
        looked at in the same transaction.

        Raises:
            ScimError: 503: the locks were not free before the deadline, their holder is in doubt or cannot be repaired
                now, or too many requests wait already.
        """
        target = self._target
        wait = FIRST_WAIT
        tried = ""
        with ExitStack() as waiting:
            while True:
                if sends:
                    target.enter()
                outcome: Entry | Blocked | None = None
                try:
                    outcome = target.store.journal.open(
                        space=space,
                        operation=operation,
                        object_id=object_id,
                        anchor=anchor,
                        session=target.sessions.current(),
                        correlation=caller.correlation,
                        intent=intent,
                        locks=locks,
                        absent=absent,
                        unchanged=unchanged,
                    )
                finally:
                    if not isinstance(outcome, Entry):
                        target.leave()  # whoever holds the lock needs it more
                if isinstance(outcome, Entry):
                    return outcome
                holder = outcome.entry
                if holder is None:
                    return None
                if holder.state is EntryState.IN_DOUBT:
                    raise unavailable(
                        f"an earlier {holder.operation} of this object is in doubt; an operator settles it with "
                        f"'isthmus journal resolve {holder.id}'",
                        300,
                    )
                if caller.remaining() <= wait:
                    raise unavailable("another change of the same object is still under way", 5)
                orphan = self._repairer.is_orphan(holder)
                if orphan and tried == holder.id:
                    raise unavailable(
                        f"what became of an earlier {holder.operation} of this object cannot be found out now"
                    )
                if not tried and wait == FIRST_WAIT:
                    waiting.enter_context(target.waiting_for_lock())
                if orphan:
                    tried = holder.id
                    self._repairer.repair(holder, timeout=caller.remaining())
                    continue
                time.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)

    def holding(self, entry: Entry) -> _Holding:
        """Return a context that leaves the target at its end, if the call has not.

        It does not leave the entry to a thread that has failed in a way nobody foresaw: the entry is to be repaired.
        """
        return _Holding(self._target, self._repairer, entry)


class _Holding:
    """The context of `Entries.holding`."""

    __slots__ = ("_entry", "_repairer", "_target")

    def __init__(self, target: Target, repairer: Repairer, entry: Entry) -> None:
        self._target = target
        self._repairer = repairer
        self._entry = entry

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        try:
            if error is not None and not isinstance(error, ScimError):  # whoever raised that has seen to the entry
                self._repairer.abandon(self._entry, f"the request ended with {type(error).__name__}")
        finally:
            self._target.leave()
