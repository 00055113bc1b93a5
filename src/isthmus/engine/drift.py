"""Tell whether a target's schema still carries what the configuration has selected."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.suggesting import looks_secret
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
                    "restore it in the target or take it off the selection "
                    "('isthmus connector rebuild', if publish_new put it there)"
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


def unreadable(
    before: Schema | None, now: Schema, definitions: Sequence[ResourceTypeDefinition]
) -> dict[str, list[str]]:
    """Return, by object type, the selected attributes that vanished or changed type."""
    found: dict[str, list[str]] = {}
    for definition in definitions:
        old_type = None if before is None else before.object_types.get(definition.object_type)
        new_type = now.object_types.get(definition.object_type)
        for name in definition.attributes:
            old = None if old_type is None else old_type.attribute(name)
            new = None if new_type is None else new_type.attribute(name)
            if old is not None and (new is None or (old.type, old.multivalued) != (new.type, new.multivalued)):
                found.setdefault(definition.object_type, []).append(name)
    return found


def appeared(before: Schema | None, now: Schema, definitions: Sequence[ResourceTypeDefinition]) -> dict[str, list[str]]:
    """Return, by object type, the attributes that came to the target since and do not look like a secret."""
    found: dict[str, list[str]] = {}
    for definition in definitions:
        old_type = None if before is None else before.object_types.get(definition.object_type)
        new_type = now.object_types.get(definition.object_type)
        if old_type is None or new_type is None:
            continue
        new = [
            attribute.name
            for attribute in new_type.attributes
            if old_type.attribute(attribute.name) is None
            and attribute.name not in definition.attributes
            and attribute.name != new_type.correlation_attribute
            and not looks_secret(attribute)
        ]
        if new:
            found[definition.object_type] = new
    return found


def _lost_parts(old: AttributeDefinition, new: AttributeDefinition) -> list[str]:
    """Return the parts that a value had and has no more, or not in the same type."""
    if old.type is not new.type:
        return []
    types = {part.name: part.type for part in new.sub_attributes}
    return [part.name for part in old.sub_attributes if types.get(part.name) is not part.type]
