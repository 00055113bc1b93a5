"""Read filters and PATCH paths: recursive descent over the tokens of one regular expression.

The grammar is figure 1 of RFC 7644 with errata 4690 and 7322 (no value path within a value path) and these extensions:
`emails[type eq "work"].value eq "x"` (Entra), values without quotes (`externalId eq jyoung`, Entra's documentation),
control characters and unknown escapes within quotes taken literally, names below the ECMA2Host URN that hold blanks
or brackets.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

from isthmus.scim.notation import NAME, parse_attribute_path
from isthmus.scim.syntax import (
    And,
    AttributePath,
    Comparison,
    Filter,
    Literal_,
    Not,
    Operator,
    Or,
    PatchPath,
    Presence,
    ValueFilter,
)
from isthmus.scim.urns import ECMA2HOST_PREFIX

MAX_NESTING = 32
"""Brackets and parentheses within one another; no client is known to send more than three."""
MAX_COMPARISONS = 500
"""Comparisons in one filter; SQLite refuses expressions nested 1,000 deep."""

OPERATORS: Final[dict[str, Operator]] = {
    "eq": "eq", "ne": "ne", "co": "co", "sw": "sw", "ew": "ew", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le"
}  # fmt: skip
_RESERVED = frozenset({*OPERATORS, "pr", "and", "or", "not"})
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# In this order: a quoted string; an unfinished one, up to the end; punctuation; a word. Possessive quantifiers keep
# hostile text linear.
_TOKEN = re.compile(_STRING.pattern + r'|".*|[()\[\]]|[^\s"()\[\]]++', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BAD_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\')
_SUB = re.compile(rf"\.({NAME})")
_OWN_NAME = re.compile(
    rf"{re.escape(ECMA2HOST_PREFIX)}[^:\s\"]+:[^\"]+?(?=(?<!\s)\s++(?:pr(?=[\s)\]]|$)|(?:{'|'.join(OPERATORS)})(?=[\s\"])))",
    re.IGNORECASE,
)


class Malformed(ValueError):
    """The text does not follow the grammar; the message says where and what was expected, without quoting values."""


class Parser:
    """Read one text once."""

    __slots__ = ("_comparisons", "_depth", "_position", "_text", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = _TOKEN.findall(text)
        self._tokens.append("")  # the end
        self._position = 0
        self._depth = 0
        self._comparisons = 0

    def filter(self) -> Filter:
        """Read the whole text as a filter."""
        parsed = self._either(within=False)
        self._end()
        return parsed

    def path(self) -> PatchPath:
        """Read the whole text as a PATCH path."""
        attribute = self._attribute(reserved=False)
        if self._tokens[self._position] != "[":
            self._end()
            return PatchPath(attribute)
        inner = self._bracketed(attribute)
        sub = self._sub_attribute()
        self._end()
        return PatchPath(attribute, inner, sub)

    def _either(self, *, within: bool) -> Filter:
        parts = [self._all(within=within)]
        while self._tokens[self._position].lower() == "or":
            self._position += 1
            parts.append(self._all(within=within))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, *, within: bool) -> Filter:
        parts = [self._one(within=within)]
        while self._tokens[self._position].lower() == "and":
            self._position += 1
            parts.append(self._one(within=within))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, *, within: bool) -> Filter:
        token = self._tokens[self._position]
        if token == "(":  # noqa: S105 - a token of the grammar
            return self._parenthesised(within=within)
        if token.lower() == "not":
            self._position += 1
            if self._tokens[self._position] != "(":
                raise self._expected('"(" after not')
            return Not(self._parenthesised(within=within))
        attribute = self._attribute()
        if self._tokens[self._position] != "[":
            return self._condition(attribute)
        if within:
            raise self._expected("no value path within a value path")
        inner = self._bracketed(attribute)
        sub = self._sub_attribute()
        if sub is None:
            return ValueFilter(attribute, inner)
        condition = self._condition(AttributePath(sub))
        parts = inner.parts if isinstance(inner, And) else (inner,)
        return ValueFilter(attribute, And((*parts, condition)))

    def _parenthesised(self, *, within: bool) -> Filter:
        self._enter()
        inner = self._either(within=within)
        self._leave(")")
        return inner

    def _bracketed(self, attribute: AttributePath) -> Filter:
        if attribute.sub is not None:
            raise self._expected("no value path on a sub-attribute")
        self._enter()
        inner = self._either(within=True)
        self._leave("]")
        return inner

    def _enter(self) -> None:
        self._position += 1
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Malformed(f"more than {MAX_NESTING} brackets within one another")

    def _leave(self, closing: str) -> None:
        if self._tokens[self._position] != closing:
            raise self._expected(f'"{closing}", and or or')
        self._position += 1
        self._depth -= 1

    def _sub_attribute(self) -> str | None:
        token = self._tokens[self._position]
        if not token.startswith("."):
            return None
        if (match := _SUB.fullmatch(token)) is None:
            raise self._expected("the name of a sub-attribute")
        self._position += 1
        return match[1]

    def _attribute(self, *, reserved: bool = True) -> AttributePath:
        token = self._tokens[self._position]
        if token[:4].lower() == "urn:" and (own := self._own_name(token)) is not None:
            token = own
        elif reserved and token.lower() in _RESERVED:
            raise self._expected("the name of an attribute")
        try:
            attribute = parse_attribute_path(token)
        except ValueError:
            raise self._expected("the name of an attribute") from None
        self._position += 1
        return attribute

    def _own_name(self, token: str) -> str | None:
        """Return a name below the ECMA2Host URN that spans several tokens, and stand on the last of them."""
        following = self._tokens[self._position + 1].lower()
        if not following or following in OPERATORS or following == "pr":
            return None
        match = _OWN_NAME.match(self._text, self._start(self._position))
        if match is None:
            return None
        name = match[0]
        if name == token or name.count("[") != name.count("]") or name.count("(") != name.count(")"):
            return None  # `emails[type eq ...`: the bracket opens a value path
        self._position += len(_TOKEN.findall(name)) - 1
        return name

    def _condition(self, attribute: AttributePath) -> Filter:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise Malformed(f"more than {MAX_COMPARISONS} comparisons")
        word = self._tokens[self._position].lower()
        operator = OPERATORS.get(word)
        if operator is None:
            if word != "pr":
                raise self._expected(f"an operator ({', '.join(OPERATORS)} or pr)")
            self._position += 1
            return Presence(attribute)
        self._position += 1
        token = self._tokens[self._position]
        if token.startswith('"'):
            if not _finished(token):
                raise self._expected("the closing quotation mark of the value")
            self._position += 1
            return Comparison(attribute, operator, unquote(token))
        value = self._bare(token)
        self._position += 1
        return Comparison(attribute, operator, value, token)

    def _bare(self, token: str) -> Literal_:
        lowered = token.lower()
        if lowered in _CONSTANTS:
            return _CONSTANTS[lowered]
        if not token or lowered in _RESERVED or token[0] in "()[]'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb":
            raise self._expected("a value, text in straight double quotation marks")
        number = _NUMBER.fullmatch(token)
        if number is None:
            return token
        if len(token) > 400:
            raise self._expected("a shorter number")
        if number[1] is None and number[2] is None:
            return int(token)
        value = float(token)
        if not math.isfinite(value):
            raise self._expected("a smaller number")
        return value

    def _end(self) -> None:
        if self._tokens[self._position]:
            raise self._expected("and, or or the end")

    def _start(self, index: int) -> int:
        for count, match in enumerate(_TOKEN.finditer(self._text)):
            if count == index:
                return match.start()
        return len(self._text)

    def _expected(self, what: str) -> Malformed:
        return Malformed(f"expected {what} at character {self._start(self._position) + 1}")


def _finished(token: str) -> bool:
    if "\\" in token:
        return _STRING.fullmatch(token) is not None
    return len(token) > 1 and token[-1] == '"'


def unquote(token: str) -> str:
    """Return the text a quoted JSON string stands for; a backslash before anything but a JSON escape stands for itself.

    Raises:
        Malformed: half a surrogate pair, which is no Unicode text and cannot be stored or compared.
    """
    if "\\" not in token:
        return token[1:-1]
    exact = _BAD_ESCAPE.sub(lambda match: match[0] if match[1] else "\\\\", token)
    value: str = json.loads(exact, strict=False)
    if not is_unicode(value):
        raise Malformed("a value holds half a surrogate pair")
    return value


def is_unicode(text: str) -> bool:
    """Return False for text with lone surrogates, which has no UTF-8 form."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
