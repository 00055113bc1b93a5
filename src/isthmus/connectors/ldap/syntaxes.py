"""LDAP syntaxes as types: values to bytes and back (RFC 4517 section 3)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from isthmus.spi import AttributeType, Reference, Value

_RFC = "1.3.6.1.4.1.1466.115.121.1."


class Unfit(ValueError):
    """A value that the attribute cannot hold, or cannot be read. The text never repeats the value."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How the values of one syntax travel."""

    type: AttributeType
    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]


def _text_out(value: Value) -> bytes:
    if not isinstance(value, str):
        raise Unfit("a text is expected")
    if not value:
        raise Unfit("an empty text cannot be stored; leave it without a value")
    try:
        return value.encode()
    except UnicodeEncodeError as exc:
        raise Unfit("the text holds half of a surrogate pair, which is no character") from exc


def _text_in(value: bytes) -> Value:
    try:
        return value.decode()
    except UnicodeDecodeError as exc:
        raise Unfit("it is not UTF-8") from exc


def _ascii_out(value: Value) -> bytes:
    given = _text_out(value)
    if not given.isascii():
        raise Unfit("only ASCII characters are possible")
    return given


def _integer_out(value: Value) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("a whole number is expected")
    return str(value).encode()


def _integer_in(value: bytes) -> Value:
    try:
        return int(value)
    except ValueError as exc:
        raise Unfit("it is no whole number") from exc


def _boolean_out(value: Value) -> bytes:
    if not isinstance(value, bool):
        raise Unfit("true or false is expected")
    return b"TRUE" if value else b"FALSE"


def _boolean_in(value: bytes) -> Value:
    folded = value.upper()
    if folded not in {b"TRUE", b"FALSE"}:
        raise Unfit("it is neither TRUE nor FALSE")
    return folded == b"TRUE"


def _time_out(value: Value) -> bytes:
    if not isinstance(value, datetime):
        raise Unfit("a date with time is expected")
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as exc:
        raise Unfit("the moment is beyond the year 9999 or before the year 1") from exc
    text = f"{moment.year:04d}{moment:%m%d%H%M%S}"
    if moment.microsecond:
        text += f".{moment.microsecond:06d}".rstrip("0")
    return f"{text}Z".encode()


def _decimal_time_out(value: Value) -> bytes:
    whole = _time_out(value)
    return whole if b"." in whole else whole[:-1] + b".0Z"


_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(Z|[+-]\d\d(?:\d\d)?)")


def parse_time(text: str) -> datetime:
    """Return the moment that a generalized time names (RFC 4517 3.3.13).

    Raises:
        Unfit: it names none, or one that no calendar has (0000-01-01).
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise Unfit("it is no generalized time")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), tzinfo=UTC)
        whole = 1_000_000 * (1 if second else 60 if minute else 3600)
        moment += timedelta(seconds=min(int(second or 0), 60))
        if fraction:
            moment += timedelta(microseconds=int(fraction) * whole // 10 ** len(fraction))
        if zone != "Z":
            minutes = int(zone[1:3]) * 60 + int(zone[3:] or 0)
            moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes)))
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Unfit("it names a moment that does not exist") from exc
    return moment


def _bytes_out(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise Unfit("bytes are expected")
    return value


def _guid_out(value: Value) -> bytes:
    try:
        return uuid.UUID(str(value)).bytes_le
    except ValueError as exc:
        raise Unfit("it is no GUID") from exc


def _guid_in(value: bytes) -> Value:
    if len(value) != 16:
        raise Unfit("it is no GUID")
    return str(uuid.UUID(bytes_le=value))


TEXT = Codec(AttributeType.STRING, _text_out, _text_in)
ASCII = Codec(AttributeType.STRING, _ascii_out, _text_in)
INTEGER = Codec(AttributeType.INTEGER, _integer_out, _integer_in)
BOOLEAN = Codec(AttributeType.BOOLEAN, _boolean_out, _boolean_in)
TIME = Codec(AttributeType.DATETIME, _time_out, lambda value: parse_time(value.decode("ascii", "replace")))
DECIMAL_TIME = Codec(AttributeType.DATETIME, _decimal_time_out, TIME.decode)
"""Generalized time as AD and its relatives write and compare it ([MS-ADTS] 3.1.1.2.2.2)."""
BINARY = Codec(AttributeType.BINARY, _bytes_out, lambda value: value)
GUID = Codec(AttributeType.STRING, _guid_out, _guid_in)
"""objectGUID and eDirectory's GUID: 16 bytes, of which the first three groups stand in reverse."""


def reference(key: Callable[[str], str], object_type: str | None) -> Codec:
    """Return the codec of DNs: the canonical DN is the key."""

    def encode(value: Value) -> bytes:
        if not isinstance(value, Reference) or len(value.key) != 1:
            raise Unfit("a reference to one entry is expected")
        try:
            key(value.key[0])
        except ValueError as exc:
            raise Unfit(str(exc)) from exc
        return _text_out(value.key[0])

    def decode(value: bytes) -> Value:
        try:
            return Reference((key(value.decode()),), object_type)
        except ValueError as exc:  # UnicodeDecodeError is one
            raise Unfit("it is no distinguished name") from exc

    return Codec(AttributeType.REFERENCE, encode, decode)


DN_SYNTAXES = frozenset({_RFC + "12", _RFC + "34", "2.5.5.1"})
"""Distinguished Name; Name and Optional UID (uniqueMember)."""

BINARY_TRANSFER = frozenset(_RFC + number for number in ("8", "9", "10", "49"))
"""Certificates and their lists: asked for and sent with the option ;binary (RFC 4523 2)."""

CODECS: dict[str, Codec] = {
    _RFC + "7": BOOLEAN,
    _RFC + "24": TIME,
    _RFC + "27": INTEGER,
    _RFC + "26": ASCII,
    _RFC + "36": ASCII,
    _RFC + "44": ASCII,
    _RFC + "4": BINARY,
    _RFC + "5": BINARY,
    _RFC + "8": BINARY,
    _RFC + "9": BINARY,
    _RFC + "10": BINARY,
    _RFC + "23": BINARY,
    _RFC + "28": BINARY,
    _RFC + "40": BINARY,
    _RFC + "49": BINARY,
    "1.2.840.113556.1.4.906": INTEGER,  # AD: large integer
    "1.2.840.113556.1.4.907": BINARY,  # AD: security descriptor
}
"""By OID; every other syntax is text."""

_IGNORE = {
    "caseignorematch", "caseignoreia5match", "caseignorelistmatch", "telephonenumbermatch", "objectidentifiermatch",
    "distinguishednamematch", "uniquemembermatch", "booleanmatch", "numericstringmatch",
    "2.5.13.2", "1.3.6.1.4.1.1466.109.114.2", "2.5.13.11", "2.5.13.20", "2.5.13.0", "2.5.13.1", "2.5.13.23",
    "2.5.13.13", "2.5.13.8",
}  # fmt: skip
_EXACT = {
    "caseexactmatch", "caseexactia5match", "integermatch", "generalizedtimematch", "octetstringmatch", "uuidmatch",
    "bitstringmatch", "csnmatch", "booleanmatch",
    "2.5.13.5", "1.3.6.1.4.1.1466.109.114.1", "2.5.13.14", "2.5.13.27", "2.5.13.17", "1.3.6.1.1.16.2", "2.5.13.16",
}  # fmt: skip


def case_exact(rule: str) -> bool | None:
    """Return whether an equality rule tells "A" from "a"; None where we cannot search by it."""
    folded = rule.casefold()
    if folded in _IGNORE:
        return False
    return True if folded in _EXACT else None
