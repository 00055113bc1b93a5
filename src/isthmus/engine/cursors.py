"""Cursors (RFC 9865): where the next page of a list begins, given to the client to keep.

Nothing is stored for them. A cursor is encrypted and authenticated with a key that the store holds, so that every
worker reads it, also after a restart, and no client can make one; it is bound to the query that it was given for. It
can hold a value that resources are sorted by, which has no business in the logs of proxies: so it is not only signed.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from isthmus.scim.errors import ExpiredCursor, InvalidCursor
from isthmus.store import Key, Place, Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SETTING = "cursor-key"
_NONCE = 12  # bytes, NIST SP 800-38D 8.2.2: random, and below 2^32 cursors for a key
_LONGEST = 4096
_AGAIN = "begin again with an empty cursor"


@dataclass(frozen=True, slots=True)
class Position:
    """What a cursor says: behind which object a page begins, which way, and how many resources the query had."""

    place: Place
    total: int
    backwards: bool = False


class Cursors:
    """The cursors of all lists of one store, good for `timeout` seconds."""

    def __init__(self, store: Store, *, timeout: float) -> None:
        self._store = store
        self._timeout = timeout
        self._made: AESGCM | None = None

    @property
    def _cipher(self) -> AESGCM:
        """Return the cipher, made when first asked for.

        Without a lock: whoever keeps the key in the store lends its turn meanwhile (docs/decisions/0003), and who has
        it then must not wait for that one. Two that make it at once get the same key.
        """
        if self._made is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            kept = self._store.settings.get(_SETTING) or self._store.settings.settle(_SETTING, secrets.token_hex(32))
            self._made = AESGCM(bytes.fromhex(kept))
        return self._made

    def seal(self, query: bytes, position: Position) -> str:
        """Return the cursor of a position within a query; it has only letters, digits, `-` and `_`."""
        content = [int(time.time()), position.place.row, position.place.key, position.total, position.backwards]
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, orjson.dumps(content), query)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, query: bytes, cursor: str) -> Position:
        """Return the position of a cursor.

        Raises:
            InvalidCursor: it was not made here, was changed, or belongs to another query.
            ExpiredCursor: it is too old.
        """
        from cryptography.exceptions import InvalidTag

        if len(cursor) > _LONGEST:
            raise InvalidCursor(f"this is no cursor of this service; {_AGAIN}")
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidCursor(f"this is no cursor of this service; {_AGAIN}") from None
        if len(sealed) <= _NONCE:
            raise InvalidCursor(f"this is no cursor of this service; {_AGAIN}")
        try:
            content: list[Any] = orjson.loads(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], query))
        except InvalidTag:
            raise InvalidCursor(
                f"this cursor was given for another query, or was changed; filter, sortBy and sortOrder stay the same "
                f"from page to page, or {_AGAIN}"
            ) from None
        made, row, key, total, backwards = content
        if not -60 <= time.time() - made <= self._timeout:  # a minute: clocks of two machines
            raise ExpiredCursor(f"this cursor is older than {self._timeout:g} seconds; {_AGAIN}")
        return Position(Place(row, _key(key)), total, backwards)


def _key(value: Any) -> Key:
    assert value is None or isinstance(value, str | int | float)
    return value
