"""What an in-memory target keeps of an object, its rules for values, and the troubles it answers with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto

from isthmus.spi import (
    AttributeChange,
    AttributeDefinition,
    Attributes,
    AttributeType,
    Complex,
    ObjectType,
    Reference,
    Secret,
    Value,
)

Key = tuple[str, tuple[str, ...]]
"""An object's type and the canonical text of its anchor."""

LONGEST = 1 << 20  # characters or bytes of one value, where the schema sets no limit


class Trouble(Enum):
    """What a target answers instead of a result."""

    DOWN = auto()
    SILENT = auto()
    BUSY = auto()
    LOGIN = auto()
    NO_TYPE = auto()
    NO_ATTRIBUTE = auto()
    NO_OBJECT = auto()
    TAKEN = auto()
    BAD_VALUE = auto()
    FORBIDDEN = auto()
    FORGOTTEN = auto()


class TargetTrouble(Exception):
    """The target's own error. `sent` says whether a write may have reached it or may still."""

    def __init__(self, trouble: Trouble, text: str, *, attribute: str | None = None, sent: bool = False) -> None:
        super().__init__(text)
        self.trouble = trouble
        self.text = text
        self.attribute = attribute
        self.sent = sent


@dataclass(slots=True)
class Row:
    """One object. Values are immutable, so that a shallow copy is a snapshot.

    `lists` has long lists of references by key, so that one more costs the same in a group of 10 and of 100,000; where
    it was changed, `values` follows when somebody looks.
    """

    object_type: ObjectType
    values: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    password: Secret | None = None
    lists: dict[str, dict[tuple[str, ...], Reference]] = field(default_factory=dict)
    behind: set[str] = field(default_factory=set)

    def copy(self) -> Row:
        self.catch_up()
        return Row(self.object_type, dict(self.values), self.password)

    def catch_up(self) -> None:
        """Bring `values` up to date."""
        for name in self.behind:
            self.values[name] = tuple(self.lists[name].values())
        self.behind.clear()

    def listed(self, name: str) -> dict[tuple[str, ...], Reference]:
        """Return the references of an attribute by key; who changes them adds the name to `behind`."""
        if name not in self.lists:
            self.lists[name] = {v.key: v for v in self.values[name] if isinstance(v, Reference)}
        return self.lists[name]

    @property
    def anchor(self) -> tuple[str, ...]:
        t = self.object_type
        return tuple(canonical(attribute_of(t, name), self.values[name][0]) for name in t.anchor)

    @property
    def key(self) -> Key:
        return self.object_type.name, self.anchor


def attribute_of(object_type: ObjectType, name: str) -> AttributeDefinition:
    found = object_type.attribute(name)
    if found is None:
        raise TargetTrouble(Trouble.NO_ATTRIBUTE, f"{object_type.name} has no attribute {name!r}", attribute=name)
    return found


def canonical(definition: AttributeDefinition, value: Value) -> str:
    """Return the text that equal values share."""
    text = str(value)
    return text if definition.case_exact else text.casefold()


def comparable(definition: AttributeDefinition, value: Value) -> object:
    """Return what equal values share, by the attribute's case rule."""
    if isinstance(value, Reference):
        return value.key
    if isinstance(value, Complex):
        parts = {part.name: part for part in definition.sub_attributes}
        return tuple((name, comparable(parts[name], part)) for name, part in value.parts)
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else value.timestamp()
    return value.casefold() if isinstance(value, str) and not definition.case_exact else value


_CLASSES: dict[AttributeType, type] = {
    AttributeType.STRING: str,
    AttributeType.INTEGER: int,
    AttributeType.DECIMAL: Decimal,
    AttributeType.BOOLEAN: bool,
    AttributeType.DATETIME: datetime,
    AttributeType.BINARY: bytes,
    AttributeType.REFERENCE: Reference,
    AttributeType.COMPLEX: Complex,
}


def fault(definition: AttributeDefinition, value: object) -> str | None:
    """Return why a value does not fit, None if it does. The text never repeats the value."""
    if not isinstance(value, _CLASSES[definition.type]):
        return f"is not of type {definition.type}"
    if isinstance(value, bool) and definition.type is not AttributeType.BOOLEAN:
        return f"is not of type {definition.type}"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "does not fit in 64 bits"
    if isinstance(value, Decimal) and not value.is_finite():
        return "is not a finite number"
    if isinstance(value, str | bytes) and len(value) > (definition.max_length or LONGEST):
        return f"is longer than {definition.max_length or LONGEST}"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "is not valid Unicode"
    return _fault_of_parts(definition, value) if isinstance(value, Complex) else None


def _fault_of_parts(definition: AttributeDefinition, value: Complex) -> str | None:
    if not value.parts:
        return "has no parts"
    parts = {part.name: part for part in definition.sub_attributes}
    for name, part in value.parts:
        if name not in parts:
            return f"has a part {name!r} that the target does not know"
        if (wrong := fault(parts[name], part)) is not None:
            return f"has a part {name} that {wrong}"
    missing = next(
        (part.name for part in definition.sub_attributes if part.required and value.get(part.name) is None), None
    )
    return None if missing is None else f"has no part {missing}"


def checked(definition: AttributeDefinition, values: Iterable[Value]) -> tuple[Value, ...]:
    """Return the values as the target keeps them, or raise what is wrong with them."""
    kept: dict[object, Value] = {}
    count = 0
    for value in values:
        count += 1
        wrong = fault(definition, value)
        if wrong is not None:
            raise TargetTrouble(Trouble.BAD_VALUE, f"a value of {definition.name} {wrong}", attribute=definition.name)
        kept.setdefault(comparable(definition, value), value)
    if count > 1 and not definition.multivalued:
        raise TargetTrouble(Trouble.BAD_VALUE, f"{definition.name} takes one value", attribute=definition.name)
    if definition.required and not kept:
        raise TargetTrouble(Trouble.BAD_VALUE, f"{definition.name} needs a value", attribute=definition.name)
    return tuple(kept.values())


def writable(object_type: ObjectType, name: str) -> AttributeDefinition:
    definition = attribute_of(object_type, name)
    if definition.readonly:
        raise TargetTrouble(Trouble.BAD_VALUE, f"{name} is made by the target", attribute=name)
    return definition


def new_row(object_type: ObjectType, attributes: Attributes) -> Row:
    """Return a row with these values, checked, every other attribute without a value."""
    row = Row(object_type, {a.name: () for a in object_type.attributes})
    for name, values in attributes.items():
        row.values[name] = checked(writable(object_type, name), values)
    for a in object_type.attributes:
        if a.required and not row.values[a.name]:
            raise TargetTrouble(Trouble.BAD_VALUE, f"{a.name} needs a value", attribute=a.name)
    return row


def changed_row(row: Row, changes: Sequence[AttributeChange]) -> Row:
    """Return a changed copy of the row, checked."""
    result = row.copy()
    for change in changes:
        definition = writable(row.object_type, change.name)
        if change.replace is not None:
            values: tuple[Value, ...] = change.replace
        else:
            removed = {comparable(definition, value) for value in change.remove}
            old = result.values[change.name]
            values = (*(v for v in old if comparable(definition, v) not in removed), *change.add)
        result.values[change.name] = checked(definition, values)
    return result


def references(row: Row) -> Mapping[str, tuple[Reference, ...]]:
    """Return the references that a row holds, by attribute."""
    return {
        a.name: tuple(v for v in row.values[a.name] if isinstance(v, Reference))
        for a in row.object_type.attributes
        if a.type is AttributeType.REFERENCE and row.values[a.name]
    }
