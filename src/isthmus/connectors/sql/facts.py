"""What a database's own catalogue says about the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from isthmus.connectors.sql.values import Codec, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One column, as found. `codec` is how its values travel by default, `text_codec` how they do as text.

    `generated`: the database makes a value when none is given. `computed`: it takes none.
    """

    name: str
    native: str
    codec: Codec
    text_codec: Codec
    nullable: bool
    generated: bool = False
    computed: bool = False
    auto_increment: bool = False
    fold: Callable[[str], str] = exact
    case_exact: bool = True
    max_length: int | None = None
    comparable: bool = True
    read_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The keys of a table: the unique ones, primary included, and the columns behind each casefolded name."""

    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
