"""The rows of a target with their keys: unique values, references that follow a rename, generated numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from isthmus.connectors.memory.changes import ChangeLog
from isthmus.connectors.memory.rows import (
    Key,
    Row,
    TargetTrouble,
    Trouble,
    attribute_of,
    checked,
    comparable,
    references,
)
from isthmus.spi import AttributeChange, AttributeType, ObjectType, Reference, Value


class Tables:
    """Rows by type and anchor. Guarded by the target's lock; every change is noted in the log."""

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes
        self._rows: defaultdict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
        self._unique: dict[tuple[str, str, object], Key] = {}
        self._referring: defaultdict[tuple[str, ...], set[Key]] = defaultdict(set)
        self._numbers: defaultdict[str, int] = defaultdict(int)

    def get(self, key: Key) -> Row | None:
        row = self._rows[key[0]].get(key[1])
        if row is not None and row.behind:
            row.catch_up()
        return row

    def existing(self, key: Key) -> Row:
        row = self.get(key)
        if row is None:
            raise TargetTrouble(Trouble.NO_OBJECT, f"the target has no {key[0]} with this anchor")
        return row

    def of_type(self, object_type: str) -> Iterable[Row]:
        for row in self._rows[object_type].values():
            row.catch_up()
            yield row

    def anchors(self, object_type: str) -> list[tuple[str, ...]]:
        return list(self._rows[object_type])

    def retype(self, object_type: ObjectType) -> None:
        """Give the rows of a type its new attributes and take away those that are gone."""
        for row in self.of_type(object_type.name):
            row.lists.clear()
            row.object_type = object_type
            row.values = {a.name: row.values.get(a.name, ()) for a in object_type.attributes}

    def insert(self, row: Row) -> Row:
        """Add a row; numbers that the target makes are made here."""
        t = row.object_type
        number = self._numbers[t.name] + 1
        for a in t.attributes:
            if a.generated and a.readonly:
                row.values[a.name] = (number,)
        self._refuse_taken(row, None)
        self._refuse_dangling(row)
        self._numbers[t.name] = number
        self._index(row)
        self._changes.note(row.key)
        return row

    def replace(self, old: Row, new: Row) -> Row:
        """Put a changed row in the place of the old; references to it follow a new anchor."""
        before, after = old.key, new.key
        self._refuse_taken(new, before)
        self._refuse_dangling(new, itself=before)
        self._unindex(old)
        self._index(new)
        if before != after:
            self._changes.note(before)
            self._repoint(before, after)
        self._changes.note(after)
        return new

    def adjusted(self, key: Key, changes: Sequence[AttributeChange]) -> Row | None:
        """Add and remove references without touching the others; None if the changes are of another kind.

        The result has no values of the lists that were changed.
        """
        row = self._rows[key[0]].get(key[1])
        if row is None or not changes or not all(_is_adjustment(row, change) for change in changes):
            return None
        if len({change.name for change in changes}) < len(changes):
            return None
        for change in changes:
            added = Row(row.object_type, {change.name: checked(attribute_of(row.object_type, change.name), change.add)})
            self._refuse_dangling(added, itself=key)
        for change in changes:
            listed = row.listed(change.name)
            for value in change.remove:
                if isinstance(value, Reference):
                    listed.pop(value.key, None)
            for value in change.add:
                if isinstance(value, Reference):
                    listed.setdefault(value.key, value)
                    self._referring[value.key].add(key)
            row.behind.add(change.name)
        self._changes.note(key)
        names = {change.name for change in changes}
        return Row(row.object_type, {name: values for name, values in row.values.items() if name not in names})

    def remove(self, key: Key) -> None:
        """Remove a row and every reference to it."""
        self._unindex(self.existing(key))
        self._changes.note(key)
        self._repoint(key, None)

    def _refuse_taken(self, row: Row, own: Key | None) -> None:
        holder = self.get(row.key)
        if holder is not None and row.key != own:
            raise TargetTrouble(Trouble.TAKEN, "an object with this anchor exists", attribute=row.object_type.anchor[0])
        for entry in _unique_values(row):
            if self._unique.get(entry, own) != own:
                raise TargetTrouble(Trouble.TAKEN, f"this {entry[1]} is taken", attribute=entry[1])

    def _refuse_dangling(self, row: Row, itself: Key | None = None) -> None:
        for name, points in references(row).items():
            definition = row.object_type.attribute(name)
            assert definition is not None
            for point in points:
                if self._pointed_at(point, definition.reference_to) is None and itself != (
                    definition.reference_to,
                    point.key,
                ):
                    text = f"a reference in {name} points at nothing"
                    raise TargetTrouble(Trouble.BAD_VALUE, text, attribute=name)

    def _pointed_at(self, point: Reference, reference_to: str | None) -> Key | None:
        wanted = point.object_type or reference_to
        for name in [wanted] if wanted else list(self._rows):
            if point.key in self._rows[name]:
                return name, point.key
        return None

    def _index(self, row: Row) -> None:
        key = row.key
        self._rows[key[0]][key[1]] = row
        self._unique.update(dict.fromkeys(_unique_values(row), key))
        for points in references(row).values():
            for point in points:
                self._referring[point.key].add(key)

    def _unindex(self, row: Row) -> None:
        key = row.key
        del self._rows[key[0]][key[1]]
        for entry in _unique_values(row):
            self._unique.pop(entry, None)
        for points in references(row).values():
            for point in points:
                self._referring[point.key].discard(key)

    def _repoint(self, before: Key, after: Key | None) -> None:
        """Make references to `before` point at `after`, or take them away."""
        for key in list(self._referring.pop(before[1], ())):
            row = self.get(key)
            if row is None:
                continue
            changed = False
            for name, points in references(row).items():
                definition = row.object_type.attribute(name)
                assert definition is not None
                kept: list[Value] = []
                for point in points:
                    mine = (point.object_type or definition.reference_to or before[0]) == before[0]
                    if point.key != before[1] or not mine:
                        kept.append(point)
                        continue
                    changed = True
                    if after is not None:
                        kept.append(Reference(after[1], point.object_type))
                row.values[name] = tuple(kept)
                row.lists.pop(name, None)
                for point in references(row).get(name, ()):
                    self._referring[point.key].add(key)
            if changed:
                self._changes.note(key)


def _is_adjustment(row: Row, change: AttributeChange) -> bool:
    a = row.object_type.attribute(change.name)
    return (
        a is not None
        and change.replace is None
        and a.type is AttributeType.REFERENCE
        and a.multivalued
        and not (a.readonly or a.required or a.unique)
        and all(isinstance(value, Reference) for value in (*change.add, *change.remove))
    )


def _unique_values(row: Row) -> list[tuple[str, str, object]]:
    t = row.object_type
    return [(t.name, a.name, comparable(a, v)) for a in t.attributes if a.unique for v in row.values[a.name]]
