"""The functions that conditions call inside SQLite; NULL for what they do not understand."""

from __future__ import annotations

import math
import sqlite3
import sys
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = 1 << 63


def fold(value: object) -> str | None:
    """Return text without case distinction, by Unicode's full case folding."""
    return value.casefold() if isinstance(value, str) else None


def number(value: object) -> int | float | None:
    """Return the number that a JSON number, or the text of a decimal, stands for; integers beyond 64 bits as float."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return value
        try:
            return float(value)
        except OverflowError:
            return sys.float_info.max if value > 0 else -sys.float_info.max  # never infinite: cursors are JSON
    return value if isinstance(value, float) and math.isfinite(value) else None


def instant(value: object) -> int | None:
    """Return the microseconds since 1970 of an ISO 8601 text; a text without offset is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to the connection."""
    connection.create_function("fold", 1, fold, deterministic=True)
    connection.create_function("number", 1, number, deterministic=True)
    connection.create_function("instant", 1, instant, deterministic=True)
