"""Tell which objects of an import are unchanged without decoding them, and which were not seen at all."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from isthmus.config.documents import ConnectorDocument
from isthmus.mapping.digests import many
from isthmus.mapping.resource_type import ResourceType

Digests = Callable[[Iterable[bytes]], "array[int]"]

SIZE = 8
"""Bytes of a wire digest: at a million objects one changed row in 10^13 would be taken for a known one."""

_NEAR = 64
"""How far from where it is expected a row is looked for before the whole space is."""


def digester(rt: ResourceType, document: ConnectorDocument) -> Digests:
    """Return the function from the wire forms of a page to their digests.

    Keyed by what decoding depends on: settings, selected attributes, shape (which holds the code version). A change of
    any of them makes every digest new, so that every object is decoded again. The key goes into BLAKE2's salt and
    personalisation and not into its key: a key would cost a second block for each row.
    """
    text = msgspec.json.encode([document.settings, rt.read_attributes, rt.shape], order="sorted")
    key = hashlib.blake2b(text, digest_size=32).digest()
    begun = hashlib.blake2b(digest_size=SIZE, salt=key[:16], person=key[16:]).copy

    return partial(many, begun, byteorder="little")


class Sightings:
    """Which objects of a space a full import has seen.

    An unchanged object is known by its digest alone and never looked up. Most targets send their rows in much the same
    order each time, so a page is compared with the digests that follow the last one found; what is not there is looked
    for nearby, then in the whole space. The order decides the cost only. Memory: 17 bytes for each object, and 6 to 12
    more once the whole space had to be searched.
    """

    def __init__(self, batches: Iterable[tuple[Sequence[int], Sequence[int]]]) -> None:
        """Take rows in ascending order and their digests, 0 for an object that has none."""
        self._rows = array("q")
        self._known = array("q")
        for rows, wires in batches:
            self._rows.extend(rows)
            self._known.extend(wires)
        self.present = len(self._rows)
        self._seen = bytearray(self.present)
        self._next = 0
        self._strays = 0
        self._places: array[int] | None = None

    def changed(self, page: array[int]) -> Sequence[int]:
        """Return the indexes of what is not known to be unchanged; the others are marked as seen.

        A digest that was seen before is not known to be unchanged: in between, the target may have sent other contents
        of the same object, and what it sends last counts.
        """
        count, begin = len(page), self._next
        end = begin + count
        if not self.present:
            return range(count)
        if self._known[begin:end] == page and self._seen.find(1, begin, end) < 0:
            self._seen[begin:end] = b"\x01" * count
            self._next = end
            return ()
        known, seen = self._known, self._seen
        result = []
        for index, digest in enumerate(page):
            place = self._next
            if place >= self.present or known[place] != digest or seen[place]:
                place = self._found(digest)
                if place < 0:
                    result.append(index)
                    continue
            seen[place] = 1
            self._next = place + 1
        return result

    def saw_row(self, row: int) -> None:
        """Mark an object that was decoded and looked up."""
        place = bisect_left(self._rows, row)
        if place < self.present and self._rows[place] == row:
            self._seen[place] = 1

    def missing(self) -> list[int]:
        """Return the rows that were in the space when the run began and were not seen."""
        missing = []
        place = self._seen.find(0)
        while place >= 0:
            missing.append(self._rows[place])
            place = self._seen.find(0, place + 1)
        return missing

    def _found(self, digest: int) -> int:
        """Return the place of an object with this digest that was not seen yet, or -1."""
        if self._places is None:
            place = self._near(digest)
            if place >= 0:
                return place
            # Decoding a few rows in vain costs less than the table does.
            self._strays += 1
            if self._strays <= self.present >> 8:
                return -1
            self._places = _table(self._known)
        places, known, seen = self._places, self._known, self._seen
        mask = len(places) - 1
        slot = digest & mask
        while place := places[slot]:
            if known[place - 1] == digest and not seen[place - 1]:
                return place - 1
            slot = (slot + 1) & mask
        return -1

    def _near(self, digest: int) -> int:
        """Return the place among those that are expected next, or -1."""
        place, end = self._next, min(self._next + _NEAR, self.present)
        while place < end:
            try:
                place = self._known.index(digest, place, end)
            except ValueError:
                return -1
            if not self._seen[place]:
                return place
            place += 1
        return -1


def _table(known: array[int]) -> array[int]:
    """Return a hash table with open addressing: the place of each digest plus one, from the slot of its low bits on."""
    size = 1 << max(3, (len(known) * 3 // 2).bit_length())
    mask = size - 1
    places = array("I", bytes(4 * size))
    for place, digest in enumerate(known, 1):
        if digest:
            slot = digest & mask
            while places[slot]:
                slot = (slot + 1) & mask
            places[slot] = place
    return places
