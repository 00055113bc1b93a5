"""Byte strings that differ whenever an object differs."""

from __future__ import annotations

from isthmus.spi import ConnectorObject


def wire_form(each: ConnectorObject) -> bytes:
    """Return the object's own text; `repr` of every value type is exact."""
    values = sorted(each.attributes.items())
    return repr((each.object_type, each.identity.anchor.values, values)).encode("utf-8", "surrogatepass")
