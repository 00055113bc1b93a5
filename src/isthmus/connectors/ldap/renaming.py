"""Giving an entry another name or another place, in one request; and mending what refers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import ldap

from isthmus.connectors.ldap import filters, naming
from isthmus.connectors.ldap.containers import make_containers
from isthmus.connectors.ldap.dn import split
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import import_entries
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.reading import Known, is_there
from isthmus.spi import AttributeType, Call, ConnectorError, TargetUnavailable, Value

_ALREADY = {Kind.VALUE_GONE, Kind.VALUE_THERE, Kind.NO_ENTRY}
_PAGE = 100
"""Entries that are read together: each may be a group with many members."""


class Renaming:
    """The change of one entry's name. `entry` is as it was read, with the attributes that name it."""

    def __init__(self, known: Known, link: Link, call: Call, entry: Entry) -> None:
        self._known = known
        self._layout = known.layout
        self._link = link
        self._call = call
        self._entry = entry

    def plan(self, values: Mapping[str, Sequence[Value]], new_dn: str | None) -> str | None:
        """Return the DN the entry shall have, or None if it keeps its own."""
        layout = self._layout
        if new_dn is not None:
            naming.checked(layout, new_dn)
            dn = new_dn
        else:
            names = naming.naming_columns(layout, self._entry.dn)
            columns = [layout.columns[name] for name in sorted(names)]
            before = {column.name: layout.values(column, self._entry) for column in columns}
            dn = naming.renamed(
                layout, self._entry, before, {**before, **{n: v for n, v in values.items() if n in before}}
            )
        # Names that differ by case only are the same name; the attribute's value is changed by a plain modification.
        return None if layout.names.key(dn) == layout.names.key(self._entry.dn) else dn

    def remaining(self, planned: Sequence[Change], dn: str) -> list[Change]:
        """Return the changes that the new name does not bring about by itself."""
        own = naming.own_values(self._layout, dn)
        before = naming.own_values(self._layout, self._entry.dn)
        rest = []
        for change in planned:
            name = change.column.name
            values = self._entry.values.get(change.column.wire.lower(), [])
            done = change.replace == [own.get(name)] and [v.lower() for v in values] == [before.get(name, b"").lower()]
            if not done:
                rest.append(change)
        return rest

    def run(self, dn: str) -> None:
        before, after = (naming.own_kinds(self._layout, name) for name in (self._entry.dn, dn))
        # A value leaves the entry when another of its kind takes its place; uid=a that becomes cn=b keeps its uid.
        self._move(self._entry.dn, dn, delete_old=before <= after)

    def undo(self, dn: str) -> None:
        """Give the entry its former name back."""
        self._move(dn, self._entry.dn, delete_old=not self._had(dn))

    def _had(self, dn: str) -> bool:
        """Tell whether a value that only this name brings was the entry's before it was its name."""
        former = naming.own_values(self._layout, self._entry.dn)
        for name, value in naming.own_values(self._layout, dn).items():
            had = {each.lower() for each in self._entry.values.get(self._layout.columns[name].wire.lower(), ())}
            if value.lower() in had - {former.get(name, b"").lower()}:
                return True
        return False

    def _move(self, old: str, new: str, *, delete_old: bool) -> None:
        layout = self._layout
        rdn, parent = split(new)
        _, before = split(old)
        moved = parent if layout.names.key(parent) != layout.names.key(before) else None
        try:
            self._rename(old, rdn, moved, delete_old)
        except Failure as failure:
            if failure.kind is not Kind.NO_ENTRY or moved is None:
                raise
            if self._known.settings.create_parents:
                make_containers(self._known, self._link, self._call, new)
                self._rename(old, rdn, moved, delete_old)
                return
            if is_there(self._link, parent, self._known.connections.seconds(self._call)):
                raise  # it is the entry itself that others have deleted
            failure.kind = Kind.BAD_VALUE
            failure.text = f"there is no entry {parent} to move it to; create it, or set create_parents"
            raise

    def _rename(self, old: str, rdn: str, moved: str | None, delete_old: bool) -> None:
        self._call.sent(f"modifyDN {self._layout.name}: {'another name and place' if moved else 'another name'}")
        seconds = self._known.connections.seconds(self._call)
        self._link.rename(old, rdn, moved, delete_old=delete_old, seconds=seconds)

    def mend(self, dn: str) -> None:
        """Rewrite references to the old name, where that is set and the server does not do it.

        Raises:
            TargetUnavailable: the entry has its new name, but not every reference to it could be rewritten.
        """
        if not self._known.settings.mend_references or self._known.directory.product.ad:  # AD's links follow names
            return
        old, new = self._entry.dn.encode(), dn.encode()
        try:
            for layout in self._known.layouts.values():
                names = [
                    column.wire
                    for column in layout.columns.values()
                    if column.definition.type is AttributeType.REFERENCE
                    and not column.definition.readonly
                    and column.searchable
                    and column.name != "memberUid"
                ]
                if names:
                    self._mend_in(layout, names, old, new)
                if layout.member_uid == self._layout.name:
                    self._mend_uids(layout, dn)
        except (Failure, ConnectorError) as error:
            raise TargetUnavailable(
                f"{dn} has its new name, but what refers to it could not all be changed: {error}", outcome_unknown=True
            ) from error

    def _mend_uids(self, layout: Layout, dn: str) -> None:
        old = naming.own_values(self._layout, self._entry.dn).get("uid")
        new = naming.own_values(self._layout, dn).get("uid")
        if old is not None and new is not None and old != new:
            self._mend_in(layout, ["memberUid"], old, new)

    def _mend_in(self, layout: Layout, names: Sequence[str], old: bytes, new: bytes) -> None:
        wanted = filters.both(layout.filter, filters.either(filters.equal(name, old) for name in names))
        plain = replace(layout, member_uid=None)  # as the entries hold it
        known = replace(self._known, layout=plain)
        # Changed when all are known: a server may forget where a list was when something else is asked meanwhile.
        pages = import_entries(known, self._link, self._call, wanted, names, page_size=_PAGE)
        referring = [
            (entry.dn, name) for page in pages for entry in page for name in names if _refers(layout, entry, name, old)
        ]
        for dn, name in referring:
            self._replace(dn, name, old, new)

    def _replace(self, dn: str, name: str, old: bytes, new: bytes) -> None:
        changes = [(ldap.MOD_DELETE, name, [old]), (ldap.MOD_ADD, name, [new])]
        self._call.sent(f"modify: {name} follows the new name")
        try:
            self._link.modify(dn, changes, seconds=self._known.connections.seconds(self._call))
        except Failure as failure:
            if failure.kind not in _ALREADY:
                raise


def _refers(layout: Layout, entry: Entry, name: str, old: bytes) -> bool:
    values = entry.values.get(name.lower(), ())
    if name == "memberUid":
        return old in values
    key = layout.names.key(old.decode())
    return any(layout.names.key(value.decode("utf-8", "replace")) == key for value in values)
