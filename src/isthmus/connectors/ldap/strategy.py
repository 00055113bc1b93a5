"""What every way of learning of changes does, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import ldap
from ldap.controls import RequestControl

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.directory import Directory
from isthmus.connectors.ldap.dn import is_below
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import page_of
from isthmus.connectors.ldap.layout import DN, Column, Layout
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.connectors.ldap.naming import own_values
from isthmus.connectors.ldap.reading import Known, Reader
from isthmus.spi import Anchor, Call, DeletedObject, Identity, ImportPage, Watermark, WatermarkExpired


@dataclass(frozen=True, slots=True)
class Session:
    """What a delta import works with: what is known of the type, a connection, the call."""

    known: Known
    link: Link
    call: Call

    def seconds(self) -> float:
        """Return how long one operation may take."""
        return self.known.connections.seconds(self.call)

    def readable(self, base: str, controls: Sequence[RequestControl] = ()) -> bool:
        """Tell whether there is an entry of this name that the account may see."""
        try:
            found = self.link.search(
                base,
                ldap.SCOPE_BASE,
                filters.EVERYTHING,
                ("objectClass",),
                seconds=self.seconds(),
                controls=controls,
            )
        except Failure as failure:
            if failure.kind in {Kind.NO_ENTRY, Kind.DENIED}:
                return False
            raise
        return bool(found.entries)

    def unreadable(self, base: str) -> str | None:
        """Tell why a log cannot be read, if so."""
        return None if self.readable(base) else f"{base} cannot be read"

    def on(self, link: Link) -> Session:
        return Session(self.known, link, self.call)


def contexts_of(directory: Directory, layout: Layout) -> list[str]:
    """Return the naming contexts in which the bases are: an entry never leaves its own."""
    known = [directory.names.key(context) for context in directory.contexts]
    found = [max((c for c in known if is_below(base, c)), key=len, default=base) for base in layout.bases]
    return sorted(set(found))


class Strategy(ABC):
    """One way. The token of a watermark is text of its own."""

    id: ClassVar[str]
    deletions: ClassVar[bool] = True
    """Whether it learns of deletions; otherwise only a full import does."""
    of_one_server: ClassVar[bool] = False
    """Whether its tokens mean something else, or less, to another of the directory's servers."""

    @abstractmethod
    def hindrance(self, session: Session) -> str | None:
        """Return why this server, or these settings, do not allow it; None if they do."""

    def doubt(self, session: Session) -> str | None:  # noqa: ARG002  most have none
        """Return why it may miss changes here, so that it is used only where the settings name it."""
        return None

    @abstractmethod
    def now(self, session: Session) -> str:
        """Return a token such that every change after this call is reported from it."""

    @abstractmethod
    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        """Yield what changed since the token."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategy that is used, and why; None: there is none."""

    strategy: Strategy | None
    reason: str


@dataclass(slots=True)
class Touched:
    """An entry that something happened to: its names then and now, and what the log keeps of it."""

    names: list[str]
    anchor: str | None = None
    values: dict[str, list[bytes]] | None = None
    """Values it had before, in lower-case names, where the log keeps them."""
    before: list[str] = field(default_factory=list)
    """Names it had earlier, before what is above it was renamed; others may have taken them."""


class Present:
    """Turns touched entries into pages: as they are now, or gone."""

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        self._layout = session.known.layout
        self._reader = Reader(session.known, session.link, session.call)
        self._columns: list[Column] = self._layout.readable(names)
        self._asked = self._layout.asked(self._columns)

    def page(self, touched: Sequence[Touched], *, mark: str | None) -> ImportPage:
        """Return the page of these entries; what is no entry of the type any more is deleted."""
        entries: list[Entry] = []
        deleted: list[DeletedObject] = []
        decode = self._layout.decoder(self._columns)
        there: set[Anchor] = set()
        for each in touched:
            entry = self._now(each)
            former = [Anchor((text,)) for text in self._former(each)]
            if entry is not None:
                present = decode(entry).identity.anchor
                if present not in there:
                    entries.append(entry)
                    there.add(present)
                deleted += [self._gone(anchor) for anchor in former if anchor != present]
            elif former:
                deleted += [self._gone(anchor) for anchor in former]
            elif self._ours(each):
                raise WatermarkExpired(
                    f"{each.names[-1]} is gone and the log does not tell its {self._layout.anchor}; an anchor that is "
                    "in the log (entryUUID, nsUniqueId) or in the DN would"
                )
        page = page_of(self._layout, self._columns, entries)
        return ImportPage(
            objects=page.objects,
            # Another entry may have taken a name that was left.
            deleted=[each for each in dict.fromkeys(deleted) if each.anchor not in there],
            watermark=None if mark is None else Watermark(mark),
            wire=page.wire,
        )

    def _gone(self, anchor: Anchor) -> DeletedObject:
        return DeletedObject(self._layout.name, anchor)

    def _now(self, each: Touched) -> Entry | None:
        layout = self._layout
        if each.anchor is not None and layout.anchor != DN:
            return self._reader.raw(Identity(Anchor((each.anchor,)), each.names[-1]), self._asked)
        for name in reversed(each.names):
            entry = self._reader.at(name, layout.filter, self._asked)
            if entry is not None:
                return entry
        return None

    def _former(self, each: Touched) -> list[str]:
        """Return every anchor by which the host may know the entry."""
        layout = self._layout
        if each.anchor is not None:
            return [each.anchor]
        found: dict[str, None] = {}
        column = layout.columns[layout.anchor]
        if layout.anchor == DN:
            gone = [name for name in each.before if self._reader.at(name, layout.filter, self._asked) is None]
            found.update(dict.fromkeys(gone))
        for name in each.names:
            if layout.anchor == DN:
                found[layout.names.key(name)] = None
                continue
            own = own_values(layout, name).get(layout.anchor)
            if own is not None:
                found[layout.anchor_text(column.codec.decode(own))] = None
        before = (each.values or {}).get(layout.anchor.casefold(), ())
        for value in before:
            found[layout.anchor_text(column.codec.decode(value))] = None
        return list(found)

    def _ours(self, each: Touched) -> bool:
        return any(self._layout.located(self._layout.names.key(name)) for name in (*each.before, *each.names))


def concerned(layout: Layout, touched: Touched) -> bool:
    """Whether one of the names of what was touched is where entries of the type are."""
    for name in (*touched.before, *touched.names):
        try:
            if layout.located(layout.names.key(name)):
                return True
        except ValueError:
            continue
    return False
