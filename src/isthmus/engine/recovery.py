"""Find out what became of a write whose answer never came. Only reads the target; never sends a write again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog

from isthmus.engine.answers import connector_edge, fault
from isthmus.engine.applying import completed, identity_of, write_of
from isthmus.engine.auditing import plain_value
from isthmus.engine.guard import TOLD, Told, TooManyDeleted
from isthmus.engine.identifying import Identifier, identifiers
from isthmus.engine.seen import Seen
from isthmus.engine.target import Target, now_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.spi import (
    Anchor,
    Call,
    Connector,
    ConnectorError,
    ConnectorObject,
    Identity,
    MisconfiguredConnector,
    Operation,
    SupportsLookup,
    SupportsSettling,
    TargetUnavailable,
)
from isthmus.store import EntryClosed, StoreError
from isthmus.store.records import AuditRecord, Entry, EntryState, Space, State, StoredObject

log = structlog.get_logger("isthmus.journal")

REPAIR_SECONDS = 10.0  # for one attempt in the background


class Recovery:
    """Repairs the open entries of dead processes, and those that this process's own threads had to abandon."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._abandoned: set[str] = set()
        self._working: set[str] = set()
        self._met: dict[str, float] = {}
        """When this process first tried to settle an entry (monotonic), where time has to pass before."""

    # -- whose entry is it

    def abandon(self, entry: Entry, reason: str) -> None:
        """Take note that this process's own thread stops without knowing the outcome."""
        with self._lock:
            self._abandoned.add(entry.id)
        log.warning("write_outcome_unknown", connector=self._target.name, entry=entry.id, reason=reason)

    def is_orphan(self, entry: Entry) -> bool:
        """Tell whether nobody works on the entry: abandoned here, or its process is gone."""
        with self._lock:
            if entry.id in self._working:
                return False
            if entry.id in self._abandoned:
                return True
        return not self._target.store.owner_is_alive(entry.owner)

    def repair(self, entry: Entry, *, timeout: float) -> bool:
        """Settle one orphan; True if it is closed now, False if the target cannot tell yet or the entry is in doubt."""
        with self._lock:
            if entry.id in self._working:
                return False
            self._working.add(entry.id)
        try:
            return self._repair(entry, timeout)
        finally:
            with self._lock:
                self._working.discard(entry.id)

    def repair_all(self, should_stop: Callable[[], bool]) -> int:
        """Try every orphan of this connector once; return how many are still open."""
        left = 0
        for entry in self._target.store.journal.unfinished(self._target.key):
            if should_stop():
                break
            if (
                entry.state is EntryState.OPEN
                and self.is_orphan(entry)
                and not self.repair(entry, timeout=REPAIR_SECONDS)
            ):
                left += 1
        return left

    def _repair(self, entry: Entry, timeout: float) -> bool:
        store = self._target.store
        current = store.journal.get(entry.id)
        if current is None or current.state not in (EntryState.OPEN, EntryState.IN_DOUBT):
            self._forget(entry.id)
            return True
        if current.owner != store.owner and (
            store.owner_is_alive(current.owner) or not store.journal.take_over(entry.id, current.owner, current.session)
        ):
            return False  # another process repairs it
        with self._lock:
            self._abandoned.add(entry.id)  # ours now; if this attempt fails, the next one goes on from here
        try:
            settled = self._settle(current, timeout)
        except EntryClosed:
            settled = True
        except (ConnectorError, ScimError) as exc:
            log.info("repair_waits", connector=self._target.name, entry=entry.id, reason=str(exc))
            return False
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - one entry that nobody can make sense of must not keep the others open
            fault(exc, entry.correlation, entry=entry.id)
            return False
        if settled:
            self._forget(entry.id)
        return settled

    def _forget(self, entry_id: str) -> None:
        with self._lock:
            self._abandoned.discard(entry_id)
            self._met.pop(entry_id, None)

    # -- finding out

    def _settle(self, entry: Entry, timeout: float) -> bool:
        target = self._target
        space = next((space for space in target.store.space.all() if space.number == entry.space), None)
        if space is None:
            raise MisconfiguredConnector(f"connector {target.name!r} was removed while this was written")
        rt = target.resource_type_of(space.object_type)
        call = Call(timeout=timeout, correlation=entry.correlation, session=target.sessions.current())
        with target.using_unbounded("repair") as connector:
            if not isinstance(connector, SupportsLookup) or Operation.LOOKUP not in rt.object_type.operations:
                return self._doubt(entry, "the target cannot be asked for single objects")
            self._wait_for_session(connector, entry, call)
            return self._find_out(rt, space, entry, connector, call)

    def settle_by(self, rt: ResourceType, space: Space, entry: Entry, seen: SupportsLookup, call: Call) -> bool:
        """Settle an entry in doubt by what a complete import has seen; True if it is closed now."""
        try:
            return self._find_out(rt, space, entry, seen, call)
        except EntryClosed:
            return True

    def _find_out(self, rt: ResourceType, space: Space, entry: Entry, connector: SupportsLookup, call: Call) -> bool:
        if entry.operation == "create" and entry.object_id is None:
            return self._settle_create(rt, space, entry, connector, call)
        return self._settle_change(rt, space, entry, connector, call)

    def _wait_for_session(self, connector: Connector, entry: Entry, call: Call) -> None:
        """Make sure that nothing which was sent can still take effect, before anything is read."""
        with connector_edge(self._target.name, "settle"):
            if isinstance(connector, SupportsSettling):
                connector.settle(entry.session, call=call)
                return
        # The clock may have been set back since: who has waited that long itself need not wait for it to catch up.
        met = self._met.setdefault(entry.id, time.monotonic())
        left = self._target.type.settle_seconds - max(time.time() - entry.opened, time.monotonic() - met)
        if left > 0:
            raise TargetUnavailable(f"a write sent earlier may still take effect for {left:.0f} s")

    def _settle_create(
        self, rt: ResourceType, space: Space, entry: Entry, connector: SupportsLookup, call: Call
    ) -> bool:
        candidates = self._candidates(rt, entry, connector, call)
        if candidates is None:
            return self._doubt(
                entry,
                "nothing identifies the object: give it a matching attribute or the table a correlation_attribute",
            )
        fresh = [obj for obj in candidates if not self._known_before(space, obj, entry)]
        if len(fresh) > 1:
            return self._doubt(entry, f"{len(fresh)} objects of the target fit")
        if not fresh:
            return self._close(rt, entry, EntryState.NOT_DONE, None, "the target does not have it")
        hidden = bool(entry.intent.get("has_password")) and not self._target.type.password_in_create
        return self._close(
            rt,
            entry,
            EntryState.DONE,
            completed(rt, fresh[0], None),
            "the target has it",
            object_state=State.PASSWORD_MISSING if hidden else State.LIVE,
            external_id=entry.intent.get("external_id"),
        )

    def _candidates(
        self, rt: ResourceType, entry: Entry, connector: SupportsLookup, call: Call
    ) -> list[ConnectorObject] | None:
        """Return the target's objects that may be what a create was to make; None if nothing identifies it."""
        if isinstance(connector, Seen):
            return list(connector.objects)  # chosen by locks and values already
        if (correlation := rt.object_type.correlation_attribute) is not None:
            return self._find(rt, connector, correlation, entry.id, call)
        keys = identifiers(rt, rt.decode(_encoded(entry.intent.get("attributes", {}))))
        if not keys:
            return None
        candidates: list[ConnectorObject] = []
        for identifier in keys:
            for obj in self._having(rt, connector, identifier, call):
                if obj not in candidates:
                    candidates.append(obj)
        return candidates

    def _having(
        self, rt: ResourceType, connector: SupportsLookup, identifier: Identifier, call: Call
    ) -> list[ConnectorObject]:
        """Return the target's objects with these values."""
        if identifier.is_anchor and len(identifier.keys) > 1:
            identity = Identity(Anchor(identifier.keys))
            names = rt.read_attributes
            found = connector.read(rt.definition.object_type, identity, attributes=names, call=call)
            if found is not None:
                return [found]
        objects = self._find(rt, connector, identifier.attributes[0], identifier.values[0], call)
        return [obj for obj in objects if identifier.is_one_of(identifiers(rt, obj.attributes))]

    def _find(
        self, rt: ResourceType, connector: SupportsLookup, attribute: str, value: Any, call: Call
    ) -> list[ConnectorObject]:
        names = list(dict.fromkeys([*rt.read_attributes, *rt.indexed]))
        return list(connector.find(rt.definition.object_type, attribute, value, attributes=names, call=call))

    def _known_before(self, space: Space, obj: ConnectorObject, entry: Entry) -> bool:
        stored = self._target.store.space.by_anchor(space, obj.identity.anchor.values)
        return stored is not None and stored.number <= entry.noted

    def _settle_change(
        self, rt: ResourceType, space: Space, entry: Entry, connector: SupportsLookup, call: Call
    ) -> bool:
        stored = self._stored(space, entry)
        if stored is None:
            return self._close(rt, entry, EntryState.NOT_DONE, None, "the object is no longer in the space")
        names = rt.read_attributes
        found = connector.read(rt.definition.object_type, identity_of(stored), attributes=names, call=call)
        if found is None and entry.operation != "delete":
            found = self._renamed(rt, entry, stored, connector, call)
        if found is None:
            deleted = entry.operation == "delete"
            if not deleted and not isinstance(connector, Seen):  # an import has asked the guard itself
                self._check_gone(space)
            return self._close(
                rt,
                entry,
                EntryState.DONE if deleted else EntryState.NOT_DONE,
                None,
                "the target no longer has the object",
                remove_row=stored.row,
                guard=("delete" if deleted else TOLD, stored.id),
            )
        changes, state = entry.intent.get("changes", {}), entry.intent.get("state")
        # A DELETE is either a delete, and then the object would be gone, or writes the values of the delete flow.
        done = (bool(changes) or entry.operation != "delete") and shows(rt, found, changes)
        what: dict[str, Any] = {}
        if done and (guard := entry.intent.get("guard")):
            what["guard"] = tuple(guard)
        if found.identity.anchor.values != stored.anchor:
            what["rename_row"] = stored.row
        if done and "external_id" in entry.intent:
            what["external_id"] = entry.intent["external_id"]
        return self._close(
            rt,
            entry,
            EntryState.DONE if done else EntryState.NOT_DONE,
            completed(rt, found, rt.decode(stored.attributes)),
            "the target has the change" if done else "the target does not have the change",
            object_state=State(state) if done and state else None,
            **what,
        )

    def _check_gone(self, space: Space) -> None:
        """Wait where the target has lost so many objects lately that it may not be whole."""
        try:
            Told(self._target.store, self._target.document.guard).check(space, 1)
        except TooManyDeleted as exc:
            raise TargetUnavailable(f"the guard holds back that an object is gone: {exc}") from exc

    def _stored(self, space: Space, entry: Entry) -> StoredObject | None:
        store = self._target.store
        if entry.object_id is not None:
            found = store.space.by_id(space, entry.object_id, hidden=True)
            if found is not None:
                return found
        return None if entry.anchor is None else store.space.by_anchor(space, entry.anchor)

    def _renamed(
        self, rt: ResourceType, entry: Entry, stored: StoredObject, connector: SupportsLookup, call: Call
    ) -> ConnectorObject | None:
        """Return the object under the anchor that the change would have given it."""
        changed = {
            name: values
            for name, values in entry.intent.get("changes", {}).items()
            if isinstance(values, list) and name in rt.object_type.anchor
        }
        if not changed:
            return None
        intended = {**rt.decode(stored.attributes), **rt.decode(_encoded(changed))}
        for identifier in identifiers(rt, intended):
            if identifier.is_anchor:
                return next(iter(self._having(rt, connector, identifier, call)), None)
        return None

    # -- closing

    def _doubt(self, entry: Entry, reason: str) -> bool:
        if entry.state is not EntryState.IN_DOUBT:
            self._target.store.journal.mark(entry.id, EntryState.IN_DOUBT, reason)
            log.error("write_in_doubt", connector=self._target.name, entry=entry.id, reason=reason)
        return False

    def _close(
        self,
        rt: ResourceType,
        entry: Entry,
        state: EntryState,
        found: ConnectorObject | None,
        reason: str,
        **what: Any,
    ) -> bool:
        audit = AuditRecord(
            at=time.time(),
            connector=self._target.name,
            actor="isthmus",
            address="",
            operation=f"repair {entry.operation}",
            object_type=rt.definition.object_type,
            object_id=entry.object_id or "",
            name="" if found is None else rt.display_name(found.attributes),
            outcome="done" if state is EntryState.DONE else "not done",
            correlation=entry.correlation,
            message=reason,
        )
        self._target.store.journal.close(
            entry.id,
            state,
            write=None if found is None else write_of(rt, found),
            audit=audit,
            reason=reason,
            now=now_text(),
            **what,
        )
        log.info("journal_repaired", connector=self._target.name, entry=entry.id, outcome=state.value, reason=reason)
        return True


def _encoded(attributes: dict[str, Any]) -> bytes:
    return orjson.dumps(attributes)


def shows(rt: ResourceType, found: ConnectorObject, changes: Mapping[str, Any]) -> bool:
    """Tell whether the object has the values that the changes were to give it."""
    for name, intended in changes.items():
        if name not in found.attributes:
            continue
        actual = {_text(plain_value(rt, value)) for value in found.attributes[name]}
        if isinstance(intended, list):
            if actual != set(map(_text, intended)) or len(intended) != len(found.attributes[name]):
                return False
        elif isinstance(intended, dict):
            added = set(map(_text, intended.get("add", [])))
            removed = set(map(_text, intended.get("remove", []))) - added
            if not added <= actual or removed & actual:
                return False
    return True


def _text(value: Any) -> str:
    """Return a value of the journal as something that can be in a set: a group has 100,000 members."""
    return repr(value)
