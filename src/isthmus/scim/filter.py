"""Turn the text of a filter or of a PATCH path into a tree (RFC 7644 3.4.2.2 and 3.5.2)."""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.scim.errors import InvalidFilter, InvalidPath
from isthmus.scim.grammar import OPERATORS, Malformed, Parser, is_unicode
from isthmus.scim.notation import parse_attribute_path, takes_any_name
from isthmus.scim.syntax import AttributePath, Comparison, Filter, PatchPath

MAX_FILTER = 16_384
"""Characters in a filter; a request line is usually cut at 8,192 or 16,384."""
MAX_PATH = 4_096
_CACHED = 512
"""Longer texts are parsed each time, so that 1,024 hostile ones fill half a megabyte and not sixteen."""

# `attr op "value"` without an escape: nine in ten filters and path filters that clients send.
_SIMPLE = re.compile(rf'\s*([A-Za-z][\w.:$;-]*)\s+({"|".join(OPERATORS)})\s+"([^"\\]*)"\s*', re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][\w.:$;-]*")
_NOT_NAMES = frozenset({*OPERATORS, "pr", "and", "or", "not"})


def parse_filter(text: str) -> Filter:
    """Return the tree of a filter; names keep the client's spelling, operators are lower-case.

    Raises:
        InvalidFilter: the text is not a filter, is too long or too deeply nested.
    """
    if len(text) > MAX_FILTER:
        raise InvalidFilter(f"the filter has {len(text)} characters; at most {MAX_FILTER} are read")
    if not is_unicode(text):
        raise InvalidFilter("the filter is not valid Unicode text")
    simple = _SIMPLE.fullmatch(text)
    if simple is not None and simple[1].lower() not in _NOT_NAMES:
        try:
            attribute = parse_attribute_path(simple[1])
        except ValueError:
            pass  # the parser says what is wrong with it, and where
        else:
            return Comparison(attribute, OPERATORS[simple[2].lower()], simple[3])
    return _filter_cached(text) if len(text) <= _CACHED else _filter(text)


def equality(text: str) -> tuple[str, str] | None:
    """Return both sides of `attribute eq "value"` if the text is written just so: ASCII, one blank, no escape.

    The attribute is as the client spelt it and may be none: `parse_attribute` tells. The value is not empty.
    """
    name, found, rest = text.partition(' eq "')
    value = rest[:-1]
    if not found or not value or rest[-1] != '"' or '"' in value or "\\" in value or not text.isascii():
        return None
    return (name, value) if len(text) <= _CACHED else None


def parse_attribute(text: str) -> AttributePath | None:
    """Return the path before an operator, or None: it is none, or a word of the grammar."""
    if _NAME.fullmatch(text) is None or text.lower() in _NOT_NAMES:
        return None
    try:
        return parse_attribute_path(text)
    except ValueError:
        return None


def _filter(text: str) -> Filter:
    try:
        return Parser(text).filter()
    except Malformed as problem:
        raise InvalidFilter(f"the filter cannot be parsed: {problem}") from None


_filter_cached = lru_cache(maxsize=1024)(_filter)


def parse_path(text: str) -> PatchPath:
    """Return the parts of a PATCH path, or of a key in the value of an operation without a path.

    Below the ECMA2Host URN whatever is no path by the grammar is taken as one name, for names are the target's own
    there.

    Raises:
        InvalidPath: the text is not a path.
    """
    if len(text) > MAX_PATH:
        raise InvalidPath(f"the path has {len(text)} characters; at most {MAX_PATH} are read")
    return _path_cached(text) if len(text) <= _CACHED else _path(text)


def _path(text: str) -> PatchPath:
    text = text.strip()
    if not is_unicode(text):
        raise InvalidPath("the path is not valid Unicode text")
    try:
        return Parser(text).path()
    except Malformed as problem:
        if not takes_any_name(text):
            raise InvalidPath(f"the path cannot be parsed: {problem}") from None
    try:
        return PatchPath(parse_attribute_path(text))
    except ValueError as problem:
        raise InvalidPath(f"the path cannot be parsed: {problem}") from None


_path_cached = lru_cache(maxsize=1024)(_path)
