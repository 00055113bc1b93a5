"""PUT and PATCH: change an object; and the updates that revive or complete one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from isthmus.engine.answers import answer_for, unavailable
from isthmus.engine.applying import checked, identity_of
from isthmus.engine.auditing import REDACTED, Trail, changed_values, intent_of
from isthmus.engine.caller import Caller
from isthmus.engine.entries import Entries
from isthmus.engine.faults import reached
from isthmus.engine.guard import check_provider
from isthmus.engine.identifying import Identifier, after, identifiers, in_space, locks_for
from isthmus.engine.keeping import Keeping, stored_references
from isthmus.engine.linking import ReferencedIds, reference_changes
from isthmus.engine.reading import Reader, etag, not_found
from isthmus.engine.sending import Sender
from isthmus.engine.target import Target
from isthmus.mapping.plans import CurrentObject, UpdatePlan
from isthmus.mapping.plans import Unset as PlanUnset
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import NotUnique, ScimError
from isthmus.scim.etag import Conditions
from isthmus.spi import (
    AttributeChange,
    Call,
    Connector,
    ConnectorError,
    ConnectorObject,
    Operation,
    Secret,
    SupportsPassword,
    SupportsUpdate,
    Value,
)
from isthmus.store import UNSET, Unset
from isthmus.store.records import State, StoredObject

Plan = Callable[[CurrentObject], UpdatePlan]
ATTEMPTS = 20  # plans made anew because another request changed the object in between


class Updater:
    """The updates of one connector."""

    def __init__(self, target: Target, reader: Reader, entries: Entries, sender: Sender) -> None:
        self._target = target
        self._reader = reader
        self._entries = entries
        self._sender = sender

    def update(
        self,
        rt: ResourceType,
        id: str,
        make_plan: Plan,
        *,
        operation: str,
        fresh: bool,
        conditions: Conditions,
        caller: Caller,
    ) -> StoredObject | None:
        """Carry out a PUT or PATCH; return the object, or None where `active` = false means to delete.

        `fresh`: the plan depends on what the target has now, so it is read first; so do conditions, and so does a list
        of references sent as a whole, of which only the difference goes to the target. Conditions are judged and the
        plan is made outside the journal's lock, and anew if another request changed the object before it was ours.
        """
        target = self._target
        target.require_writable()
        space = target.space(rt)
        stored = self._reader.stored(rt, id)
        fresh = fresh or bool(conditions)
        possible = self._reader.live.possible(rt)
        for _ in range(ATTEMPTS):
            if fresh and possible:
                refreshed = self._reader.live.refresh(rt, stored, caller)
                if refreshed is None or refreshed.state is not State.LIVE:
                    raise not_found(rt, id)
                stored = refreshed
            if conditions:
                conditions.check(etag(stored))
            current = self.current(rt, stored)
            plan = make_plan(current)
            if possible and not fresh and self._replaces_list(rt, plan):
                fresh = True
                continue
            disables = plan.active is False and rt.is_active(current.attributes)
            if plan.active is False and rt.definition.disable is not None and rt.definition.disable.action == "delete":
                return None
            empties = plan.clears_members and self._has_links(stored, plan)
            guard = ("disable", stored.id) if disables else ("empty", stored.id) if empties else None
            if guard is not None:
                trail = self._trail(rt, stored, operation, plan.changes, plan.password, caller)
                check_provider(target.store, target.document.guard, space, *guard, trail=trail)
            changes = [*plan.changes, *reference_changes(target, rt, stored, plan.references, fresh=fresh and possible)]
            result = self._attempt(rt, stored, current, plan, changes, operation, guard=guard, caller=caller)
            if isinstance(result, StoredObject):
                return result
            stored = self._reader.stored(rt, id)
        raise unavailable("the object is being changed by too many requests at once", 5)

    def current(self, rt: ResourceType, stored: StoredObject) -> CurrentObject:
        """Return what a plan is judged on; lists of references are read only if the plan looks at them."""
        attributes: dict[str, tuple[Value, ...]] = dict(rt.decode(stored.attributes))
        references: Mapping[str, Sequence[str]] = {}
        if rt.has_references:
            references = ReferencedIds(self._target, rt, stored)
            single = [name for name in rt.reference_attributes if name not in rt.lists]
            attributes.update(stored_references(self._target, stored, single))
        return CurrentObject(
            id=stored.id, attributes=attributes, references=references, external_id=stored.external_id, dn=stored.dn
        )

    def _attempt(
        self,
        rt: ResourceType,
        stored: StoredObject,
        current: CurrentObject,
        plan: UpdatePlan,
        changes: Sequence[AttributeChange],
        operation: str,
        *,
        guard: tuple[str, str] | None,
        caller: Caller,
    ) -> StoredObject | None:
        """Return the object as changed, or None if another request changed it before the entry was open."""
        trail = self._trail(rt, stored, operation, changes, plan.password, caller)
        trail.notes.extend(plan.warnings)
        external_id: str | Unset | None = UNSET if isinstance(plan.external_id, PlanUnset) else plan.external_id
        return self.write(
            rt,
            stored,
            changes,
            trail=trail,
            caller=caller,
            external_id=external_id,
            new_dn=plan.new_dn,
            password=plan.password,
            guard=guard,
            state=None,
            before=current.attributes,
        )

    def write(
        self,
        rt: ResourceType,
        stored: StoredObject,
        changes: Sequence[AttributeChange],
        *,
        trail: Trail,
        caller: Caller,
        external_id: str | Unset | None = UNSET,
        new_dn: str | None = None,
        password: Secret | None = None,
        guard: tuple[str, str] | None = None,
        state: State | None = None,
        before: dict[str, tuple[Value, ...]] | Any = None,
        status: int = 200,
    ) -> StoredObject | None:
        """Open an entry, send the changes, record the object. None: the object changed before the entry was open.

        Nothing is sent when only what the store keeps (externalId, state) changes.
        """
        target = self._target
        space = target.space(rt)
        before = rt.decode(stored.attributes) if before is None else before
        old_ids, new_ids = identifiers(rt, before), identifiers(rt, after(rt, before, changes))
        if changes or new_dn is not None:
            require_update(rt)
        had = frozenset(old_ids)
        taken = [identifier for identifier in new_ids if identifier not in had]
        if taken:
            self._ask_for_others(rt, stored, taken, caller)
        reached("before-open")
        entry = self._entries.open(
            space,
            operation=trail.operation,
            object_id=stored.id,
            anchor=stored.anchor,
            intent=intent_of(
                rt,
                changes=changes,
                external_id=external_id,
                state="" if state is None else state.value,
                has_password=password is not None,
                new_dn=new_dn,
                guard=guard,
            ),
            locks=locks_for([stored.anchor], old_ids, new_ids),
            unchanged=stored,
            sends=bool(changes) or new_dn is not None,
            caller=caller,
        )
        if entry is None:
            return None
        reached("after-open")
        with self._entries.holding(entry):
            if guard is not None:
                try:
                    check_provider(target.store, target.document.guard, space, *guard, trail=trail, entry=entry)
                except ScimError as held:
                    self._sender.refuse(entry, held, trail, outcome="held")
                    raise
            try:
                self._refuse_doubles(rt, stored, taken, caller)
            except ScimError as refused:
                self._sender.refuse(entry, refused, trail)
                raise
            result: ConnectorObject | None = None
            keeping = Keeping(target, rt, stored, changes)
            if changes or new_dn is not None:

                def send(connector: Connector, call: Call) -> ConnectorObject:
                    assert isinstance(connector, SupportsUpdate)
                    changed = connector.update(
                        rt.definition.object_type, identity_of(stored), changes, new_dn=new_dn, password=None, call=call
                    )
                    return checked(rt, changed)

                result = self._sender.send(rt, entry, send, trail=trail, caller=caller, stored=stored, keeping=keeping)
            applied = self._sender.done(
                rt,
                entry,
                result,
                trail=trail,
                status=status,
                stored=stored,
                keeping=keeping,
                state=state,
                external_id=external_id,
                guard=guard,
            )
        reached("before-answer")
        changed = None if applied is None else applied.stored
        if changed is None:
            changed = target.store.space.by_id(space, stored.id, hidden=True)
        if changed is None:
            raise not_found(rt, stored.id)
        if password is not None:
            self._set_password(rt, changed, password, trail, caller)  # by the name it has now
        return changed

    def revive(
        self,
        rt: ResourceType,
        stored: StoredObject,
        attributes: dict[str, tuple[Value, ...]],
        external_id: str | None,
        trail: Trail,
        caller: Caller,
        *,
        password_follows: bool,
    ) -> StoredObject:
        """Bring a deprovisioned object back with the values of a POST; its id stays.

        If a password is to be set by its own call, the object stays hidden until that has succeeded.
        """
        values = {**rt.enabling(), **attributes}
        anchor = set(rt.object_type.anchor)
        changes = [
            AttributeChange(name, replace=value)
            for name, value in values.items()
            if not (name in anchor and rt.decode(stored.attributes).get(name) == value)
        ]
        trail.object_id = stored.id
        trail.operation = "create"
        for _ in range(ATTEMPTS):
            state = State.PASSWORD_MISSING if password_follows else State.LIVE
            written = self.write(
                rt,
                stored,
                changes,
                trail=trail,
                caller=caller,
                external_id=external_id,
                state=state,
                status=201,
            )
            if written is not None:
                return written
            again = self._target.store.space.by_id(self._target.space(rt), stored.id, hidden=True)
            if again is None:
                raise not_found(rt, stored.id)
            stored = again
        raise unavailable("the object is being changed by too many requests at once", 5)

    def set_missing_password(
        self, rt: ResourceType, stored: StoredObject, password: Secret | None, trail: Trail, caller: Caller
    ) -> StoredObject:
        """Set the initial password by its own call and show the object; until then SCIM does not list it."""
        if password is not None:
            self._set_password(rt, stored, password, trail, caller)
        if stored.state is State.PASSWORD_MISSING:
            self._target.store.space.set_state(self._target.space(rt), stored.row, State.LIVE)
        reached("after-password")
        shown = self._target.store.space.by_id(self._target.space(rt), stored.id)
        if shown is None:
            raise not_found(rt, stored.id)
        return shown

    def _set_password(
        self, rt: ResourceType, stored: StoredObject, password: Secret, trail: Trail, caller: Caller
    ) -> None:
        target = self._target
        if Operation.PASSWORD not in rt.object_type.operations:
            raise ScimError(501, f"passwords of {rt.definition.object_type!r} cannot be set")
        note = Trail(
            target.name, rt, "password", caller, object_id=stored.id, name=trail.name, new={"password": REDACTED}
        )
        try:
            with target.using("set_password") as connector:
                assert isinstance(connector, SupportsPassword)
                connector.set_password(
                    rt.definition.object_type,
                    identity_of(stored),
                    password,
                    call=target.call(caller, sent=note.on_sent),
                )
        except ConnectorError as exc:
            answer = answer_for(exc)
            if exc.outcome_unknown:
                target.sessions.renew()
            target.store.audit.write(note.record("failed", answer.status, exc.message))
            raise answer from exc
        target.store.audit.write(note.record("done", 200))

    def _refuse_doubles(
        self, rt: ResourceType, stored: StoredObject, taken: Sequence[Identifier], caller: Caller
    ) -> None:
        """Refuse values that another object has; the target is asked for those it would take a second time itself."""
        for identifier in taken:
            others: Sequence[object] = self._others(rt, stored, identifier)
            ask = not identifier.enforced and len(identifier.attributes) == 1 and self._reader.live.possible(rt)
            if not others and ask:
                found = self._reader.live.find(rt, identifier.attributes[0], identifier.values[0], caller)
                others = [obj for obj in found if obj.identity.anchor.values != stored.anchor]
            if others:
                raise NotUnique(f"another {rt.name} has this {' and '.join(identifier.attributes)} already")

    def _others(self, rt: ResourceType, stored: StoredObject, identifier: Identifier) -> list[StoredObject]:
        """Return the other objects of the space that have these values."""
        found = in_space(self._target.store, self._target.space(rt), identifier)
        return [other for other in found if other.row != stored.row]

    def _ask_for_others(
        self, rt: ResourceType, stored: StoredObject, taken: Sequence[Identifier], caller: Caller
    ) -> None:
        """Let the space learn whether those who had these values still have them: the target decides."""
        for identifier in taken if self._reader.live.possible(rt) else ():
            for other in self._others(rt, stored, identifier):
                self._reader.live.refresh(rt, other, caller)

    def _replaces_list(self, rt: ResourceType, plan: UpdatePlan) -> bool:
        return any(change.replace and change.attribute in rt.lists for change in plan.references)

    def _has_links(self, stored: StoredObject, plan: UpdatePlan) -> bool:
        cleared = [change.attribute for change in plan.references if change.replace == ()]
        return any(self._target.store.links.any_of(stored.row, attribute) for attribute in cleared)

    def _trail(
        self,
        rt: ResourceType,
        stored: StoredObject,
        operation: str,
        changes: Sequence[AttributeChange],
        password: Secret | None,
        caller: Caller,
    ) -> Trail:
        old, new = changed_values(rt, orjson.loads(stored.attributes), changes)
        if password is not None:
            new["password"] = REDACTED
        return Trail(
            self._target.name,
            rt,
            operation,
            caller,
            object_id=stored.id,
            name=rt.display_name(rt.decode(stored.attributes)),
            old=old,
            new=new,
        )


def require_update(rt: ResourceType) -> None:
    """Refuse what this configuration of the connector cannot do."""
    if Operation.UPDATE not in rt.object_type.operations:
        raise ScimError(501, f"the target's {rt.definition.object_type!r} does not support update")
