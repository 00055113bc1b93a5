"""What the space keeps of an object whose update did not return it: a group's members above all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from isthmus.engine.applying import completed, identity_of, write_of
from isthmus.engine.target import Target
from isthmus.mapping.index import normaliser
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import AttributeChange, Attributes, ConnectorObject, Reference, Value
from isthmus.store.records import LinkChanges, ObjectWrite, StoredObject


class Keeping:
    """One update of one object, under its journal entry: nobody else changes what the space has of it meanwhile.

    `lists` are the references that the connector need not return: those it was not told to replace. They may be many,
    so that they are never loaded; what was added and removed is added and removed in the space as well.
    """

    def __init__(
        self, target: Target, rt: ResourceType, stored: StoredObject, changes: Sequence[AttributeChange]
    ) -> None:
        self._target = target
        self._rt = rt
        self._stored = stored
        self._changes = changes
        replaced = {change.name for change in changes if change.replace is not None}
        # Digests and links made for another shape cannot be gone on with: then everything is read.
        self.lists = rt.lists - replaced if stored.shape == rt.shape else frozenset[str]()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The attributes that the result must have."""
        return tuple(name for name in self._rt.read_attributes if name not in self.lists)

    def lacks(self, obj: ConnectorObject) -> bool:
        """Tell whether lists have to be kept as the space has them."""
        return any(name not in obj.attributes for name in self.lists)

    def filled(self, obj: ConnectorObject) -> ConnectorObject:
        """Return the object with the values that were added and removed, where it leaves the attribute out."""
        before = self._rt.decode(self._stored.attributes)
        added = {
            change.name: self._applied(change, before[change.name])
            for change in self._changes
            if change.replace is None and change.name not in obj.attributes and change.name in before
        }
        return completed(self._rt, obj, added) if added else obj

    def whole(self, obj: ConnectorObject) -> ConnectorObject:
        """Return the object with everything the space has, for a target that cannot be asked."""
        before: dict[str, tuple[Value, ...]] = dict(self._rt.decode(self._stored.attributes))
        missing = [name for name in self._rt.reference_attributes if name not in obj.attributes]
        before.update(dict.fromkeys(missing, ()))
        before.update(stored_references(self._target, self._stored, missing))
        for change in self._changes:
            if change.replace is None and change.name in before:
                before[change.name] = self._applied(change, before[change.name])
        return completed(self._rt, obj, before)

    def write(self, obj: ConnectorObject) -> ObjectWrite:
        """Return what the store shall hold: of lists that the object leaves out, only what came and went."""
        rt, row, links = self._rt, self._stored.row, self._target.store.links
        if not self.lacks(obj):
            return write_of(rt, obj)
        carried = [name for name in rt.reference_attributes if name in obj.attributes]
        old, new = set(links.of([row], carried)[row]), set(rt.links(obj))
        add, remove = new - old, old - new
        for change in self._changes:
            if change.name in self.lists and change.name not in obj.attributes:
                plus = self._links(change.name, change.add)
                minus = self._links(change.name, change.remove) - plus
                present = links.present(row, plus | minus)
                add |= plus - present
                remove |= minus & present
        before = self._object(rt.decode(self._stored.attributes))
        canonical = rt.canonical_changed(
            self._target.store.space.canonical([row]).get(row, 0), before, obj, add=add, remove=remove
        )
        changes = LinkChanges(sorted(add), sorted(remove))
        return replace(write_of(rt, obj), canonical=canonical, links=(), link_changes=changes)

    def _links(self, name: str, values: tuple[Value, ...]) -> set[tuple[str, str]]:
        return set(self._rt.links(self._object({name: values})))

    def _object(self, attributes: Attributes) -> ConnectorObject:
        return ConnectorObject(
            object_type=self._rt.definition.object_type, identity=identity_of(self._stored), attributes=attributes
        )

    def _applied(self, change: AttributeChange, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return the values after the change, compared as the target compares them: removed first, then added."""
        definition = self._rt.object_type.attribute(change.name)
        assert definition is not None, "a change names an attribute of the type"
        same = normaliser(definition)
        removed = {same(value) for value in change.remove}
        kept = {same(value): value for value in values if same(value) not in removed}
        for value in change.add:
            kept.setdefault(same(value), value)
        return tuple(kept.values())


def stored_references(
    target: Target, stored: StoredObject, attributes: Sequence[str]
) -> dict[str, tuple[Reference, ...]]:
    """Return references of an object as the target keeps them."""
    result: dict[str, list[Reference]] = {}
    for attribute, key in target.store.links.of([stored.row], attributes)[stored.row]:
        result.setdefault(attribute, []).append(Reference(tuple(orjson.loads(key))))
    return {attribute: tuple(values) for attribute, values in result.items()}
