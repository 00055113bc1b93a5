"""Find the line of every key of a TOML text; no TOML library for Python tells it."""

from __future__ import annotations

import bisect
import re
import tomllib

from isthmus.config.errors import KeyPath

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"""(?:""?)?',  # up to two quotes may stand directly before the closing three
        r"'''.*?'''(?:''?)?",
        r'"(?:\\.|[^"\\])*"',
        r"'[^']*'",
    )
)
_PLAIN = re.compile(r"[^,\]}#\r\n]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, on which each key, table and list element begins.

    The text must be valid TOML: what `tomllib` has accepted is walked here without judging it again.
    """
    return _Walk(text).document()


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines: dict[KeyPath, int] = {}
        self.tables: dict[KeyPath, int] = {}  # how many [[headers]] an array of tables has had

    def document(self) -> dict[KeyPath, int]:
        current: KeyPath = ()
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return self.lines
            if self.text[self.at] == "[":
                current = self._header()
            else:
                self._pair(current)

    def _line(self) -> int:
        return bisect.bisect_right(self.starts, self.at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError("not TOML")
        self.at = match.end()
        return match.group()

    def _header(self) -> KeyPath:
        line = self._line()
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        parts = self._key()
        self.at += 2 if array else 1
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._inside((*path, part))
            self.lines.setdefault(path, line)
        path = (*path, parts[-1])
        if array:
            self.lines.setdefault(path, line)
            count = self.tables.get(path, 0)
            self.tables[path] = count + 1
            path = (*path, count)
        else:
            path = self._inside(path)
        self.lines.setdefault(path, line)
        return path

    def _inside(self, path: KeyPath) -> KeyPath:
        """Add the position of the latest element if the path is an array of tables (TOML 1.0, "Array of Tables")."""
        count = self.tables.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, base: KeyPath) -> None:
        line = self._line()
        path = base
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_BLANK)
            if self.text[self.at] in "\"'":
                quoted = self._string()
                parts.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                parts.append(self._skip(_BARE))
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return match.group()
        raise ValueError("not TOML")

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_PLAIN)

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        count = 0
        while True:
            self._skip(_SPACE)
            if self.text[self.at] == "]":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.lines[(*path, count)] = self._line()
            self._value((*path, count))
            count += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while True:
            self._skip(_SPACE)
            if self.text[self.at] == "}":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(path)
