"""What is wrong in a configuration: always with the file, the line and the key, and how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of a document down to a value."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """Return a text in TOML's quotes, everything escaped that does not show or could forge a line of a log."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return _SHORT.get(character) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def dotted(path: KeyPath) -> str:
    """Return the path as TOML writes it: `resource_types[0].flows."name.givenName"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        word = part if _BARE.fullmatch(part) else quoted(part)
        text += f".{word}" if text else word
    return text


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a configuration file; what is not known is None."""

    file: Path | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = str(self.file) if self.file is not None else ""
        if self.line is not None:
            place += f":{self.line}"
        return ": ".join(part for part in (place, self.key) if part)


NOWHERE = Where()


class ConfigError(Exception):
    """A configuration that cannot be used.

    The text reads "file:line: key: what is wrong; how to mend it" and never holds the value of a secret.
    `problem` is the text without the place.
    """

    def __init__(self, problem: str, where: Where = NOWHERE) -> None:
        place = str(where)
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.where = where


class SecretsExposed(ConfigError):
    """A key or secret that other accounts of this machine can read or replace."""


def shown(value: object) -> str:
    """Return a short quoted form of a value from a file, safe to print."""
    text = quoted(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(name: str, known: Iterable[str], *, what: str = "keys") -> str:
    """Return the end of a sentence that names the known word nearest to a wrong one, or else the known words."""
    words = list(known)
    by_fold = {word.casefold(): word for word in words}
    close = difflib.get_close_matches(name.casefold().replace("-", "_"), by_fold, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_fold[close[0]]}?"
    if not words:
        return f"no {what} are known here"
    return f"known {what}: {', '.join(sorted(words))}"
