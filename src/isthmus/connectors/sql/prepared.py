"""Run statements that come again and again on a PostgreSQL connection, prepared once, with little else in the way.

psycopg's cursor makes a dozen objects for each statement and goes to the socket three times. A write has one statement,
so that this is half of what the driver costs.
"""

from __future__ import annotations

import hashlib
import select
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import PyFormat
from psycopg.adapt import Transformer

_OFTEN = 5
"""Times that a statement is run before it is prepared."""

_MOST = 100
"""Statements prepared on one connection; the one that was not used for longest makes room."""

_AUTO = PyFormat.AUTO
_READING, _WRITING = select.POLLIN, select.POLLIN | select.POLLOUT
_ERRORS = {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE}

Key = tuple[str, tuple[int, ...]]


def _name(key: Key) -> bytes:
    """Return a name that no other statement has, on whatever connection of whichever process.

    A pooler of which nobody has told us may hand out another server connection in between; there the name would else be
    that of another statement, which would run with our values.
    """
    return b"isthmus_" + hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest().encode()


class Prepared:
    """The prepared statements of one connection. Errors are psycopg's; `TimeoutError` where no answer came in time."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw
        self._pgconn = raw.pgconn
        self._poll = select.poll()
        self._names: OrderedDict[Key, bytes] = OrderedDict()
        self._uses: dict[Key, int] = {}

    def run(self, text: str, values: Sequence[Any], *, until: float) -> pq.abc.PGresult | None:
        """Return the result, or None if the statement did not come often enough yet to be prepared."""
        transformer = Transformer(self._raw)
        bound = transformer.dump_sequence(values, [_AUTO] * len(values))
        key = (text, tuple(transformer.types or ()))
        name = self._names.get(key)
        if name is None:
            if not self._comes_often(key):
                return None
            name = self._prepare(key, until)
        else:
            self._names.move_to_end(key)
        self._pgconn.send_query_prepared(name, bound, transformer.formats, pq.Format.TEXT)
        return self._result(until)

    def _comes_often(self, key: Key) -> bool:
        uses = self._uses.pop(key, 0) + 1
        if uses >= _OFTEN:
            return True
        if len(self._uses) >= _MOST:
            self._uses.clear()
        self._uses[key] = uses
        return False

    def _prepare(self, key: Key, until: float) -> bytes:
        if len(self._names) >= _MOST:
            _, oldest = self._names.popitem(last=False)
            self._pgconn.send_query_params(b"DEALLOCATE " + oldest, None)
            self._result(until)
        name = _name(key)
        self._pgconn.send_prepare(name, key[0].encode(), key[1])
        self._result(until)
        self._names[key] = name
        return name

    def _result(self, until: float) -> pq.abc.PGresult:
        """Send what is to be sent, and return the one result of a command."""
        pgconn = self._pgconn
        while pgconn.flush():
            self._wait(_WRITING, until)
            pgconn.consume_input()
        found: pq.abc.PGresult | None = None
        while True:
            while pgconn.is_busy():
                self._wait(_READING, until)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            if found is None or found.status not in _ERRORS:
                found = result
        if found is None:
            raise psycopg.OperationalError("the server gave no result")
        if found.status in _ERRORS:
            raise psycopg.errors.error_from_result(found)
        return found

    def _wait(self, events: int, until: float) -> None:
        left = until - time.monotonic()
        self._poll.register(self._pgconn.socket, events)
        if left <= 0 or not self._poll.poll(left * 1000):
            self._pgconn.finish()
            raise TimeoutError("no answer within the time allowed")
