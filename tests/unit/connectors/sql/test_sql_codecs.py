"""Canonical text, case rules and what does not fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.sql import values
from isthmus.connectors.sql.copying import split
from isthmus.connectors.sql.values import Unfit, text_of
from isthmus.spi import Reference


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x ", "x "),
        (0, "0"),
        (-5, "-5"),
        (True, "true"),
        (Decimal("1.50"), "1.5"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal(100), "100"),
        (Decimal("1E-3"), "0.001"),
        (datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2024-01-02T02:04:05+00:00"),
        (b"\x00\xff", "00ff"),
        (Reference(("a",)), "a"),
    ],
)
def test_canonical_text(value: object, text: str) -> None:
    assert text_of(value) == text  # type: ignore[arg-type]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_equal_decimals_have_equal_text_and_come_back(number: Decimal) -> None:
    assert text_of(number) == text_of(Decimal(text_of(number) + (".00" if "." not in text_of(number) else "00")))
    assert values.parse_decimal(text_of(number)) == number


@given(st.integers(), st.datetimes(timezones=st.just(UTC)), st.binary(), st.booleans())
def test_text_comes_back(number: int, moment: datetime, raw: bytes, flag: bool) -> None:
    assert values.parse_integer(text_of(number)) == number
    assert values.parse_datetime(text_of(moment)) == moment
    assert values.parse_binary(text_of(raw)) == raw
    assert values.parse_boolean(text_of(flag)) == flag


def test_folds_never_join_what_a_target_tells_apart() -> None:
    assert values.fold_ascii("ÄA-Zz") == "Äa-zz"
    assert values.fold_letters("ÄÖ-Abc \u03a3\u0391\u03a3 Ж") == "äö-abc \u03c3\u03b1\u03c3 ж"
    for one, other in (("ß", "ss"), ("\u212a", "K"), ("İ", "i"), ("ı", "i"), ("ſ", "s"), ("ﬁ", "fi"), ("é", "e")):  # noqa: RUF001
        assert values.fold_letters(one) != values.fold_letters(other)
    assert values.trimmed(values.fold_letters)("Ab  ") == "ab"
    assert values.trimmed(values.exact)(" Ab\t ") == " Ab\t"


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    for fold in (values.fold_ascii, values.fold_letters, values.exact, values.trimmed(values.fold_letters)):
        assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("precision", "scale", "fits", "too_much"),
    [
        (10, 2, ["99999999.99", "0.01", "1E+7", "-5.00"], ["100000000", "0.001", "1E+8"]),
        (3, 0, ["999"], ["1000", "0.1"]),
        (2, 4, ["0.0099", "0.001"], ["0.01", "1"]),
        (None, None, ["1E+50", "0.1234567890123456789"], []),
    ],
)
def test_decimals(precision: int | None, scale: int | None, fits: list[str], too_much: list[str]) -> None:
    check = values.check_decimal(precision, scale)
    for text in fits:
        assert check(Decimal(text)) == Decimal(text)
    for text in too_much:
        with pytest.raises(Unfit):
            check(Decimal(text))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_precision_numbers_are_shortest(number: float) -> None:
    import struct

    short = values.single_float(repr(number))
    assert struct.unpack("<f", struct.pack("<f", float(short)))[0] == number
    assert len(short.as_tuple().digits) <= 9


def test_a_row_of_copy_is_taken_apart() -> None:
    row = b"1\t\\N\t\ta\\tb\\\\N\\n\\r\\b\\f\\v\t\\\\x00ff\tZo\xc3\xab\n"
    assert split(row) == ["1", None, "", "a\tb\\N\n\r\b\f\v", "\\x00ff", "Zoë"]
