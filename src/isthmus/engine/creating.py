"""POST: create an object, revive a deprovisioned one, or complete one whose password is missing."""

from __future__ import annotations

from typing import Any

from isthmus.engine.applying import checked
from isthmus.engine.auditing import Trail, intent_of, plain_values
from isthmus.engine.caller import Caller
from isthmus.engine.entries import Entries
from isthmus.engine.faults import reached
from isthmus.engine.identifying import Identifier, identifiers, in_space, locks_for
from isthmus.engine.linking import resolve_references
from isthmus.engine.reading import Reader
from isthmus.engine.resource import Resource
from isthmus.engine.sending import Sender
from isthmus.engine.target import Target
from isthmus.engine.updating import Updater
from isthmus.mapping.plans import CreatePlan
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import NotUnique, ScimError
from isthmus.scim.projection import Projection
from isthmus.spi import (
    Call,
    Connector,
    ConnectorObject,
    Operation,
    SupportsCreate,
    Value,
)
from isthmus.store.records import Entry, Space, State, StoredObject


class Creator:
    """The creates of one connector."""

    def __init__(self, target: Target, reader: Reader, entries: Entries, sender: Sender, updater: Updater) -> None:
        self._target = target
        self._reader = reader
        self._entries = entries
        self._sender = sender
        self._updater = updater

    def create(
        self, rt: ResourceType, body: dict[str, Any], caller: Caller, projection: Projection | None = None
    ) -> Resource:
        """Create the object in the target and return what the projection shows of it.

        Raises:
            ScimError: 409 if the person exists already, in the space or in the target.
        """
        target = self._target
        target.require_writable()
        require(rt, Operation.CREATE)
        plan = rt.plan_create(body)
        attributes = {**plan.attributes, **resolve_references(target, rt, plan.references)}
        identified = identifiers(rt, attributes)
        space = target.space(rt)
        trail = Trail(target.name, rt, "create", caller, notes=list(plan.warnings))
        trail.name = rt.display_name(attributes)
        trail.new = plain_values(rt, attributes)
        # Keys of one attribute are looked at when the entry opens; so only a request that is refused asks twice.
        look = any(len(one.attributes) > 1 for one in identified)
        while True:
            if look and (met := self._existing(rt, space, identified, caller)) is not None:
                stored = self._meet(rt, *met, plan, attributes, trail, caller)
                return self._reader.resource(rt, stored, caller, projection)
            look = True
            entry = self._open(rt, space, plan, attributes, identified, caller)
            if entry is None:
                continue  # there already, or created by another request meanwhile
            with self._entries.holding(entry):
                stored = self._create(rt, entry, plan, attributes, identified, trail, caller)
                return self._reader.resource(rt, stored, caller, projection)

    def _open(
        self,
        rt: ResourceType,
        space: Space,
        plan: CreatePlan,
        attributes: dict[str, tuple[Value, ...]],
        identified: list[Identifier],
        caller: Caller,
    ) -> Entry | None:
        reached("before-open")
        entry = self._entries.open(
            space,
            operation="create",
            object_id=None,
            anchor=None,
            intent=intent_of(
                rt,
                attributes=attributes,
                external_id=plan.external_id,
                has_password=plan.password is not None,
                new_dn=plan.dn,
            ),
            locks=locks_for([], identified),
            absent=[(one.attributes[0], one.keys[0]) for one in identified if len(one.attributes) == 1],
            caller=caller,
        )
        reached("after-open")
        return entry

    def _create(
        self,
        rt: ResourceType,
        entry: Entry,
        plan: CreatePlan,
        attributes: dict[str, tuple[Value, ...]],
        identified: list[Identifier],
        trail: Trail,
        caller: Caller,
    ) -> StoredObject:
        target = self._target
        try:
            self._refuse_doubles(rt, identified, caller)
        except ScimError as exc:
            self._sender.refuse(entry, exc, trail)
            raise
        if (correlation := rt.object_type.correlation_attribute) is not None:
            attributes = {**attributes, correlation: (entry.id,)}
        in_create = plan.password is not None and target.type.password_in_create

        def write(connector: Connector, call: Call) -> ConnectorObject:
            assert isinstance(connector, SupportsCreate)
            made = connector.create(
                rt.definition.object_type,
                attributes,
                dn=plan.dn,
                password=plan.password if in_create else None,
                call=call,
            )
            return checked(rt, made)

        result = self._sender.send(rt, entry, write, trail=trail, caller=caller, stored=None)
        assert result is not None
        second_call = plan.password is not None and not in_create
        applied = self._sender.done(
            rt,
            entry,
            result,
            trail=trail,
            status=201,
            state=State.PASSWORD_MISSING if second_call else State.LIVE,
            external_id=plan.external_id,
        )
        assert applied is not None, "the write of one object tells what it has become"
        assert applied.stored is not None, "the write of one object tells what it has become"
        stored = applied.stored
        if second_call:
            stored = self._updater.set_missing_password(rt, stored, plan.password, trail, caller)
        reached("before-answer")
        return stored

    def _existing(
        self, rt: ResourceType, space: Space, identified: list[Identifier], caller: Caller
    ) -> tuple[StoredObject, Identifier] | None:
        """Return an object of the space that the target still has, and which of these values it has."""
        for identifier in identified:
            for found in in_space(self._target.store, space, identifier):
                if not self._reader.live.possible(rt):
                    return found, identifier
                refreshed = self._reader.live.refresh(rt, found, caller)
                if refreshed is not None and refreshed in in_space(self._target.store, space, identifier):
                    return refreshed, identifier
        return None

    def _refuse_doubles(self, rt: ResourceType, identified: list[Identifier], caller: Caller) -> None:
        """Ask the target for values that it would not refuse a second time itself."""
        if not self._reader.live.possible(rt):
            return
        for identifier in identified:
            if identifier.enforced:
                continue
            found = self._reader.live.find(rt, identifier.attributes[0], identifier.values[0], caller)
            if len(identifier.attributes) > 1:
                found = [obj for obj in found if identifier.is_one_of(identifiers(rt, obj.attributes))]
            if found:  # also one that shows another value: of a directory's several only the first is read
                raise duplicate(rt, identifier)

    def _meet(
        self,
        rt: ResourceType,
        existing: StoredObject,
        identifier: Identifier,
        plan: CreatePlan,
        attributes: dict[str, tuple[Value, ...]],
        trail: Trail,
        caller: Caller,
    ) -> StoredObject:
        if existing.state is State.LIVE:
            error = duplicate(rt, identifier)
            trail.object_id = existing.id
            self._target.store.audit.write(trail.record("refused", error.status, error.detail))
            raise error
        second_call = plan.password is not None and supports_password(rt)
        stored = self._updater.revive(
            rt, existing, attributes, plan.external_id, trail, caller, password_follows=second_call
        )
        if second_call:
            stored = self._updater.set_missing_password(rt, stored, plan.password, trail, caller)
        reached("before-answer")
        return stored


def duplicate(rt: ResourceType, identifier: Identifier) -> ScimError:
    """Return the 409 that names what is taken."""
    what = " and ".join(identifier.attributes)
    return NotUnique(f"another {rt.name} with the same {what} exists already")


def supports_password(rt: ResourceType) -> bool:
    """Tell whether passwords of this type can be set."""
    return Operation.PASSWORD in rt.object_type.operations


def require(rt: ResourceType, operation: Operation) -> None:
    """Refuse what this configuration of the connector cannot do."""
    if operation not in rt.object_type.operations:
        raise ScimError(501, f"the target's {rt.definition.object_type!r} does not support {operation.value}")
