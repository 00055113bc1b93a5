"""Which attributes a definition names, and whether the target has them."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.problems import Where, nearest_hint
from isthmus.spi import AttributeType, ObjectType


def published_attributes(definition: ResourceTypeDefinition) -> tuple[str, ...]:
    """Return the attributes shown under their own names: the selected ones, and those that a flow or matching names."""
    flowing = (flow.attribute for flow in definition.flows.values())
    return tuple(dict.fromkeys([*definition.attributes, *definition.matching, *flowing]))


def check_names(definition: ResourceTypeDefinition, object_type: ObjectType) -> list[tuple[Where, str]]:
    """Return a problem for every attribute the object type does not have, and for those nothing can be found by."""
    problems: list[tuple[Where, str]] = []
    names = [attribute.name for attribute in object_type.attributes]
    known = set(names)
    for where, name in _named(definition):
        if name not in known:
            hint = nearest_hint(name, names)
            problems.append((where, f"{object_type.name!r} has no attribute {name!r}{hint}"))
    for index, name in enumerate(definition.matching):
        found = object_type.attribute(name)
        if found is not None and found.type is AttributeType.COMPLEX:
            problems.append(
                (("matching", index), f"{name!r} is made of parts; match by an attribute with a single value")
            )
        elif found is not None and found.secret:
            problems.append(
                (("matching", index), f"{name!r} is secret: it is never read, so nothing can be found by it")
            )
    problems += [
        (("object_type",), f"the anchor {name!r} is not among the attributes of {object_type.name!r}")
        for name in object_type.anchor
        if name not in known
    ]
    return problems


def _named(definition: ResourceTypeDefinition) -> Iterator[tuple[Where, str]]:
    for index, name in enumerate(definition.attributes):
        yield ("attributes", index), name
    for index, name in enumerate(definition.matching):
        yield ("matching", index), name
    for path, flow in definition.flows.items():
        yield ("flows", path, "attribute"), flow.attribute
    for key, deprovisioning in (("disable", definition.disable), ("delete", definition.delete)):
        if deprovisioning is not None:
            for part, values in (("values", deprovisioning.values), ("restore", deprovisioning.restore)):
                for name in values:
                    yield (key, part, name), name
