"""Settle by a full import what cannot be settled by asking: writes that are in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from isthmus.engine.identifying import identifiers, locks_for
from isthmus.engine.recovery import Recovery
from isthmus.engine.seen import Seen
from isthmus.engine.target import Target
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Call, ConnectorObject
from isthmus.store.records import Entry, EntryState, Space


class Doubts:
    """The entries in doubt when a run began, and what the run has seen of their objects.

    Only entries whose write can no longer take effect are looked at: the others wait for the next run.
    """

    def __init__(self, target: Target, spaces: Mapping[str, Space], *, now: float) -> None:
        self._target = target
        settled = now - target.type.settle_seconds
        names = {space.number: name for name, space in spaces.items()}
        self._entries: dict[str, list[Entry]] = {}
        self._seen: dict[str, dict[tuple[str, ...], ConnectorObject]] = {}
        """By entry and anchor: an object may be reported twice, and the later report counts."""
        for entry in target.store.journal.unfinished(target.key):
            if entry.state is EntryState.IN_DOUBT and entry.space in names and entry.opened <= settled:
                self._entries.setdefault(names[entry.space], []).append(entry)

    def concern(self, object_type: str) -> bool:
        """Tell whether every object of this type has to be looked at."""
        return object_type in self._entries

    def saw(self, rt: ResourceType, objects: Sequence[ConnectorObject]) -> None:
        """Take note of objects that may be what a write in doubt has made of them."""
        entries = self._entries.get(rt.definition.object_type)
        for obj in objects if entries else ():
            locks = set(locks_for([obj.identity.anchor.values], identifiers(rt, obj.attributes)))
            for entry in entries or ():
                if _is_meant(rt, entry, obj) or not locks.isdisjoint(entry.locks):
                    self._seen.setdefault(entry.id, {})[obj.identity.anchor.values] = obj

    def settle(self, types: Mapping[str, ResourceType], spaces: Mapping[str, Space]) -> None:
        """Close the entries; to be called once the run has seen every object."""
        recovery = Recovery(self._target)
        for name, entries in self._entries.items():
            for entry in entries:
                seen = Seen(types[name], list(self._seen.get(entry.id, {}).values()))
                recovery.settle_by(types[name], spaces[name], entry, seen, Call(correlation=entry.correlation))


def _is_meant(rt: ResourceType, entry: Entry, obj: ConnectorObject) -> bool:
    """Tell whether an object has every value that a create was to give it."""
    if entry.operation != "create" or entry.object_id is not None:
        return False
    intended = rt.decode(orjson.dumps(entry.intent.get("attributes", {})))
    return all(
        {rt.plain(value) for value in values} == {rt.plain(value) for value in obj.attributes[name]}
        for name, values in intended.items()
        if name in obj.attributes
    )
