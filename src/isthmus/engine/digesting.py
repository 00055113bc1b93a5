"""Tell which objects of an import are unchanged without decoding them, and which were not seen at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from isthmus.config.documents import ConnectorDocument
from isthmus.mapping.resource_type import ResourceType

ROW_MASK = (1 << 40) - 1
"""The rows of one space differ in these bits, numbered from 1 on."""

SIZE = 7
"""Bytes of a wire digest: 56 bits make small integers; at a million objects one wrong match in 7 * 10^10 changes."""


def digester(rt: ResourceType, document: ConnectorDocument) -> Callable[[bytes], int]:
    """Return the function from wire form to digest.

    Keyed by what decoding depends on: settings, selected attributes, shape (which holds the code version). A change of
    any of them makes every digest new, so that every object is decoded again.
    """
    text = msgspec.json.encode([document.settings, rt.read_attributes, rt.shape], order="sorted")
    key = hashlib.blake2b(text, digest_size=32).digest()
    blake2b, from_bytes = hashlib.blake2b, int.from_bytes

    def digest(wire: bytes) -> int:
        return from_bytes(blake2b(wire, digest_size=SIZE, key=key).digest(), "big")

    return digest


class Sightings:
    """Which objects of a space a full import has seen.

    An unchanged object is known by its digest alone and never looked up. Memory: about 70 bytes for each object.
    """

    def __init__(self, batches: Iterable[Sequence[tuple[int, int | None]]]) -> None:
        self._unseen: set[int] = set()
        self._rows = bytearray()  # one byte for each row number, which are dense
        self._without = 0
        self.present = 0
        for batch in batches:
            self.present += len(batch)
            self._unseen.update(wire for _, wire in batch if wire is not None)
            self._without += sum(1 for _, wire in batch if wire is None)

    def changed(self, digests: Sequence[int]) -> list[int]:
        """Return the indexes of what is not known to be unchanged; the others are marked as seen."""
        page = set(digests)
        if len(page & self._unseen) == len(digests):
            self._unseen -= page
            return []
        unseen = self._unseen
        result = [index for index, digest in enumerate(digests) if digest not in unseen]
        unseen -= page
        return result

    def saw_row(self, row: int) -> None:
        """Mark an object that was decoded and looked up."""
        number = row & ROW_MASK
        if number >= len(self._rows):
            self._rows.extend(bytes(max(number + 1 - len(self._rows), len(self._rows), 1024)))
        self._rows[number] = 1

    def missing(self, batches: Callable[[], Iterator[Sequence[tuple[int, int | None]]]]) -> list[int]:
        """Return the rows that were in the space and were not seen."""
        if not self._unseen and not self._without:
            return []
        return [
            row
            for batch in batches()
            for row, wire in batch
            if (wire is None or wire in self._unseen) and not self._saw(row & ROW_MASK)
        ]

    def _saw(self, number: int) -> bool:
        return number < len(self._rows) and self._rows[number] == 1
