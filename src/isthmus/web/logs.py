"""Structured logs of the server processes: one JSON line, or one readable line on a terminal, for each event."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from isthmus.config.documents import LogSettings

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
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    library = logging.getLogger()
    library.handlers[:] = [_ToStructlog()]
    library.setLevel(max(level, logging.WARNING))


def _for_people(settings: LogSettings) -> bool:
    return settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())


def stamp(seconds: float) -> str:
    """Return a moment as RFC 3339 text in UTC with milliseconds."""
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1000):03d}Z"


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
    return orjson.dumps(
        {"at": stamp(time.time()), "process": os.getpid(), **event}, default=str, option=orjson.OPT_NON_STR_KEYS
    )


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
    """One line for each request. Written without the general machinery: it is on the path of every read."""

    def __init__(self, settings: LogSettings, descriptor: int = 2) -> None:
        self.enabled = _LEVELS[settings.level] <= logging.INFO
        self._people = _for_people(settings)
        self._descriptor = descriptor

    def write(self, fields: dict[str, Any]) -> None:
        """Write one event; it never holds bodies, filter values or tokens."""
        if not self.enabled:
            return
        if self._people:
            line = _console(None, "", {"level": "info", "event": "request", **fields})
        else:
            line = orjson.dumps({"at": stamp(time.time()), "level": "info", "event": "request", **fields}, default=str)
        os.write(self._descriptor, line + b"\n")
