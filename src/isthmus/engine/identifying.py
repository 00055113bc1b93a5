"""What identifies a person before there is an id: the anchor, each matching attribute, and what userName flows from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from isthmus.engine.applying import anchor_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import AttributeChange, Attributes, Reference, Value
from isthmus.store import Store
from isthmus.store.records import Space, StoredObject


@dataclass(frozen=True, slots=True)
class Identifier:
    """Values of attributes that no two objects of a type may share. `enforced`: the target sees to it itself."""

    attributes: tuple[str, ...]
    values: tuple[Value, ...]
    keys: tuple[str, ...]
    is_anchor: bool
    enforced: bool

    @property
    def lock(self) -> str:
        """Return the journal's lock for these values."""
        return f"value:{'+'.join(self.attributes)}={anchor_text(self.keys)}"

    def is_one_of(self, others: Iterable[Identifier]) -> bool:
        """Tell whether these values are among others, by the target's own case rules."""
        return any(other.attributes == self.attributes and other.keys == self.keys for other in others)


@lru_cache(maxsize=500)  # of a compiled resource type it never changes, and every write asks twice
def identifying_attributes(rt: ResourceType) -> tuple[tuple[str, ...], ...]:
    """Return the attribute combinations that identify, the anchor first, without repetition."""
    combinations = [rt.object_type.anchor, *((name,) for name in rt.definition.matching)]
    combinations += [
        (flow.attribute,) for path, flow in rt.definition.flows.items() if path.lower().rpartition(":")[2] == "username"
    ]
    return tuple(dict.fromkeys(combinations))


def identifiers(rt: ResourceType, attributes: Attributes) -> list[Identifier]:
    """Return what identifies an object with these attributes; combinations that lack a value are left out.

    Where an attribute has several values (a directory's `mail`), each of them does.
    """
    result = []
    for names in identifying_attributes(rt):
        first = tuple([attributes[name][0] for name in names if attributes.get(name)])
        if len(first) != len(names):
            continue
        definition = rt.object_type.attribute(names[0])
        enforced = len(names) == 1 and definition is not None and definition.unique
        for values in [first] if len(names) > 1 else [(value,) for value in attributes[names[0]]]:
            if "" in values or any(isinstance(value, Reference) for value in values):
                continue
            keys = tuple([rt.normalise(name, value) for name, value in zip(names, values, strict=True)])
            result.append(Identifier(names, values, keys, names == rt.object_type.anchor, enforced))
    return result


def in_space(store: Store, space: Space, identifier: Identifier) -> list[StoredObject]:
    """Return the objects of the space, hidden ones included, that have these values."""
    found: dict[int, StoredObject] | None = None
    for name, key in zip(identifier.attributes, identifier.keys, strict=True):
        rows = {obj.row: obj for obj in store.space.by_key(space, name, key, hidden=True)}
        found = rows if found is None else {row: obj for row, obj in found.items() if row in rows}
    return list((found or {}).values())


def object_lock(anchor: Sequence[str]) -> str:
    """Return the journal's lock for an object."""
    return f"object:{anchor_text(anchor)}"


def locks_for(anchors: Iterable[Sequence[str]], *identified: Sequence[Identifier]) -> list[str]:
    """Return every lock a write needs, in one order for all writers."""
    locks = {object_lock(anchor) for anchor in anchors}
    for group in identified:
        for identifier in group:
            locks.add(identifier.lock)
            if identifier.is_anchor:
                locks.add(object_lock(identifier.keys))
    return sorted(locks)


def after(rt: ResourceType, attributes: Attributes, changes: Iterable[AttributeChange]) -> Attributes:
    """Return the attributes as they will be once this is written, as far as they identify."""
    result = dict(attributes)
    identifying = {name for names in identifying_attributes(rt) for name in names}
    for change in changes:
        name = change.name
        if change.replace is not None:
            result[name] = change.replace
        elif name in identifying:
            gone = {rt.normalise(name, value) for value in change.remove}
            kept = [value for value in attributes.get(name, ()) if rt.normalise(name, value) not in gone]
            result[name] = (*kept, *change.add)
    return result
