"""Sending modifications: what the server finds done already is no failure, and a group never loses its last member."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import ldap
from ldap.controls import RequestControl

from isthmus.connectors.ldap import flags, planning, post_read
from isthmus.connectors.ldap.directory import PERMISSIVE, POST_READ
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.filters import EVERYTHING
from isthmus.connectors.ldap.link import Entry, Link, Modification
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.reading import Known, is_there
from isthmus.spi import AttributeType, Call, ConnectorError, TargetUnavailable

_HIDDEN_SUPPORT = {"openldap"}
"""Servers that know the permissive modify control without naming it in the root DSE."""

_AHEAD = 8
"""Requests that may be under way for one change: enough to hide the way there and back."""

_COMPARED = 200
"""Values that are asked for one by one rather than reading all that there are."""

_EMPTIED = {"OBJECT_CLASS_VIOLATION", "CONSTRAINT_VIOLATION"}


class Changing:
    """One planned change of one entry."""

    def __init__(self, known: Known, link: Link, call: Call, planned: Sequence[Change], hidden: Sequence[str]) -> None:
        self._known = known
        self._layout = known.layout
        self._link = link
        self._call = call
        self._planned = planned
        self._hidden = hidden

    def run(self, dn: str, controls: Sequence[RequestControl]) -> Entry | None:
        """Change the entry and return it as the server then says it is, if it does."""
        planned = [self._possible(dn, change) for change in self._planned]
        first, *rest = planning.portions(planned, self._known.settings.members_at_once)
        self._told(first)
        entry = self._send(dn, first, controls)
        try:
            self._send_more(dn, rest, [each for each in controls if each.controlType != POST_READ])
        except Failure as failure:
            # Some members are changed and some are not: only reading tells which.
            raise TargetUnavailable(f"only a part of the change was made: {failure}", outcome_unknown=True) from failure
        except ConnectorError as error:  # the time was used up in between
            error.outcome_unknown = True
            raise
        return entry

    def _told(self, part: Sequence[Change]) -> None:
        self._call.sent(f"modify {self._layout.name}: {planning.shown(part)}")

    def _send_more(self, dn: str, parts: Sequence[Sequence[Change]], controls: Sequence[RequestControl]) -> None:
        """Send the further members of a large change, some requests ahead of the answers; their order is all one."""
        ahead = 1 if self._contrary() else _AHEAD
        waiting: deque[tuple[int, Sequence[Change]]] = deque()
        try:
            for part in parts:
                if len(waiting) >= ahead:
                    self._finish(dn, *waiting.popleft(), controls)
                self._told(part)
                number = self._link.start_modify(
                    dn,
                    planning.modifications(self._layout, part),
                    seconds=self._known.connections.seconds(self._call),
                    controls=self._permissive(part, controls),
                    hidden=self._hidden,
                )
                waiting.append((number, part))
            while waiting:
                self._finish(dn, *waiting.popleft(), controls)
        except BaseException:
            self._link.broken = True  # answers may still be on their way
            raise

    def _contrary(self) -> bool:
        """Tell whether a value is removed and added as well: then the order counts."""
        return any(not set(change.add).isdisjoint(change.remove) for change in self._planned)

    def _finish(self, dn: str, number: int, part: Sequence[Change], controls: Sequence[RequestControl]) -> None:
        try:
            self._link.finish_write(number, seconds=self._known.connections.seconds(self._call), hidden=self._hidden)
        except Failure as failure:
            if not self._done_already(failure, part) and not self._emptied(failure):
                raise
            self._send(dn, part, controls)  # knows what to do then

    def _done_already(self, failure: Failure, part: Sequence[Change]) -> bool:
        """Tell whether the server may have refused because of a value that is there, or gone, already.

        AD and its relatives answer entryAlreadyExists or unwillingToPerform where the value is a reference.
        """
        if failure.kind in {Kind.VALUE_THERE, Kind.VALUE_GONE}:
            return True
        linked = any(c.partial and c.column.definition.type is AttributeType.REFERENCE for c in part)
        return linked and self._known.ranges and failure.kind in {Kind.DUPLICATE, Kind.REFUSED}

    def _of_reference(self, failure: Failure, dn: str, part: Sequence[Change]) -> Failure:
        """Return the failure, told from "this entry is not there" if it is an entry referred to that is missing."""
        if failure.kind is Kind.NO_ENTRY:
            named = [c.column.name for c in part if c.column.definition.type is AttributeType.REFERENCE]
            if named and is_there(self._link, dn, self._known.connections.seconds(self._call)):
                failure.kind, failure.attribute = Kind.BAD_VALUE, named[0]
        return failure

    def _emptied(self, failure: Failure) -> bool:
        return failure.code.partition(",")[0] in _EMPTIED

    def _permissive(self, part: Sequence[Change], controls: Sequence[RequestControl]) -> list[RequestControl]:
        """Return the controls with the one that lets the server pass over what is done already, if it knows that."""
        product = self._known.directory.product.id
        if any(c.partial for c in part) and (product in _HIDDEN_SUPPORT or self._known.directory.supports(PERMISSIVE)):
            return [*controls, RequestControl(PERMISSIVE, False)]
        return list(controls)

    def _send(self, dn: str, part: Sequence[Change], controls: Sequence[RequestControl]) -> Entry | None:
        left = list(part)
        changes = planning.modifications(self._layout, left)
        if not changes:
            return None
        given = self._permissive(part, controls)
        for last in (False, False, True):
            try:
                seconds = self._known.connections.seconds(self._call)
                answered = self._link.modify(dn, changes, seconds=seconds, controls=given, hidden=self._hidden)
            except Failure as failure:
                if self._done_already(failure, part):
                    left, before = [self._reduced(dn, c) for c in part], left
                    if left == before and (last or failure.kind not in {Kind.VALUE_THERE, Kind.VALUE_GONE}):
                        raise  # refused for another reason
                    changes = planning.modifications(self._layout, left)
                elif self._emptied(failure) and (kept := self._kept(part)):
                    changes = [*kept, *planning.modifications(self._layout, part)]
                else:
                    raise self._of_reference(failure, dn, part) from failure
                if not changes:
                    return None
                continue
            return post_read.entry(answered)
        raise Failure(Kind.CHANGED, "", "others change the same values all the time")

    def _kept(self, part: Sequence[Change]) -> list[Modification]:
        """Return what puts the placeholder into a group whose last member goes."""
        return [
            (ldap.MOD_ADD, c.column.wire, planning.placeholder(self._layout, c.column))
            for c in part
            if c.partial and c.remove and c.column.name in self._layout.placeholders
        ]

    def _possible(self, dn: str, change: Change) -> Change:
        """Return the change as it can be sent: of bits, or of single values that the server cannot compare."""
        if change.bits is not None:
            return flags.against(change, self._present(dn, change))
        if not change.partial or change.column.searchable:
            return change
        present = self._present(dn, change)
        kept = [value for value in present if value not in change.remove]
        return Change(change.column, replace=[*kept, *(v for v in change.add if v not in kept)])

    def _reduced(self, dn: str, change: Change) -> Change:
        """Return what is left of a change after what is there, or gone, already."""
        if change.bits is not None:
            return self._possible(dn, change)
        if not change.partial:
            return change
        there = {self._form(change, value) for value in self._those_there(dn, change)}
        remove = [value for value in change.remove if self._form(change, value) in there]
        there -= {self._form(change, value) for value in remove}
        add = [value for value in change.add if self._form(change, value) not in there]
        return Change(change.column, add=add, remove=remove)

    def _those_there(self, dn: str, change: Change) -> Sequence[bytes]:
        """Return which values of a change the entry has, perhaps with others."""
        named = list(dict.fromkeys((*change.remove, *change.add)))
        if len(named) > _COMPARED:
            return self._present(dn, change)
        # A list of members may be far longer than what changes in it.
        self._call.sent(f"compare {self._layout.name}: {len(named)} of {change.column.name}")
        seconds = self._known.connections.seconds(self._call)
        has = self._link.compare(dn, change.column.wire, named, seconds=seconds)
        if None in has:
            return self._present(dn, change)
        return [value for value, true in zip(named, has, strict=True) if true]

    def _form(self, change: Change, value: bytes) -> object:
        """Return what equal values have in common."""
        definition = change.column.definition
        if definition.type is AttributeType.REFERENCE and self._layout.member_uid is None:
            return change.column.codec.decode(value)
        if definition.type is AttributeType.STRING and not definition.case_exact:
            return " ".join(value.decode("utf-8", "replace").casefold().split())
        return value

    def _present(self, dn: str, change: Change) -> list[bytes]:
        seconds = self._known.connections.seconds(self._call)
        wire = change.column.wire
        found = self._link.search(dn, ldap.SCOPE_BASE, EVERYTHING, [wire], seconds=seconds).entries
        return found[0].values.get(wire.lower(), []) if found else []
