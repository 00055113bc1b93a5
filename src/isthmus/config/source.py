"""Read one TOML file and remember where its keys stand."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from isthmus.config.errors import ConfigError, KeyPath, Where, dotted
from isthmus.config.lines import key_lines

_LARGEST = 4 * 1024 * 1024  # bytes; a thousand flows are 100 kB
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Source:
    """A configuration file as it was read: its text, its parsed tables and the line of every key."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.text = text

    @classmethod
    def read(cls, file: Path) -> Source:
        """Return the file's text.

        Raises:
            ConfigError: it is missing, unreadable, not UTF-8 or larger than 4 MiB.
        """
        where = Where(file)
        try:
            if file.is_fifo():  # to open it is to wait for somebody who writes
                raise ConfigError("the file cannot be read: it is a pipe", where)
            with file.open("rb") as stream:
                raw = stream.read(_LARGEST + 1)
        except FileNotFoundError:
            raise ConfigError("the file does not exist; `isthmus init` makes a configuration", where) from None
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise ConfigError(f"the file cannot be read: {reason}", where) from exc
        if len(raw) > _LARGEST:
            raise ConfigError("the file is larger than 4 MiB; this is not a configuration of Isthmus", where)
        try:
            return cls(file, raw.decode("utf-8-sig"))
        except UnicodeDecodeError as exc:
            line = raw.count(b"\n", 0, exc.start) + 1
            raise ConfigError("the file is not UTF-8 text; save it as UTF-8", Where(file, line)) from None

    @cached_property
    def tables(self) -> dict[str, Any]:
        """The parsed file.

        Raises:
            ConfigError: it is not TOML; the line and column are those of the first error.
        """
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as exc:
            raise self._syntax_error(str(exc)) from None
        except RecursionError:
            raise ConfigError("lists or tables are nested too deeply", Where(self.file)) from None
        except (ValueError, OverflowError) as exc:  # a number with thousands of digits, a date that does not exist
            raise ConfigError(f"not valid TOML: {exc}", Where(self.file)) from None

    def _syntax_error(self, message: str) -> ConfigError:
        match = _POSITION.search(message)
        if match is None:
            return ConfigError(f"not valid TOML: {message}", Where(self.file))
        what = message[: match.start()]
        if match.group(1) is None:
            line = self.text.rstrip("\n").count("\n") + 1
            return ConfigError(f"not valid TOML: {what}, at the end of the file", Where(self.file, line))
        problem = f"not valid TOML: {what}, at column {match.group(2)}"
        if what == "Invalid value":
            problem += "; texts stand in quotes, true and false are written small"
        elif what == "Cannot overwrite a value" or what.startswith("Cannot declare"):
            problem += "; a key or table of this name stands further up"
        return ConfigError(problem, Where(self.file, int(match.group(1))))

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        try:
            return key_lines(self.text)
        except RecursionError:
            return {}  # nested close to the interpreter's limit: places are then told without a line

    def where(self, path: KeyPath) -> Where:
        """Return the place of a key, or of the nearest table around it that the file has."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return Where(self.file, line, dotted(path))
        return Where(self.file, 1, dotted(path) or None)

    def error(self, path: KeyPath, problem: str) -> ConfigError:
        """Return a `ConfigError` at this key."""
        return ConfigError(problem, self.where(path))
