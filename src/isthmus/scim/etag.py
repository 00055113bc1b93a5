"""Entity tags and the conditions made of them (RFC 9110 13.1, RFC 7644 3.14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.scim.errors import InvalidSyntax, PreconditionFailed

# The opaque part may hold anything but a quotation mark; clients also send back what they stored without its quotes.
_TAG = re.compile(r'\s*(?:(?:[Ww]/)?"([^"]*)"|([^\s",]+))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of If-Match or If-None-Match: `*`, or a list of tags (their opaque parts)."""

    tags: tuple[str, ...] = ()
    any: bool = False

    def match(self, current: str | None) -> bool:
        """Compare weakly with the resource's tag; None means that the resource does not exist.

        RFC 9110 13.1.1 wants strong comparison for If-Match, which no weak tag could ever pass; RFC 7644 3.14 uses
        weak tags there all the same, so SCIM compares weakly.
        """
        if current is None:
            return False
        return self.any or opaque(current) in self.tags


def opaque(tag: str) -> str:
    """Return what stands between the quotation marks of a tag."""
    match = _TAG.match(tag)
    if match is None:
        return tag
    return match[1] if match[1] is not None else match[2]


def parse_entity_tags(header: str) -> EntityTags:
    """Read a list of entity tags.

    Raises:
        InvalidSyntax: the header is none.
    """
    text = header.strip()
    if text == "*":
        return EntityTags(any=True)
    tags: list[str] = []
    position = 0
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None:
            raise InvalidSyntax('the condition is no list of entity tags; write W/"version", or * for any')
        tags.append(match[1] if match[1] is not None else match[2])
        position = match.end()
    if not tags:
        raise InvalidSyntax("the condition names no entity tag")
    return EntityTags(tuple(tags))


def matches(header: str, current: str | None) -> bool:
    """Return True if a resource with this tag satisfies the header.

    Raises:
        InvalidSyntax: the header is no list of entity tags.
    """
    return parse_entity_tags(header).match(current)


def check_if_match(header: str | None, current: str | None) -> None:
    """Let a write pass if the client's condition holds, or if it made none.

    Raises:
        PreconditionFailed: the resource has another version now.
    """
    if header and not matches(header, current):
        raise PreconditionFailed("the resource has changed since that version; read it again")


def check_if_none_match(header: str | None, current: str | None) -> None:
    """Let a write pass unless the resource has one of these versions.

    Raises:
        PreconditionFailed: it has.
    """
    if header and matches(header, current):
        raise PreconditionFailed("the resource exists in a version that If-None-Match excludes")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a client says of the version that its write is meant for (RFC 9110 13.1); false if it says nothing."""

    if_match: str | None = None
    if_none_match: str | None = None

    def __bool__(self) -> bool:
        return self.if_match is not None or self.if_none_match is not None

    def check(self, current: str) -> None:
        """Let the write pass if both conditions hold.

        Raises:
            PreconditionFailed: one does not.
            InvalidSyntax: a header is no list of entity tags.
        """
        if self.if_match is not None and not matches(self.if_match, current):
            raise PreconditionFailed(f"the version is now {current}; read the resource again and repeat the change")
        check_if_none_match(self.if_none_match, current)


def not_modified(header: str | None, current: str) -> bool:
    """Return True if a read should be answered with 304: the client already has this version (RFC 7644 3.14)."""
    return bool(header) and matches(header or "", current)
