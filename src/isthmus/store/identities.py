"""SCIM ids: stored, and never given to another object (RFC 7643 3.1)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from uuid import UUID

import orjson

from isthmus.store.objects import anchor_of, json_array
from isthmus.store.records import Space
from isthmus.store.statements import statement

NAMESPACE = UUID("6ba7c3a4-5c0c-5b7e-9d7a-0f6c1f6d3a11")
"""The name space of our UUIDv5s (RFC 9562 5.5). Never to be changed: ids would change with it."""

_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._@:!$'()*+;=&")

_VARIANT = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}
"""Version 5 and the variant (RFC 9562 5.5) take the place of six bits of the hash."""

_EXIST = statement("identities_exist")
_GENERATIONS = statement("generations_of")
_USED = statement("id_used")


def uuid_id(space: Space, text: str, generation: int) -> str:
    """Return the UUIDv5 over connector, type, anchor (its canonical text) and generation."""
    return _uuid_maker(space)(text, generation)


def anchor_id(anchor: Sequence[str]) -> str:
    """Return the anchor itself as an id, as Microsoft's host does, safe in a URL and different for different anchors.

    Bytes that would need quoting in a URL, and the comma that joins several values, become `~` and two hex digits.
    """
    joined = ",".join(_escaped(value) for value in anchor)
    return joined if joined not in ("", ".", "..") else "".join(f"~{ord(one):02X}" for one in joined) or "~"


def _escaped(value: str) -> str:
    if _SAFE.issuperset(value):
        return value
    return "".join(
        one if one in _SAFE else "".join(f"~{byte:02X}" for byte in one.encode("utf-8", "surrogatepass"))
        for one in value
    )


@lru_cache(maxsize=100)
def _uuid_maker(space: Space) -> Callable[[str, int], str]:
    head = orjson.dumps([space.connector, space.object_type])[:-1] + b","
    seed = hashlib.sha1(NAMESPACE.bytes + head, usedforsecurity=False)

    def make(text: str, generation: int) -> str:
        digest = seed.copy()
        digest.update(f"{text},{generation}]".encode())
        given = digest.hexdigest()
        return f"{given[:8]}-{given[8:12]}-5{given[13:16]}-{_VARIANT[given[16]]}{given[17:20]}-{given[20:32]}"

    return make


def next_ids(
    connection: sqlite3.Connection, space: Space, texts: Sequence[str], *, id_form: str
) -> dict[str, tuple[str, int]]:
    """Return id and generation that new objects with these anchors (canonical texts) get.

    The generation is one more than the highest ever used with the anchor. The anchor form is for the first one only:
    an object that comes back is another object, and gets a UUID.
    """
    return _next_ids(
        connection, space, texts, id_form, reused=bool(connection.execute(_EXIST, (space.number,)).fetchone()[0])
    )


def next_id(connection: sqlite3.Connection, space: Space, text: str, *, id_form: str, reused: bool) -> tuple[str, int]:
    """Return id and generation of one new object; `reused`: some object of the space was removed or renamed before."""
    return _next_ids(connection, space, [text], id_form, reused=reused)[text]


def _next_ids(
    connection: sqlite3.Connection, space: Space, texts: Sequence[str], id_form: str, *, reused: bool
) -> dict[str, tuple[str, int]]:
    used: dict[str, int] = {}
    if reused:
        used = dict(connection.execute(_GENERATIONS, (space.number, json_array(texts))))
    make = _uuid_maker(space)
    found: dict[str, tuple[str, int]] = {}
    for text in texts:
        generation = used.get(text, 0) + 1
        if id_form == "anchor":
            found[text] = _free(connection, space, make, text, generation)
        else:
            found[text] = make(text, generation), generation
    return found


def _free(
    connection: sqlite3.Connection, space: Space, make: Callable[[str, int], str], text: str, generation: int
) -> tuple[str, int]:
    """Return the anchor form if it never was an id, else the first free UUID."""
    if generation == 1:
        plain = anchor_id(anchor_of(text))
        if not connection.execute(_USED, (space.number, plain)).fetchone()[0]:
            return plain, generation
        generation = 2
    return make(text, generation), generation
