"""Values the suite writes: ordinary ones by type, awkward ones, and the rule by which two values are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from isthmus.spi import AttributeDefinition, AttributeType, Complex, Reference, Value

HOSTILE = (
    "'; DROP TABLE people; --",
    "' OR '1'='1",
    '" OR ""="',
    "a'b''c`d",
    "/* comment */ -- # ;",
    "*)(uid=*))(|(uid=*",
    "(&(objectClass=*))",
    "\\2a\\28\\29\\00",
    "cn=a,ou=b+c=d;e<f>",
    '{"a": [1, {"b": null}]}',
    "[]{}()<>",
    "\\",
    "\\'\\\"",
    "%s %(name)s {0} {name} ${name} :name ?",
    "100%_*?#",
    "<b>&amp;</b>]]>",
    "../../etc/passwd",
    "$(id) `id` | id",
    "=1+1",
    "NULL",
    "null",
    "None",
    "true",
    "0123",
    "1e5",
    " leading and trailing ",
    "two  blanks",
    "tab\tinside",
    "line\nfeed",
    "carriage\r\nreturn",
    "\x00",
    "nul\x00inside",
    "\x01\x02\x1f\x7f",
    "\x1b[31mred",
    "\x85\u2028\u2029",
    "Zoë Ærøskøbing",
    "e\u0301 is not \u00e9",
    "ß ẞ \u017f K İ \u0131",  # case folding is not simple
    "Ωμέγα Жук",
    "名字 이름",
    "عربى \u202egnirts",
    "\u200d\u200b\ufeff",
    "👩🏽‍🚀 \U0001d518",
    "\uffff\U0010ffff",
    "\ud800",
)
"""Text that has a meaning of its own somewhere on the way: SQL, LDAP filters (RFC 4515) and names (RFC 4514), JSON,
format strings, shells, control characters, Unicode that normalisation, case folding or a small character set alter."""

WILDCARDS = ("%", "*", "_", "?", "%%", "**", ".*", ".", "", "[a-z]*", "*)(objectClass=*")
"""Patterns that must match nothing but themselves."""

_EPOCH = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def sample(definition: AttributeDefinition, n: int) -> Value:
    """Return an ordinary value for the n-th object; different for each n, but for booleans, choices, short text."""
    match definition.type:
        case AttributeType.STRING if definition.choices:
            return definition.choices[n % len(definition.choices)]
        case AttributeType.STRING:
            text = f"{definition.name}-{n}"
            if definition.max_length is not None and len(text) > definition.max_length:
                text = f"{n:x}"[-definition.max_length :]
            return text
        case AttributeType.INTEGER:
            return n
        case AttributeType.DECIMAL:
            return Decimal(n)
        case AttributeType.BOOLEAN:
            return n % 2 == 0
        case AttributeType.DATETIME:
            return _EPOCH + timedelta(minutes=n)
        case AttributeType.BINARY:
            return f"{n:08x}".encode()[-(definition.max_length or 8) :]
        case AttributeType.REFERENCE:
            raise ValueError(f"{definition.name}: a reference needs an object to point at")
        case AttributeType.COMPLEX:
            return complex_sample(definition, n)


def complex_sample(definition: AttributeDefinition, n: int) -> Complex:
    """Return a value with every part that can be written."""
    return Complex({part.name: _part(part, n) for part in written_parts(definition)})


def smallest(definition: AttributeDefinition, n: int) -> Complex:
    """Return a value with no part that may be left out, or with one if all may be."""
    parts = written_parts(definition)
    needed = [part for part in parts if part.required]
    return Complex({part.name: _part(part, n) for part in needed or parts[:1]})


def written_parts(definition: AttributeDefinition) -> list[AttributeDefinition]:
    """Return the parts that are not made by the target."""
    return [part for part in definition.sub_attributes if not (part.readonly or part.generated)]


def _part(definition: AttributeDefinition, n: int) -> Any:
    return sample(definition, n)


def edges(definition: AttributeDefinition) -> tuple[Value, ...]:
    """Return values at the edges of the type; a target may refuse one of them but not change it."""
    match definition.type:
        case AttributeType.STRING:
            return ("a", "A", "0", " ", "ä", "x" * min(definition.max_length or 64, 64))
        case AttributeType.INTEGER:
            return (0, 1, -1, 127, 32_768, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**30)
        case AttributeType.DECIMAL:
            texts = ("0", "1", "-1", "0.5", "0.01", "-12.34", "123456789.987654321", "12345678901234567890.5", "1E+3")
            return tuple(Decimal(text) for text in texts)
        case AttributeType.BOOLEAN:
            return (True, False)
        case AttributeType.DATETIME:
            return (
                datetime(1970, 1, 1, tzinfo=UTC),
                datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
                datetime(1900, 1, 1, tzinfo=UTC),
                datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC),
                datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            )
        case AttributeType.BINARY:
            every = bytes(range(256))
            return (b"\x00", b"\x00\xff\x00", b"'\"\\%", every[: definition.max_length or 256])
        case AttributeType.REFERENCE:
            return ()
        case AttributeType.COMPLEX:
            return tuple(
                Complex({**complex_sample(definition, 1).as_dict(), part.name: value})  # type: ignore[dict-item]
                for part in written_parts(definition)
                for value in edges(part)
            )


def of_type(definition: AttributeDefinition, value: object) -> bool:
    """Whether a value that was read has the declared type."""
    match definition.type:
        case AttributeType.STRING:
            return isinstance(value, str)
        case AttributeType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case AttributeType.DECIMAL:
            return isinstance(value, Decimal)
        case AttributeType.BOOLEAN:
            return isinstance(value, bool)
        case AttributeType.DATETIME:
            return isinstance(value, datetime)
        case AttributeType.BINARY:
            return isinstance(value, bytes)
        case AttributeType.REFERENCE:
            return isinstance(value, Reference)
        case AttributeType.COMPLEX:
            parts = {part.name: part for part in definition.sub_attributes}
            return isinstance(value, Complex) and all(n in parts and of_type(parts[n], v) for n, v in value.parts)


def comparable(value: Value) -> tuple[str, object]:
    """Return what two values share when they are the same.

    A naive datetime counts as UTC: a target that keeps no zone cannot give it back. Decimals compare as numbers,
    references by their key, values made of parts part by part.
    """
    if isinstance(value, datetime):
        return ("datetime", value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, Reference):
        return ("reference", value.key)
    if isinstance(value, Complex):
        return ("complex", tuple((name, comparable(part)) for name, part in value.parts))
    return (type(value).__name__, value)


def same(left: Sequence[Value], right: Sequence[Value]) -> bool:
    """Whether two lists hold the same values; the order of several values is not promised."""
    return Counter(map(comparable, left)) == Counter(map(comparable, right))
