"""Ask the target itself: for an object by identity, or for those that have a value."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.engine.answers import answer_for, unavailable
from isthmus.engine.applying import apply_live, identity_of
from isthmus.engine.caller import Caller
from isthmus.engine.single_flight import SingleFlight
from isthmus.engine.target import Target
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import ConnectorError, ConnectorObject, Operation, SupportsLookup, Value
from isthmus.store.records import StoredObject


class LiveLookup:
    """Read from the target within a request, and let the space learn from it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._flights: SingleFlight[Sequence[ConnectorObject]] = SingleFlight()

    def possible(self, rt: ResourceType) -> bool:
        """Tell whether this configuration can look objects of the type up."""
        return Operation.LOOKUP in rt.object_type.operations and isinstance(self._target.connector, SupportsLookup)

    def find(self, rt: ResourceType, attribute: str, value: Value, caller: Caller) -> Sequence[ConnectorObject]:
        """Return the target's objects with this value, and record them; one question for all who ask at once.

        Raises:
            ScimError: the target could not be asked; never an empty answer instead.
        """
        space = self._target.space(rt)

        def ask() -> Sequence[ConnectorObject]:
            noted = self._target.store.number()
            with self._target.using_unbounded("find") as connector:
                assert isinstance(connector, SupportsLookup)
                found = connector.find(
                    rt.definition.object_type,
                    attribute,
                    value,
                    attributes=rt.read_attributes,
                    call=self._target.call(caller),
                )
            apply_live(self._target, rt, space, found, noted=noted)
            return found

        try:
            with self._target.waiting():  # those who wait for another's question hold a thread just as well
                return self._flights.run((space.number, attribute, str(type(value)), value), ask, caller.remaining())
        except TimeoutError as exc:
            raise unavailable("the target did not answer within the time allowed for this request") from exc
        except ConnectorError as exc:
            raise answer_for(exc) from exc

    def refresh(self, rt: ResourceType, stored: StoredObject, caller: Caller) -> StoredObject | None:
        """Read the object from the target, record what it is now, and return that; None if the target has none.

        An object the target no longer has is removed from the space.
        """
        target, space = self._target, self._target.space(rt)
        noted = target.store.number()
        try:
            with target.using("read") as connector:
                assert isinstance(connector, SupportsLookup)
                found = connector.read(
                    rt.definition.object_type,
                    identity_of(stored),
                    attributes=rt.read_attributes,
                    call=target.call(caller),
                )
        except ConnectorError as exc:
            raise answer_for(exc) from exc
        if found is None:
            # Where another write holds the object, the space keeps it until that is settled.
            target.store.space.remove(space, [stored.row], noted=noted)
            return None
        apply_live(target, rt, space, [found], noted=noted)
        return target.store.space.by_id(space, stored.id, hidden=True)
