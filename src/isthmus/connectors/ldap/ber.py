"""As much of BER as controls need (X.690): the library's own decoder for these costs a hundred times as much."""

from __future__ import annotations

SEQUENCE, SET, OCTETS, BOOLEAN, ENUMERATED, INTEGER = 0x30, 0x31, 0x04, 0x01, 0x0A, 0x02


class BadEncoding(ValueError):
    """Bytes that are no BER, or end too early."""


def element(tag: int, body: bytes) -> bytes:
    """Return one element with its length."""
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    return element(SEQUENCE, b"".join(parts))


def octets(body: bytes) -> bytes:
    return element(OCTETS, body)


def elements(encoded: bytes) -> list[tuple[int, bytes]]:
    """Return (tag, content) of each element, one after the other."""
    found = []
    at, end = 0, len(encoded)
    while at < end:
        if at + 2 > end:
            raise BadEncoding("ends within an element")
        tag, length = encoded[at], encoded[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            if count == 0 or count > 4 or at + count > end:
                raise BadEncoding("a length that is not understood")
            length = int.from_bytes(encoded[at : at + count], "big")
            at += count
        stop = at + length
        if stop > end:
            raise BadEncoding("ends within an element")
        found.append((tag, encoded[at:stop]))
        at = stop
    return found


def inner(encoded: bytes) -> list[tuple[int, bytes]]:
    """Return the elements of the one constructed element that these bytes are."""
    found = elements(encoded)
    if len(found) != 1 or not found[0][0] & 0x20:
        raise BadEncoding("one constructed element is expected")
    return elements(found[0][1])
