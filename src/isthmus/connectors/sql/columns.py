"""One column: how its values travel, and by which rule they are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from isthmus.connectors.sql.values import Codec, Unfit, Unreadable, text_of
from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    InvalidValue,
    MisconfiguredConnector,
    Reference,
    Value,
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `fold` makes the text that values share which the target takes for equal.

    `comparable`: the type has an equality of its own; else values are compared as text. `read_as` is
    multiplied with the column when it is read, where its own text form loses digits. `cleared_as_empty`: no value is
    the empty text (NOT NULL DEFAULT '').
    """

    definition: AttributeDefinition
    codec: Codec
    fold: Callable[[str], str]
    nullable: bool = True
    has_default: bool = False
    cleared_as_empty: bool = False
    comparable: bool = True
    read_as: str | None = None

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_reference(self) -> bool:
        return self.definition.type is AttributeType.REFERENCE

    def pointing_at(self, anchor: Column) -> Column:
        """Return the column as one that holds another's values: by its case rule; if without a type, written alike."""
        codec = self.codec
        if not self.comparable:
            codec = replace(codec, encode=anchor.codec.encode, parse=anchor.codec.parse)
        return replace(self, fold=anchor.fold, codec=codec)

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
