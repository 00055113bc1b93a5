"""Tell whether a target's schema still carries what the configuration has selected."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.spi import AttributeDefinition, Schema


def drift(before: Schema | None, now: Schema, definitions: Sequence[ResourceTypeDefinition]) -> list[str]:
    """Return what an operator must look at; empty if nothing that is used has vanished or changed type or anchor."""
    problems: list[str] = []
    for definition in definitions:
        new_type = now.object_types.get(definition.object_type)
        if new_type is None:
            problems.append(f"object type {definition.object_type!r} is no longer in the target")
            continue
        old_type = None if before is None else before.object_types.get(definition.object_type)
        if old_type is None:
            continue
        if old_type.anchor != new_type.anchor:
            problems.append(
                f"the anchor of {definition.object_type!r} changed from {', '.join(old_type.anchor)} to "
                f"{', '.join(new_type.anchor)}; 'isthmus connector rebuild' takes it over"
            )
        for name in definition.attributes:
            old, new = old_type.attribute(name), new_type.attribute(name)
            if old is None:
                continue
            if new is None:
                problems.append(
                    f"attribute {name!r} of {definition.object_type!r} has vanished; "
                    "restore it in the target or take it off the selection"
                )
            elif lost := _lost_parts(old, new):
                problems.append(
                    f"{', '.join(lost)} of attribute {name!r} of {definition.object_type!r} has vanished or changed "
                    "its type; 'isthmus connector rebuild' takes it over"
                )
            elif (old.type, old.multivalued) != (new.type, new.multivalued):
                problems.append(
                    f"attribute {name!r} of {definition.object_type!r} changed its type from {old.type} to {new.type}; "
                    "'isthmus connector rebuild' takes it over"
                )
    return problems


def _lost_parts(old: AttributeDefinition, new: AttributeDefinition) -> list[str]:
    """Return the parts that a value had and has no more, or not in the same type."""
    if old.type is not new.type:
        return []
    types = {part.name: part.type for part in new.sub_attributes}
    return [part.name for part in old.sub_attributes if types.get(part.name) is not part.type]
