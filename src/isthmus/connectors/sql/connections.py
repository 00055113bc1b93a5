"""The connections of one connector to its database."""

from __future__ import annotations

import contextlib

from isthmus.connectors.pool import Pool
from isthmus.connectors.sql.database import Database, Link
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.spi import Call

_ROLLBACK = 0.5
"""Seconds; longer, and a new connection is the better choice."""


class Connections(Pool[Link]):
    """One for each thread, marked with `call.session`; closed after a failure unless it is in order."""

    def __init__(self, database: Database) -> None:
        super().__init__(most=database.settings.max_connections, ping_after=database.settings.ping_after)
        self.database = database
        self._settings = database.settings

    def _open(self, call: Call, only: str | None) -> Link:  # noqa: ARG002  a database has one server
        return self.database.connect(seconds=min(self._settings.connect_timeout, call.remaining()))

    def _prepare(self, link: Link, call: Call) -> None:
        if call.session and link.session != call.session and self._settings.session_locks:
            try:
                link.take_session(call.session, seconds=call.remaining())
            except Failure as failure:
                failure.nothing_sent = True  # nothing of the caller's
                raise

    def _answers(self, link: Link, call: Call) -> bool:
        try:
            # Half of the time is left for a new connection: a firewall may have swallowed this one.
            link.ping(seconds=min(self._settings.connect_timeout, call.remaining() / 2))
        except Failure:
            return False
        return True

    def _quiet(self, link: Link) -> bool:
        return link.quiet()

    def _reusable(self, link: Link, error: BaseException | None) -> bool:
        """Whether it may be used again after an error; an open transaction is rolled back."""
        if error is None:
            return True
        if link.quiet():
            # Statements prepared before a change of the table fail again and again; a standby stays one.
            return not (isinstance(error, Failure) and error.kind in {Kind.SCHEMA, Kind.STANDBY})
        if self._lost(error):
            return False
        try:
            link.rollback(seconds=_ROLLBACK)
        except Failure:
            return False
        return link.quiet()

    def _end(self, link: Link) -> None:
        with contextlib.suppress(Failure):
            link.close()

    def _interrupt(self, link: Link) -> None:
        link.close()

    def _lost(self, error: BaseException) -> bool:
        return isinstance(error, Failure) and error.kind is Kind.LOST

    def _refusal(self, text: str, *, busy: bool) -> Exception:
        return Failure(Kind.EXHAUSTED if busy else Kind.UNREACHABLE, "", text, nothing_sent=True)
