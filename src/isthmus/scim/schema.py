"""What a schema says about its attributes (RFC 7643 2 and 7), as data that others compile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.scim import urns

ScimAttributeType = Literal["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"]
Mutability = Literal["readOnly", "readWrite", "immutable", "writeOnly"]
Returned = Literal["always", "never", "default", "request"]
Uniqueness = Literal["none", "server", "global"]

_WITH_CASE = frozenset({"string", "reference", "binary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimAttribute:
    """One attribute and its characteristics; the defaults are those of RFC 7643 2.2.

    `canonical_values` are suggestions. `reference_types` are resource type names, `external` or `uri`.
    """

    name: str
    type: ScimAttributeType = "string"
    multi_valued: bool = False
    description: str = ""
    required: bool = False
    case_exact: bool = False
    mutability: Mutability = "readWrite"
    returned: Returned = "default"
    uniqueness: Uniqueness = "none"
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple[ScimAttribute, ...] = ()

    def sub(self, name: str) -> ScimAttribute | None:
        """Return a sub-attribute by its name in any case."""
        return _named(self.sub_attributes, name)

    def to_json(self) -> dict[str, Any]:
        """Return the attribute as a Schema resource shows it (RFC 7643 7), without what does not apply to its type."""
        shown: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
        }
        if self.type in _WITH_CASE:
            shown["caseExact"] = self.case_exact
        shown["mutability"] = self.mutability
        shown["returned"] = self.returned
        if self.type != "complex":
            shown["uniqueness"] = self.uniqueness
        if self.canonical_values:
            shown["canonicalValues"] = list(self.canonical_values)
        if self.reference_types:
            shown["referenceTypes"] = list(self.reference_types)
        if self.sub_attributes:
            shown["subAttributes"] = [sub.to_json() for sub in self.sub_attributes]
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimSchema:
    """A named set of attributes; `id` is its URN."""

    id: str
    name: str
    description: str = ""
    attributes: tuple[ScimAttribute, ...] = ()

    def attribute(self, name: str) -> ScimAttribute | None:
        """Return an attribute by its name in any case, or of a sub-attribute by `name.sub`."""
        head, dot, tail = name.partition(".")
        found = _named(self.attributes, head)
        return found.sub(tail) if dot and found is not None else found

    def walk(self) -> Iterator[tuple[str, ScimAttribute]]:
        """Yield every attribute and sub-attribute with its dotted name."""
        for attribute in self.attributes:
            yield attribute.name, attribute
            for sub in attribute.sub_attributes:
                yield f"{attribute.name}.{sub.name}", sub

    def to_json(self) -> dict[str, Any]:
        """Return the Schema resource without `meta`, which needs the base URL (see `documents`)."""
        return {
            "schemas": [urns.SCHEMA],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": [attribute.to_json() for attribute in self.attributes],
        }


def _named(attributes: tuple[ScimAttribute, ...], name: str) -> ScimAttribute | None:
    lowered = name.lower()
    return next((attribute for attribute in attributes if attribute.name.lower() == lowered), None)


def multi_valued_complex(
    name: str,
    description: str,
    value: ScimAttribute,
    *,
    types: tuple[str, ...] = (),
    mutability: Mutability = "readWrite",
) -> ScimAttribute:
    """Return an attribute of the form RFC 7643 2.4 gives to lists: `value`, `display`, `type`, `primary`."""
    return ScimAttribute(
        name=name,
        type="complex",
        multi_valued=True,
        description=description,
        mutability=mutability,
        sub_attributes=(
            value,
            ScimAttribute(name="display", description="Text to show to people.", mutability=mutability),
            ScimAttribute(
                name="type", description="What this value is used for.", canonical_values=types, mutability=mutability
            ),
            ScimAttribute(
                name="primary",
                type="boolean",
                description="True for the preferred value, of which there is at most one.",
                mutability=mutability,
            ),
        ),
    )


COMMON_ATTRIBUTES: tuple[ScimAttribute, ...] = (
    ScimAttribute(
        name="schemas",
        type="reference",
        multi_valued=True,
        description="URNs of the schemas this resource uses.",
        required=True,
        case_exact=True,
        returned="always",
        reference_types=("uri",),
    ),
    ScimAttribute(
        name="id",
        description="Identifier given by this service; never changes and is never given again.",
        case_exact=True,
        mutability="readOnly",
        returned="always",
        uniqueness="server",
    ),
    ScimAttribute(name="externalId", description="Identifier given by the provisioning client.", case_exact=True),
    ScimAttribute(
        name="meta",
        type="complex",
        description="Facts about the resource itself.",
        mutability="readOnly",
        sub_attributes=(
            ScimAttribute(
                name="resourceType", description="Name of the resource type.", case_exact=True, mutability="readOnly"
            ),
            ScimAttribute(
                name="created", type="dateTime", description="When it was created here.", mutability="readOnly"
            ),
            ScimAttribute(
                name="lastModified", type="dateTime", description="When it last changed.", mutability="readOnly"
            ),
            ScimAttribute(
                name="location",
                type="reference",
                description="Its URL.",
                case_exact=True,
                mutability="readOnly",
                reference_types=("uri",),
            ),
            ScimAttribute(name="version", description="Its entity tag.", case_exact=True, mutability="readOnly"),
        ),
    ),
)
"""Attributes every resource has; they belong to no schema and are not listed in /Schemas (RFC 7643 3.1)."""
