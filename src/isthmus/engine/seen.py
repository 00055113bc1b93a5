"""What an import has read, as if it were a target that can be asked."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Call, ConnectorObject, Identity, SupportsLookup, Value


class Seen(SupportsLookup):
    """Objects that an import has read, asked as a target is."""

    def __init__(self, rt: ResourceType, objects: Sequence[ConnectorObject]) -> None:
        self._rt = rt
        self.objects = objects

    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        """Return the object with this anchor."""
        del object_type, attributes, call
        return next((obj for obj in self.objects if obj.identity.anchor == identity.anchor), None)

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        """Return the objects with this value."""
        del object_type, attributes, call
        wanted = self._rt.normalise(attribute, value)
        return [
            obj
            for obj in self.objects
            if any(self._rt.normalise(attribute, one) == wanted for one in obj.attributes.get(attribute, ()))
        ]
