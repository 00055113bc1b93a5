"""Attribute notation (RFC 7644 3.10): `name`, `name.sub` or `urn:...:name.sub`, where clients name attributes."""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.scim.syntax import AttributePath
from isthmus.scim.urns import ECMA2HOST_PREFIX

MAX_NAME = 1024
"""Characters in one attribute path; the longest URN in use has 70, and a column name of a database at most 128."""

# Wider than RFC 7643 2.1 (a letter, then letters, digits, `-`, `_`): `$ref` is the RFC's own exception; `-dn-`,
# options such as `cn;lang-de` and letters outside ASCII are names that Microsoft's host, directories and databases
# have.
NAME = r"[$_-]*[^\W\d_][\w$;-]*"
_PLAIN = re.compile(rf"({NAME})(?:\.({NAME}))?")
_QUALIFIED = re.compile(rf"(urn:[a-z0-9][^\s\"\[\]()]*):({NAME})(?:\.({NAME}))?", re.IGNORECASE)
_OWN_NAMES = re.compile(rf"({re.escape(ECMA2HOST_PREFIX)}[^:]+):(.+)", re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=2048)
def parse_attribute_path(text: str) -> AttributePath:
    """Split an attribute path into URN, name and sub-attribute.

    Raises:
        ValueError: it is none. The caller knows whether that is invalidFilter, invalidPath or nothing at all.
    """
    if len(text) > MAX_NAME:
        raise ValueError(f"an attribute name has at most {MAX_NAME} characters")
    if (plain := _PLAIN.fullmatch(text)) is not None:
        return AttributePath(plain[1], plain[2])
    if (own := _OWN_NAMES.fullmatch(text)) is not None:
        name, dot, sub = own[2].partition(".")
        if dot and name and sub:
            return AttributePath(name, sub, own[1])
        return AttributePath(own[2], None, own[1])
    if (qualified := _QUALIFIED.fullmatch(text)) is not None:
        return AttributePath(qualified[2], qualified[3], qualified[1])
    if (version := text.rpartition(":"))[0][:4].lower() == "urn:" and version[2][:1].isdigit():
        return AttributePath(version[2], None, version[0])  # a URN alone, ending in a version: a key in a body
    raise ValueError("not an attribute name; write name, name.sub or urn:...:name")


def takes_any_name(text: str) -> bool:
    """Return True below the ECMA2Host URN, where a name is the target's own and may hold blanks or brackets."""
    return _OWN_NAMES.fullmatch(text) is not None
