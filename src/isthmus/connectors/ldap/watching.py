"""Changes as they happen: RFC 4533 refreshAndPersist, on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import ldap

from isthmus.connectors.ldap import container_moves, filters, sync
from isthmus.connectors.ldap.container_moves import Containers
from isthmus.connectors.ldap.delta_syncrepl import SyncRepl
from isthmus.connectors.ldap.importing import page_of
from isthmus.connectors.ldap.layout import Column, Layout
from isthmus.connectors.ldap.link import Answer, Entry, Link
from isthmus.connectors.ldap.log_pages import tree_pages
from isthmus.connectors.ldap.reading import Known, Reader
from isthmus.connectors.ldap.strategy import Session
from isthmus.spi import (
    WATCH_PULSE,
    Anchor,
    AttributeType,
    Call,
    Identity,
    ImportPage,
    Unsupported,
    Watermark,
    WatermarkExpired,
)

_KIND = "syncrepl:"
_GATHER = 0.05
"""Seconds in which messages are gathered into one page: a burst costs one transaction, not one for each."""
_SHARE = 2.0
"""Long lists are read again after so many times what reading them took: a third of one core at the most."""


def begin_watch(session: Session) -> Watermark:
    """Return where a watch begins.

    Raises:
        Unsupported: the server, or the settings, do not allow it.
    """
    reason = SyncRepl().hindrance(session)
    if reason is not None:
        raise Unsupported(f"changes cannot be watched: {reason}")
    return Watermark(_KIND + sync.token(SyncRepl().cookie_now(session, _filter(session.known.layout))))


def _filter(layout: Layout) -> str:
    """Return the filter that entries of the type and their containers meet."""
    return filters.either((layout.filter, container_moves.FILTER)) if container_moves.apart(layout) else layout.filter


def watch(known: Known, call: Call, *, since: Watermark, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
    """Yield what changes since a watermark, for ever."""
    kind, _, token = since.token.partition(":")
    if kind + ":" != _KIND:
        raise WatermarkExpired("the watermark is none of a watch")
    cookie = sync.cookie_of(token)
    with known.connections.apart(call) as link:
        yield from _Watch(known, link, call, names, page_size).run(cookie)


class _Watch:
    """What has come and was not yielded yet: by identity, the entry as it is now, or None where it is gone."""

    def __init__(self, known: Known, link: Link, call: Call, names: Sequence[str], page_size: int) -> None:
        self._known = known
        self._layout = known.layout
        self._link = link
        self._call = call
        self._page_size = page_size
        self._columns: list[Column] = self._layout.readable(names)
        self._told: dict[bytes, Entry | None] = {}
        self._since = 0.0
        self._gather = _GATHER
        # Servers send the whole entry for each change. A group of 100,000 members is rather read once for many.
        self._lean = any(
            c.definition.type is AttributeType.REFERENCE and c.definition.multivalued and not c.definition.readonly
            for c in self._columns
        )
        self._containers: Containers | None = None

    def run(self, cookie: bytes) -> Iterator[ImportPage]:
        layout, settings = self._layout, self._known.settings
        if container_moves.apart(layout):
            self._containers = self._present_containers()
        progress = sync.Progress(cookie=cookie)
        number = self._start(cookie)
        heard = yielded = time.monotonic()
        while True:
            self._call.check()
            wait = WATCH_PULSE / 2
            if self._told:
                wait = min(wait, max(0.0, self._since + self._gather - time.monotonic()))
            answer = self._listened(number, wait)
            now = time.monotonic()
            if answer is not None:
                heard = now
                yield from self._take(progress, answer)
            elif now - heard > max(1.0, settings.ping_after):
                # Nobody else tells whether a connection that is silent is still one.
                seconds = min(settings.operation_timeout, 2 * settings.connect_timeout)
                self._link.search("", ldap.SCOPE_BASE, filters.EVERYTHING, (), seconds=seconds)
                heard = time.monotonic()
            if self._told and (len(self._told) >= self._page_size or now >= self._since + self._gather):
                yield from self._pages(progress)
                yielded = time.monotonic()
            elif now - yielded >= WATCH_PULSE / 2:
                mark = None if self._told else Watermark(_KIND + sync.token(progress.cookie))
                yield ImportPage(watermark=mark)
                yielded = time.monotonic()

    def _start(self, cookie: bytes) -> int:
        layout = self._layout
        asked = [*self._asked(), *(["objectClass"] if self._containers is not None else [])]
        return self._link.start_search(
            layout.bases[0],
            layout.scope,
            _filter(layout),
            asked,
            seconds=self._known.settings.operation_timeout,
            controls=[sync.request(sync.REFRESH_AND_PERSIST, cookie)],
        )

    def _asked(self) -> list[str]:
        return self._layout.asked([self._layout.columns[self._layout.anchor]] if self._lean else self._columns)

    def _listened(self, number: int, wait: float) -> Answer | None:
        with sync.accepted():
            return self._link.listen(number, wait=wait, seconds=self._known.settings.import_timeout)

    def _take(self, progress: sync.Progress, answer: Answer) -> Iterator[ImportPage]:
        """Take in one message; only a moved container yields pages by itself."""
        fresh = sync.learn(progress, answer)
        if progress.listed:
            raise WatermarkExpired(sync.FORGOTTEN)
        if not self._told:
            self._since = time.monotonic()
        for identity, entry in fresh:
            if self._containers is not None and container_moves.is_container(self._layout, entry):
                if self._containers.moved(identity, entry.dn):
                    yield from self._below(entry.dn)
                continue
            self._told.pop(identity, None)
            self._told[identity] = entry if self._belongs(entry) else None
        for identity in progress.gone:
            if self._containers is not None and self._containers.gone(identity) and self._elsewhere(identity):
                raise WatermarkExpired("a container was moved to where entries are not looked for")
            self._told.pop(identity, None)
            self._told[identity] = None
        progress.gone = []

    def _belongs(self, entry: Entry) -> bool:
        return not self._layout.excluded or self._layout.located(self._layout.names.key(entry.dn))

    # -- pages

    def _pages(self, progress: sync.Progress) -> Iterator[ImportPage]:
        told, self._told = self._told, {}
        began = time.monotonic()
        items = list(told.items())
        for start in range(0, len(items), self._page_size):
            part = items[start : start + self._page_size]
            entries, gone = self._as_they_are(part)
            page = page_of(self._layout, self._columns, entries)
            last = start + self._page_size >= len(items)
            yield ImportPage(
                objects=page.objects,
                wire=page.wire,
                deleted=sync.deleted(self._layout, gone),
                watermark=Watermark(_KIND + sync.token(progress.cookie)) if last else None,
            )
        if self._lean:
            self._gather = max(_GATHER, _SHARE * (time.monotonic() - began))

    def _as_they_are(self, part: Sequence[tuple[bytes, Entry | None]]) -> tuple[list[Entry], list[bytes]]:
        """Return the entries with everything that is asked for, and the identities of those that are gone."""
        gone = [identity for identity, entry in part if entry is None]
        present = [(identity, entry) for identity, entry in part if entry is not None]
        known, wire = self._known, self._layout.columns[self._layout.anchor].wire.lower()
        # 389 DS leaves the operational attributes out of what it sends in this phase.
        whole = not self._lean and all(wire in entry.values for _, entry in present)
        if whole and not known.ranges and known.member_uids() is None:
            return [entry for _, entry in present], gone

        def complete(link: Link) -> tuple[list[Entry], list[bytes]]:
            reader = Reader(known, link, self._call)
            found, missing = [], []
            asked = self._layout.asked(self._columns)
            for identity, entry in present:
                if whole:
                    found.append(reader.complete(entry))
                    continue
                anchor = Anchor((sync.anchor_text(self._layout, identity),))
                read = reader.raw(Identity(anchor, entry.dn), asked)
                if read is None:
                    missing.append(identity)
                else:
                    found.append(read)
            return found, missing

        found, missing = known.connections.read(self._call, complete) if present else ([], [])
        return found, [*gone, *missing]

    # -- containers

    def _present_containers(self) -> Containers:
        layout = self._layout
        anchor = layout.columns[layout.anchor]
        wire = anchor.wire.lower()
        found: dict[bytes, str] = {}
        for base in layout.bases:
            for entries in self._tree(base, container_moves.FILTER, layout.asked([anchor])):
                for entry in entries:
                    found.update({sync.identity(layout, value): entry.dn for value in entry.values.get(wire, ())})
        return Containers(layout.names, found)

    def _below(self, dn: str) -> Iterator[ImportPage]:
        """Yield every entry of the type below a container: their names have changed with its own."""
        layout = self._layout
        for entries in self._tree(dn, layout.filter, layout.asked(self._columns)):
            inside = [each for each in entries if self._belongs(each)]
            outside = [each for each in entries if not self._belongs(each)]
            page = page_of(layout, self._columns, self._completed(inside))
            anchor = layout.columns[layout.anchor].wire.lower()
            gone = [sync.identity(layout, value) for each in outside for value in each.values.get(anchor, ())]
            yield ImportPage(objects=page.objects, wire=page.wire, deleted=sync.deleted(layout, gone))

    def _completed(self, entries: Sequence[Entry]) -> list[Entry]:
        def complete(link: Link) -> list[Entry]:
            reader = Reader(self._known, link, self._call)
            return [reader.complete(entry) for entry in entries]

        return self._known.connections.read(self._call, complete) if entries else []

    def _elsewhere(self, identity: bytes) -> bool:
        """Tell whether an entry that left our base is somewhere else in the directory."""
        layout = self._layout
        wanted = filters.equal(layout.columns[layout.anchor].wire, sync.anchor_text(layout, identity).encode())
        for context in self._known.directory.contexts:
            for entries in self._tree(context, wanted, ()):
                if entries:
                    return True
        return False

    def _tree(self, base: str, wanted: str, asked: Sequence[str]) -> Iterator[list[Entry]]:
        """Yield entries by pages, on another connection: the watch has its own."""
        with self._known.connections.apart(self._call) as link:
            session = Session(self._known, link, self._call)
            yield from tree_pages(session, base, wanted, asked, size=self._page_size)
