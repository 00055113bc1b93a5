"""Values between host and database, both ways without loss: a value either fits exactly or is refused.

A `Codec` serves one kind of column. `decode` takes what the driver gives (text, for the databases on a wire), `encode`
returns what the driver binds, `parse` reads the canonical text that anchors are made of.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from isthmus.spi import AttributeType, Complex, Reference, Value, fold_letters
from isthmus.spi.folding import fold_letter


class Unfit(ValueError):
    """A value that a column cannot hold exactly; the message says why, without the value."""


class Unreadable(ValueError):
    """A stored value that has no counterpart; the message says why, without the value."""


@dataclass(frozen=True, slots=True)
class Codec:
    type: AttributeType
    decode: Callable[[Any], Value | None]
    encode: Callable[[Value], Any]
    parse: Callable[[str], Value]


# Canonical text, and the way back


def text_of(value: Value) -> str:
    """Return the text that equal values share: what anchors and references are made of."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return _plain(value)
        case datetime():
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        case bytes():
            return value.hex()
        case Reference():
            return value.key[0]
        case Complex():
            raise Unfit("it is made of parts")


def _plain(number: Decimal) -> str:
    if not number:
        return "0"  # also for -0 and 0.00
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_text(text: str) -> Value:
    return text


def parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unfit("it is not an integer") from None


def parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unfit("it is not a number") from None


def parse_boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise Unfit("it is not a boolean")
    return text == "true"


def parse_datetime(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Unfit("it is not a date and time") from None


def parse_binary(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Unfit("it is not binary") from None


# What may be written


def check_text(value: Value) -> str:
    """Return the text if every database can hold it."""
    if not isinstance(value, str):
        raise Unfit("it is not text")
    if "\x00" in value:
        raise Unfit("it holds the character NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit("it holds half of a surrogate pair") from None
    return value


def check_integer(low: int, high: int) -> Callable[[Value], int]:
    def check(value: Value) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit("it is not an integer")
        if not low <= value <= high:
            raise Unfit(f"it is not between {low} and {high}")
        return value

    return check


_DIGITS = 131_072
"""Digits of the longest number that a database takes (PostgreSQL's numeric, before the point)."""


def _finite(value: Value) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unfit("it is not a number")
    number = Decimal(value)
    if not number.is_finite():
        raise Unfit("it is not a finite number")
    return number


def check_decimal(precision: int | None = None, scale: int | None = None) -> Callable[[Value], Decimal]:
    """Refuse what the database would round: more digits after the point than `scale`, more before it than fit."""

    def check(value: Value) -> Decimal:
        number = _finite(value)
        digits, exponent = _digits(number)
        if digits + exponent > _DIGITS or -exponent > _DIGITS:
            raise Unfit(f"it has more than {_DIGITS} digits")  # 1e999999999 would be written out as it is sent
        if scale is not None and -exponent > scale:
            raise Unfit(f"it has more than {scale} digits after the point")
        if precision is not None and digits + exponent > precision - (scale or 0):
            raise Unfit(f"it has more than {precision - (scale or 0)} digits before the point")
        return number

    return check


def check_float(digits: int) -> Callable[[Value], Decimal]:
    """Refuse what a binary floating point number does not keep: 15 digits in a double, 6 in a single one (IEEE 754)."""

    def check(value: Value) -> Decimal:
        number = _finite(value)
        if _digits(number)[0] > digits:
            raise Unfit(f"it has more than the {digits} digits that this column keeps")
        if not math.isfinite(float(number)) or (number and not float(number)):
            raise Unfit("it is too large or too small for this column")
        return number

    return check


def _digits(number: Decimal) -> tuple[int, int]:
    """Return how many significant digits there are, and the power of ten of the last one."""
    if not number:
        return 0, 0
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # finite
    kept = len(digits)
    while digits[kept - 1] == 0:
        kept -= 1
    return kept, exponent + len(digits) - kept


def check_boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise Unfit("it is not a boolean")
    return value


def check_datetime(*, aware: bool) -> Callable[[Value], datetime]:
    """Return the moment as the column keeps it: with UTC, or the wall clock of UTC where the column has no zone."""

    def check(value: Value) -> datetime:
        if not isinstance(value, datetime):
            raise Unfit("it is not a date and time")
        try:
            moment = value.astimezone(UTC) if value.tzinfo else value
        except OverflowError:
            raise Unfit("it is outside the years 1 to 9999") from None
        return moment.replace(tzinfo=UTC if aware else None)

    return check


def check_binary(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise Unfit("it is not binary")
    return value


# Case rules: the text that values share which the target takes for equal. Where a rule cannot be copied exactly,
# it folds too little rather than too much: two objects must never become one.


def exact(text: str) -> str:
    return text


def fold_ascii(text: str) -> str:
    """Fold A to Z only, as SQLite's NOCASE does."""
    return text.translate(_ASCII)


@cache
def capitals() -> Mapping[str, str]:
    """Return every letter that `fold_letters` changes, and into which."""
    return {letter: low for code in range(_CASED) if (low := fold_letter(letter := chr(code))) != letter}


@cache
def folding(apart: frozenset[str], mixed: frozenset[str] = frozenset()) -> Callable[[str], str]:
    """Return `fold_letters`, but for the capitals that the target tells apart from their small letters.

    In Turkish that is "I" and "i"; in MariaDB's older collations it is letters that were not thought of, such as "Š" in
    latin1_swedish_ci. `mixed` are pairs in which the capital is kept: "cH" is not "ch" where that counts as one letter.
    """
    if mixed:
        fold = folding(apart)
        capital = re.compile("|".join(f"(?<={pair[0]}){pair[1]}" for pair in sorted(mixed)))
        return lambda text: _keeping(capital, text, fold(text))
    if not apart:
        return fold_letters
    table = {ord(capital): small for capital, small in capitals().items() if capital not in apart}
    lower = all(capital in table for capital in range(ord("A"), ord("Z") + 1))
    return lambda text: text.lower() if lower and text.isascii() else text.translate(table)


def _keeping(kept: re.Pattern[str], text: str, folded: str) -> str:
    """Return the folded text with what matches in the text as it was there; letters fold to one letter each."""
    for found in kept.finditer(text):
        folded = folded[: found.start()] + found[0] + folded[found.end() :]
    return folded


@cache
def trimmed(fold: Callable[[str], str]) -> Callable[[str], str]:
    """Return the fold of a collation with PAD SPACE: blanks at the end do not count."""
    return lambda text: fold(text).rstrip(" ")


_CASED = 0x1E944
"""Beyond all letters of two forms (Unicode 15)."""

_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def single_float(text: str) -> Decimal:
    """Return the shortest number that is this single-precision one."""
    wide = float(text)
    if not math.isfinite(wide):
        return Decimal(repr(wide))
    for digits in range(6, 10):
        short = f"{wide:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(short)))[0] == wide:
            return Decimal(short)
    return Decimal(repr(wide))
