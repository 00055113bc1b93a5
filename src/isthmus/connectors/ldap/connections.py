"""The connections of one connector to its directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ldap

from isthmus.connectors.ldap.connecting import Connecting
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.filters import EVERYTHING
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.pool import Pool
from isthmus.spi import Call


class Connections(Pool[Link]):
    """One for each thread; closed after a failure without a definite answer."""

    def __init__(self, settings: LdapSettings) -> None:
        super().__init__(most=settings.max_connections, ping_after=settings.ping_after)
        self._settings = settings
        self._connecting = Connecting(settings)

    def seconds(self, call: Call) -> float:
        """Return how long one operation of this call may take."""
        call.check()
        return min(self._settings.operation_timeout, call.remaining())

    @contextmanager
    def apart(self, call: Call, *, only: str | None = None) -> Iterator[Link]:
        with super().apart(call, only=only) as link:
            try:
                yield link
            except BaseException:
                link.broken = True  # a search may still be under way
                raise

    def _open(self, call: Call, only: str | None) -> Link:
        return self._connecting.connect(call.remaining(), only=only)

    def _answers(self, link: Link, call: Call) -> bool:
        try:
            # Half of the time is left for a new connection: a firewall may have swallowed this one.
            seconds = min(self._settings.connect_timeout, call.remaining() / 2)
            link.search("", ldap.SCOPE_BASE, EVERYTHING, (), seconds=seconds)
        except Failure:
            return False
        return True

    def _quiet(self, link: Link) -> bool:
        return link.quiet()

    def _reusable(self, link: Link, error: BaseException | None) -> bool:
        if isinstance(error, Failure) and error.kind is Kind.REFERRAL and not self._settings.follow_referrals:
            # A replica that stands in for the writable server, which may be back.
            self._connecting.begin_anew()
            return False
        return not link.broken

    def _end(self, link: Link) -> None:
        link.close()

    def _interrupt(self, link: Link) -> None:
        link.interrupt()

    def _lost(self, error: BaseException) -> bool:
        return isinstance(error, Failure) and error.kind is Kind.LOST

    def _refusal(self, text: str, *, busy: bool) -> Exception:
        return Failure(Kind.BUSY if busy else Kind.UNREACHABLE, "", text, nothing_sent=True)
