"""Sending modifications: what the server finds done already is no failure, and a group never loses its last member."""

from __future__ import annotations

from collections.abc import Sequence

import ldap
from ldap.controls import RequestControl

from isthmus.connectors.ldap import planning, post_read
from isthmus.connectors.ldap.directory import PERMISSIVE
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.filters import EVERYTHING
from isthmus.connectors.ldap.link import Entry, Link, Modification
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.reading import Known
from isthmus.spi import AttributeType, Call, TargetUnavailable

_HIDDEN_SUPPORT = {"openldap"}
"""Servers that know the permissive modify control without naming it in the root DSE."""

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
        parts = planning.portions(planned, self._known.settings.members_at_once)
        entry = None
        for number, part in enumerate(parts):
            self._call.sent(f"modify {self._layout.name}: {planning.shown(part)}")
            try:
                entry = self._send(dn, part, controls)
            except Failure as failure:
                if number and not failure.nothing_sent:
                    # Some members are changed and some are not: only reading tells which.
                    raise TargetUnavailable(
                        f"only a part of the change was made: {failure}", outcome_unknown=True
                    ) from failure
                raise
        return entry

    def _send(self, dn: str, part: Sequence[Change], controls: Sequence[RequestControl]) -> Entry | None:
        changes = planning.modifications(self._layout, part)
        given = list(controls)
        product = self._known.directory.product.id
        if any(c.partial for c in part) and (product in _HIDDEN_SUPPORT or self._known.directory.supports(PERMISSIVE)):
            given.append(RequestControl(PERMISSIVE, False))
        for _ in range(3):
            try:
                seconds = self._known.connections.seconds(self._call)
                answered = self._link.modify(dn, changes, seconds=seconds, controls=given, hidden=self._hidden)
            except Failure as failure:
                name = failure.code.partition(",")[0]
                if failure.kind in {Kind.VALUE_THERE, Kind.VALUE_GONE}:
                    changes = planning.modifications(self._layout, [self._reduced(dn, c) for c in part])
                elif name in _EMPTIED and (kept := self._kept(part)):
                    changes = [*kept, *planning.modifications(self._layout, part)]
                else:
                    raise
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
        """Return a change of single values as a replacement where the server cannot compare values."""
        if not change.partial or change.column.searchable:
            return change
        present = self._present(dn, change)
        kept = [value for value in present if value not in change.remove]
        return Change(change.column, replace=[*kept, *(v for v in change.add if v not in kept)])

    def _reduced(self, dn: str, change: Change) -> Change:
        """Return what is left of a change after what is there, or gone, already."""
        if not change.partial:
            return change
        there = {self._form(change, value) for value in self._present(dn, change)}
        remove = [value for value in change.remove if self._form(change, value) in there]
        there -= {self._form(change, value) for value in remove}
        add = [value for value in change.add if self._form(change, value) not in there]
        return Change(change.column, add=add, remove=remove)

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
