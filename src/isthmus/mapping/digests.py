"""One number for everything an object is, so that an import can tell "unchanged" without comparing."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Literal

import orjson

from isthmus.mapping.codec import Codec
from isthmus.mapping.index import Index
from isthmus.spi import ConnectorObject, ObjectType

SIZE = 8
"""Bytes of a digest."""

_MASK = (1 << 64) - 1


def many(begun: Callable[[], blake2b], texts: Iterable[bytes], byteorder: Literal["big", "little"]) -> array[int]:
    """Return the digest of each text as a signed number; `begun` gives the state to begin with."""
    found = []
    for text in texts:
        state = begun()
        state.update(text)
        found.append(state.digest())
    numbers = array("q", b"".join(found))
    if sys.byteorder != byteorder:
        numbers.byteswap()
    return numbers


class Digest:
    """Digest an object's readable attributes, references and dn: 64 bits, signed as SQLite's integers are.

    The order of a multi-valued attribute's values does not count, because targets need not keep one (RFC 4511 4.1.7).
    The digest is a sum, modulo 2^64, of one number for the attributes and one for each reference: who adds a member to
    a group of 100,000 adds that member's number and need not know the others.
    """

    __slots__ = ("_codec", "_index", "_unordered")

    def __init__(self, object_type: ObjectType, codec: Codec, index: Index) -> None:
        self._codec = codec
        self._index = index
        several = {definition.name for definition in object_type.attributes if definition.multivalued}
        self._unordered = tuple(name for name in codec.names if name in several)

    def canonical(self, obj: ConnectorObject, encoded: bytes | None = None) -> int:
        """Return the digest of the object; `encoded`: its attributes as the codec gives them, where they are known."""
        return _signed(self._rest(obj, self._read(obj), encoded) + sum(map(_link, self._index.links(obj))))

    def changed(
        self,
        canonical: int,
        before: ConnectorObject,
        after: ConnectorObject,
        *,
        add: Iterable[tuple[str, str]],
        remove: Iterable[tuple[str, str]],
    ) -> int:
        """Return the digest of `after`, given that of `before` and the references that came and went.

        The references the objects carry do not count, only those named here.
        """
        read = list(self._index.references)
        rest = self._rest(after, read) - self._rest(before, read)
        return _signed(canonical + rest + sum(map(_link, add)) - sum(map(_link, remove)))

    def _read(self, obj: ConnectorObject) -> list[str]:
        return [name for name in self._index.references if name in obj.attributes]

    def _rest(self, obj: ConnectorObject, read: list[str], encoded: bytes | None = None) -> int:
        """Return the part that is not references; `read` are those that were read."""
        attributes = obj.attributes
        if any(len(attributes.get(name, ())) > 1 for name in self._unordered):
            attributes = dict(attributes)
            for name in self._unordered:
                if name in attributes:
                    attributes[name] = tuple(sorted(attributes[name], key=repr))
            encoded = None
        state = blake2b(self._codec.encode(attributes) if encoded is None else encoded, digest_size=SIZE)
        if self._index.references:
            state.update(orjson.dumps(read))  # an attribute that was not read must not look like one without values
        if obj.identity.dn is not None:
            state.update(b"\x00" + obj.identity.dn.encode("utf-8", "surrogatepass"))
        return int.from_bytes(state.digest(), "big")


def _link(link: tuple[str, str]) -> int:
    attribute, key = link
    text = f"{attribute}\x00{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=SIZE, person=b"reference").digest(), "big")


def _signed(total: int) -> int:
    total &= _MASK
    return total - (_MASK + 1) if total >> 63 else total
