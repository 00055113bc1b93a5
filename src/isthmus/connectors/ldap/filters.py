"""Search filters (RFC 4515), made of parts whose values are always escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NEEDS = re.compile(rb"[\x00-\x1f()*\\\x7f-\xff]")

EVERYTHING = "(objectClass=*)"


def escaped(value: bytes) -> str:
    """Return an assertion value as it stands in a filter: what is not plain ASCII text by its hexadecimal bytes."""
    return _NEEDS.sub(lambda m: b"\\%02x" % m[0][0], value).decode("ascii")


def equal(name: str, value: bytes) -> str:
    return f"({name}={escaped(value)})"


def at_least(name: str, value: str) -> str:
    return f"({name}>={escaped(value.encode())})"


def at_most(name: str, value: str) -> str:
    return f"({name}<={escaped(value.encode())})"


def present(name: str) -> str:
    return f"({name}=*)"


def both(*parts: str) -> str:
    """Return the filter that holds where all hold; empty parts are left out."""
    given = [part for part in parts if part]
    return given[0] if len(given) == 1 else f"(&{''.join(given)})" if given else EVERYTHING


def either(parts: Iterable[str]) -> str:
    given = list(parts)
    return given[0] if len(given) == 1 else f"(|{''.join(given)})"


def problem(text: str) -> str | None:
    """Return what is wrong with a filter that an operator wrote; None if it can be used."""
    if not (text.startswith("(") and text.endswith(")")):
        return "a filter stands in parentheses, as in (employeeType=staff)"
    depth = 0
    for i, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0 and i < len(text) - 1:
            return "more than one filter; join them, as in (&(a=1)(b=2))"
    return None if depth == 0 else "parentheses do not match"
