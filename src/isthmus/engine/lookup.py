"""Ask the target itself: for an object by identity, or for those that have a value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from isthmus.engine.answers import Unkept, answer_for, unavailable
from isthmus.engine.applying import apply_live, checked, identity_of
from isthmus.engine.asking import Asking
from isthmus.engine.caller import Caller
from isthmus.engine.guard import TOLD, check_gone
from isthmus.engine.single_flight import SingleFlight
from isthmus.engine.target import Target
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import ConnectorError, ConnectorObject, Operation, SupportsFindMany, SupportsLookup, Value
from isthmus.store.records import StoredObject

_MOST_KINDS = 256


class LiveLookup:
    """Read from the target within a request, and let the space learn from it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._flights: SingleFlight[Sequence[ConnectorObject]] = SingleFlight()
        self._askings: dict[tuple[ResourceType, str, type], Asking[Value, Sequence[ConnectorObject]]] = {}

    def possible(self, rt: ResourceType) -> bool:
        """Tell whether this configuration can look objects of the type up."""
        return Operation.LOOKUP in rt.object_type.operations and isinstance(self._target.connector, SupportsLookup)

    def find(self, rt: ResourceType, attribute: str, value: Value, caller: Caller) -> Sequence[ConnectorObject]:
        """Return the target's objects with this value, and record them; one question for all who ask at once.

        Raises:
            ScimError: the target could not be asked; never an empty answer instead.
        """
        target = self._target
        try:
            if isinstance(target.connector, SupportsFindMany):
                found = self._asking(rt, attribute, type(value)).ask(value, caller)
                if found is not None:
                    return found
            key = (rt, attribute, type(value), value)
            with target.waiting():  # those who wait for another's question hold a thread just as well
                return self._flights.run(key, lambda: self._put(rt, attribute, [value], caller)[0], caller.remaining())
        except TimeoutError as exc:
            raise unavailable("the target did not answer within the time allowed for this request") from exc
        except ConnectorError as exc:
            raise answer_for(exc) from exc

    def _asking(self, rt: ResourceType, attribute: str, kind: type) -> Asking[Value, Sequence[ConnectorObject]]:
        key = (rt, attribute, kind)
        asking = self._askings.get(key)
        if asking is None:
            if len(self._askings) >= _MOST_KINDS:  # of types whose definitions have changed since
                self._askings.clear()
            made = self._target.asking(partial(self._put, rt, attribute))
            asking = self._askings.setdefault(key, made)
        return asking

    def _put(
        self, rt: ResourceType, attribute: str, values: Sequence[Value], caller: Caller
    ) -> Sequence[Sequence[ConnectorObject]]:
        """Ask the target for the objects with each of the values, and record what it has."""
        target = self._target
        noted = target.store.number()
        with target.using_unbounded("find") as connector:
            wanted, call = rt.read_attributes, target.call(caller)
            object_type = rt.definition.object_type
            answers: Sequence[Sequence[ConnectorObject]]
            if len(values) > 1 and isinstance(connector, SupportsFindMany):
                answers = connector.find_many(object_type, attribute, values, attributes=wanted, call=call)
            else:
                assert isinstance(connector, SupportsLookup)
                answers = [
                    connector.find(object_type, attribute, value, attributes=wanted, call=call) for value in values
                ]
            found = [[checked(rt, obj) for obj in each] for each in answers]
            if len(found) != len(values):  # whoever waits for one that is missing would wait for ever
                raise Unkept(f"gave {len(found)} answers for {len(values)} values")
        objects = [obj for each in found for obj in each]
        apply_live(target, rt, target.space(rt), objects, noted=noted, operation="find")
        return found

    def refresh(self, rt: ResourceType, stored: StoredObject, caller: Caller) -> StoredObject | None:
        """Read the object from the target, record what it is now, and return that; None if the target has none.

        An object the target no longer has is removed from the space.

        Raises:
            ScimError: the target could not be asked, or says of too many that it does not have them.
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
                if found is not None:
                    checked(rt, found)
            if found is None:
                check_gone(target.store, target.document.guard, space, target.name)
                # Where another write holds the object, the space keeps it until that is settled.
                target.store.space.remove(space, [stored.row], noted=noted, counted=TOLD)
                return None
            apply_live(target, rt, space, [found], noted=noted, operation="read")
        except ConnectorError as exc:
            raise answer_for(exc) from exc
        return target.store.space.by_id(space, stored.id, hidden=True)
