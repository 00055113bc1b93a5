"""Values on their way: SCIM's JSON to the target's types, and the target's types to texts and SCIM's JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from isthmus.spi import AttributeDefinition, AttributeType, Complex, Reference, Value

# C0 and DEL; in attributes that do not identify anybody, TAB, LF and CR belong to ordinary text such as addresses.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# A JSON number arrives as a double; 15 significant digits are what every double keeps (IEEE 754, DBL_DIG).
_SAFE_DIGITS = 15
_EMPTY = frozenset({"", b""})
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
# Beyond this exponent a plain decimal would be pages of zeros.
_PLAIN_EXPONENT = 64


class Unfit(ValueError):
    """A value that an attribute cannot take; the text says what would be right, never the value itself."""


Accept = Callable[[object], Value]
Show = Callable[[Any], Any]


def acceptor(
    definition: AttributeDefinition, *, tolerant: bool = True, key: bool = False, as_text: bool = False
) -> Accept:
    """Return the conversion of one JSON value to this attribute's type.

    `tolerant` takes "True" for true, "12" for 12 and 12 for "12". `as_text`: SCIM publishes the attribute as a string,
    so text forms are right in any case. `key`: the attribute identifies objects, so line breaks are refused as well.
    The conversion raises `Unfit`.
    """
    lenient = tolerant or as_text
    limit = definition.max_length
    match definition.type:
        case AttributeType.STRING | AttributeType.REFERENCE:
            return _text_acceptor(_CONTROL if key else _CONTROL_BUT_LINES, limit, tolerant=tolerant)
        case AttributeType.INTEGER:
            return accept_integer if lenient else _accept_strict_integer
        case AttributeType.DECIMAL:
            return accept_decimal
        case AttributeType.BOOLEAN:
            return accept_boolean if lenient else _accept_strict_boolean
        case AttributeType.DATETIME:
            return accept_datetime if tolerant else _accept_strict_datetime
        case AttributeType.BINARY:
            return _binary_acceptor(limit)
        case AttributeType.COMPLEX:
            return _accept_no_text


def _accept_no_text(raw: object) -> Value:
    del raw
    raise Unfit("is made of parts and takes no single value")


def _text_acceptor(refused: re.Pattern[str], limit: int | None, *, tolerant: bool) -> Accept:
    search = refused.search
    lines = refused is _CONTROL_BUT_LINES
    most = limit if limit is not None else 1 << 62

    def accept(raw: object) -> Value:
        if type(raw) is str and raw.isprintable() and len(raw) <= most:
            return raw
        if not isinstance(raw, str):
            if tolerant and isinstance(raw, int) and not isinstance(raw, bool):
                raw = str(raw)
            else:
                raise Unfit("must be a string")
        if not raw.isprintable() and (search(raw) or _SURROGATE.search(raw)):
            raise Unfit("must not hold control characters" + (" other than tabs and line breaks" if lines else ""))
        if limit is not None and len(raw) > limit:
            raise Unfit(f"must have at most {limit} characters, not {len(raw)}")
        return raw

    return accept


def accept_integer(raw: object) -> Value:
    """Return an integer from a JSON number or from digits."""
    if isinstance(raw, str):
        # 20 digits hold every 64-bit number; int() of a huge text would be slow
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", raw):
            raise Unfit("must be an integer")
        raw = int(raw)
    elif isinstance(raw, float) and raw.is_integer() and abs(raw) < 2**53:
        raw = int(raw)
    return _accept_strict_integer(raw)


def _accept_strict_integer(raw: object) -> Value:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise Unfit("must be an integer")
    if not _SMALLEST <= raw <= _LARGEST:
        raise Unfit("must be an integer of at most 64 bits")
    return raw


def accept_decimal(raw: object) -> Value:
    """Return a decimal from a JSON number or from text, which alone can carry more than 15 digits without loss."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise Unfit("must be a decimal number")
    try:
        value = Decimal(repr(raw) if isinstance(raw, float) else raw)
    except InvalidOperation as exc:
        raise Unfit("must be a decimal number") from exc
    if not value.is_finite():
        raise Unfit("must be a decimal number")
    if isinstance(raw, float) and len(value.normalize().as_tuple().digits) > _SAFE_DIGITS:
        raise Unfit(f"has more than {_SAFE_DIGITS} digits, which a JSON number may lose; send it as a string")
    return value


def accept_boolean(raw: object) -> Value:
    """Return a boolean from true and false, or from Entra's "True" and "False"."""
    if isinstance(raw, str):
        folded = raw.strip().lower()
        if folded == "true":
            return True
        if folded == "false":
            return False
    return _accept_strict_boolean(raw)


def _accept_strict_boolean(raw: object) -> Value:
    if not isinstance(raw, bool):
        raise Unfit("must be true or false")
    return raw


def accept_datetime(raw: object) -> Value:
    """Return a moment from ISO 8601 text; without an offset it stays without one."""
    if not isinstance(raw, str):
        raise Unfit("must be a date and time such as 2025-01-31T08:00:00Z")
    try:
        return datetime.fromisoformat(raw.strip())
    except ValueError as exc:
        raise Unfit("must be a date and time such as 2025-01-31T08:00:00Z") from exc


def _accept_strict_datetime(raw: object) -> Value:
    if isinstance(raw, str) and "T" not in raw:
        raise Unfit("must be a date and time such as 2025-01-31T08:00:00Z")  # xsd:dateTime (RFC 7643 2.3.5)
    return accept_datetime(raw)


def _binary_acceptor(limit: int | None) -> Accept:
    def accept(raw: object) -> Value:
        if not isinstance(raw, str):
            raise Unfit("must be base64 text")
        try:
            value = base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise Unfit("must be base64 text") from exc
        if limit is not None and len(value) > limit:
            raise Unfit(f"must have at most {limit} bytes, not {len(value)}")
        return value

    return accept


def accept_secret(raw: object) -> Value:
    """Return a password as text; NUL and other control characters are refused. The plan wraps it at once."""
    if not isinstance(raw, str):
        raise Unfit("must be a string")
    if _CONTROL.search(raw) or _SURROGATE.search(raw):
        raise Unfit("must not hold control characters")
    return raw


def moment_text(value: datetime) -> str:
    """Return the stored form: 26 characters, and Z if the moment has a zone, so that texts sort as moments do."""
    if value.tzinfo is None:
        return value.isoformat(timespec="microseconds")
    try:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    except OverflowError:  # within a day of year 1 or 9999 there may be no such moment in UTC
        return value.isoformat(timespec="microseconds")


def moment_key(value: datetime) -> str:
    """Return the 26 characters by which moments are compared; one without a zone counts as UTC."""
    return moment_text(value)[:26]


def decimal_text(value: Decimal) -> str:
    """Return the canonical plain text: equal numbers give equal text."""
    if not value.is_finite():
        return str(value)
    if value == 0:
        return "0"
    normal = value.normalize() if len(value.as_tuple().digits) <= 28 else _without_trailing_zeros(value)
    return format(normal, "f") if abs(normal.adjusted()) <= _PLAIN_EXPONENT else str(normal)


def _without_trailing_zeros(value: Decimal) -> Decimal:
    # Decimal.normalize rounds to the context's 28 digits
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    while len(digits) > 1 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return Decimal((sign, digits, exponent))


def base64_text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def key_text(key: tuple[str, ...]) -> str:
    """Return the canonical text of an anchor or of a reference's key."""
    return orjson.dumps(key).decode()


def plain_text(value: Value) -> str:
    """Return the text of a value where SCIM publishes a string; also the canonical text of keys."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return decimal_text(value)
        case datetime():
            return show_datetime(value)
        case bytes():
            return base64_text(value)
        case Reference():
            return key_text(value.key)
        case Complex():
            return orjson.dumps(show_parts(value)).decode()


def show_datetime(value: datetime) -> str:
    """Return the dateTime as SCIM shows it (RFC 7643 2.3.5), in UTC if its zone is known."""
    if value.tzinfo is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        return value.isoformat()


def show_decimal(value: Decimal) -> object:
    """Return a JSON number with all its digits; NaN and infinities, which JSON lacks, as text."""
    if not isinstance(value, Decimal) or not value.is_finite():
        return plain_text(value)
    return orjson.Fragment(decimal_text(value))


def show_parts(value: Complex) -> dict[str, object]:
    """Return a value made of parts under the target's own names; nothing empty is a value (RFC 7643 2.5)."""
    return {name: _shown(part) for name, part in value.parts if part not in _EMPTY}


def _shown(part: Value) -> object:
    match part:
        case str() | bool():
            return part
        case int():
            return show_integer(part)
        case Decimal():
            return show_decimal(part)
        case _:
            return plain_text(part)


def show_integer(value: int) -> object:
    """Return a JSON number, also beyond 64 bits."""
    return value if _SMALLEST <= value <= _LARGEST else orjson.Fragment(str(value))


NATIVE: dict[AttributeType, Show | None] = {
    AttributeType.STRING: None,
    AttributeType.INTEGER: None,
    AttributeType.BOOLEAN: None,
    AttributeType.DECIMAL: show_decimal,
    AttributeType.DATETIME: show_datetime,
    AttributeType.BINARY: base64_text,
    AttributeType.REFERENCE: plain_text,
    AttributeType.COMPLEX: show_parts,
}
"""How a value is shown under the attribute's own name; None: as it is."""

SCIM_TYPES: dict[AttributeType, str] = {
    AttributeType.STRING: "string",
    AttributeType.INTEGER: "integer",
    AttributeType.BOOLEAN: "boolean",
    AttributeType.DECIMAL: "decimal",
    AttributeType.DATETIME: "dateTime",
    AttributeType.BINARY: "binary",
    AttributeType.REFERENCE: "complex",
    AttributeType.COMPLEX: "complex",
}
"""What /Schemas calls the target's types (RFC 7643 2.3)."""
