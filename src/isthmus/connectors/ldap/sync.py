"""The messages of the content synchronisation operation (RFC 4533): what a delta and a watch read out of them."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ldap.controls import LDAPControl, RequestControl

from isthmus.connectors.ldap import ber
from isthmus.connectors.ldap.directory import SYNC
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Answer, Entry
from isthmus.spi import Anchor, DeletedObject, WatermarkExpired

_STATE = "1.3.6.1.4.1.4203.1.9.1.2"
_DONE = "1.3.6.1.4.1.4203.1.9.1.3"
_INFO = "1.3.6.1.4.1.4203.1.9.1.4"
_PRESENT, _ADD, _MODIFY, _DELETE = range(4)
_IDS = {"entryuuid", "nsuniqueid"}

REFRESH_ONLY = b"\x01"
REFRESH_AND_PERSIST = b"\x03"

FORGOTTEN = "the server does not remember deletions for so long (syncprov-sessionlog)"


@dataclass(slots=True)
class Progress:
    """What one refresh has told so far. `listed`: the server has begun to list what is unchanged."""

    cookie: bytes = b""
    listed: bool = False
    ended: bool = False
    deletes: bool = False
    gone: list[bytes] = field(default_factory=list)


def hindrance(layout: Layout, *, offered: bool) -> str | None:
    """Return why entries of this type cannot be followed so; None if they can. `offered`: by the server."""
    if not offered:
        return "the server does not offer content synchronisation (RFC 4533)"
    if layout.anchor.casefold() not in _IDS:
        return "deleted entries are known by entryUUID only; it must be the anchor"
    if len(layout.bases) > 1:
        return "a type with several bases has no single cookie"
    return None


def token(cookie: bytes) -> str:
    return base64.b64encode(cookie).decode()


def cookie_of(text: str) -> bytes:
    """Return the cookie that `token` made text of.

    Raises:
        WatermarkExpired: it is none.
    """
    try:
        cookie = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise WatermarkExpired(f"the watermark {text!r} is no cookie") from exc
    if not cookie:
        raise WatermarkExpired("the watermark is empty: the server gave no cookie")
    return cookie


@contextmanager
def accepted() -> Iterator[None]:
    """Raise WatermarkExpired where the server refuses a cookie.

    OpenLDAP is unwilling when the cookie is newer than all it knows: it was restored from a backup.
    """
    try:
        yield
    except Failure as failure:
        if failure.kind in {Kind.NOT_POSSIBLE, Kind.REFUSED}:
            raise WatermarkExpired(f"the server refuses the cookie: {failure}") from failure
        raise


def request(mode: bytes, cookie: bytes) -> RequestControl:
    value = ber.sequence(ber.element(ber.ENUMERATED, mode), ber.octets(cookie) if cookie else b"")
    return RequestControl(SYNC, True, value)


def deleted(layout: Layout, identities: Sequence[bytes]) -> list[DeletedObject]:
    return [DeletedObject(layout.name, Anchor((anchor_text(layout, each),))) for each in identities]


def anchor_text(layout: Layout, identity: bytes) -> str:
    """Return the anchor of the entry with this identity."""
    if layout.anchor.casefold() == "nsuniqueid":
        digits = identity.hex()
        return "-".join(digits[i : i + 8] for i in range(0, 32, 8))
    return str(uuid.UUID(bytes=identity))


def identity(layout: Layout, value: bytes) -> bytes:
    """Return the identity in an entry's anchor attribute, as the server sends it."""
    text = value.decode("ascii", "replace")
    return bytes.fromhex(text.replace("-", "")) if layout.anchor.casefold() == "nsuniqueid" else uuid.UUID(text).bytes


def learn(progress: Progress, answer: Answer) -> list[tuple[bytes, Entry]]:
    """Take in one message; return the entries in it that are new or changed, with their identities."""
    fresh = []
    for entry, controls in zip(answer.entries, answer.entry_controls, strict=False):
        for value in _values(controls, _STATE):
            (_, state), (_, identity), *more = ber.inner(value)
            if state[0] == _DELETE:
                progress.gone.append(identity)
            elif state[0] == _PRESENT:
                progress.listed = True
            else:
                fresh.append((identity, entry))
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


def _inform(progress: Progress, value: bytes) -> None:
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
