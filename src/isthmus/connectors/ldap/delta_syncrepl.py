"""Changes by the content synchronisation operation (RFC 4533), refreshOnly: OpenLDAP with syncprov, 389 DS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import ClassVar

import ldap

from isthmus.connectors.ldap import filters, sync
from isthmus.connectors.ldap.directory import SYNC
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import page_of
from isthmus.connectors.ldap.layout import Column
from isthmus.connectors.ldap.link import Answer, Entry
from isthmus.connectors.ldap.reading import Known, Reader
from isthmus.connectors.ldap.strategy import Session, Strategy
from isthmus.spi import ImportPage, Watermark, WatermarkExpired


class SyncRepl(Strategy):
    """Asks what changed since a cookie.

    A server that remembers its deletions (OpenLDAP: syncprov-sessionlog) names them. One that does not lists everything
    that is unchanged instead, so that the rest must be gone; then a full import says the same with less doubt.
    """

    id: ClassVar[str] = "syncrepl"

    def hindrance(self, session: Session) -> str | None:
        layout = session.known.layout
        reason = sync.hindrance(layout, offered=session.known.directory.supports(SYNC))
        if reason is not None:
            return reason
        # The server may offer it for another of its databases only.
        try:
            for _ in session.link.stream(
                layout.bases[0],
                ldap.SCOPE_BASE,
                filters.EVERYTHING,
                (),
                seconds=session.seconds(),
                controls=[sync.request(sync.REFRESH_ONLY, b"")],
            ):
                pass
        except Failure as failure:
            if failure.kind is Kind.NOT_POSSIBLE:
                return f"the server does not offer content synchronisation below {layout.bases[0]}: {failure}"
            raise
        return None

    def now(self, session: Session) -> str:
        return sync.token(self.cookie_now(session, session.known.layout.filter))

    def cookie_now(self, session: Session, wanted: str) -> bytes:
        """Return the cookie of this moment for a search with this filter: 389 DS takes it for no other."""
        if session.known.directory.product.id == "openldap":
            stamps = self._stamps(session)
            if stamps:
                return b"rid=000,csn=" + b";".join(stamps)
        progress = sync.Progress()
        with session.known.connections.apart(session.call) as own:
            for answer in _refresh(session.on(own), wanted, b"", ()):
                sync.learn(progress, answer)
        return progress.cookie

    def _stamps(self, session: Session) -> list[bytes]:
        """Return the contextCSNs of the suffix that holds our base: OpenLDAP's cookie is made of them."""
        names = session.known.layout.names
        inside = [c for c in session.known.directory.contexts if session.known.layout.bases[0].endswith(names.key(c))]
        for suffix in inside:
            found = session.link.search(
                suffix, ldap.SCOPE_BASE, filters.EVERYTHING, ("contextCSN",), seconds=session.seconds()
            ).entries
            for entry in found:
                return entry.values.get("contextcsn", [])
        return []

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        layout = session.known.layout
        columns = layout.readable(names)
        progress = sync.Progress()
        entries: list[Entry] = []
        reader = Reader(session.known, session.link, session.call)
        cookie = sync.cookie_of(token)
        with session.known.connections.apart(session.call) as own:
            for answer in _refresh(session.on(own), layout.filter, cookie, layout.asked(columns)):
                session.call.check()
                for identity, entry in sync.learn(progress, answer):
                    if reader.belongs(entry):
                        entries.append(reader.complete(entry))
                    else:  # moved to where entries of the type are not looked for
                        progress.gone.append(identity)
                if progress.listed:
                    raise WatermarkExpired(sync.FORGOTTEN)
                if len(entries) >= page_size or len(progress.gone) >= page_size:
                    yield self._page(session.known, entries[:page_size], progress, columns, None)
                    entries, progress.gone = entries[page_size:], []
        if cookie and progress.ended and not progress.deletes and progress.cookie != cookie:
            raise WatermarkExpired(sync.FORGOTTEN)
        yield self._page(session.known, entries, progress, columns, sync.token(progress.cookie or cookie))

    def _page(
        self, known: Known, entries: list[Entry], progress: sync.Progress, columns: Sequence[Column], mark: str | None
    ) -> ImportPage:
        layout = known.layout
        page = page_of(layout, columns, entries)
        return ImportPage(
            objects=page.objects,
            wire=page.wire,
            deleted=sync.deleted(layout, progress.gone),
            watermark=None if mark is None else Watermark(mark),
        )


def _refresh(session: Session, wanted: str, cookie: bytes, asked: Sequence[str]) -> Iterator[Answer]:
    layout = session.known.layout
    seconds = min(session.known.settings.import_timeout, session.call.remaining())
    controls = [sync.request(sync.REFRESH_ONLY, cookie)]
    with sync.accepted() if cookie else nullcontext():
        yield from session.link.stream(layout.bases[0], layout.scope, wanted, asked, seconds=seconds, controls=controls)
