"""What is known of one child table: the values of a multi-valued attribute, a row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.values import Unfit, text_of
from isthmus.spi import AttributeDefinition, AttributeType, Complex, InvalidValue, Reference, Simple, Value


class Part(Enum):
    """What a value says of one column: something, that there is nothing, or that the database may choose."""

    GIVEN = auto()
    NOTHING = auto()
    LEFT_OUT = auto()


@dataclass(frozen=True, slots=True)
class Bound:
    """A value as its columns take it."""

    parts: tuple[Part, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """One child table.

    `owner` are the columns that hold the owner's anchor, in its order; `values` those of a value, and `names` what each
    is called as a part. `counted`: new values take the next number in `order`. `obstacle`: why rows cannot
    be written, "" if they can.
    """

    definition: AttributeDefinition
    schema: str | None
    table: str
    owner: tuple[Column, ...]
    values: tuple[Column, ...]
    names: tuple[str, ...]
    order: Column | None = None
    counted: bool = False
    obstacle: str = ""

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def target(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table

    @property
    def type(self) -> AttributeType:
        return self.definition.type

    def owned_by(self, key: Sequence[Value]) -> list[Any]:
        """Return what the owner's columns take for the values of its anchor.

        Raises:
            InvalidValue: a column is narrower than the anchor that it is to hold.
        """
        bound = []
        for column, value in zip(self.owner, key, strict=True):
            try:
                bound.append(column.codec.encode(column.codec.parse(text_of(value))))
            except Unfit as problem:
                raise InvalidValue(
                    f"{self.target}: {column.name} cannot hold the key of its owner: {problem}", attribute=self.name
                ) from None
        return bound

    def decoder(self) -> Callable[[Sequence[Any]], Value | None]:
        """Return what makes a value of the fields of a row; None where they are no value."""
        match self.type:
            case AttributeType.REFERENCE:
                return self._reference
            case AttributeType.COMPLEX:
                return self._complex
            case _:
                column = self.values[0]
                return lambda row: column.decode(row[0])

    def _reference(self, row: Sequence[Any]) -> Value | None:
        key = []
        for column, raw in zip(self.values, row, strict=True):
            value = column.decode(raw)
            if value is None:
                return None
            key.append(column.key(value))
        return Reference(tuple(key), self.definition.reference_to)

    def _complex(self, row: Sequence[Any]) -> Value | None:
        parts: dict[str, Simple] = {}
        for name, column, raw in zip(self.names, self.values, row, strict=True):
            value = column.decode(raw)
            if value is not None:
                assert not isinstance(value, Complex)
                parts[name] = value
        return Complex(parts) if parts else None

    def decoded(self, rows: Iterable[Sequence[Any]]) -> tuple[Value, ...]:
        """Return the values of rows, each once, in the order of the rows."""
        decode = self.decoder()
        return tuple(dict.fromkeys(value for row in rows if (value := decode(row)) is not None))

    def distinct(self, values: Sequence[Value]) -> Iterable[Value]:
        """Return the values, of those that are one to the database by its case rule the first."""
        if self.type is AttributeType.REFERENCE:  # spelled by that rule already
            return dict.fromkeys(values)
        found: dict[object, Value] = {}
        for value in values:
            found.setdefault(self._compared(value), value)
        return found.values()

    def _compared(self, value: Value) -> object:
        if not isinstance(value, Complex):
            return self.values[0].key(value)
        columns = dict(zip(self.names, self.values, strict=True))
        return frozenset((name, columns[name].key(part) if name in columns else part) for name, part in value.parts)

    def bound(self, value: Value) -> Bound:
        """Return a new value as its columns take it.

        Raises:
            InvalidValue: it does not fit; the error names the attribute.
        """
        return self._bound(value, new=True)

    def located(self, value: Value) -> Bound | None:
        """Return a stored value as conditions on its columns, or None if no row can have it."""
        try:
            return self._bound(value, new=False)
        except InvalidValue:
            return None

    def _bound(self, value: Value, *, new: bool) -> Bound:
        match self.type:
            case AttributeType.COMPLEX:
                return self._bound_parts(value, new=new)
            case AttributeType.REFERENCE:
                key = value.key if isinstance(value, Reference) else (value,) if isinstance(value, str) else ()
                if len(key) != len(self.values):
                    raise self._invalid(f"it is not the key of a {self.definition.reference_to or 'object'}")
                points = [Reference((text,)) for text in key]
                bound = [self._fitting(column, point) for column, point in zip(self.values, points, strict=True)]
            case _:
                bound = [self._fitting(self.values[0], value)]
        return Bound((Part.GIVEN,) * len(bound), tuple(bound))

    def _bound_parts(self, value: Value, *, new: bool) -> Bound:
        if not isinstance(value, Complex):
            raise self._invalid("it is not made of parts")
        given = value.as_dict()
        parts, values = [], []
        for name, column in zip(self.names, self.values, strict=True):
            part = given.pop(name, None)
            computed = column.definition.readonly
            if part is not None and not (new and computed):
                parts.append(Part.GIVEN)
                values.append(self._fitting(column, part))
                continue
            if new and column.definition.required:
                raise self._invalid(f"it needs a value for {name}")
            chosen = computed or (new and column.has_default)  # by the database
            parts.append(Part.LEFT_OUT if chosen else Part.NOTHING)
            values.append(None)
        if given:
            raise self._invalid(f"it has no part {', '.join(sorted(given))}, only {', '.join(self.names)}")
        if Part.GIVEN not in parts:
            raise self._invalid("it has no parts")
        return Bound(tuple(parts), tuple(values))

    def _fitting(self, column: Column, value: Value) -> Any:
        try:
            return column.for_writing(value)
        except InvalidValue as error:
            raise InvalidValue(f"{self.name} of {self.target}: {error.message}", attribute=self.name) from None

    def _invalid(self, problem: str) -> InvalidValue:
        return InvalidValue(f"{self.name} of {self.target} cannot take the value: {problem}", attribute=self.name)


@dataclass(frozen=True, slots=True)
class Dependent:
    """Columns somewhere that hold the anchor of an object type, and what happens to their rows along with it.

    `moved`: the connector gives them a new anchor. `removed`: it deletes them with the object. `enforced`: a foreign
    key keeps them right, so that neither can be changed alone. `whole`: every column of their table that takes values,
    if rows can be taken out and put in again without loss.
    """

    schema: str | None
    table: str
    columns: tuple[Column, ...]
    moved: bool
    removed: bool
    enforced: bool
    whole: tuple[Column, ...] = ()

    def bound(self, key: Sequence[Value]) -> list[Any] | None:
        """Return what the columns take for an anchor; None if they cannot hold it, so that no row does."""
        try:
            return [
                column.codec.encode(column.codec.parse(text_of(value)))
                for column, value in zip(self.columns, key, strict=True)
            ]
        except Unfit:
            return None
