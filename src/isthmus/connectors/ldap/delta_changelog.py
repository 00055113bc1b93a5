"""Changes from a numbered change log (draft-good-ldap-changelog-04): 389 DS, OpenDJ, Oracle, IBM, Isode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import ldap

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.delta_moves import pages_of
from isthmus.connectors.ldap.directory import read_root
from isthmus.connectors.ldap.dn import split
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Entry
from isthmus.connectors.ldap.log_pages import log_pages
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.strategy import Present, Session, Strategy, Touched, concerned
from isthmus.spi import ImportPage, MisconfiguredConnector, WatermarkExpired

_ASKED = (
    "changeNumber", "targetDN", "changeType", "newRDN", "newSuperior", "targetUniqueId", "targetEntryUUID", "changes",
)  # fmt: skip
_IDS = {"nsuniqueid": "targetuniqueid", "entryuuid": "targetentryuuid"}
"""Where the log keeps an entry's identity, by the anchor."""


class ChangeLog(Strategy):
    """Reads the log number by number."""

    id: ClassVar[str] = "changelog"

    def hindrance(self, session: Session) -> str | None:
        base = _base(session.known)
        try:
            found = session.link.search(
                base, ldap.SCOPE_BASE, filters.EVERYTHING, ("objectClass",), seconds=session.seconds()
            )
        except Failure as failure:
            if failure.kind in {Kind.NO_ENTRY, Kind.DENIED}:
                return f"{base} cannot be read"
            raise
        return None if found.entries else f"{base} cannot be read"

    def now(self, session: Session) -> str:
        return str(self._limits(session)[1])

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        if not token.isdigit():
            raise WatermarkExpired(f"the watermark {token!r} is no number of a change")
        first, last = self._limits(session)
        number = int(token)
        if number > last or (first > number + 1):
            raise WatermarkExpired(f"the change log begins at {first} and ends at {last}; {number} is not in it")
        present = Present(session, names)
        while number < last:
            end = min(last, number + page_size)
            logged = self._part(session, number + 1, end)
            touched = [
                each
                for each in (_touched(session.known, e) for e in logged)
                if concerned(session.known.layout, each.names)
            ]
            yield from pages_of(session, present, touched, mark=str(end), page_size=page_size)
            number = end

    def _part(self, session: Session, start: int, end: int) -> list[Entry]:
        wanted = filters.both(filters.at_least("changeNumber", str(start)), filters.at_most("changeNumber", str(end)))
        found: list[Entry] = []
        for page in log_pages(session, _base(session.known), wanted, _ASKED):
            found += page
        return sorted(found, key=lambda entry: int(_one(entry, "changenumber") or 0))

    def _limits(self, session: Session) -> tuple[int, int]:
        """Return the first and the last number: from the root DSE, else from the log itself."""
        root = read_root(session.link, session.seconds())
        said = [root.get(name, ("",))[0] for name in ("firstchangenumber", "lastchangenumber")]
        if all(text.isdigit() for text in said):
            return int(said[0]), int(said[1])
        numbers: list[int] = []
        for page in log_pages(session, _base(session.known), "(changeNumber=*)", ("changeNumber",)):
            found = [int(_one(entry, "changenumber") or 0) for entry in page]
            numbers = [min([*numbers, *found]), max([*numbers, *found])] if numbers or found else []
        return (numbers[0], numbers[1]) if numbers else (0, 0)


def _base(known: Known) -> str:
    return known.settings.log_base or known.directory.said("changelog") or "cn=changelog"


def _one(entry: Entry, name: str) -> str | None:
    values = entry.values.get(name)
    return values[0].decode("utf-8", "replace") if values else None


def _touched(known: Known, entry: Entry) -> Touched:
    dn = _one(entry, "targetdn")
    if dn is None:
        raise MisconfiguredConnector(f"{entry.dn}: the account may not read targetDN; grant it the whole change log")
    names = [dn]
    if (rdn := _one(entry, "newrdn")) is not None:
        above = _one(entry, "newsuperior")
        parent = above or split(dn)[1]
        names.append(f"{rdn},{parent}" if parent else rdn)
    anchor = None
    identity = _IDS.get(known.layout.anchor.casefold())
    if identity is not None and (value := _one(entry, identity)) is not None:
        anchor = known.layout.anchor_text(value)
    return Touched(names, anchor)
