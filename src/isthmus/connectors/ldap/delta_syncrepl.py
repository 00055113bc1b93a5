"""Changes by the content synchronisation operation (RFC 4533), refreshOnly: OpenLDAP with syncprov, 389 DS."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import ldap
from ldap.controls import LDAPControl, RequestControl

from isthmus.connectors.ldap import ber, filters
from isthmus.connectors.ldap.directory import SYNC
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import page_of
from isthmus.connectors.ldap.layout import Column
from isthmus.connectors.ldap.link import Answer, Entry
from isthmus.connectors.ldap.reading import Known, Reader
from isthmus.connectors.ldap.strategy import Session, Strategy
from isthmus.spi import Anchor, DeletedObject, ImportPage, Watermark, WatermarkExpired

_STATE = "1.3.6.1.4.1.4203.1.9.1.2"
_DONE = "1.3.6.1.4.1.4203.1.9.1.3"
_INFO = "1.3.6.1.4.1.4203.1.9.1.4"
_PRESENT, _ADD, _MODIFY, _DELETE = range(4)
_REFRESH_ONLY = b"\x01"
_IDS = {"entryuuid", "nsuniqueid"}


@dataclass(slots=True)
class _Progress:
    """What one refresh has told so far. `listed`: the server has begun to list what is unchanged."""

    cookie: bytes = b""
    listed: bool = False
    ended: bool = False
    deletes: bool = False
    gone: list[bytes] = field(default_factory=list)


class SyncRepl(Strategy):
    """Asks what changed since a cookie.

    A server that remembers its deletions (OpenLDAP: syncprov-sessionlog) names them. One that does not lists everything
    that is unchanged instead, so that the rest must be gone; then a full import says the same with less doubt.
    """

    id: ClassVar[str] = "syncrepl"

    def hindrance(self, session: Session) -> str | None:
        if not session.known.directory.supports(SYNC):
            return "the server does not offer content synchronisation (RFC 4533)"
        if session.known.layout.anchor.casefold() not in _IDS:
            return "deleted entries are known by entryUUID only; it must be the anchor"
        if len(session.known.layout.bases) > 1:
            return "a type with several bases has no single cookie"
        return None

    def now(self, session: Session) -> str:
        if session.known.directory.product.id == "openldap":
            stamps = self._stamps(session)
            if stamps:
                return _token(b"rid=000,csn=" + b";".join(stamps))
        progress = _Progress()
        with session.known.connections.apart(session.call) as own:
            for answer in _refresh(session.on(own), b"", ()):
                _learn(progress, answer)
        return _token(progress.cookie)

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
        progress = _Progress()
        entries: list[Entry] = []
        reader = Reader(session.known, session.link, session.call)
        try:
            cookie = base64.b64decode(token.encode(), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise WatermarkExpired(f"the watermark {token!r} is no cookie") from exc
        if not cookie:
            raise WatermarkExpired("the watermark is empty: the server gave no cookie")
        with session.known.connections.apart(session.call) as own:
            for answer in _refresh(session.on(own), cookie, layout.asked(columns)):
                session.call.check()
                entries += [reader.complete(e) for e in _learn(progress, answer) if reader.belongs(e)]
                if progress.listed:
                    raise WatermarkExpired("the server does not remember deletions for so long (syncprov-sessionlog)")
                if len(entries) >= page_size or len(progress.gone) >= page_size:
                    yield self._page(session.known, entries[:page_size], progress, columns, None)
                    entries, progress.gone = entries[page_size:], []
        if cookie and progress.ended and not progress.deletes and progress.cookie != cookie:
            raise WatermarkExpired("the server does not remember deletions for so long (syncprov-sessionlog)")
        yield self._page(session.known, entries, progress, columns, _token(progress.cookie or cookie))

    def _page(
        self, known: Known, entries: list[Entry], progress: _Progress, columns: Sequence[Column], mark: str | None
    ) -> ImportPage:
        layout = known.layout
        page = page_of(layout, columns, entries)
        gone = [DeletedObject(layout.name, Anchor((_text(layout.anchor, each),))) for each in progress.gone]
        return ImportPage(
            objects=page.objects, wire=page.wire, deleted=gone, watermark=None if mark is None else Watermark(mark)
        )


def _text(anchor: str, identity: bytes) -> str:
    if anchor.casefold() == "nsuniqueid":
        digits = identity.hex()
        return "-".join(digits[i : i + 8] for i in range(0, 32, 8))
    return str(uuid.UUID(bytes=identity))


def _token(cookie: bytes) -> str:
    return base64.b64encode(cookie).decode()


def _refresh(session: Session, cookie: bytes, asked: Sequence[str]) -> Iterator[Answer]:
    value = ber.sequence(ber.element(ber.ENUMERATED, _REFRESH_ONLY), ber.octets(cookie) if cookie else b"")
    layout = session.known.layout
    seconds = min(session.known.settings.import_timeout, session.call.remaining())
    try:
        yield from session.link.stream(
            layout.bases[0],
            layout.scope,
            layout.filter,
            asked,
            seconds=seconds,
            controls=[RequestControl(SYNC, True, value)],
        )
    except Failure as failure:
        if failure.kind is Kind.NOT_POSSIBLE and cookie:
            raise WatermarkExpired(f"the server refuses the cookie: {failure}") from failure
        raise


def _learn(progress: _Progress, answer: Answer) -> list[Entry]:
    """Take in one message; return the entries in it that are new or changed."""
    fresh = []
    for entry, controls in zip(answer.entries, answer.entry_controls, strict=False):
        for value in _values(controls, _STATE):
            (_, state), (_, identity), *more = ber.inner(value)
            if state[0] == _DELETE:
                progress.gone.append(identity)
            elif state[0] == _PRESENT:
                progress.listed = True
            else:
                fresh.append(entry)
            if more:
                progress.cookie = more[0][1]
    for value in _values(answer.controls, _DONE):
        progress.ended = True
        for tag, content in ber.inner(value):
            if tag == ber.OCTETS:
                progress.cookie = content
            elif tag == ber.BOOLEAN:
                progress.deletes = content != b"\0"
    for value in _values(answer.controls, _INFO):
        _inform(progress, value)
    return fresh


def _inform(progress: _Progress, value: bytes) -> None:
    ((tag, content),) = ber.elements(value)
    kind = tag & 0x1F
    if kind == 0:
        progress.cookie = content
        return
    parts = list(ber.elements(content))
    cookies = [body for each, body in parts if each == ber.OCTETS]
    if cookies:
        progress.cookie = cookies[0]
    if kind == 2:
        progress.listed = True  # refreshPresent: what was not listed is gone
    elif kind == 3:
        deletes = any(body != b"\0" for each, body in parts if each == ber.BOOLEAN)
        if not deletes:
            progress.listed = True
        for each, body in parts:
            if each == ber.SET and deletes:
                progress.gone += [identity for _, identity in ber.elements(body)]


def _values(controls: Sequence[LDAPControl], oid: str) -> Iterator[bytes]:
    for control in controls:
        if control.controlType == oid and control.encodedControlValue is not None:
            yield control.encodedControlValue
