"""What the guard counts and holds back; when it does is decided by the engine."""

from __future__ import annotations

import sqlite3
import time
from typing import Any
from uuid import uuid4

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.records import Hold
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_COLUMNS = 'id, connector, object_type, kind, run, count, "limit", opened, released_until, state, message'
_COUNT = statement("guard_count")
_OPEN = statement("hold_open").format(columns=_COLUMNS)
_INSERT = statement("hold_insert")
_UPDATE = statement("hold_update")
_GET = statement("hold_get").format(columns=_COLUMNS)
_LIST = statement("holds_list").format(columns=_COLUMNS)
_END = statement("hold_end")
_RELEASED = statement("hold_released").format(columns=_COLUMNS)
_FORGET = statement("guard_events_forget")
_PRUNE = statement("guard_events_prune")
_PRUNE_HOLDS = statement("holds_prune")

_DAY = 86_400.0


class Guard:
    """Counters and holds. They survive restarts."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def count(self, connector: str, object_type: str, kind: str, since: float, *, also: str | None = None) -> int:
        """Return how many objects had such an event (`Journal.close(guard=...)`, `SpaceTable.remove`) since then.

        An object counts once, and not at all if it was created through Isthmus since then. `also`: an object to count
        as if it had such an event now.
        """
        with translated():
            row = self._readers.connection().execute(_COUNT, (connector, object_type, kind, since, also)).fetchone()
        found: int = row[0]
        return found

    def hold(
        self,
        *,
        connector: str,
        object_type: str,
        kind: str,
        run: str | None = None,
        count: int,
        limit: int,
        message: str,
    ) -> Hold:
        """Hold something back; a hold of that connector, type and kind that stands already is brought up to date."""

        def hold(connection: sqlite3.Connection) -> Hold:
            standing = connection.execute(_OPEN, (connector, object_type, kind)).fetchone()
            if standing is None:
                hold_id = uuid4().hex[:12]
                connection.execute(
                    _INSERT, (hold_id, connector, object_type, kind, run, count, limit, time.time(), message)
                )
            else:
                hold_id = standing[0]
                connection.execute(_UPDATE, (count, limit, run, message, hold_id))
            return Hold(**_fields(connection.execute(_GET, (hold_id,)).fetchone()))

        return self._writer.run(hold)

    def holds(self, connector: str | None = None, active: bool = True) -> list[Hold]:
        """Return holds, newest first; active ones are held, or released and the release is not over."""
        with translated():
            rows = self._readers.connection().execute(_LIST, (connector, active, time.time())).fetchall()
        return [Hold(**_fields(row)) for row in rows]

    def get(self, id: str) -> Hold | None:
        """Return a hold in any state."""
        with translated():
            row = self._readers.connection().execute(_GET, (id,)).fetchone()
        return None if row is None else Hold(**_fields(row))

    def release(self, id: str, until: float | None, by: str) -> bool:
        """Let pass what is held back, until then (None: until `over`); False if there is no such hold standing."""
        return self._end(id, "released", until, by)

    def cancel(self, id: str, by: str) -> bool:
        """Never let it pass; False if there is no such hold standing."""
        return self._end(id, "cancelled", None, by)

    def over(self, id: str) -> bool:
        """End a release that was used; False if there is no such hold standing."""
        return self._end(id, "over", None, "")

    def standing(self, connector: str, object_type: str, kind: str) -> Hold | None:
        """Return the hold of that connector, type and kind that nobody has decided about yet."""
        with translated():
            row = self._readers.connection().execute(_OPEN, (connector, object_type, kind)).fetchone()
        return None if row is None else Hold(**_fields(row))

    def active_release(self, connector: str, object_type: str, kind: str, now: float) -> Hold | None:
        """Return the release that lets such a thing pass now."""
        with translated():
            row = self._readers.connection().execute(_RELEASED, (connector, object_type, kind, now)).fetchone()
        return None if row is None else Hold(**_fields(row))

    def forget(self, connector: str, object_type: str, kind: str) -> None:
        """Count such events no more: an operator has looked at them."""
        while self._writer.run(lambda c: c.execute(_FORGET, (connector, object_type, kind)).rowcount):
            pass

    def prune(self, before: float, *, limit: int = 2_000) -> int:
        """Forget some counted events before that time; return how many."""
        return self._writer.run(lambda c: c.execute(_PRUNE, (before, limit, time.time() + _DAY)).rowcount)

    def prune_holds(self, before: float) -> int:
        """Forget the holds that ended, of those opened before that time; there are few. Return how many."""
        return self._writer.run(lambda c: c.execute(_PRUNE_HOLDS, (before,)).rowcount)

    def _end(self, id: str, state: str, until: float | None, by: str) -> bool:
        return self._writer.run(lambda c: c.execute(_END, (state, until, by, id)).rowcount == 1)


def _fields(row: tuple[Any, ...]) -> dict[str, Any]:
    names = (
        "id",
        "connector",
        "object_type",
        "kind",
        "run",
        "count",
        "limit",
        "opened",
        "released_until",
        "state",
        "message",
    )
    return dict(zip(names, row, strict=True))
