"""Attribute values to JSON and back without loss, as the store keeps them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from isthmus.mapping.values import base64_text, moment_text
from isthmus.spi import AttributeDefinition, Attributes, AttributeType, Complex, ObjectType, Value

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class Codec:
    """Encode the readable attributes of one object type: `{"name": [values]}`, names sorted, references left out.

    An attribute that was not read stays absent, one without values is `[]`. Moments with a zone are kept in UTC. A
    value made of parts is an object: `{"emails": [{"type": "work", "value": "a@x"}]}`.
    """

    __slots__ = ("_convert", "names")

    def __init__(self, object_type: ObjectType, names: Iterable[str]) -> None:
        definitions = {definition.name: definition for definition in object_type.attributes}
        self.names = tuple(sorted(name for name in names if definitions[name].type is not AttributeType.REFERENCE))
        self._convert = tuple(
            (name, convert) for name in self.names if (convert := _decoder(definitions[name])) is not None
        )

    def encode(self, attributes: Attributes) -> bytes:
        chosen = {name: attributes[name] for name in self.names if name in attributes}
        try:
            return orjson.dumps(chosen, default=_encode_value, option=_OPTIONS)
        except TypeError:
            return orjson.dumps({name: [_plain(value) for value in values] for name, values in chosen.items()})

    @staticmethod
    def dumps(values: object, option: int = 0) -> bytes:
        """Return values as `encode` writes them; TypeError for what JSON cannot hold natively."""
        return orjson.dumps(values, default=_encode_value, option=_OPTIONS | option)

    def decode(self, raw: bytes) -> dict[str, tuple[Value, ...]]:
        attributes = {name: tuple(values) for name, values in orjson.loads(raw).items()}
        for name, convert in self._convert:
            values = attributes.get(name)
            if values:
                attributes[name] = tuple([convert(value) for value in values])
        return attributes


def _encode_value(value: object) -> str | dict[str, Any]:
    match value:
        case Complex():
            return value.as_dict()
        case datetime():
            return moment_text(value)
        case Decimal():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return base64_text(bytes(value))
    raise TypeError(f"a connector returned a {type(value).__name__}, which is not an attribute value")


def _plain(value: Any) -> Any:
    """Encode what JSON cannot hold natively: integers beyond 64 bits as digits, lone surrogates as question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, Complex):
        return {name: _plain(part) for name, part in value.parts}
    return _encode_value(value)


def _decoder(definition: AttributeDefinition) -> Callable[[Any], Value] | None:
    if definition.type is not AttributeType.COMPLEX:
        return _DECODERS.get(definition.type)
    converts: dict[str, Any] = {part.name: _DECODERS.get(part.type) for part in definition.sub_attributes}

    def decode(parts: Any) -> Value:
        # a part that the target no longer has is forgotten
        known = {name: part for name, part in parts.items() if name in converts}
        return Complex({n: part if (c := converts[n]) is None else c(part) for n, part in known.items()})

    return decode


def _decode_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _decode_decimal(text: str | int) -> Decimal:
    return Decimal(text)


_DECODERS: Mapping[AttributeType, Callable[[Any], Value]] = {
    AttributeType.INTEGER: int,
    AttributeType.DECIMAL: _decode_decimal,
    AttributeType.DATETIME: _decode_moment,
    AttributeType.BINARY: base64.b64decode,
}
