"""Booleans stored in another form: 'Y' and 'N', 1 and 0."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.sql.settings import BooleanColumn
from isthmus.connectors.sql.values import Codec, Unfit, Unreadable, check_boolean, parse_boolean, text_of
from isthmus.spi import AttributeType, MisconfiguredConnector, Value


def boolean_codec(stored: Codec, form: BooleanColumn) -> Codec:
    """Return the codec of a column that holds `form.true` and `form.false`, in its own type."""
    try:
        true, false = stored.encode(stored.parse(form.true)), stored.encode(stored.parse(form.false))
        true_text, false_text = text_of(stored.parse(form.true)), text_of(stored.parse(form.false))
    except Unfit as problem:
        raise MisconfiguredConnector(
            f"boolean column {form.column} cannot hold {form.true!r} and {form.false!r}: {problem}"
        ) from None
    if true_text == false_text:
        raise MisconfiguredConnector(f"boolean column {form.column} needs different values for true and false")

    def decode(raw: Any) -> bool:
        value = stored.decode(raw)
        text = None if value is None else text_of(value)
        if text not in {true_text, false_text}:
            raise Unreadable(f"it is neither {form.true!r} nor {form.false!r}")
        return text == true_text

    def encode(value: Value) -> Any:
        return true if check_boolean(value) else false

    return Codec(AttributeType.BOOLEAN, decode, encode, parse_boolean)
