"""Ready-made SCIM text of an object: everything but `meta` and references, which are added when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from isthmus.mapping.layout import Complex, Composite, Layout, Link, Plural, Section, Simple, Slot
from isthmus.spi import Attributes

_Fill = Callable[[Attributes, dict[str, Any]], None]
_EMPTY = frozenset({"", b""})
_Leaf = tuple[str, str, Callable[[Any], Any] | None]


class Renderer:
    """Compiled once for each resource type; values of the target in, JSON text out.

    What has no value, or only an empty string, is left out (RFC 7643 2.5).
    """

    def __init__(self, layout: Layout, schemas: list[str], is_active: Callable[[Attributes], bool] | None) -> None:
        self._schemas = orjson.Fragment(orjson.dumps(schemas))
        self._is_active = is_active
        self._main = _leaves(layout.main)
        self._fills = _fills(layout.main)
        self._extensions = [
            (section.urn, _leaves(section), _fills(section), section is layout.extension)
            for section in layout.extensions
        ]

    def render(self, attributes: Attributes, *, id: str | None, dn: str | None, external_id: str | None) -> bytes:
        shown: dict[str, Any] = {"schemas": self._schemas}
        if id is not None:
            shown["id"] = id
        if external_id is not None:
            shown["externalId"] = external_id
        _fill(self._main, attributes, shown)
        for fill in self._fills:
            fill(attributes, shown)
        if self._is_active is not None:
            shown["active"] = self._is_active(attributes)
        for urn, leaves, fills, own in self._extensions:
            extension: dict[str, Any] = {}
            _fill(leaves, attributes, extension)
            for fill in fills:
                fill(attributes, extension)
            if own and dn is not None:
                extension["-dn-"] = dn
            if extension:
                shown[urn] = extension
        try:
            return orjson.dumps(shown)
        except TypeError:
            return orjson.dumps(_storable(shown))


def _fill(leaves: tuple[_Leaf, ...], attributes: Attributes, shown: dict[str, Any]) -> None:
    get = attributes.get
    for attribute, name, show in leaves:
        values = get(attribute)
        if values:
            value = values[0]
            if value != "":
                shown[name] = value if show is None else show(value)


def _leaves(section: Section) -> tuple[_Leaf, ...]:
    return tuple(
        (node.slot.attribute, name, node.slot.show)
        for name, node in section.nodes.items()
        if isinstance(node, Simple)
        and node.slot.single
        and node.slot.readable
        and not node.slot.attribute.startswith("#")
    )


def _fills(section: Section) -> tuple[_Fill, ...]:
    fills: list[_Fill] = []
    for name, node in section.nodes.items():
        match node:
            case Simple(slot=slot) if not slot.single and slot.readable:
                fills.append(_several(name, slot))
            case Complex():
                fills.append(_complex(name, node))
            case Plural(whole=Slot() as slot) if slot.readable:
                fills.append(_whole(name, slot))
            case Plural():
                fills.append(_elements(name, node))
            case Composite(slot=slot) if slot.readable:
                fills.append(_composite(name, node))
            case Link() | _:
                pass
    return tuple(fills)


def _several(name: str, slot: Slot) -> _Fill:
    attribute, show = slot.attribute, slot.show

    def fill(attributes: Attributes, shown: dict[str, Any]) -> None:
        values = [value if show is None else show(value) for value in attributes.get(attribute, ()) if value != ""]
        if values:
            shown[name] = values

    return fill


def _whole(name: str, slot: Slot) -> _Fill:
    attribute, show = slot.attribute, slot.show

    def fill(attributes: Attributes, shown: dict[str, Any]) -> None:
        values = attributes.get(attribute, ())
        elements = [{"value": value if show is None else show(value)} for value in values if value != ""]
        if elements:
            shown[name] = elements

    return fill


def _sub_leaves(subs: Mapping[str, Slot]) -> tuple[_Leaf, ...]:
    return tuple((slot.attribute, slot.name, slot.show) for slot in subs.values() if slot.readable)


def _complex(name: str, node: Complex) -> _Fill:
    leaves = _sub_leaves(node.subs)

    def fill(attributes: Attributes, shown: dict[str, Any]) -> None:
        parts: dict[str, Any] = {}
        _fill(leaves, attributes, parts)
        if parts:
            shown[name] = parts

    return fill


def _elements(name: str, node: Plural) -> _Fill:
    compiled = []
    for element in node.elements:
        constants: dict[str, Any] = dict(element.selector)
        if node.has_primary and element.primary:
            constants["primary"] = True
        compiled.append((constants, _sub_leaves(element.subs)))

    def fill(attributes: Attributes, shown: dict[str, Any]) -> None:
        elements = []
        for constants, leaves in compiled:
            parts: dict[str, Any] = {}
            _fill(leaves, attributes, parts)
            if parts:
                parts.update(constants)
                elements.append(parts)
        if elements:
            shown[name] = elements

    return fill


def _composite(name: str, node: Composite) -> _Fill:
    attribute, plural = node.slot.attribute, node.plural
    leaves = _sub_leaves(node.parts)

    def fill(attributes: Attributes, shown: dict[str, Any]) -> None:
        elements = []
        for value in attributes.get(attribute, ()):
            parts = dict(value.parts)  # type: ignore[union-attr]
            element = {
                sub: part if show is None else show(part)
                for source, sub, show in leaves
                if (part := parts.get(source)) is not None and part not in _EMPTY
            }
            if element:
                elements.append(element)
        if elements:
            shown[name] = elements if plural else elements[0]

    return fill


def _storable(value: Any) -> Any:
    """Return the value with what JSON text in UTF-8 cannot hold replaced: lone surrogates, integers beyond 64 bits."""
    match value:
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case str():
            return value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int() if not -(2**63) <= value < 2**64:
            return orjson.Fragment(str(value))
    return value
