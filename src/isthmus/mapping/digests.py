"""One number for everything an object is, so that an import can tell "unchanged" without comparing."""

from __future__ import annotations

from hashlib import blake2b

import orjson

from isthmus.mapping.codec import Codec
from isthmus.mapping.index import Index
from isthmus.spi import ConnectorObject, ObjectType


class Digest:
    """Digest an object's readable attributes, references and dn: 64 bits, signed as SQLite's integers are.

    The order of a multi-valued attribute's values does not count, because targets need not keep one (RFC 4511 4.1.7).
    """

    __slots__ = ("_codec", "_index", "_unordered")

    def __init__(self, object_type: ObjectType, codec: Codec, index: Index) -> None:
        self._codec = codec
        self._index = index
        several = {definition.name for definition in object_type.attributes if definition.multivalued}
        self._unordered = tuple(name for name in codec.names if name in several)

    def canonical(self, obj: ConnectorObject, encoded: bytes | None = None) -> int:
        """Return the digest; `encoded`: the object's attributes as the codec gives them, where that was done before."""
        attributes = obj.attributes
        if any(len(attributes.get(name, ())) > 1 for name in self._unordered):
            attributes = dict(attributes)
            for name in self._unordered:
                if name in attributes:
                    attributes[name] = tuple(sorted(attributes[name], key=repr))
            encoded = None
        state = blake2b(self._codec.encode(attributes) if encoded is None else encoded, digest_size=8)
        if self._index.references:
            # an attribute that was not read must not look like one without values
            read = [name for name in self._index.references if name in attributes]
            state.update(orjson.dumps([read, sorted(self._index.links(obj))]))
        if obj.identity.dn is not None:
            state.update(b"\x00" + obj.identity.dn.encode("utf-8", "surrogatepass"))
        return int.from_bytes(state.digest(), "big", signed=True)
