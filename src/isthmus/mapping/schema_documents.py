"""What /Schemas and /ResourceTypes say about a resource type: exactly what can be read and written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from isthmus.mapping.catalogue import has_own_schema, own_attribute
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.layout import (
    DN,
    Activation,
    Complex,
    Composite,
    Layout,
    Link,
    Memberships,
    Node,
    Plural,
    Section,
    Simple,
    Slot,
    slots_of,
)
from isthmus.scim import urns
from isthmus.scim.schema import Mutability, Returned, ScimAttribute, ScimSchema
from isthmus.spi import ObjectType, Operation

_ANNOTATIONS = ("type", "primary", "$ref", "display", "displayName")


class SchemaWriter:
    """Write the schemas of one resource type, without `meta`, which needs the base URL."""

    def __init__(
        self,
        definition: ResourceTypeDefinition,
        object_type: ObjectType,
        layout: Layout,
        *,
        schema: ScimSchema,
        extensions: Sequence[ScimSchema],
        names: Mapping[str, str],
    ) -> None:
        self._name = definition.name
        self._unmapped_only = definition.own_names == "unmapped"
        self._endpoint = definition.endpoint
        self._matching = definition.matching
        self._object_type = object_type
        self._layout = layout
        self._names = names
        self._renamable = Operation.RENAME in object_type.operations
        self._main, self._extensions = schema, extensions

    def schemas(self) -> list[ScimSchema]:
        """Return the schema itself, then every extension that has attributes here."""
        known = {schema.id: schema for schema in (self._main, *self._extensions)}
        found = []
        for section in self._layout.sections:
            if section is self._layout.extension:
                own = self._own(section)
                if own.attributes or not (self._unmapped_only or has_own_schema(self._name)):
                    found.append(own)
            else:
                schema = replace(known[section.urn], attributes=self._attributes(known[section.urn], section))
                if schema.attributes or section is self._layout.main:
                    found.append(schema)
        return found

    def resource_type(self) -> dict[str, Any]:
        main, *extensions = self.schemas()
        return {
            "schemas": [urns.RESOURCE_TYPE],
            "id": self._name,
            "name": self._name,
            "endpoint": f"/{self._endpoint}",
            "description": main.description,
            "schema": main.id,
            "schemaExtensions": [
                {"schema": extension.id, "required": any(self._only_here(extension, a) for a in extension.attributes)}
                for extension in extensions
            ],
        }

    def _only_here(self, extension: ScimSchema, attribute: ScimAttribute) -> bool:
        """Tell whether a required attribute can be sent in this extension only."""
        if not attribute.required:
            return False
        return extension.id != self._layout.extension.urn or attribute.name not in self._flowing()

    def _flowing(self) -> set[str]:
        return {
            slot.attribute
            for section in self._layout.sections
            if section is not self._layout.extension
            for node in section.nodes.values()
            for slot in slots_of(node)
        }

    def _attributes(self, schema: ScimSchema, section: Section) -> tuple[ScimAttribute, ...]:
        shown = [self._attribute(attribute, section.nodes.get(attribute.name)) for attribute in schema.attributes]
        return tuple(attribute for attribute in shown if attribute is not None)

    def _attribute(self, attribute: ScimAttribute, node: Node | None) -> ScimAttribute | None:
        match node:
            case Simple(slot=slot):
                return self._leaf(attribute, slot)
            case Activation(slot=slot):
                shown = self._leaf(attribute, slot)
                return replace(shown, required=slot.writable)  # never without a value: RFC 7644 3.5.2.2, `remove`
            case Complex(subs=subs):
                return self._whole(attribute, subs)
            case Plural(elements=elements, whole=whole):
                each = [element.subs for element in elements] if whole is None else [{"value": whole}]
                types = tuple(str(e.selector["type"]) for e in elements if "type" in e.selector)
                return self._plural(attribute, each, types)
            case Composite():
                return self._composite(attribute, node)
            case Link(slot=slot):
                shown = replace(self._leaf(attribute, slot), type="complex")
                return replace(shown, sub_attributes=self._reference_parts(slot, attribute.sub_attributes))
            case Memberships():
                return replace(attribute, sub_attributes=tuple(map(_direct_only, attribute.sub_attributes)))
            case _:
                return None

    def _plural(
        self, attribute: ScimAttribute, each: Sequence[Mapping[str, Slot]], types: tuple[str, ...]
    ) -> ScimAttribute:
        """Return a list whose elements stand for attributes of the target; some of these may be required."""
        shown = self._whole(attribute, {name: slot for subs in each for name, slot in subs.items()}, types)
        needed = [{name for name, slot in subs.items() if _is_needed(slot)} for subs in each]
        parts = [
            replace(part, required=all(part.name.lower() in names for names in needed)) for part in shown.sub_attributes
        ]
        return replace(shown, sub_attributes=tuple(parts), required=any(needed))

    def _whole(self, attribute: ScimAttribute, subs: Mapping[str, Slot], types: tuple[str, ...] = ()) -> ScimAttribute:
        parts = []
        for sub in attribute.sub_attributes:
            slot = subs.get(sub.name.lower())
            if slot is not None:
                parts.append(self._leaf(sub, slot))
            elif sub.name == "type" and types:
                parts.append(replace(sub, canonical_values=types))
            elif sub.name == "primary" and types:
                parts.append(replace(sub, mutability="readOnly"))  # which flow is the primary one is fixed
        return replace(
            attribute,
            sub_attributes=tuple(parts),
            required=any(part.required for part in parts),
            mutability=_whole_mutability(parts),
        )

    def _composite(self, attribute: ScimAttribute, node: Composite) -> ScimAttribute:
        """Return an attribute that the target has as a whole; a required part is required of each element."""
        parts = []
        for sub in attribute.sub_attributes:
            slot = node.parts.get(sub.name.lower())
            if slot is not None:
                part = self._leaf(sub, slot)
                parts.append(part if node.slot.writable else replace(part, mutability="readOnly", required=False))
        return replace(self._leaf(attribute, node.slot), type="complex", sub_attributes=tuple(parts))

    def _leaf(self, attribute: ScimAttribute, slot: Slot) -> ScimAttribute:
        definition = slot.definition
        return replace(
            attribute,
            required=_is_needed(slot) or (attribute.name == "userName" and slot.writable and self._name == "User"),
            case_exact=definition.case_exact,
            mutability=self._mutability(slot),
            returned=_returned(slot),
            canonical_values=definition.choices or attribute.canonical_values,
            uniqueness="server" if definition.unique or self._identifies(slot) else attribute.uniqueness,
        )

    def _own(self, section: Section) -> ScimSchema:
        flowing = self._flowing()
        attributes = []
        for name, node in section.nodes.items():
            if isinstance(node, Link) and node.slot.attribute in flowing:
                continue  # shown by its flow only
            if isinstance(node, Link | Simple | Composite):
                attributes.append(self._own_attribute(name, node))
        return ScimSchema(
            id=section.urn,
            name=f"ECMA2Host{self._name}",
            description=f"Attributes of the target's {self._object_type.name!r} under their own names",
            attributes=tuple(attributes),
        )

    def _own_attribute(self, name: str, node: Link | Simple | Composite) -> ScimAttribute:
        slot = node.slot
        definition = slot.definition
        if isinstance(node, Composite):
            return self._composite(own_attribute(definition, name), node)
        shown = self._leaf(
            ScimAttribute(
                name=name,
                type=slot.scim_type,  # type: ignore[arg-type]
                multi_valued=not slot.single,
                description=definition.description or definition.native_type,
            ),
            slot,
        )
        if not isinstance(node, Link):
            return shown
        value = ScimAttribute(name="value", description="Id of the resource.", case_exact=True)
        url = ScimAttribute(name="$ref", type="reference", description="Its URL.")
        kind = ScimAttribute(name="type", description="Its resource type.", mutability="readOnly")
        label = ScimAttribute(name="display", description="Its name.", mutability="readOnly")
        return replace(shown, type="complex", sub_attributes=self._reference_parts(slot, (value, url, kind, label)))

    def _reference_parts(self, slot: Slot, parts: tuple[ScimAttribute, ...]) -> tuple[ScimAttribute, ...]:
        target = slot.definition.reference_to
        types = tuple(dict.fromkeys(self._names.values()))
        if target is not None:
            types = (self._names[target],) if target in self._names else ()
        told = {"$ref": {"reference_types": types}, "type": {"canonical_values": types}} if types else {}
        changes: list[dict[str, Any]] = [told.get(part.name, {}) for part in parts]
        if not slot.writable:
            changes = [{**change, "mutability": "readOnly", "required": False} for change in changes]
        return tuple(replace(part, **change) for part, change in zip(parts, changes, strict=True))

    def _identifies(self, slot: Slot) -> bool:
        """Tell whether a second object with this value is refused: it is the whole anchor, or a matching attribute."""
        return self._object_type.anchor == (slot.attribute,) or slot.attribute in self._matching

    def _mutability(self, slot: Slot) -> Mutability:
        if not slot.writable or (slot.attribute == DN and self._object_type.dn is None):
            return "readOnly"
        if not slot.readable:
            return "writeOnly"
        return "immutable" if slot.attribute in self._object_type.anchor and not self._renamable else "readWrite"


def _direct_only(part: ScimAttribute) -> ScimAttribute:
    """Groups of groups are not followed, so `type` has one value (RFC 7643 4.1.2 has "indirect" as well)."""
    return replace(part, canonical_values=("direct",)) if part.name == "type" else part


def _is_needed(slot: Slot) -> bool:
    """Tell whether a create without it fails in the target."""
    return slot.definition.required and slot.writable and not slot.definition.generated


def _returned(slot: Slot) -> Returned:
    return "default" if slot.readable else "never"


def _whole_mutability(parts: list[ScimAttribute]) -> Mutability:
    kinds = {part.mutability for part in parts if part.name not in _ANNOTATIONS}
    return kinds.pop() if len(kinds) == 1 else "readWrite"
