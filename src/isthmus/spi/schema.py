"""What a target's objects look like, as discovered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class AttributeType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    BINARY = "binary"
    REFERENCE = "reference"
    COMPLEX = "complex"


class Operation(StrEnum):
    """What this configuration of a connector can do with an object type."""

    IMPORT = "import"
    LOOKUP = "lookup"
    CREATE = "create"
    UPDATE = "update"
    RENAME = "rename"
    DELETE = "delete"
    PASSWORD = "password"  # noqa: S105 - the name of an operation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeDefinition:
    """One attribute of an object type.

    `required`: a create without it fails (for example NOT NULL without default). `readonly`: the target computes it.
    `generated`: the target makes a value when a create gives none (identity column, default expression).
    `case_exact`: whether the target tells "A" from "a" when it compares. `case_folding`: if it does not, which texts
    are one to it: "letters", those of which `fold_letters` makes the same; "full", those of which Unicode's full case
    folding does ("ß" is "ss"). `secret`: never imported, returned or logged.
    `max_length` counts characters (bytes for binary). `reference_to`: object type pointed at, None if it may be any.
    `native_type` is the target's own name of the type, for people. `choices`: the only values that a text takes; none
    named: any. `sub_attributes`: the parts of a `COMPLEX` one, each
    with at most one value, none of them complex, a reference or secret.
    """

    name: str
    type: AttributeType = AttributeType.STRING
    multivalued: bool = False
    required: bool = False
    readonly: bool = False
    generated: bool = False
    unique: bool = False
    case_exact: bool = True
    case_folding: Literal["full", "letters"] = "full"
    secret: bool = False
    max_length: int | None = None
    reference_to: str | None = None
    native_type: str = ""
    description: str = ""
    choices: tuple[str, ...] = ()
    sub_attributes: tuple[AttributeDefinition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """A kind of object. `anchor` names the attributes that identify an object for life, in order.

    `dn` names the attribute by which other objects refer to it (`AttributeType.REFERENCE` values); None: the anchor.
    """

    name: str
    anchor: tuple[str, ...]
    attributes: tuple[AttributeDefinition, ...]
    operations: frozenset[Operation] = field(default_factory=frozenset)
    dn: str | None = None
    correlation_attribute: str | None = None

    def attribute(self, name: str) -> AttributeDefinition | None:
        """Return the definition of exactly this name, or None."""
        for definition in self.attributes:
            if definition.name == name:
                return definition
        return None


@dataclass(frozen=True, slots=True)
class Schema:
    """Every object type of a target that this configuration reaches, by name."""

    object_types: Mapping[str, ObjectType]
