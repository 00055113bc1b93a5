"""Base URLs: `/ecma2host_{name}/scim` as Microsoft's host has them, and `/scim/{name}`."""

from __future__ import annotations

from dataclasses import dataclass

_MICROSOFT = "ecma2host_"
FORMS = "/ecma2host_NAME/scim/... or /scim/NAME/..."


@dataclass(frozen=True, slots=True)
class SplitPath:
    """The connector's name as the client spelt it, the path of the base URL, and the segments below it."""

    name: str
    base: str
    rest: tuple[str, ...]


def parse(path: str) -> SplitPath | None:
    """Return the parts of a path, or None if it has neither form. Letter case of the fixed parts does not matter.

    Empty segments are dropped: clients write `/Users/` and some join URLs with two slashes. `v2` below the base URL
    belongs to it (RFC 7644 3.13).
    """
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) < 2:
        return None
    first, second = segments[0], segments[1]
    lower = first.lower()
    if lower.startswith(_MICROSOFT) and second.lower() == "scim":
        name = first[len(_MICROSOFT) :]
    elif lower == "scim":
        name = second
    else:
        return None
    if not name:
        return None
    if len(segments) > 2 and segments[2].lower() == "v2":
        return SplitPath(name, f"/{first}/{second}/{segments[2]}", tuple(segments[3:]))
    return SplitPath(name, f"/{first}/{second}", tuple(segments[2:]))
