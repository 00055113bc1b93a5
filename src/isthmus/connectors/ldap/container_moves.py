"""Containers of a watched type: when one is renamed or moved, every entry below has another name and nobody says so."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.dn import Names
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Entry

_CLASSES = (
    "organizationalUnit", "organization", "domain", "dcObject", "locality", "country", "container", "nsContainer",
)  # fmt: skip
_FOLDED = {name.lower() for name in _CLASSES}

FILTER = filters.either(filters.equal("objectClass", name.encode()) for name in _CLASSES)


class Containers:
    """Their names, by identity. `known` has those that are there when the watch begins."""

    def __init__(self, names: Names, known: Mapping[bytes, str]) -> None:
        self._names = names
        self._known = {identity: names.key(dn) for identity, dn in known.items()}

    def moved(self, identity: bytes, dn: str) -> bool:
        """Take note of where a container is; tell whether it was not there before: renamed, or moved in as it is."""
        key = self._names.key(dn)
        before = self._known.get(identity)
        self._known[identity] = key
        return before != key

    def gone(self, identity: bytes) -> bool:
        """Tell whether this was a container: it is deleted, or is now where we do not look."""
        return self._known.pop(identity, None) is not None


def apart(layout: Layout) -> bool:
    """Tell whether entries of the type can be told from containers by their classes."""
    return layout.classes[0].lower() not in _FOLDED


def is_container(layout: Layout, entry: Entry) -> bool:
    """Tell whether this is a container and no entry of the type; `objectClass` was asked for."""
    classes = {value.decode("utf-8", "replace").lower() for value in entry.values.get("objectclass", ())}
    return not classes.isdisjoint(_FOLDED) and layout.classes[0].lower() not in classes
