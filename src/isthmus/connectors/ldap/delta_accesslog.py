"""Changes from OpenLDAP's accesslog overlay (slapo-accesslog(5), logops writes).

The overlay writes its entries one after the other, each with the CSN of the change it records: their order is the order
in which changes became visible. reqStart is not: it is when a request came in, and a slow one is logged late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import ldap

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.delta_moves import Moves, pages_of
from isthmus.connectors.ldap.dn import split
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Entry
from isthmus.connectors.ldap.log_pages import log_pages
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.strategy import Present, Session, Strategy, Touched, concerned, contexts_of
from isthmus.spi import ImportPage, WatermarkExpired

_WRITES = "(objectClass=auditWriteObject)"
_ASKED = (
    "entryCSN", "reqType", "reqDN", "reqNewRDN", "reqNewSuperior", "reqEntryUUID", "reqOld", "reqStart", "reqResult",
)  # fmt: skip
_LOOK_BACK = (timedelta(minutes=2), timedelta(hours=2), timedelta(days=2))
_OLDEST = "00000000000000.000000Z#000000#000#000000"


class AccessLog(Strategy):
    """Reads the log from a CSN on."""

    id: ClassVar[str] = "accesslog"

    def hindrance(self, session: Session) -> str | None:
        unreadable = session.unreadable(_base(session.known))
        if unreadable is not None:
            return unreadable
        writers = self._writers(session)
        return f"{writers} servers write, and the log keeps only the order of one" if writers > 1 else None

    def doubt(self, session: Session) -> str | None:
        """Return which database the log has no change of, if it has any: the overlay is each database's own."""
        base = _base(session.known)
        if not _any(session, base, _WRITES):
            return None
        for context in contexts_of(session.known.directory, session.known.layout):
            of_it = f"(reqDN:dnSubtreeMatch:={filters.escaped(context.encode())})"
            if not _any(session, base, filters.both(_WRITES, of_it)):
                return f"{base} has no change of {context}"
        return None

    def _writers(self, session: Session) -> int:
        """Return how many servers the directory has changes of; one contextCSN for each."""
        most = 0
        for suffix in session.known.directory.contexts:
            try:
                found = session.link.search(
                    suffix,
                    ldap.SCOPE_BASE,
                    filters.EVERYTHING,
                    ("contextCSN",),
                    seconds=session.seconds(),
                ).entries
            except Failure as failure:
                if failure.kind is not Kind.NO_ENTRY:
                    raise
                continue
            most = max([most, *(len(entry.values.get("contextcsn", ())) for entry in found)])
        return most

    def now(self, session: Session) -> str:
        """Return the newest CSN of the log; looked for near the present first, since nothing sorts it for us."""
        moment = datetime.now(UTC)
        bounds = [filters.at_least("reqStart", f"{moment - back:%Y%m%d%H%M%S}.000000Z") for back in _LOOK_BACK]
        for bound in (*bounds, ""):
            newest = ""
            for page in log_pages(session, _base(session.known), filters.both(_WRITES, bound), ("entryCSN",)):
                newest = max([newest, *map(_csn, page)])
            if newest:
                return newest
        return _OLDEST

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        if token != _OLDEST:
            self._check_reach(session, token)
        present, moves = Present(session, names), Moves(session.known.layout)
        wanted = filters.both(_WRITES, "(reqResult=0)", filters.at_least("entryCSN", token))
        seen = token
        with session.known.connections.apart(session.call) as own:  # the log is read on while entries are read
            for page in log_pages(session.on(own), _base(session.known), wanted, _ASKED, size=page_size):
                fresh = [entry for entry in page if _csn(entry) > token]
                if not fresh:
                    continue
                seen = max([seen, *map(_csn, fresh)])
                yield from self._pages(session, present, moves, fresh, seen, page_size)

    def _pages(
        self, session: Session, present: Present, moves: Moves, logged: Sequence[Entry], mark: str, size: int
    ) -> Iterator[ImportPage]:
        told = [moves.followed(_touched(session.known, entry)) for entry in logged]
        touched = [each for each in told if concerned(session.known.layout, each)]
        yield from pages_of(session, present, touched, mark=mark, page_size=size)

    def _check_reach(self, session: Session, token: str) -> None:
        """Make sure that the last change we know of is in the log: it may be purged, or undone by a restored backup."""
        wanted = filters.both(_WRITES, filters.equal("entryCSN", token.encode()))
        if not _any(session, _base(session.known), wanted):
            raise WatermarkExpired(
                "the accesslog no longer holds the changes since the last import (logpurge, or a restore)"
            )


def _any(session: Session, base: str, wanted: str) -> bool:
    return any(log_pages(session, base, wanted, ("1.1",), size=1))


def _base(known: Known) -> str:
    return known.settings.log_base or "cn=accesslog"


def _csn(entry: Entry) -> str:
    return _one(entry, "entrycsn") or ""


def _one(entry: Entry, name: str) -> str | None:
    values = entry.values.get(name)
    return values[0].decode("utf-8", "replace") if values else None


def _touched(known: Known, entry: Entry) -> Touched:
    dn = _one(entry, "reqdn") or ""
    names = [dn]
    if (rdn := _one(entry, "reqnewrdn")) is not None:
        above = _one(entry, "reqnewsuperior")
        parent = split(dn)[1] if above is None else above
        names.append(f"{rdn},{parent}" if parent else rdn)
    anchor = _one(entry, "reqentryuuid") if known.layout.anchor == "entryUUID" else None
    return Touched(names, anchor, _old(entry.values.get("reqold", ())))


def _old(lines: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Return the former values that the log keeps (logold): each is `name: value`."""
    found: dict[str, list[bytes]] = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        found.setdefault(name.decode("utf-8", "replace").casefold(), []).append(value)
    return found
