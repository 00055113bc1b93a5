"""The words that names of tables, columns and attributes are made of."""

from __future__ import annotations

import re

_CHUNKS = re.compile(r"[^\W\d_]+|[0-9]+")
_CAPITAL = "A-ZÀ-ÖØ-Þ"
_HUMPS = re.compile(rf"(?<=[^\W\d_{_CAPITAL}])(?=[{_CAPITAL}])|(?<=[{_CAPITAL}])(?=[{_CAPITAL}][^\W\d_{_CAPITAL}])")


def words(name: str) -> list[str]:
    """Return the words of a name written in camelCase, snake_case or otherwise, in lower case."""
    return [word.lower() for chunk in _CHUNKS.findall(name) for word in _HUMPS.split(chunk)]
