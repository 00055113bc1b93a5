"""What is known of one table: its columns, how their values travel, what identifies a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.sql.errors import Where
from isthmus.connectors.sql.values import Codec, Unfit, Unreadable, text_of
from isthmus.spi import (
    Anchor,
    AttributeDefinition,
    AttributeType,
    ConnectorObject,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    ObjectType,
    Reference,
    Value,
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `fold` makes the text that values share which the target takes for equal.

    `comparable`: the type has an equality of its own; else values are compared as text. `read_as` is
    multiplied with the column when it is read, where its own text form loses digits.
    """

    definition: AttributeDefinition
    codec: Codec
    fold: Callable[[str], str]
    nullable: bool = True
    has_default: bool = False
    comparable: bool = True
    read_as: str | None = None

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_reference(self) -> bool:
        return self.definition.type is AttributeType.REFERENCE

    def key(self, value: Value) -> str:
        """Return the canonical text of a value."""
        return self.fold(text_of(value))

    def decode(self, raw: Any) -> Value | None:
        """Return the value that the driver gave.

        Raises:
            MisconfiguredConnector: there is no such value of the attribute's type.
        """
        if raw is None:
            return None
        try:
            value = self.codec.decode(raw)
        except (Unreadable, ValueError, ArithmeticError) as problem:
            reason = str(problem) if isinstance(problem, Unreadable) else f"it is not a {self.codec.type}"
            raise MisconfiguredConnector(
                f"column {self.name} ({self.definition.native_type}) holds a value that cannot be read: {reason}; "
                "correct the row, or name the column in text_columns"
            ) from None  # the driver's text would show the value
        if value is not None and self.is_reference:
            return Reference((self.key(value),), self.definition.reference_to)
        return value

    def encode(self, value: Value) -> Any:
        """Return what the driver binds for a value.

        Raises:
            Unfit: the column cannot hold it.
        """
        if isinstance(value, Reference):
            if len(value.key) != 1:
                raise Unfit("it refers to an object of several anchor columns")
            return self.codec.encode(self.codec.parse(value.key[0]))
        if self.is_reference and isinstance(value, str):
            return self.codec.encode(self.codec.parse(value))
        return self.codec.encode(value)

    def for_writing(self, value: Value) -> Any:
        """Return what the driver binds for a value, or raise `InvalidValue`."""
        limit = self.definition.max_length
        if limit is not None and isinstance(value, str | bytes) and len(value) > limit:
            unit = "bytes" if isinstance(value, bytes) else "characters"
            raise InvalidValue(f"{self.name} holds at most {limit} {unit}, not {len(value)}", attribute=self.name)
        try:
            return self.encode(value)
        except Unfit as problem:
            raise InvalidValue(f"{self.name} cannot take the value: {problem}", attribute=self.name) from None


@dataclass(frozen=True, slots=True)
class Layout:
    """One object type and the table behind it.

    `sure`: the database itself keeps the anchor unique. `triggers`: rows may change once more after a statement, so
    that they are read again. `returns_inserted`, `returns_updated`: what RETURNING can do here. `auto_increment`:
    the column whose number the driver tells after an insert.
    """

    object_type: ObjectType
    schema: str | None
    table: str
    columns: Mapping[str, Column]
    anchor: tuple[Column, ...]
    sure: bool
    triggers: bool
    constraints: Mapping[str, tuple[str, ...]]
    returns_inserted: bool
    returns_updated: bool
    auto_increment: str | None = None

    @property
    def target(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def where(self, *, writing: bool = False, deleting: bool = False) -> Where:
        return Where(self.target, self.constraints, writing, deleting)

    def column(self, name: str) -> Column:
        """Return the column of an attribute, or say that it is not there (any more)."""
        found = self.columns.get(name)
        if found is None:
            raise MisconfiguredConnector(f"{self.target} has no column {name}; read the schema again")
        return found

    def readable(self, names: Iterable[str]) -> tuple[Column, ...]:
        """Return the anchor's columns and the named ones; a secret one is refused."""
        chosen = {column.name: column for column in self.anchor}
        for name in names:
            column = self.column(name)
            if column.definition.secret:
                raise MisconfiguredConnector(f"{name} of {self.target} is secret and is never read")
            chosen[name] = column
        return tuple(chosen.values())

    def made_by_target(self) -> tuple[str, ...]:
        """Return the attributes whose values the database may set by itself."""
        return tuple(
            c.name
            for c in self.columns.values()
            if not c.definition.secret and (self.triggers or c.has_default or c.definition.readonly)
        )

    def located(self, identity: Identity) -> list[Any] | None:
        """Return what to bind for the anchor, or None if no row can have it."""
        texts = identity.anchor.values
        if len(texts) != len(self.anchor):
            return None
        try:
            return [c.codec.encode(c.codec.parse(text)) for c, text in zip(self.anchor, texts, strict=True)]
        except Unfit:
            return None

    def decoder(self, columns: Sequence[Column]) -> Callable[[Sequence[Any]], ConnectorObject]:
        """Return what makes an object of a row; `columns` begin with the anchor. Prepared once, for many rows."""
        names = [c.name for c in columns]
        converts = [_swift(c) for c in columns]
        keys = [(n, _swift_key(c)) for n, c in enumerate(self.anchor)]
        object_type = self.object_type.name

        def decode(row: Sequence[Any]) -> ConnectorObject:
            try:
                values = [
                    raw if raw is None or convert is None else convert(raw)
                    for convert, raw in zip(converts, row, strict=True)
                ]
            except (ValueError, ArithmeticError):
                for column, raw in zip(columns, row, strict=True):
                    column.decode(raw)  # says which one, and what to do
                raise
            for n, _ in keys:
                if values[n] is None:
                    raise MisconfiguredConnector(f"{self.target}: a row has no value in its anchor column {names[n]}")
            attributes: dict[str, tuple[Value, ...]] = {
                name: () if value is None else (value,) for name, value in zip(names, values, strict=True)
            }
            anchor = Anchor(tuple([key(values[n]) for n, key in keys]))
            return ConnectorObject(object_type=object_type, identity=Identity(anchor), attributes=attributes)

        return decode

    def object(self, columns: Sequence[Column], row: Sequence[Any]) -> ConnectorObject:
        """Return a row as an object; `columns` begin with the anchor."""
        return self.decoder(columns)(row)


def _swift(column: Column) -> Callable[[Any], Value | None] | None:
    """Return what converts a value that is there; None where it is left as it is."""
    if column.is_reference:
        return column.decode
    return None if column.codec.decode is str else column.codec.decode


def _swift_key(column: Column) -> Callable[[Any], str]:
    match column.definition.type:
        case AttributeType.STRING:
            return column.fold
        case AttributeType.INTEGER:
            return str
        case _:
            return column.key
