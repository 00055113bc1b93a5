"""Imports: queued, running, ended. And watches: of each connector and scope one process has the watch."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.owners import Owner
from isthmus.store.records import Run
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_COLUMNS = (
    "id, connector, kind, scope, state, owner, requested_by, queued, started, ended, objects, changed, removed, "
    "expected, message, cancel_requested"
)
_QUEUED = statement("run_queued").format(columns=_COLUMNS)
_INSERT = statement("run_insert")
_UPGRADE = statement("run_upgrade")
_GET = statement("run_get").format(columns=_COLUMNS)
_NEXT = statement("run_next")
_CLAIM = statement("run_claim").format(columns=_COLUMNS)
_HAND_OVER = statement("run_hand_over")
_PROGRESS = statement("run_progress")
_FINISH = statement("run_finish")
_CANCEL_QUEUED = statement("run_cancel_queued")
_CANCEL_RUNNING = statement("run_cancel_running")
_RELEASE = statement("run_release")
_SUPERSEDE = statement("run_supersede")
_LIST = statement("runs_list").format(columns=_COLUMNS)
_OWNED = statement("runs_owned").format(columns=_COLUMNS)
_WATCHING = statement("runs_watching").format(columns=_COLUMNS)
_WATCH = statement("run_watch")
_WATCH_NOTE = statement("run_watch_note")
_FAIL_DEAD = statement("run_fail_dead").format(columns=_COLUMNS)
_OLDEST_NOTED = statement("runs_oldest_noted")
_PRUNE = statement("runs_prune")


class Runs:
    """Runs of all processes. Of one connector and scope at most one is queued and one is running."""

    def __init__(self, readers: Readers, writer: Writer, owner: Owner) -> None:
        self._readers = readers
        self._writer = writer
        self._owner = owner

    def request(self, connector: str, kind: str, scope: str, requested_by: str) -> Run:
        """Queue a run, or return the one that waits already (a waiting delta becomes full if a full one is wanted)."""

        def request(connection: sqlite3.Connection) -> Run:
            waiting = connection.execute(_QUEUED, (connector, scope)).fetchone()
            if waiting is None:
                run_id = uuid4().hex[:12]
                connection.execute(_INSERT, (run_id, connector, kind, scope, requested_by, time.time()))
            else:
                run_id = waiting[0]
                if kind == "full" and waiting[2] != "full":
                    connection.execute(_UPGRADE, (requested_by, run_id))
            return _run(connection.execute(_GET, (run_id,)).fetchone())

        return self._writer.run(request)

    def claim(self, owner: str | None = None, *, id: str | None = None) -> Run | None:
        """Begin the oldest queued run (or the one named) whose scope has none running; None if there is none.

        Only one process of several gets it. The store's counter is noted for `oldest_running_number`.
        """

        def claim(connection: sqlite3.Connection) -> Run | None:
            if id is None:
                found = connection.execute(_NEXT).fetchone()
                wanted = None if found is None else found[0]
            else:
                wanted = id
            if wanted is None:
                return None
            try:
                row = connection.execute(_CLAIM, (owner or self._owner.id, time.time(), wanted)).fetchone()
            except sqlite3.IntegrityError:
                return None  # the index: another run of this scope is running
            return None if row is None else _run(row)

        return self._writer.run(claim)

    def waits(self) -> bool:
        """Tell whether `claim` would find a run, without writing."""
        with translated():
            return self._readers.connection().execute(_NEXT).fetchone() is not None

    def hand_over(self, id: str, from_owner: str, to_owner: str | None = None) -> bool:
        """Make a running run another process's (None: ours), if it is still that owner's."""
        return self._writer.run(
            lambda c: c.execute(_HAND_OVER, (to_owner or self._owner.id, id, from_owner)).rowcount == 1
        )

    def progress(self, id: str, *, objects: int, changed: int, removed: int, expected: int | None = None) -> bool:
        """Note how far a run is; return whether someone asked to cancel it. At most a few times a second."""
        found = self._writer.run(lambda c: c.execute(_PROGRESS, (objects, changed, removed, expected, id)).fetchone())
        return found is not None and bool(found[0])

    def finish(
        self,
        id: str,
        state: str,
        message: str = "",
        *,
        objects: int | None = None,
        changed: int | None = None,
        removed: int | None = None,
        expected: int | None = None,
    ) -> None:
        """End a run: done, failed, cancelled or held. One that has ended, and is not held, stays as it is."""
        values = (state, message, time.time(), objects, changed, removed, expected, id)
        self._writer.run(lambda c: c.execute(_FINISH, values).rowcount)

    def cancel(self, id: str) -> None:
        """End a queued run at once; ask a running one to stop (it learns that from `progress`)."""

        def cancel(connection: sqlite3.Connection) -> None:
            connection.execute(_CANCEL_QUEUED, (time.time(), id))
            connection.execute(_CANCEL_RUNNING, (id,))

        self._writer.run(cancel)

    def release(self, id: str) -> Run | None:
        """Queue a run again that the guard held; return the run that now waits, None if it was not held."""

        def release(connection: sqlite3.Connection) -> Run | None:
            row = connection.execute(_GET, (id,)).fetchone()
            if row is None or row[4] != "held":
                return None
            waiting = connection.execute(_QUEUED, (row[1], row[3])).fetchone()
            if waiting is not None:
                return _run(waiting)
            connection.execute(_RELEASE, (time.time(), id))
            return _run(connection.execute(_GET, (id,)).fetchone())

        return self._writer.run(release)

    def supersede(self, id: str, by: str) -> None:
        """End a run that the guard holds: a later one has found out what it would."""
        self._writer.run(lambda c: c.execute(_SUPERSEDE, (f"run {by} took its place", id)).rowcount)

    def get(self, id: str) -> Run | None:
        """Return a run in any state."""
        with translated():
            row = self._readers.connection().execute(_GET, (id,)).fetchone()
        return None if row is None else _run(row)

    def list(self, *, connector: str | None = None, limit: int = 50) -> list[Run]:
        """Return runs, newest first."""
        with translated():
            return [_run(row) for row in self._readers.connection().execute(_LIST, (connector, limit))]

    def begin_watch(self, connector: str, scope: str) -> Run | None:
        """Become the process that watches this scope; None while another one that lives does.

        The run it returns is the lease: it ends with `finish`, or with this process.
        """
        if self._watched(self._readers.connection(), connector, scope):
            return None

        def begin(connection: sqlite3.Connection) -> Run | None:
            if self._watched(connection, connector, scope):
                return None
            run_id = uuid4().hex[:12]
            connection.execute(_WATCH, (run_id, connector, scope, self._owner.id, time.time()))
            return _run(connection.execute(_GET, (run_id,)).fetchone())

        return self._writer.run(begin)

    def _watched(self, connection: sqlite3.Connection, connector: str, scope: str) -> bool:
        with translated():
            rows = [_run(row) for row in connection.execute(_WATCHING, (connector,))]
        return any(run.scope == scope and run.owner is not None and self._owner.is_alive(run.owner) for run in rows)

    def note_watch(self, id: str, state: str, message: str, *, objects: int, changed: int, removed: int) -> None:
        """Note how a watch is doing: watching, or waiting and why."""
        values = (state, message, objects, changed, removed, id)
        self._writer.run(lambda c: c.execute(_WATCH_NOTE, values).rowcount)

    def watches(self, connector: str | None = None) -> Sequence[Run]:
        """Return the watches of living processes, of one connector or of all."""
        with translated():
            rows = [_run(row) for row in self._readers.connection().execute(_WATCHING, (connector,))]
        return [run for run in rows if run.owner is not None and self._owner.is_alive(run.owner)]

    def fail_dead(self) -> Sequence[Run]:
        """End the runs and watches whose process ended, and return them."""
        with translated():
            running = [_run(row) for row in self._readers.connection().execute(_OWNED)]
        dead = [run for run in running if run.owner is None or not self._owner.is_alive(run.owner)]
        if not dead:
            return []

        def fail(connection: sqlite3.Connection) -> Sequence[Run]:
            rows = [connection.execute(_FAIL_DEAD, (time.time(), run.id, run.owner)).fetchone() for run in dead]
            return [_run(row) for row in rows if row is not None]

        return self._writer.run(fail)

    def oldest_running_number(self) -> int | None:
        """Return the store's counter when the oldest running run began; tombstones after it are kept."""
        with translated():
            found: int | None = self._readers.connection().execute(_OLDEST_NOTED).fetchone()[0]
        return found

    def prune(self, older_than: float, *, limit: int = 1_000) -> int:
        """Forget some runs that ended before that time; return how many."""
        return self._writer.run(lambda c: c.execute(_PRUNE, (older_than, limit)).rowcount)


def _run(row: tuple[Any, ...]) -> Run:
    (run_id, connector, kind, scope, state, owner, requested_by, queued, started, ended) = row[:10]
    objects, changed, removed, expected, message, cancel_requested = row[10:]
    return Run(
        id=run_id,
        connector=connector,
        kind=kind,
        scope=scope,
        state=state,
        owner=owner,
        requested_by=requested_by,
        queued=queued,
        started=started,
        ended=ended,
        objects=objects,
        changed=changed,
        removed=removed,
        expected=expected,
        message=message,
        cancel_requested=bool(cancel_requested),
    )
