"""Rules for the resource types of a connector that hold whatever the target looks like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from isthmus.config.errors import shown
from isthmus.config.shape import Problem
from isthmus.mapping.definition import Deprovisioning, ResourceTypeDefinition

_ENDPOINT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_RESERVED = {"schemas", "resourcetypes", "serviceproviderconfig", "bulk", "me"}
"""Endpoints that RFC 7644 3.2 gives a meaning of its own."""


def resource_type_problems(definitions: Iterable[ResourceTypeDefinition]) -> Iterator[Problem]:
    """Yield duplicate and impossible names, and deprovisioning that contradicts itself."""
    seen: dict[tuple[str, str], int] = {}
    for index, definition in enumerate(definitions):
        path = ("resource_types", index)
        for key in ("endpoint", "name"):
            value = getattr(definition, key)
            if not _ENDPOINT.fullmatch(value):
                text = f"{shown(value)} must be letters, digits, _ and -, beginning with a letter, at most 64"
                yield Problem((*path, key), text)
        if definition.endpoint.casefold() in _RESERVED:
            yield Problem(
                (*path, "endpoint"), f"{definition.endpoint} has a meaning of its own in SCIM; choose another"
            )
        for key in ("endpoint", "name", "object_type"):
            # SCIM endpoints and names are told apart by clients that ignore case; a target's object types are not
            value = getattr(definition, key)
            identity = (key, value if key == "object_type" else value.casefold())
            if identity in seen:
                first = f"resource_types[{seen[identity]}]"
                yield Problem(
                    (*path, key), f"{shown(value)} is already used by {first}; each resource type needs its own"
                )
            seen.setdefault(identity, index)
        for known in ("User", "Group"):
            if definition.name != known and definition.name.casefold() == known.casefold():
                yield Problem((*path, "name"), f"{shown(definition.name)} must be written {known}")
        if not definition.object_type:
            yield Problem((*path, "object_type"), "must name an object type of the target")
        if not definition.attributes:
            yield Problem((*path, "attributes"), "is empty: nothing would be read or published; select attributes")
        for key in ("attributes", "matching"):
            yield from _duplicates((*path, key), getattr(definition, key))
        for flow in definition.flows:
            if not flow.strip() or not flow.isprintable():
                yield Problem((*path, "flows", flow), "is not a SCIM path")
        for key in ("disable", "delete"):
            deprovisioning = getattr(definition, key)
            if deprovisioning is not None:
                yield from _deprovisioning((*path, key), key, deprovisioning, definition)


def _duplicates(path: tuple[str | int, ...], names: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name:
            yield Problem((*path, index), "must name an attribute of the target")
        elif name in seen:
            yield Problem((*path, index), f"{shown(name)} stands here twice")
        seen.add(name)


def _deprovisioning(
    path: tuple[str | int, ...],
    key: str,
    deprovisioning: Deprovisioning,
    definition: ResourceTypeDefinition,
) -> Iterator[Problem]:
    if deprovisioning.action != "set":
        for part in ("values", "restore"):
            if getattr(deprovisioning, part):
                yield Problem((*path, part), f'has a meaning only with action = "set", not "{deprovisioning.action}"')
    elif not deprovisioning.values and not (key == "disable" and "active" in definition.flows):
        remedy = "give the attributes to write"
        if key == "disable":
            remedy += ", or a flow for active"
        yield Problem((*path, "action"), f'"set" needs {key}.values; {remedy}')
