"""Which attributes of a type the suite uses for what, read from the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Value

if TYPE_CHECKING:
    from isthmus.testing.subject import Subject


def writable(object_type: ObjectType) -> list[AttributeDefinition]:
    """Return the attributes that a new object gets by default: all that can be written, without references and secrets.

    What the target makes by itself, and the attribute that carries the host's own mark, stay out.
    """
    return [
        a
        for a in object_type.attributes
        if not (a.readonly or a.secret or a.generated)
        and a.type is not AttributeType.REFERENCE
        and a.name not in {object_type.correlation_attribute, object_type.dn}
    ]


def free(subject: Subject, *types: AttributeType, multivalued: bool = False) -> list[AttributeDefinition]:
    """Return the attributes that take any value of their type: not the anchor, not unique, not reserved."""
    object_type = subject.object_type
    return [
        a
        for a in writable(object_type)
        if a.name not in object_type.anchor
        and a.name not in subject.hooks.reserved
        and not a.unique
        and not a.choices
        and a.multivalued is multivalued
        and (not types or a.type in types)
    ]


def text(subject: Subject) -> AttributeDefinition:
    """Return the attribute that takes any text, or skip."""
    if subject.hooks.text_attribute is not None:
        return subject.definition(subject.hooks.text_attribute)
    candidates = free(subject, AttributeType.STRING)
    if not candidates:
        subject.lacks("has no string attribute that takes any text")
    return max(candidates, key=lambda a: float("inf") if a.max_length is None else a.max_length)


def optional(subject: Subject) -> AttributeDefinition:
    """Return an attribute that may be without a value, or skip."""
    found = next((a for a in free(subject) if not a.required), None)
    return found or subject.lacks("has no optional attribute")


def text_anchor(subject: Subject) -> AttributeDefinition:
    """Return an anchor attribute that is text and chosen by the caller, or skip."""
    definitions = [subject.definition(name) for name in subject.object_type.anchor]
    chosen = [a for a in definitions if a.type is AttributeType.STRING and not (a.generated or a.readonly)]
    return chosen[0] if chosen else subject.lacks("its anchor is not text that the caller chooses")


def natural(subject: Subject) -> None:
    """Skip unless the caller chooses the whole anchor."""
    definitions = [subject.definition(name) for name in subject.object_type.anchor]
    if any(a.generated or a.readonly for a in definitions):
        subject.lacks("its target makes the anchor")


def alike(subject: Subject) -> tuple[dict[str, tuple[Value, ...]], dict[str, tuple[Value, ...]]]:
    """Return attributes of two new objects that share every value which two may share."""
    one, other = subject.attributes(), subject.attributes()
    own = {a.name for a in subject.object_type.attributes if a.unique or a.generated} | set(subject.object_type.anchor)
    return one, {name: other[name] if name in own else values for name, values in one.items()}


def bad_change(subject: Subject) -> tuple[str, tuple[Value, ...]]:
    """Return an attribute and values that the target must refuse; at worst an attribute that does not exist."""
    given = subject.hooks.bad_change()
    if given is not None:
        return given
    for a in free(subject):
        if a.max_length is not None and a.type is AttributeType.STRING:
            return a.name, ("x" * (a.max_length + 1),)
    for a in free(subject):
        if a.required:
            return a.name, ()
    for a in free(subject, AttributeType.INTEGER):
        return a.name, ("not a number",)
    return unknown_name(subject), ("x",)


def unknown_name(subject: Subject) -> str:
    """Return a name that no attribute has."""
    name = "no_such_attribute"
    taken = {a.name.casefold() for a in subject.object_type.attributes}
    while name in taken:
        name += "_x"
    return name
