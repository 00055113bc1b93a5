"""What is known of one table: its columns, how their values travel, what identifies a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.connectors.sql.child import Child, Dependent
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.errors import Where
from isthmus.connectors.sql.passwords import PasswordColumn
from isthmus.connectors.sql.values import Unfit
from isthmus.spi import (
    Anchor,
    AttributeDefinition,
    AttributeType,
    Columns,
    ConnectorObject,
    Identity,
    MisconfiguredConnector,
    ObjectType,
    Reference,
    Value,
)

_TOLD = 80
"""Characters of an anchor's value in a message."""


@dataclass(frozen=True, slots=True)
class CompositeReference:
    """A reference that several columns of the object's own table hold together; it is none if one of them is NULL."""

    definition: AttributeDefinition
    columns: tuple[Column, ...]

    def value(self, fields: Mapping[str, Value | None]) -> Value | None:
        key = [None if (v := fields[c.name]) is None else c.key(v) for c in self.columns]
        texts = tuple(text for text in key if text is not None)
        return Reference(texts, self.definition.reference_to) if len(texts) == len(key) else None


@dataclass(frozen=True, slots=True)
class Layout:
    """One object type and the table behind it.

    `sure`: the database itself keeps the anchor unique. `triggers`: rows may change once more after a statement, so
    that they are read again. `returns_inserted`, `returns_updated`: what RETURNING can do here. `auto_increment`:
    the column whose number the driver tells after an insert. `composites`: references made of several columns, of which
    `hidden` are no attributes of their own, and neither is `password`. `children`: attributes that live in tables of
    their own; `dependents`: all columns, there and elsewhere, that hold an anchor of this type.
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
    composites: Mapping[str, CompositeReference] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    children: Mapping[str, Child] = field(default_factory=dict)
    dependents: tuple[Dependent, ...] = ()
    password: PasswordColumn | None = None

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
        """Return the anchor's columns and the named ones, without those of child tables; a secret one is refused."""
        chosen = {column.name: column for column in self.anchor}
        for name in names:
            if name in self.children:
                continue
            if name in self.composites:
                chosen.update((column.name, self.columns[column.name]) for column in self.composites[name].columns)
                continue
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
        object_type, hidden = self.object_type.name, self.hidden
        read = {c.name for c in columns}
        composites = [each for each in self.composites.values() if read.issuperset(c.name for c in each.columns)]

        def decode(row: Sequence[Any]) -> ConnectorObject:
            try:
                values = [
                    raw if raw is None or convert is None else convert(raw)
                    for convert, raw in zip(converts, row, strict=True)
                ]
            except (ValueError, ArithmeticError, MisconfiguredConnector):
                self._tell_unreadable(columns, row)
                raise
            for n, _ in keys:
                if values[n] is None:
                    raise MisconfiguredConnector(f"{self.target}: a row has no value in its anchor column {names[n]}")
            attributes: dict[str, tuple[Value, ...]] = {
                name: () if value is None else (value,) for name, value in zip(names, values, strict=True)
            }
            if composites:
                fields = dict(zip(names, values, strict=True))
                for each in composites:
                    value = each.value(fields)
                    attributes[each.definition.name] = () if value is None else (value,)
            for name in hidden:
                attributes.pop(name, None)
            anchor = Anchor(tuple([key(values[n]) for n, key in keys]))
            return ConnectorObject(object_type=object_type, identity=Identity(anchor), attributes=attributes)

        return decode

    def _tell_unreadable(self, columns: Sequence[Column], row: Sequence[Any]) -> None:
        """Raise what says which column of which row cannot be read, and what to do."""
        for column, raw in zip(columns, row, strict=True):
            try:
                column.decode(raw)
            except MisconfiguredConnector as problem:
                raise MisconfiguredConnector(f"{self.target}{self._which(row)}: {problem}") from None

    def _which(self, row: Sequence[Any]) -> str:
        """Return which row it is, for a message; nothing where the anchor itself cannot be read."""
        told = []
        for column, raw in zip(self.anchor, row, strict=False):
            try:
                value = column.decode(raw)
            except MisconfiguredConnector:
                return ""
            told.append(f"{column.name} = {'NULL' if value is None else ascii(column.key(value)[:_TOLD])}")
        return f", the row with {' and '.join(told)}"

    def decoded_columns(self, columns: Sequence[Column], raw: Sequence[Sequence[Any]]) -> Columns | None:
        """Return many rows, given by column, as `decoder` makes objects of them.

        None if they have references, or if something cannot be read: `decoder` says what.
        """
        if any(c.is_reference for c in columns) or self.composites:
            return None
        values: dict[str, list[Value | None]] = {}
        try:
            for column, given in zip(columns, raw, strict=True):
                convert = _swift(column)
                if convert is None:
                    values[column.name] = list(given)
                elif None in given:
                    values[column.name] = [None if each is None else convert(each) for each in given]
                else:
                    values[column.name] = list(map(convert, given))
        except (ValueError, ArithmeticError):
            return None
        keys = [values[column.name] for column in self.anchor]
        if any(None in key for key in keys):
            return None
        anchors = zip(*[map(_swift_key(c), key) for c, key in zip(self.anchor, keys, strict=True)], strict=True)
        return Columns(list(anchors), {name: each for name, each in values.items() if name not in self.hidden})

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
