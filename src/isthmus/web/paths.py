"""Base URLs: `/ecma2host_{name}/scim` as Microsoft's host has them, and `/scim/{name}`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_MICROSOFT = "ecma2host_"
FORMS = "/ecma2host_NAME/scim/... or /scim/NAME/..."


class SplitPath(NamedTuple):
    """The connector's name as the client spelt it, the path of the base URL, and the segments below it."""

    name: str
    base: str
    rest: tuple[str, ...]


def parse(path: str) -> SplitPath | None:
    """Return the parts of a path, or None if it has neither form. Letter case of the fixed parts does not matter.

    Empty segments are dropped: clients write `/Users/` and some join URLs with two slashes. `v2` below the base URL
    belongs to it (RFC 7644 3.13).
    """
    segments = path.split("/")[1:]
    if "" in segments or path[:1] != "/":
        segments = [segment for segment in path.split("/") if segment]
    if len(segments) < 2:
        return None
    name = _name(segments[0], segments[1])
    if not name:
        return None
    below = 3 if len(segments) > 2 and segments[2].lower() == "v2" else 2
    return SplitPath(name, "/" + "/".join(segments[:below]), tuple(segments[below:]))


def shown(path: str) -> str:
    """Return a path as people write it: the server gives each byte of its UTF-8 as a character (PEP 3333)."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


@lru_cache(256)
def _name(first: str, second: str) -> str:
    """Return the connector's name in a base URL; empty if it is none."""
    lower = first.lower()
    if lower.startswith(_MICROSOFT) and second.lower() == "scim":
        return first[len(_MICROSOFT) :]
    return second if lower == "scim" else ""
