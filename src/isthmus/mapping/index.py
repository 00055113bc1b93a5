"""What the store indexes of an object: normalised values of the indexed attributes, and where its references point."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from isthmus.mapping.values import base64_text, decimal_text, key_text, moment_key, plain_text
from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    Complex,
    ConnectorObject,
    ObjectType,
    Reference,
    fold_letters,
)

Normalise = Callable[[Any], str]


def normaliser(definition: AttributeDefinition) -> Normalise:
    """Return the function that gives equal text for values the target takes for equal."""
    match definition.type:
        case AttributeType.INTEGER:
            return _integer
        case AttributeType.DECIMAL:
            return _decimal
        case AttributeType.DATETIME:
            return _moment
        case AttributeType.BINARY:
            return _binary
        case AttributeType.BOOLEAN:
            return _boolean
        case AttributeType.REFERENCE:
            return _reference
        case AttributeType.STRING:
            if definition.case_exact:
                return _exact
            return _folded_letters if definition.case_folding == "letters" else _folded
        case AttributeType.COMPLEX:
            return _parts_normaliser(definition)


def _parts_normaliser(definition: AttributeDefinition) -> Normalise:
    """Return what compares values part by part, each by its own rule; an empty text is no value."""
    parts = {part.name: normaliser(part) for part in definition.sub_attributes}

    def normalise(value: Any) -> str:
        if not isinstance(value, Complex):
            return _exact(value)
        kept = [[name, parts.get(name, _exact)(part)] for name, part in value.parts if part != ""]
        return orjson.dumps(kept).decode()

    return normalise


def _exact(value: Any) -> str:
    return value if isinstance(value, str) else plain_text(value)


def _folded(value: Any) -> str:
    return _exact(value).casefold()


def _folded_letters(value: Any) -> str:
    return fold_letters(_exact(value))


def _integer(value: Any) -> str:
    try:
        return str(int(value))
    except (ValueError, OverflowError):
        return str(value)


def _decimal(value: Any) -> str:
    try:
        return decimal_text(Decimal(repr(value) if isinstance(value, float) else value))
    except InvalidOperation:
        return str(value)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return moment_key(value)
    try:
        return moment_key(datetime.fromisoformat(value))
    except ValueError:
        return str(value)


def _binary(value: Any) -> str:
    return value if isinstance(value, str) else base64_text(bytes(value))


def _boolean(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else plain_text(bool(value))


def _reference(value: Any) -> str:
    return key_text(value.key) if isinstance(value, Reference) else str(value)


class Index:
    """Keys and links of one object type's objects."""

    __slots__ = ("_anchor", "_normalise", "indexed", "references")

    def __init__(self, object_type: ObjectType, indexed: Iterable[str], references: Iterable[str]) -> None:
        self._normalise = {definition.name: normaliser(definition) for definition in object_type.attributes}
        self._anchor = object_type.anchor
        self.indexed = tuple(indexed)
        self.references = tuple(references)

    def normalise(self, attribute: str, value: object) -> str:
        """Return the text under which a value of this attribute is indexed; pseudo attributes are exact."""
        return self._normalise.get(attribute, _exact)(value)

    def normaliser(self, attribute: str) -> Normalise:
        """Return the function behind `normalise` of one attribute."""
        return self._normalise.get(attribute, _exact)

    def keys(self, obj: ConnectorObject) -> list[tuple[str, str]]:
        """Return (attribute, normalised value) for every value of every indexed attribute; "" is no value."""
        attributes = obj.attributes
        result = []
        for name in self.indexed:
            values = attributes.get(name)
            if values is None and name in self._anchor:
                values = (obj.identity.anchor.values[self._anchor.index(name)],)
            if values:
                normalise = self._normalise[name]
                result += [(name, normalise(value)) for value in values if value != ""]
        return result if len(result) < 2 else list(dict.fromkeys(result))

    def links(self, obj: ConnectorObject) -> list[tuple[str, str]]:
        """Return (attribute, canonical key text) for every reference, each once."""
        result: dict[tuple[str, str], None] = {}
        for name in self.references:
            for value in obj.attributes.get(name, ()):
                result[name, _reference(value)] = None
        return list(result)
