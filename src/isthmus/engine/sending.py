"""Send one write to the target under an open journal entry, and close the entry with what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isthmus.engine.answers import Unkept, answer_for, connector_edge
from isthmus.engine.applying import checked, completed, identity_of, write_of
from isthmus.engine.auditing import Trail
from isthmus.engine.caller import Caller
from isthmus.engine.entries import Repairer
from isthmus.engine.faults import reached
from isthmus.engine.guard import TOLD, check_gone
from isthmus.engine.keeping import Keeping
from isthmus.engine.target import Target, now_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.spi import Call, Connector, ConnectorError, ConnectorObject, NotFound, Operation, SupportsLookup
from isthmus.store import UNSET, StoreError, Unset
from isthmus.store.records import Applied, Entry, EntryState, State, StoredObject


class Sender:
    """The one way by which a request changes a target."""

    def __init__(self, target: Target, repairer: Repairer) -> None:
        self._target = target
        self._repairer = repairer

    def send(
        self,
        rt: ResourceType,
        entry: Entry,
        write: Callable[[Connector, Call], ConnectorObject | None],
        *,
        trail: Trail,
        caller: Caller,
        stored: StoredObject | None,
        keeping: Keeping | None = None,
    ) -> ConnectorObject | None:
        """Call the connector; return the object as the target has it, or None after a delete.

        The object is complete, but for the lists that `keeping` knows how to go on with.

        On a definite refusal the entry is closed; with an unknown outcome it stays open, to be repaired by reading.

        Raises:
            ScimError: what the client is told.
        """
        target = self._target
        call = target.call(
            caller, entry=entry.id, sent=trail.on_sent, wanted=rt.read_attributes if keeping is None else keeping.wanted
        )
        try:
            reached("before-send")
            with target.using(trail.operation) as connector:
                result = write(connector, call)
                reached("after-send")
                if result is not None and stored is not None and result.identity.anchor.values != stored.anchor:
                    _must_be_renamed(rt, connector, stored, call)
                if result is not None:
                    result = self._whole(rt, connector, result, call, keeping)
            target.leave()
        except ConnectorError as exc:
            target.leave()
            raise self._failed(rt, entry, exc, trail, stored) from exc
        except ScimError as exc:  # a connector that takes one call at a time is busy: nothing was sent
            self.refuse(entry, exc, trail)
            raise
        return result

    def _whole(
        self,
        rt: ResourceType,
        connector: Connector,
        result: ConnectorObject,
        call: Call,
        keeping: Keeping | None,
    ) -> ConnectorObject:
        whole = completed(rt, result, None)
        if keeping is not None:
            whole = keeping.filled(whole)
        wanted = rt.read_attributes if keeping is None else keeping.wanted
        if not _has(whole, wanted) and isinstance(connector, SupportsLookup):
            try:
                read = connector.read(rt.definition.object_type, result.identity, attributes=wanted, call=call)
            except ConnectorError as exc:
                exc.outcome_unknown = True  # the write itself is done: repair records it
                raise
            if read is not None:
                whole = completed(rt, checked(rt, read), None)
        if not _has(whole, wanted) and keeping is not None:
            whole = keeping.whole(whole)
        return whole

    def _failed(
        self, rt: ResourceType, entry: Entry, error: ConnectorError, trail: Trail, stored: StoredObject | None
    ) -> ScimError:
        """Write down how the write ended, and return what the client is told."""
        answer, target = answer_for(error), self._target
        if error.outcome_unknown:
            target.sessions.renew()
            trail.notes.append(f"journal entry {entry.id} stays open until the outcome is known")
            self._repairer.abandon(entry, error.message)
            target.store.audit.write(trail.record("unknown", answer.status, error.message))
            return answer
        gone = stored if isinstance(error, NotFound) else None
        outcome, message = "failed", error.message
        if gone is not None:
            try:
                check_gone(target.store, target.document.guard, target.space(rt), target.name)
            except ScimError as held:
                answer, gone, outcome, message = held, None, "held", held.detail
        self._close(
            entry,
            EntryState.NOT_DONE,
            reason=error.message,
            remove_row=None if gone is None else gone.row,
            guard=None if gone is None else (TOLD, gone.id),
            audit=trail.record(outcome, answer.status, message),
        )
        return answer

    def refuse(self, entry: Entry, error: ScimError, trail: Trail, *, outcome: str = "refused") -> None:
        """Close an entry whose write was never sent."""
        self._close(
            entry, EntryState.NOT_DONE, reason=error.detail, audit=trail.record(outcome, error.status, error.detail)
        )

    def done(
        self,
        rt: ResourceType,
        entry: Entry,
        result: ConnectorObject | None,
        *,
        trail: Trail,
        status: int,
        stored: StoredObject | None = None,
        keeping: Keeping | None = None,
        state: State | None = None,
        external_id: str | Unset | None = UNSET,
        guard: tuple[str, str] | None = None,
        remove: bool = False,
    ) -> Applied | None:
        """Record the object as it now is and close the entry, in one store transaction; return what was applied.

        Raises:
            ScimError: what the connector returned cannot be recorded; the entry stays open.
        """
        reached("before-close")
        write = None
        try:
            if result is not None:
                with connector_edge(self._target.name, trail.operation):
                    write = write_of(rt, result) if keeping is None else keeping.write(result)
        except ConnectorError as exc:
            raise self._failed(rt, entry, exc, trail, stored) from exc
        renamed = stored is not None and write is not None and write.anchor != stored.anchor
        applied = self._close(
            entry,
            EntryState.DONE,
            write=write,
            rename_row=stored.row if renamed and stored is not None else None,
            remove_row=stored.row if remove and stored is not None else None,
            object_state=state,
            external_id=external_id,
            audit=trail.record("done", status),
            guard=guard,
        )
        reached("after-close")
        return applied

    def _close(self, entry: Entry, state: EntryState, **what: Any) -> Applied | None:
        try:
            return self._target.store.journal.close(entry.id, state, now=now_text(), **what)
        except StoreError as exc:
            self._repairer.abandon(entry, f"the store could not record the outcome: {exc}")
            raise


def _must_be_renamed(rt: ResourceType, connector: Connector, stored: StoredObject, call: Call) -> None:
    """Make sure that an object with a new anchor is not just another one: its id would mean that one from now on.

    Raises:
        Unkept: the object that was to be changed is still there under its own anchor.
    """
    if not isinstance(connector, SupportsLookup) or Operation.LOOKUP not in rt.object_type.operations:
        return
    try:
        found = connector.read(rt.definition.object_type, identity_of(stored), attributes=(), call=call)
    except ConnectorError as exc:
        exc.outcome_unknown = True  # the write itself is done: repair records it
        raise
    if found is not None and found.identity.anchor.values == stored.anchor:
        raise Unkept("returned another object than the one that it was to change")


def _has(obj: ConnectorObject, names: Sequence[str]) -> bool:
    return all(map(obj.attributes.__contains__, names))
