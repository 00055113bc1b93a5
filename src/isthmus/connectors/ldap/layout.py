"""One object type: which entries it is, how its attributes travel, how an entry becomes an object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import ldap

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.dn import BadName, Names, ascii_lower, is_below, parse
from isthmus.connectors.ldap.errors import Where
from isthmus.connectors.ldap.link import Entry
from isthmus.connectors.ldap.syntaxes import TEXT, Codec, Unfit
from isthmus.connectors.ldap.templates import Template
from isthmus.spi import (
    Anchor,
    AttributeDefinition,
    Attributes,
    AttributeType,
    ConnectorObject,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    ObjectType,
    Value,
)

_CHOICES = 200
"""Different choices of attributes that are remembered; a host asks for a few."""

DN = "dn"
"""The attribute that stands for an entry's name; no directory has an attribute of this name."""


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute: its definition, its name in requests and answers, how its values travel."""

    definition: AttributeDefinition
    wire: str
    codec: Codec
    searchable: bool
    aliases: tuple[str, ...] = ()
    flag_of: Column | None = None
    """The attribute of which this one is a bit."""
    bit: int = 0

    @property
    def name(self) -> str:
        return self.definition.name

    def encode(self, value: Value) -> bytes:
        try:
            return self.codec.encode(value)
        except Unfit as exc:
            raise InvalidValue(f"{self.name}: {exc}", attribute=self.name) from exc

    def encode_each(self, values: Iterable[Value]) -> list[bytes]:
        """Return the values as they are sent; of those that are one value to the directory the first."""
        found = list(dict.fromkeys(map(self.encode, values)))
        alike = self.searchable and self.definition.type is AttributeType.STRING and not self.definition.case_exact
        if len(found) > 1 and alike:
            once: dict[bytes, bytes] = {}
            for value in found:
                once.setdefault(b" ".join(value.lower().split()), value)
            return list(once.values())
        return found

    def encode_all(self, values: Iterable[Value]) -> list[bytes]:
        """Return all values of the attribute as they are sent."""
        found = self.encode_each(values)
        if len(found) > 1 and not self.definition.multivalued:
            raise InvalidValue(f"{self.name} takes one value", attribute=self.name)
        return found


class Chosen(list[Column]):
    """Columns that are asked for again and again, with what is made of them once; never changed."""

    __slots__ = ("decode", "wires")
    wires: list[str]
    decode: Callable[[Entry], ConnectorObject]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything the connector knows of one object type."""

    object_type: ObjectType
    columns: Mapping[str, Column]
    classes: tuple[str, ...]
    bases: tuple[str, ...]
    excluded: tuple[str, ...]
    onelevel: bool
    filter: str
    template: Template | None
    names: Names = field(repr=False)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    """By attribute: the DN that stands for "no member"."""
    member_uid: str | None = None
    filtered: bool = False
    """Whether the settings add a filter: then a new entry may be none of the type."""
    included: tuple[str, ...] = ()
    """Every base that was named; `bases` leaves out those below another one, which need no search of their own."""
    by_alias: Mapping[str, Column] = field(init=False, repr=False, compare=False)
    """Every name of an attribute, in lower case."""
    required: tuple[str, ...] = field(init=False, repr=False, compare=False)
    generated: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """What the directory itself may set when an entry is made."""
    _chosen: dict[tuple[str, ...], Chosen] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns = self.columns.values()
        aliases = {alias: column for column in columns for alias in (column.name.casefold(), *column.aliases)}
        generated = tuple(a.name for a in self.object_type.attributes if a.readonly or a.generated)
        object.__setattr__(self, "by_alias", aliases)
        object.__setattr__(self, "required", tuple(c.name for c in columns if c.definition.required))
        object.__setattr__(self, "generated", generated)
        object.__setattr__(self, "_chosen", {})

    @property
    def name(self) -> str:
        return self.object_type.name

    @property
    def anchor(self) -> str:
        return self.object_type.anchor[0]

    @property
    def scope(self) -> int:
        return int(ldap.SCOPE_ONELEVEL if self.onelevel else ldap.SCOPE_SUBTREE)

    def where(self, *, writing: bool = False) -> Where:
        return Where(target=f"object type {self.name}", writing=writing)

    def column(self, name: str) -> Column:
        """Return a column by its exact name.

        Raises:
            MisconfiguredConnector: the type has no such attribute.
        """
        found = self.columns.get(name)
        if found is None:
            raise MisconfiguredConnector(f"object type {self.name} has no attribute {name}; read the schema again")
        return found

    def readable(self, names: Iterable[str]) -> list[Column]:
        """Return the columns asked for, and the anchor; secret ones are refused."""
        wanted = (*self.object_type.anchor, *names)
        columns = self._chosen.get(wanted)
        if columns is None:
            plain = [self.column(name) for name in dict.fromkeys(wanted)]
            for column in plain:
                if column.definition.secret:
                    raise MisconfiguredConnector(f"object type {self.name}: {column.name} is secret and never read")
            columns = Chosen(plain)
            columns.wires = self.asked(plain)
            columns.decode = self._decoder(plain)
            if len(self._chosen) < _CHOICES:
                self._chosen[wanted] = columns
        return columns

    def asked(self, columns: Iterable[Column]) -> list[str]:
        """Return what to ask the server for."""
        if isinstance(columns, Chosen):
            return columns.wires
        return list(dict.fromkeys(column.wire for column in columns if column.name != DN))

    def located(self, key: str) -> bool:
        """Whether a DN, as `Names.key` gives it, is where entries of this type are."""
        inside = max((len(base) for base in self.included or self.bases if is_below(key, base)), default=-1)
        outside = max((len(base) for base in self.excluded if is_below(key, base)), default=-1)
        if inside <= outside:  # the innermost that is named decides; of two above one entry that is the longer one
            return False
        if not self.onelevel:
            return True
        return any(
            is_below(key, base) and key != base and len(parse(key)) == len(parse(base)) + 1 for base in self.bases
        )

    def identified(self, anchor: Anchor) -> str:
        """Return the filter that only the entry with this anchor meets."""
        column = self.columns[self.anchor]
        if column.name == DN:
            return self.filter
        return filters.both(self.filter, filters.equal(column.wire, column.encode(anchor.values[0])))

    def object(self, columns: Sequence[Column], entry: Entry) -> ConnectorObject:
        """Return an entry as an object with these attributes."""
        return self.decoder(columns)(entry)

    def decoder(self, columns: Sequence[Column]) -> Callable[[Entry], ConnectorObject]:
        """Return what makes objects of entries; it may be used many times."""
        return columns.decode if isinstance(columns, Chosen) else self._decoder(columns)

    def _decoder(self, columns: Sequence[Column]) -> Callable[[Entry], ConnectorObject]:
        plan = [
            (column.name, None if column.name == DN else column.wire.lower(), column, self._plain(column))
            for column in columns
        ]

        def decode(entry: Entry) -> ConnectorObject:
            key = self.names.key(entry.dn)
            attributes: dict[str, tuple[Value, ...]] = {}
            given = entry.values
            for name, wire, column, plain in plan:
                if wire is None:
                    attributes[name] = (key,)
                elif plain and (raw := given.get(wire)) is not None and len(raw) == 1:
                    try:
                        attributes[name] = (raw[0].decode(),)
                    except UnicodeDecodeError:
                        attributes[name] = self.values(column, entry)  # says what is wrong
                else:
                    attributes[name] = self.values(column, entry)
            return ConnectorObject(
                object_type=self.name, identity=self._identity(key, attributes), attributes=attributes
            )

        return decode

    def _plain(self, column: Column) -> bool:
        """Whether a value is text as it comes: of most attributes, and of those that take the time."""
        return column.codec.type is AttributeType.STRING and column.codec.decode is TEXT.decode

    def _identity(self, key: str, attributes: Attributes) -> Identity:
        values = attributes[self.anchor]
        if not values:
            raise MisconfiguredConnector(
                f"object type {self.name}: the entry {key} has no {self.anchor}, or the connector's account may not "
                "read it; choose another anchor"
            )
        return Identity(Anchor((self.anchor_text(values[0]),)), key)

    def anchor_text(self, value: Value) -> str:
        """Return the canonical text of an anchor's value."""
        text = str(value)
        if self.columns[self.anchor].definition.case_exact or self.anchor == DN:
            return text
        # ASCII letters only: servers differ in which others they take for equal, and the anchor must find its entry.
        return ascii_lower(text)

    def values(self, column: Column, entry: Entry) -> tuple[Value, ...]:
        """Return the values of one attribute of an entry."""
        raw = entry.values.get(column.wire.lower())
        if raw is None:
            raw = next((entry.values[name] for name in column.aliases if name in entry.values), None)
        if not raw:
            return ()
        try:
            values = tuple(map(column.codec.decode, raw))
        except Unfit as exc:
            raise MisconfiguredConnector(
                f"{entry.dn}: {column.name} holds a value that cannot be read: {exc}; name it in excluded_attributes, "
                "or mend the entry"
            ) from exc
        if column.definition.type is AttributeType.REFERENCE:
            hidden = self.placeholders.get(column.name)
            if hidden is not None:
                values = tuple(v for v in values if v.key[0] != hidden)  # type: ignore[union-attr]
        if len(values) > 1 and not column.definition.multivalued:
            return (self._one(column, entry, values),)
        return values

    def _one(self, column: Column, entry: Entry, values: Sequence[Value]) -> Value:
        """Choose among several values of an attribute that is taken as one: the one in the DN, else the first."""
        try:
            named = dict(parse(entry.dn)[0])
        except (BadName, IndexError):
            return values[0]
        for kind, text in named.items():
            if kind.casefold() in {column.name.casefold(), *column.aliases}:
                return next((v for v in values if str(v).casefold() == text.casefold()), values[0])
        return values[0]
