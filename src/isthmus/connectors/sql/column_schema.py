"""A column, from what the catalogue says and what the settings say."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.connectors.sql.booleans import boolean_codec
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.facts import ColumnFacts
from isthmus.connectors.sql.settings import BooleanColumn
from isthmus.spi import AttributeDefinition, AttributeType


def column_of(
    facts: ColumnFacts,
    *,
    booleans: Iterable[BooleanColumn],
    as_text: bool,
    writable: bool,
    secret: bool = False,
    unique: bool = False,
    in_anchor: bool = False,
) -> Column:
    """Return the column of a table; `writable`: whether the table takes any writes."""
    codec, length = facts.codec, facts.max_length
    form = next((c for c in booleans if c.column == facts.name), None)
    if as_text:
        codec = facts.text_codec
    elif form is not None:
        codec, length = boolean_codec(codec, form), None
    generated = (facts.generated and not facts.computed) or (facts.computed and in_anchor)
    readonly = facts.computed or not writable
    definition = AttributeDefinition(
        name=facts.name,
        type=codec.type,
        required=not readonly and not generated and (not facts.nullable or in_anchor),
        readonly=readonly,
        generated=generated,
        unique=unique,
        case_exact=facts.case_exact,
        case_folding=facts.case_folding,
        secret=secret,
        max_length=length if codec.type in {AttributeType.STRING, AttributeType.BINARY} else None,
        native_type=facts.native,
        choices=facts.choices if codec.type is AttributeType.STRING and not secret else (),
    )
    return Column(
        definition=definition,
        codec=codec,
        fold=facts.fold,
        nullable=facts.nullable,
        has_default=facts.generated,
        cleared_as_empty=facts.empty_default and not facts.nullable and codec.type is AttributeType.STRING,
        comparable=facts.comparable,
        read_as=None if as_text else facts.read_as,
    )
