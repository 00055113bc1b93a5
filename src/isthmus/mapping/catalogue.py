"""Which schemas a resource type is made of: SCIM's own for User and Group, and one of its own for any other name."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.escaping import escaped
from isthmus.mapping.naming import published_attributes
from isthmus.mapping.values import SCIM_TYPES
from isthmus.scim import urns
from isthmus.scim.errors import InvalidPath
from isthmus.scim.filter import parse_path
from isthmus.scim.group_schema import GROUP
from isthmus.scim.schema import ScimAttribute, ScimSchema
from isthmus.scim.user_schema import ENTERPRISE_USER, USER
from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Operation

SERVER_OWNED = ("schemas", "id", "meta", "groups")
"""Attributes no client assigns (RFC 7643 3.1 and 4.1.2): a flow cannot serve them."""
_TAKEN = frozenset({*SERVER_OWNED, "externalid"})

_REFERENCE = (
    ScimAttribute(name="value", description="Id of the resource.", case_exact=True),
    ScimAttribute(name="$ref", type="reference", description="Its URL."),
    ScimAttribute(name="type", description="Its resource type.", mutability="readOnly"),
    ScimAttribute(name="display", description="Its name.", mutability="readOnly"),
)


def schemas_of(
    definition: ResourceTypeDefinition, object_type: ObjectType
) -> tuple[ScimSchema, tuple[ScimSchema, ...]]:
    """Return the schema of a resource type and its extensions other than ours."""
    if definition.name == "User":
        return USER, (ENTERPRISE_USER,)
    if definition.name == "Group":
        return GROUP, ()
    return _own_schema(definition, object_type), ()


def has_own_schema(name: str) -> bool:
    """Tell whether a resource type is neither User nor Group."""
    return name not in {"User", "Group"}


def extension_urn(name: str) -> str:
    """Return the URN under which the target's attributes have their own names."""
    return urns.ecma2host(name)


def own_attribute(definition: AttributeDefinition, name: str, sub_names: dict[str, str] | None = None) -> ScimAttribute:
    """Return what SCIM calls an attribute of the target that is published under this name.

    `sub_names`: the target's part by sub-attribute, where they differ.
    """
    text = definition.description or definition.native_type
    subs: Iterable[ScimAttribute] = ()
    if definition.type is AttributeType.REFERENCE:
        subs = _REFERENCE
    elif definition.type is AttributeType.COMPLEX:
        renamed = {part: sub for sub, part in (sub_names or {}).items()}
        subs = [own_attribute(part, renamed.get(part.name, escaped(part.name))) for part in definition.sub_attributes]
    return ScimAttribute(
        name=name,
        type=SCIM_TYPES[definition.type],  # type: ignore[arg-type]
        multi_valued=definition.multivalued,
        description=text,
        case_exact=definition.case_exact,
        sub_attributes=tuple(subs),
    )


def own_names(definition: ResourceTypeDefinition) -> dict[str, str]:
    """Return the attributes that a type's own schema shows under their own names, by the name as published there.

    Those with a flow have another path already; `id` and the like have a meaning of their own in SCIM.
    """
    flowing = {flow.attribute for flow in definition.flows.values()}
    heads = {head.lower() for path in definition.flows if (head := _head(path)) is not None}
    names: dict[str, str] = {}
    for attribute in published_attributes(definition):
        name = escaped(attribute)
        if attribute not in flowing and name.lower() not in heads | _TAKEN:
            names[name] = attribute
            heads.add(name.lower())  # of two names that differ in case only, the extension has the second
    return names


def _own_schema(definition: ResourceTypeDefinition, object_type: ObjectType) -> ScimSchema:
    """Return a schema with what flows and names say: SCIM's own attributes of a User where a path names one of them."""
    found = {attribute.name: attribute for attribute in object_type.attributes}
    attributes: dict[str, ScimAttribute] = {}
    for path, flow in definition.flows.items():
        name = _head(path)
        if name is None or name.lower() in _TAKEN:
            continue
        known = USER.attribute(name)
        if known is None and flow.attribute in found:
            known = own_attribute(found[flow.attribute], name, flow.sub_attributes)
        if known is not None:
            attributes.setdefault(name.lower(), known)
    for name, attribute in own_names(definition).items():
        if attribute in found:
            attributes[name.lower()] = own_attribute(found[attribute], name)
    for name, wanted in (
        ("active", definition.disable is not None),
        ("password", Operation.PASSWORD in object_type.operations),
    ):
        known = USER.attribute(name)
        if wanted and known is not None:
            attributes.setdefault(name, known)
    return ScimSchema(
        id=urns.OWN_TYPE_PREFIX + definition.name,
        name=definition.name,
        description=f"Objects of type {object_type.name}",
        attributes=tuple(attributes.values()),
    )


def _head(path: str) -> str | None:
    try:
        return parse_path(path).path.name
    except InvalidPath:
        return None  # reported where flows are compiled
