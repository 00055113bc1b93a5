"""What a request has said so far about one object, attribute by attribute."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Literal

from isthmus.mapping.elements import comparisons
from isthmus.mapping.index import normaliser
from isthmus.mapping.layout import Slot
from isthmus.mapping.plans import CurrentObject, ReferenceChange
from isthmus.scim.errors import InvalidValue, NotMutable, TooLarge
from isthmus.scim.syntax import Filter
from isthmus.scim.urns import ECMA2HOST_PREFIX
from isthmus.spi import AttributeChange, AttributeType, Complex, Value

Verb = Literal["create", "put", "add", "replace"]

_MOST_WARNINGS = 50
_MOST_COMPARED = 5_000_000
"""Comparisons with elements of lists in one request; they take about three seconds."""


_Alike = dict[Hashable, dict[Value, None]]
"""Values by what is equal for those that may be one; whether they are, the target decides."""


@dataclass(slots=True)
class _Links:
    replace: list[str] | None = None
    add: dict[str, None] = field(default_factory=dict)
    remove: dict[str, None] = field(default_factory=dict)


class Draft:
    """Collect assignments in the order of the request; pseudo attributes are kept like any other.

    The same attribute may be reached by two paths (its flow and its own name). If both are sent and differ, the one
    that differs from what the object has now is meant: a client that reads, changes one and writes all back sends the
    other unchanged. If both differ from it, the request contradicts itself: 400.
    """

    def __init__(self, current: CurrentObject | None, *, patch: bool = False) -> None:
        self.current = current
        self.patch = patch
        self.values: dict[str, tuple[Value, ...]] = {}
        self.active: bool | None = None
        self.paths = 0
        self._compared = 0
        self._warned: dict[str, None] = {}
        self._slots: dict[str, Slot] = {}
        self._weak: set[str] = set()
        self._adds: dict[str, _Alike] = {}
        self._removes: dict[str, _Alike] = {}
        self._links: dict[str, _Links] = {}

    def warn(self, text: str) -> None:
        self._warned[text] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what the audit shall tell of this request, each once; a body has room for tens of thousands."""
        if len(self._warned) <= _MOST_WARNINGS:
            return tuple(self._warned)
        return (*islice(self._warned, _MOST_WARNINGS), f"and {len(self._warned) - _MOST_WARNINGS} more like these")

    def compare(self, condition: Filter, values: Sequence[Value]) -> None:
        """Count the comparisons of a filter with values, before they are made.

        Raises:
            TooLarge: the request asks for too many; a thread that plans keeps the others of its worker waiting.
        """
        self._compared += comparisons(condition) * len(values)
        if self._compared > _MOST_COMPARED:
            raise TooLarge("the filters in the paths of this request have too much to compare; send fewer at once")

    def before(self, attribute: str) -> tuple[Value, ...]:
        """Return the values the object has in the target."""
        return () if self.current is None else tuple(self.current.attributes.get(attribute, ()))

    def now(self, attribute: str) -> tuple[Value, ...]:
        """Return the values the object will have after what has been said so far."""
        if attribute in self.values:
            return self.values[attribute]
        removed, added = self._removes.get(attribute), self._adds.get(attribute)
        if not removed and not added:
            return self.before(attribute)
        same, gone = _sameness(self._slots[attribute]), {key for key, alike in (removed or {}).items() if alike}
        kept = [value for value in self.before(attribute) if same(value) not in gone]
        return tuple(dict.fromkeys([*kept, *_all(added or {})]))

    def assign(self, slot: Slot, values: tuple[Value, ...], *, weak: bool = False) -> None:
        """Replace the attribute's values; `weak`: only a whole it belongs to was named, so naming it outweighs this.

        The target's own name with the value that is there does not: so it comes back from who has read the resource.
        """
        attribute = slot.attribute
        if slot.plain and attribute not in self.values:
            self.values[attribute] = values
            self._slots[attribute] = slot
            if weak:
                self._weak.add(attribute)
            return
        if not slot.writable:
            self._refuse(slot, values, weak=weak)
            return
        if slot.single and slot.definition.multivalued and values:
            # SCIM shows the first of several values here; the others are none of its business
            values += tuple(value for value in self.now(attribute)[1:] if value not in values)
        if self._outweighed(slot, values, weak=weak):
            return
        self.values[attribute] = values
        self._slots[attribute] = slot
        self._adds.pop(attribute, None)
        self._removes.pop(attribute, None)
        if weak:
            self._weak.add(attribute)
        else:
            self._weak.discard(attribute)

    def _outweighed(self, slot: Slot, values: tuple[Value, ...], *, weak: bool) -> bool:
        attribute = slot.attribute
        earlier = self.values.get(attribute)
        if earlier is None or _equal(slot, earlier, values):
            return False
        if attribute in self._weak:
            return not (weak or self.patch) and self._echoes(slot, values)
        other = self._slots.get(attribute)
        if weak:  # but of the operations of a PATCH the later one counts (RFC 7644 3.5.2)
            return not (other is not None and self._echoes(other, earlier)) and not (self.patch and other is slot)
        if other is slot or other is None:
            return False
        if self.current is not None and attribute in self.current.attributes:
            before = self.before(attribute)
            if _equal(slot, values, before):
                return True
            if _equal(slot, earlier, before):
                return False
        raise InvalidValue(
            f"{other.path} and {slot.path} are the same attribute {attribute!r} of the target, but were sent with "
            "different values; send one of them, or both alike"
        )

    def _echoes(self, slot: Slot, values: tuple[Value, ...]) -> bool:
        """Tell whether a value that is there was sent under the target's own name, as in a resource that was read."""
        known = self.current is not None and slot.attribute in self.current.attributes
        return known and slot.path.startswith(ECMA2HOST_PREFIX) and _equal(slot, values, self.before(slot.attribute))

    def _refuse(self, slot: Slot, values: tuple[Value, ...], *, weak: bool) -> None:
        """Ignore a read-only attribute in a whole resource; refuse to change it by a PATCH (RFC 7644 3.5.2)."""
        if self.patch and not weak and values != self.before(slot.attribute):
            raise NotMutable(f"{slot.path} is read-only")

    def add(self, slot: Slot, values: Sequence[Value]) -> None:
        """Add values to a multi-valued attribute."""
        attribute = slot.attribute
        if not slot.writable:
            present = frozenset(self.before(attribute))
            new = tuple(value for value in values if value not in present)
            self._refuse(slot, self.before(attribute) + new, weak=False)
        elif attribute in self.values:
            self.values[attribute] = tuple(dict.fromkeys([*self.values[attribute], *values]))
        else:
            same = _sameness(slot)
            removed, added = self._removes.setdefault(attribute, {}), self._adds.setdefault(attribute, {})
            for value in values:
                key = same(value)
                if value in removed.get(key, ()):
                    del removed[key][value]
                added.setdefault(key, {})[value] = None
            self._slots[attribute] = slot

    def remove(self, slot: Slot, values: Sequence[Value]) -> None:
        """Remove values from a multi-valued attribute."""
        attribute, same = slot.attribute, _sameness(slot)
        gone = {same(value) for value in values}
        if not slot.writable:
            self._refuse(slot, tuple(value for value in self.before(attribute) if same(value) not in gone), weak=False)
        elif attribute in self.values:
            self.values[attribute] = tuple(value for value in self.values[attribute] if same(value) not in gone)
        else:
            added, removed = self._adds.setdefault(attribute, {}), self._removes.setdefault(attribute, {})
            for key in gone:
                added.pop(key, None)
            for value in values:
                removed.setdefault(same(value), {})[value] = None
            self._slots[attribute] = slot

    def link(self, slot: Slot, ids: Sequence[str]) -> None:
        """Replace the references of an attribute."""
        if not self._link_allowed(slot, ids):
            return
        replace = list(dict.fromkeys(ids))
        earlier, other = self._links.get(slot.attribute), self._slots.get(slot.attribute)
        if earlier is not None and other is not None and other is not slot and earlier.replace != replace:
            raise InvalidValue(
                f"{other.path} and {slot.path} are the same reference, but were sent with different values"
            )
        self._links[slot.attribute] = _Links(replace=replace)
        self._slots[slot.attribute] = slot

    def link_add(self, slot: Slot, ids: Sequence[str]) -> None:
        if not self._link_allowed(slot, ids):
            return
        links = self._links.setdefault(slot.attribute, _Links())
        if links.replace is not None:
            links.replace = list(dict.fromkeys([*links.replace, *ids]))
            return
        for each in ids:
            links.remove.pop(each, None)
            links.add[each] = None

    def link_remove(self, slot: Slot, ids: Sequence[str]) -> None:
        if not self._link_allowed(slot, ids):
            return
        links = self._links.setdefault(slot.attribute, _Links())
        if links.replace is not None:
            gone = frozenset(ids)
            links.replace = [each for each in links.replace if each not in gone]
            return
        for each in ids:
            links.add.pop(each, None)
            links.remove[each] = None

    def _link_allowed(self, slot: Slot, ids: Sequence[str]) -> bool:
        if slot.writable:
            return True
        known = () if self.current is None else self.current.references.get(slot.attribute, ())
        if self.patch and set(ids) != set(known):
            raise NotMutable(f"{slot.path} is read-only")
        return False

    def _emptied(self) -> list[Slot]:
        """Return the reference attributes that are left without any as a whole."""
        return [self._slots[attribute] for attribute, links in self._links.items() if links.replace == []]

    @property
    def clears_members(self) -> bool:
        """Tell whether a multi-valued reference was emptied as a whole."""
        return any(slot.definition.multivalued for slot in self._emptied())

    def required_but_cleared(self) -> Slot | None:
        """Return a slot whose required attribute would be left without a value, or None."""
        for attribute, values in self.values.items():
            if not values and (slot := self._slots.get(attribute)) is not None and slot.definition.required:
                return slot
        return next((slot for slot in self._emptied() if slot.definition.required), None)

    def linked(self) -> list[tuple[str, str]]:
        """Return (attribute, id) for every reference of an object to be created."""
        pairs = []
        for attribute, links in self._links.items():
            pairs += [(attribute, each) for each in (*(links.replace or ()), *links.add)]
        return pairs

    def reference_changes(self) -> tuple[ReferenceChange, ...]:
        changes = []
        for attribute, links in self._links.items():
            if links.replace is not None:
                changes.append(ReferenceChange(attribute=attribute, replace=tuple(links.replace)))
            elif links.add or links.remove:
                changes.append(ReferenceChange(attribute=attribute, add=tuple(links.add), remove=tuple(links.remove)))
        return tuple(changes)

    def created_values(self) -> dict[str, tuple[Value, ...]]:
        """Return the values of an object to be created, pseudo attributes left out."""
        created = {attribute: values for attribute, values in self.values.items() if attribute[0] != "#" and values}
        for attribute, added in self._adds.items():
            created[attribute] = _all(added)
        return created

    def attribute_changes(self) -> list[AttributeChange]:
        """Return every attribute that was named, pseudo ones left out, also where nothing would change."""
        changes = [
            AttributeChange(attribute, replace=values)
            for attribute, values in self.values.items()
            if not attribute.startswith("#")
        ]
        for attribute in dict.fromkeys([*self._adds, *self._removes]):
            added, removed = _all(self._adds.get(attribute, {})), _all(self._removes.get(attribute, {}))
            if added or removed:
                changes.append(AttributeChange(attribute, add=added, remove=removed))
        return changes

    def slot_of(self, attribute: str) -> Slot | None:
        """Return the slot by which the attribute was last named."""
        return self._slots.get(attribute)


def _sameness(slot: Slot) -> Callable[[Value], Hashable]:
    """Return what is equal for values that the target takes for one; of those made of parts only the very same are."""
    return _itself if slot.definition.type is AttributeType.COMPLEX else normaliser(slot.definition)


def _all(values: _Alike) -> tuple[Value, ...]:
    return tuple(chain.from_iterable(values.values()))


def _itself(value: Value) -> Hashable:
    return value


def _equal(slot: Slot, left: tuple[Value, ...], right: tuple[Value, ...]) -> bool:
    """Compare values; of a multi-valued attribute their order does not count, nor do parts that the target computes."""
    if left == right:
        return True
    computed = frozenset(part.name for part in slot.definition.sub_attributes if part.readonly)
    if computed:
        left, right = (tuple(_told(value, computed) for value in values) for values in (left, right))
    return left == right or (slot.definition.multivalued and set(left) == set(right))


def _told(value: Value, computed: Collection[str]) -> Value:
    if not isinstance(value, Complex):
        return value
    return Complex({name: part for name, part in value.parts if name not in computed})
