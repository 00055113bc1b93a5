"""Rows set aside until their owners come: in memory while they are few, else in a file without a name."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from isthmus.spi import TargetUnavailable

_IN_MEMORY = 4 * 1024 * 1024
_LENGTH = 8


class Spool:
    """Rows are written once, then read once, in the same order."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, rows: Sequence[Any]) -> None:
        packed = marshal.dumps(list(rows), 2)
        try:
            self._file.write(len(packed).to_bytes(_LENGTH, "big"))
            self._file.write(packed)
        except OSError as error:
            raise TargetUnavailable(
                f"the import needs room for a temporary file in {tempfile.gettempdir()}: {error.strerror}"
            ) from error

    def rows(self) -> Iterator[Any]:
        try:
            self._file.seek(0)
            while length := self._file.read(_LENGTH):
                yield from marshal.loads(self._file.read(int.from_bytes(length, "big")))  # noqa: S302  written by us
        except OSError as error:
            raise TargetUnavailable(f"a temporary file of the import cannot be read: {error.strerror}") from error
