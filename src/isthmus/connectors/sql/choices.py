"""The only values that a column takes: the words of an ENUM, or those that a CHECK constraint lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_CAST = re.compile(r"::\s*(?:character varying|character|bpchar|varchar|text)(?:\(\d+\))?(?:\[\])?", re.IGNORECASE)
_INTRODUCER = re.compile(r"_\w+(?=\x00)")  # MySQL writes _utf8mb4'word'
_NAME = r"(?:\"([^\"]+)\"|`([^`]+)`|([^\W\d]\w*))"
_LIST = re.compile(
    rf"{_NAME}\s+(?:=\s*any\s+array|in)\s+(\x00\d+(?:\s*,\s*\x00\d+)*)(?:\s+or\s+\S+\s+is\s+null)?", re.IGNORECASE
)


def words_of(listed: str) -> tuple[str, ...]:
    """Return the words of a list such as `enum('a','it''s')`; none if one has a backslash, which servers read apart."""
    words = tuple(word.replace("''", "'") for word in _LITERAL.findall(listed))
    return () if any("\\" in word for word in words) else words


def checked(constraint: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the column and the words of a CHECK that is `column IN ('a', 'b')`, in each database's spelling of it.

    None: it says something else, which may allow less than its words.
    """
    words: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        words.append(found[0])
        return f"\x00{len(words) - 1}"

    text = _LITERAL.sub(put_aside, constraint.replace("\x00", ""))
    text = _INTRODUCER.sub("", _CAST.sub("", text))
    found = _LIST.fullmatch(re.sub(r"[()\[\]\s]+", " ", text).strip())
    if found is None:
        return None
    listed = words_of(",".join(words))
    return (found[1] or found[2] or found[3], listed) if listed else None


def choices_by_column(constraints: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the values of each column, its name casefolded; what several constraints allow is what all of them do."""
    found: dict[str, tuple[str, ...]] = {}
    for constraint in constraints:
        if (one := checked(constraint)) is not None:
            name, words = one[0].casefold(), one[1]
            found[name] = tuple(word for word in found.get(name, words) if word in words)
    return found
