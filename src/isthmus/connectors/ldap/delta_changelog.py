"""Changes from a numbered change log (draft-good-ldap-changelog-04): 389 DS, OpenDJ, Oracle, IBM, Isode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.delta_moves import Moves, pages_of
from isthmus.connectors.ldap.directory import read_root
from isthmus.connectors.ldap.dn import split
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


_UNSURE = 4
"""Changes at the end of the log that are read once more next time, and as many as there are databases at least.

389 DS shows a line of the log a moment before the change itself: who reads the entry then finds it as it was (seen once
in 10,000 changes). A database carries out one write after the other, so a line is sure once others follow.
"""


class ChangeLog(Strategy):
    """Reads the log number by number. A token is `READ` or `READ.SURE`: what follows SURE is read once more."""

    id: ClassVar[str] = "changelog"
    of_one_server: ClassVar[bool] = True  # each counts its changes for itself

    def hindrance(self, session: Session) -> str | None:
        return session.unreadable(_base(session.known))

    def now(self, session: Session) -> str:
        first, last = self._limits(session)
        return _token(last, _sure(session, first, last))

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        read, _, rest = token.partition(".")
        sure = rest or read
        if not (read.isdigit() and sure.isdigit() and int(sure) <= int(read)):
            raise WatermarkExpired(f"the watermark {token!r} is no number of a change")
        first, last = self._limits(session)
        number, again = int(read), int(sure)
        if number > last or (first > again + 1):
            raise WatermarkExpired(f"the change log begins at {first} and ends at {last}; {again} is not in it")
        present = Present(session, names)
        at, sure_now, moves = number, _sure(session, first, last), Moves(session.known.layout)
        unsure = again if again < number else sure_now
        while at < last:
            end = min(last, at + page_size)
            yield from self._pages(session, present, moves, at, end, _token(end, unsure), page_size)
            at = end
        moves = Moves(session.known.layout)
        while again < number:
            end = min(number, again + page_size)
            mark = _token(last, sure_now if end == number else end)
            yield from self._pages(session, present, moves, again, end, mark, page_size)
            again = end

    def _pages(
        self, session: Session, present: Present, moves: Moves, after: int, end: int, mark: str, page_size: int
    ) -> Iterator[ImportPage]:
        touched = [moves.followed(_touched(session.known, entry)) for entry in self._part(session, after + 1, end)]
        ours = [each for each in touched if concerned(session.known.layout, each)]
        yield from pages_of(session, present, ours, mark=mark, page_size=page_size)

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


def _sure(session: Session, first: int, last: int) -> int:
    """Return the number up to which every change can be read for certain."""
    databases = len(session.known.directory.root.get("namingcontexts", ()))
    return min(last, max(first - 1, last - max(_UNSURE, databases), 0))


def _token(read: int, sure: int) -> str:
    return f"{read}.{sure}" if sure < read else str(read)


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
