"""DELETE: do what the delete flow says: nothing, set attributes, or delete."""

from __future__ import annotations

import orjson

from isthmus.engine.answers import unavailable
from isthmus.engine.applying import identity_of
from isthmus.engine.auditing import Trail, changed_values, intent_of, plain_values
from isthmus.engine.caller import Caller
from isthmus.engine.entries import Entries
from isthmus.engine.faults import reached
from isthmus.engine.guard import check_provider
from isthmus.engine.identifying import identifiers, locks_for
from isthmus.engine.reading import Reader, etag, not_found
from isthmus.engine.sending import Sender
from isthmus.engine.target import Target
from isthmus.engine.updating import ATTEMPTS, Updater
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.scim.etag import Conditions
from isthmus.spi import AttributeChange, Call, Connector, Operation, SupportsDelete
from isthmus.store.records import State, StoredObject


class Deleter:
    """The deletes of one connector."""

    def __init__(self, target: Target, reader: Reader, entries: Entries, sender: Sender, updater: Updater) -> None:
        self._target = target
        self._reader = reader
        self._entries = entries
        self._sender = sender
        self._updater = updater

    def delete(
        self, rt: ResourceType, id: str, *, conditions: Conditions, caller: Caller, action: str | None = None
    ) -> None:
        """Deprovision the object; afterwards SCIM answers 404 for it.

        `action` overrides the delete flow (a disable flow that deletes).
        """
        target = self._target
        target.require_writable()
        if action is None:
            if rt.definition.delete is None:
                raise ScimError(
                    400,
                    f"connector {target.name!r} does not say what DELETE means for {rt.name}: set 'delete' of this "
                    "resource type to nothing, set or delete",
                )
            action = rt.definition.delete.action
        for _ in range(ATTEMPTS):
            stored = self._reader.stored(rt, id)
            if conditions:
                if self._reader.live.possible(rt):
                    refreshed = self._reader.live.refresh(rt, stored, caller)
                    if refreshed is None or refreshed.state is not State.LIVE:
                        raise not_found(rt, id)
                    stored = refreshed
                conditions.check(etag(stored))
            known = rt.decode(stored.attributes)
            trail = Trail(target.name, rt, "delete", caller, object_id=stored.id, name=rt.display_name(known))
            if action == "delete":
                trail.old = plain_values(rt, known)
            check_provider(target.store, target.document.guard, target.space(rt), "delete", stored.id, trail=trail)
            if action == "delete":
                if self._delete(rt, stored, trail, caller):
                    return
            elif self._hide(rt, stored, action, trail, caller):
                return
        raise unavailable("the object is being changed by too many requests at once", 5)

    def _hide(self, rt: ResourceType, stored: StoredObject, action: str, trail: Trail, caller: Caller) -> bool:
        values = rt.deleting() if action == "set" else {}
        if action == "nothing":
            trail.notes.append("the delete flow is 'nothing': the target was not changed")
        changes = [AttributeChange(name, replace=value) for name, value in values.items()]
        trail.old, trail.new = changed_values(rt, orjson.loads(stored.attributes), changes)
        written = self._updater.write(
            rt,
            stored,
            changes,
            trail=trail,
            caller=caller,
            guard=("delete", stored.id),
            state=State.HIDDEN,
            status=204,
        )
        return written is not None

    def _delete(self, rt: ResourceType, stored: StoredObject, trail: Trail, caller: Caller) -> bool:
        target = self._target
        if Operation.DELETE not in rt.object_type.operations:
            raise ScimError(501, f"the target's {rt.definition.object_type!r} does not support delete")
        space = target.space(rt)
        reached("before-open")
        entry = self._entries.open(
            space,
            operation="delete",
            object_id=stored.id,
            anchor=stored.anchor,
            intent=intent_of(rt, guard=("delete", stored.id)),
            locks=locks_for([stored.anchor], identifiers(rt, rt.decode(stored.attributes))),
            unchanged=stored,
            caller=caller,
        )
        if entry is None:
            return False
        reached("after-open")
        with self._entries.holding(entry):
            guard = target.document.guard
            try:
                check_provider(target.store, guard, space, "delete", stored.id, trail=trail, entry=entry)
            except ScimError as error:
                self._sender.refuse(entry, error, trail, outcome="held")
                raise

            def send(connector: Connector, call: Call) -> None:
                assert isinstance(connector, SupportsDelete)
                connector.delete(rt.definition.object_type, identity_of(stored), call=call)

            self._sender.send(rt, entry, send, trail=trail, caller=caller, stored=stored)
            self._sender.done(
                rt, entry, None, trail=trail, status=204, stored=stored, remove=True, guard=("delete", stored.id)
            )
        reached("before-answer")
        return True
