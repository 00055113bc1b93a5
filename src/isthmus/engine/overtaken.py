"""What a target told of objects that the host was writing at that moment: read again, so that no change is missed.

A report is applied only where the space has learnt nothing newer since it was made, and no write is under way. For a
full import the next one makes up for what was skipped. A delta and a watch are told each change once: what they skip
may be another client's change made just after ours, and nobody would tell of it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from isthmus.engine.applying import write_of
from isthmus.engine.guard import TOLD
from isthmus.engine.target import Target, now_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Anchor, Call, DeletedObject, Identity, SupportsLookup
from isthmus.store.records import Applied, ObjectWrite, Space

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class Overtaken:
    """Objects to read again, until the space holds what was read. `call` makes the context of one read."""

    def __init__(self, target: Target, call: Callable[[], Call]) -> None:
        self._target = target
        self._call = call
        self._pending: dict[tuple[int, tuple[str, ...]], tuple[ResourceType, Space, Identity]] = {}
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._pending)

    def applied(
        self, rt: ResourceType, space: Space, writes: Sequence[ObjectWrite], applied: Sequence[Applied]
    ) -> None:
        """Take note of the reports among these that were skipped and differ from what the space holds."""
        skipped = {one.anchor: one.outcome for one in applied if one.outcome in ("newer", "locked")}
        if not skipped:
            return
        held = self._target.store.space.known(space, skipped)
        for write in writes:
            outcome = skipped.get(write.anchor)
            if outcome is None:
                continue
            known = held.get(write.anchor)
            if outcome == "newer" and known is not None and known.canonical == write.canonical:
                continue  # the space has it from the write itself
            self._add(rt, space, Identity(Anchor(write.anchor), write.dn))

    def removed(self, rt: ResourceType, space: Space, gone: Sequence[DeletedObject]) -> None:
        """Take note of reported deletions whose object is still in the space."""
        held = self._target.store.space.by_anchors(space, [one.anchor.values for one in gone])
        for anchor, stored in held.items():
            self._add(rt, space, Identity(Anchor(anchor), stored.dn))

    def _add(self, rt: ResourceType, space: Space, identity: Identity) -> None:
        self._pending[space.number, identity.anchor.values] = (rt, space, identity)
        self._pause = _FIRST_PAUSE
        self._not_before = min(self._not_before, time.monotonic() + self._pause)

    def settle(self, *, until: float | None = None) -> bool:
        """Read the objects again and return whether none is left.

        Without `until` each is tried once, and not at all so soon after the last time; with it they are tried until
        that moment (monotonic). One that is in doubt may be left: its repair reads the target.
        """
        while self._pending:
            now = time.monotonic()
            wait = self._not_before - now
            if until is None and wait > 0:
                return False
            if until is not None and wait > 0:
                self._target.turns.sleep(max(0.0, min(wait, until - now)))
            before = len(self._pending)
            for key, (rt, space, identity) in list(self._pending.items()):
                if self._read(rt, space, identity):
                    del self._pending[key]
            self._pause = _FIRST_PAUSE if len(self._pending) < before else min(self._pause * 2, _LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause
            if until is None or time.monotonic() >= until:
                break
        return not self._pending

    def _read(self, rt: ResourceType, space: Space, identity: Identity) -> bool:
        store, connector = self._target.store, self._target.connector
        if not isinstance(connector, SupportsLookup):
            return True  # nothing can be read: the next full import makes up for it
        noted = store.number()
        found = connector.read(rt.definition.object_type, identity, attributes=rt.read_attributes, call=self._call())
        if found is not None:
            (one,) = store.space.apply(space, [write_of(rt, found)], noted=noted, now=now_text())
            return one.outcome not in ("newer", "locked")
        stored = store.space.by_anchor(space, identity.anchor.values)
        return stored is None or bool(store.space.remove(space, [stored.row], noted=noted, counted=TOLD))
