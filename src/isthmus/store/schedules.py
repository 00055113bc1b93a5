"""When imports are due: in the store, so that several processes start each one once."""

from __future__ import annotations

import time

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_SET = statement("schedule_set")
_WAITING = statement("schedules_waiting")
_DUE = statement("schedules_due")
_NEXT = statement("schedule_next")
_REMOVE = statement("schedule_remove")

_SKEW = 60.0  # seconds by which clocks are corrected without being set, and by which two processes read them


class Schedules:
    """One interval per connector; times are seconds since 1970."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def set(self, connector: str, interval_seconds: float, *, now: float | None = None) -> None:
        """Make a connector due every so many seconds, for the first time after one interval.

        The same interval again changes nothing, so a restart does not put the next run off; a shorter one draws it
        near. A next run further away than one interval (the clock was set back) is corrected.
        """
        at = time.time() if now is None else now
        self._writer.run(lambda c: c.execute(_SET, (connector, interval_seconds, at)).rowcount)

    def due(self, now: float) -> list[str]:
        """Return the connectors that are due and move their next run on, atomically: only one process gets each.

        Runs missed while no process ran are not made up for: the next is one interval from now. A connector whose next
        run is further away than one interval is due too: the clock was set back.
        """
        if not self.waits(now):
            return []
        return self._writer.run(lambda c: sorted(name for (name,) in c.execute(_DUE, (now, _SKEW)).fetchall()))

    def waits(self, now: float) -> bool:
        """Tell whether any connector is due, without writing."""
        with translated():
            return bool(self._readers.connection().execute(_WAITING, (now, _SKEW)).fetchone()[0])

    def next(self, connector: str) -> float | None:
        """Return when the connector is due next."""
        with translated():
            row = self._readers.connection().execute(_NEXT, (connector,)).fetchone()
        return None if row is None else row[0]

    def remove(self, connector: str) -> None:
        """Let the connector be due no more."""
        self._writer.run(lambda c: c.execute(_REMOVE, (connector,)).rowcount)
