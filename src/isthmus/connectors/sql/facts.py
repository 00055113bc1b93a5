"""What a database's own catalogue says about the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from isthmus.connectors.sql.values import Codec, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One column, as found. `codec` is how its values travel by default, `text_codec` how they do as text.

    `generated`: the database makes a value when none is given. `computed`: it takes none. `empty_default`: the value
    is the empty text.
    """

    name: str
    native: str
    codec: Codec
    text_codec: Codec
    nullable: bool
    generated: bool = False
    computed: bool = False
    empty_default: bool = False
    auto_increment: bool = False
    fold: Callable[[str], str] = exact
    case_exact: bool = True
    case_folding: Literal["full", "letters"] = "letters"
    max_length: int | None = None
    comparable: bool = True
    choices: tuple[str, ...] = ()
    read_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns that hold the key of another table, column by column; whether the database changes and deletes along."""

    columns: tuple[str, ...]
    schema: str | None
    table: str
    referred: tuple[str, ...]
    update_cascades: bool = False
    delete_cascades: bool = False

    def points_at(self, schema: str | None, table: str, key: Sequence[str]) -> bool:
        """Whether it refers to exactly this key of this table."""
        same_schema = self.schema is None or schema is None or self.schema == schema
        return self.table == table and same_schema and set(self.referred) == set(key)

    def in_order_of(self, key: Sequence[str]) -> tuple[str, ...]:
        """Return the columns in the order of the key that they refer to."""
        by_referred = dict(zip(self.referred, self.columns, strict=True))
        return tuple(by_referred[name] for name in key)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The keys of a table: the unique ones, primary included, and the columns behind each casefolded name."""

    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: tuple[ForeignKey, ...] = ()
    referred: bool = False
    """Whether another table is known to refer to this one; asked only where rows may have to be taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """One table or view, as found."""

    schema: str | None
    name: str
    columns: tuple[ColumnFacts, ...]
    keys: KeyFacts
    triggers: bool = False
    insertable: bool = True
    updatable: bool = True
