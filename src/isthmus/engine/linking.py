"""SCIM ids to target keys and back: references are stored as the target's key and joined on reading."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from isthmus.engine.target import Target
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.spi import Reference, Value
from isthmus.store.records import StoredObject


def reference_to(target: Target, attribute: str, id: str) -> Reference:
    """Return the target's key for a SCIM id.

    Raises:
        ScimError: 400 invalidValue, there is no such resource.
    """
    for rt in target.resource_types().values():
        found = target.store.space.by_id(target.space(rt), id)
        if found is not None:
            return Reference(_key(rt, found), rt.definition.object_type)
    shown = id if len(id) <= 80 else id[:80] + "..."
    raise ScimError(400, f"{attribute}: there is no resource with the id {shown!r}", scim_type="invalidValue")


def present_reference(target: Target, id: str) -> Reference | None:
    """Return the target's key for a SCIM id, also of an object that is hidden; None if there is none."""
    for rt in target.resource_types().values():
        found = target.store.space.by_id(target.space(rt), id, hidden=True)
        if found is not None:
            return Reference(_key(rt, found), rt.definition.object_type)
    return None


def _key(rt: ResourceType, found: StoredObject) -> tuple[str, ...]:
    return (found.dn,) if rt.object_type.dn is not None and found.dn is not None else found.anchor


def resolve_references(target: Target, named: Iterable[tuple[str, str]]) -> dict[str, tuple[Value, ...]]:
    """Return target attributes for (attribute, id) pairs."""
    result: dict[str, list[Value]] = {}
    for attribute, wanted in named:
        reference = reference_to(target, attribute, wanted)
        values = result.setdefault(attribute, [])
        if reference not in values:
            values.append(reference)
    return {attribute: tuple(values) for attribute, values in result.items()}


def referenced_ids(target: Target, stored: StoredObject) -> dict[str, list[str]]:
    """Return the SCIM ids an object refers to, by attribute; what is not published is left out."""
    links = target.store.space.links([stored.row]).get(stored.row, [])
    if not links:
        return {}
    types = [rt.definition.object_type for rt in target.resource_types().values()]
    known = target.store.space.resolve(target.key, types, [key for _, key in links])
    result: dict[str, list[str]] = {}
    for attribute, key in links:
        if key in known:
            result.setdefault(attribute, []).append(known[key][0])
    return result


def stored_references(target: Target, stored: StoredObject) -> dict[str, tuple[Reference, ...]]:
    """Return the references of an object as the target keeps them."""
    result: dict[str, list[Reference]] = {}
    for attribute, key in target.store.space.links([stored.row]).get(stored.row, []):
        result.setdefault(attribute, []).append(Reference(tuple(orjson.loads(key))))
    return {attribute: tuple(values) for attribute, values in result.items()}
