"""Structured logs of the server processes: one JSON line, or one readable line on a terminal, for each event."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing.util
import os
import re
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

import orjson
import structlog

from isthmus.config.documents import LogSettings

_ACTING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_GATHERED_SECONDS = 0.02
_MOST_LINES = 1_000
_PIPE_BUF = select.PIPE_BUF
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(settings: LogSettings) -> None:
    """Send the events of this process, and the warnings of libraries, to standard error.

    JSON escapes control characters; on a terminal `repr` does, so that no value can forge a line.
    """
    level = _LEVELS[settings.level]
    renderer: Any = _console if _for_people(settings) else _json
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _exception, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file=_Written(2)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    library = logging.getLogger()
    library.handlers[:] = [_ToStructlog()]
    library.setLevel(max(level, logging.WARNING))


class _Written:
    """A descriptor as log lines are written to it.

    A line that cannot be written (a full disk, a pipe whose reader has gone) is lost, and nothing else with it: what it
    tells of was done.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)

    def flush(self) -> None:
        """Nothing is kept back."""


def _for_people(settings: LogSettings) -> bool:
    return settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())


def stamp(seconds: float) -> str:
    """Return a moment as RFC 3339 text in UTC with milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(2)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def _exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the exception's class and place; its text may hold values that do not belong in a log."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        traceback, where = error.__traceback__, []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            where.append(f"{os.path.basename(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")  # noqa: PTH119
            traceback = traceback.tb_next
        event["error"] = type(error).__name__
        event["where"] = where[-12:]
    return event


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    return _line({"at": stamp(time.time()), "process": os.getpid(), **event})


def _line(event: Mapping[str, Any]) -> bytes:
    """Return the event as JSON in which nothing but itself acts on a terminal.

    JSON wants only the controls of ASCII escaped. Those of Latin-1 (U+009B begins a sequence as ESC [ does), DEL and
    what turns the direction of writing are as good for forging what an operator reads.
    """
    try:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # half of a surrogate pair
        return json.dumps(event, default=str).encode()
    if line.isascii() and b"\x7f" not in line:
        return line
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def _console(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    words = [time.strftime("%H:%M:%S"), f"{event.pop('level', ''):7}", str(event.pop("event", ""))]
    words += [
        f"{name}={value if isinstance(value, int | float) else repr(str(value))}" for name, value in event.items()
    ]
    return " ".join(words).encode("utf-8", "backslashreplace")


class _ToStructlog(logging.Handler):
    """Carries warnings of libraries into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, "library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)


class AccessLog:
    """One line for each request. Written without the general machinery: it is on the path of every read.

    Each line is written at once until `gather` is called.
    """

    def __init__(self, settings: LogSettings, descriptor: int = 2) -> None:
        self.enabled = _LEVELS[settings.level] <= logging.INFO
        self._people = _for_people(settings)
        self._stream = _Written(descriptor)
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque()
        self._some = threading.Event()
        self._gathering = False
        self._written_at = float("-inf")

    def gather(self) -> None:
        """Write lines that follow one another within `_GATHERED_SECONDS` together from now on, in a thread.

        A write for each line costs a read a tenth of its time. What is left is written when the process ends, however
        it does but by SIGKILL.
        """
        self._gathering = True
        threading.Thread(target=self._write_gathered, name="access log", daemon=True).start()
        # workers are children of multiprocessing, which leave without `atexit`
        multiprocessing.util.Finalize(None, self.flush, exitpriority=0)

    def write(self, fields: dict[str, Any]) -> None:
        """Write one event; it never holds bodies, filter values or tokens."""
        if not self.enabled:
            return
        now = time.time()
        if self._people:
            line = _console(None, "", {"level": "info", "event": "request", **fields}) + b"\n"
        else:
            event = {"at": stamp(now), "level": "info", "event": "request", **fields}
            line = _line(event) + b"\n"
        if not self._gathering or not 0.0 <= now - self._written_at < _GATHERED_SECONDS:
            self._written_at = now
            self._lines.append(line)
            self.flush()
            return
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()
        if len(self._lines) >= _MOST_LINES:  # a standard error that nobody reads holds requests up, as it always did
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        with self._lock:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            # A write of up to PIPE_BUF bytes is not mixed with those of other processes (pipe(7)).
            size, start = 0, 0
            for at, line in enumerate(lines):
                if size and size + len(line) > _PIPE_BUF:
                    self._stream.write(b"".join(lines[start:at]))
                    size, start = 0, at
                size += len(line)
            if start < len(lines):
                self._stream.write(b"".join(lines[start:]))

    def _write_gathered(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            time.sleep(_GATHERED_SECONDS)
            self.flush()
