"""Creating, changing and deleting one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import ldap
from ldap.controls import RequestControl
from ldap.controls.libldap import AssertionControl

from isthmus.connectors.ldap import flags, naming, passwords, planning, post_read
from isthmus.connectors.ldap.changing import Changing
from isthmus.connectors.ldap.containers import make_containers
from isthmus.connectors.ldap.directory import ASSERTION, POST_READ, TREE_DELETE
from isthmus.connectors.ldap.dn import split
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import DN, Column
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.reading import Known, Reader, is_there
from isthmus.connectors.ldap.renaming import Renaming
from isthmus.connectors.passwords import clear_text
from isthmus.spi import (
    AttributeChange,
    Attributes,
    AttributeType,
    Call,
    ConnectorError,
    ConnectorObject,
    Identity,
    InvalidValue,
    NotFound,
    Secret,
    TargetRejected,
    TargetUnavailable,
)

T = TypeVar("T")

_CHANGED_BY_OTHERS = {Kind.NO_ENTRY, Kind.CHANGED}


@contextmanager
def _done() -> Iterator[None]:
    """Mark errors after a write that has taken effect: they say nothing of it."""
    try:
        yield
    except Failure as failure:
        raise TargetUnavailable(
            f"the change was made, but could not be read back: {failure}", outcome_unknown=True
        ) from failure
    except TargetRejected:
        raise
    except ConnectorError as error:  # the time is used up, or the request was cancelled
        error.outcome_unknown = True
        raise


class Writer:
    """Writes entries of one object type on one connection."""

    def __init__(self, known: Known, link: Link, call: Call) -> None:
        self._known = known
        self._layout = known.layout
        self._link = link
        self._call = call
        self._reader = Reader(known, link, call)
        self._asserts = known.directory.supports(ASSERTION)

    # -- create

    def create(self, attributes: Attributes, dn: str | None, password: Secret | None) -> ConnectorObject:
        layout = self._layout
        values = planning.new_values(layout, attributes)
        changes = [Change(layout.columns[name], replace=given) for name, given in values.items()]
        name = naming.new_dn(layout, dn, attributes)
        for own, value in naming.own_values(layout, name).items():
            if not layout.columns[own].definition.readonly:
                values.setdefault(own, [value])
        planning.check_required(layout, values)
        flags.into_new(layout, values)
        self._translate(values)
        for stands in layout.placeholders:
            if stands not in values and stands in layout.columns:
                values[stands] = planning.placeholder(layout, layout.columns[stands])
        given_classes = values.pop("objectClass", [])
        folded = {value.lower() for value in given_classes}
        classes = [c.encode() for c in layout.classes if c.lower().encode() not in folded] + given_classes
        listed = [("objectClass", classes)]
        listed += [(layout.columns[n].wire, v) for n, v in values.items()]
        hidden: list[str] = []
        if password is not None:
            attribute = passwords.attribute(self._known.directory, self._known.settings)
            listed = [pair for pair in listed if pair[0].casefold() != attribute.casefold()]
            listed.append((attribute, [passwords.written(self._known.directory, self._known.settings, password)]))
            hidden.append(password.reveal())
        hidden += self._secrets(changes)
        columns = layout.readable(planning.returned(layout, changes, self._call.wanted, generated=True))
        added = ", ".join([*values, *(["password"] if password is not None else [])])
        self._call.sent(f"add {layout.name}: objectClass, {added}")
        controls = [post_read.request(layout.asked(columns))]
        try:
            answered = self._add(name, listed, controls, hidden)
        except Failure as failure:
            if failure.kind is not Kind.NO_ENTRY:
                raise
            _, parent = split(name)
            if is_there(self._link, parent, self._reader.seconds()):
                failure.kind = Kind.BAD_VALUE  # an entry that is referred to is missing
                raise
            raise InvalidValue(
                f"there is no entry {parent} to put the new one below; create it, or set create_parents",
                attribute="-dn-",
            ) from failure
        try:
            return self._result(name, columns, post_read.entry(answered))
        except TargetRejected as refused:
            self._take_back(name, refused)
            raise

    def _take_back(self, dn: str, refused: TargetRejected) -> None:
        """Delete the entry just made: nobody else would know of it, and each attempt after it would find it there."""
        self._call.sent(f"delete {self._layout.name}")
        try:
            self._link.delete(dn, seconds=self._reader.seconds())
        except (Failure, ConnectorError) as problem:
            refused.message += f"; it could not be deleted again ({problem}): delete {dn}"
        else:
            refused.message += "; it was deleted again"

    def _add(
        self,
        dn: str,
        listed: Sequence[tuple[str, list[bytes]]],
        controls: Sequence[RequestControl],
        hidden: Sequence[str],
    ) -> Sequence[ldap.controls.LDAPControl]:
        try:
            return self._link.add(dn, listed, seconds=self._reader.seconds(), controls=controls, hidden=hidden)
        except Failure as failure:
            if failure.kind is not Kind.NO_ENTRY or not self._known.settings.create_parents:
                raise
        make_containers(self._known, self._link, self._call, dn)
        return self._link.add(dn, listed, seconds=self._reader.seconds(), controls=controls, hidden=hidden)

    # -- update

    def update(
        self,
        identity: Identity,
        changes: Sequence[AttributeChange],
        new_dn: str | None,
        password: Secret | None,
    ) -> ConnectorObject:
        layout = self._layout
        planned = planning.plan_changes(layout, changes)
        columns = layout.readable(planning.returned(layout, planned, self._call.wanted, generated=False))
        planned = [self._translated(change) for change in flags.into_changes(planned)]
        naming_names = naming.naming_columns(layout, identity.dn)
        if new_dn is not None:
            naming.checked(layout, new_dn)
            naming_names |= naming.own_values(layout, new_dn).keys()
        entry: Entry | None = None
        if new_dn is not None or identity.dn is None or any(c.column.name in naming_names for c in planned):
            entry = self._present(identity, naming_names)
            if identity.dn is None:
                naming_names |= naming.naming_columns(layout, entry.dn)
                entry = self._present(replace(identity, dn=entry.dn), naming_names)
        if entry is not None:
            values = {each.name: each.replace for each in changes if each.replace is not None}
            renaming = Renaming(self._known, self._link, self._call, entry)
            dn = renaming.plan(values, new_dn)
            if dn is not None:
                return self._rename_and_change(renaming, dn, planned, columns, password)
            identity = replace(identity, dn=layout.names.key(entry.dn))
        found = self._change(identity, planned, columns)
        if password is not None:
            self._set_password_at(found.dn, password)
        return layout.object(columns, found)

    def _present(self, identity: Identity, names: set[str]) -> Entry:
        columns = [self._layout.columns[name] for name in sorted(names)]
        entry = self._reader.entry(identity, columns)
        if entry is None:
            raise self._gone()
        return entry

    def _rename_and_change(
        self,
        renaming: Renaming,
        dn: str,
        planned: Sequence[Change],
        columns: Sequence[Column],
        password: Secret | None,
    ) -> ConnectorObject:
        """Rename first: if the rest is then refused, the name is given back."""
        rest = renaming.remaining(planned, dn)
        renaming.run(dn)
        try:
            if rest:
                self._changing(rest).run(dn, [])
            if password is not None:
                self._set_password_at(dn, password)
        except (Failure, ConnectorError) as error:
            self._give_back(renaming, dn, error)
            raise
        with _done():
            renaming.mend(dn)
            return self._result(dn, columns, None)

    def _give_back(self, renaming: Renaming, dn: str, error: Failure | ConnectorError) -> None:
        """Give the entry its former name, unless the rest of the change may have been made after all."""
        if isinstance(error, ConnectorError):
            unknown = error.outcome_unknown
        else:
            unknown = error.kind is Kind.LOST and not error.nothing_sent
        if unknown:
            return
        try:
            renaming.undo(dn)
        except (Failure, ConnectorError) as problem:
            raise TargetUnavailable(
                f"the entry has its new name, but not the rest of the change ({error}), and could not be given its "
                f"former name back: {problem}",
                outcome_unknown=True,
            ) from error

    def _change(self, identity: Identity, planned: Sequence[Change], columns: Sequence[Column]) -> Entry:
        asked = self._layout.asked(columns)
        if not planned:
            return self._found(self._reader.raw(identity, asked))
        # Nothing but the identity is asked for, and no change can touch that.
        known = all(column.name == self._layout.anchor and column.definition.readonly for column in columns)
        # Reading back costs the server a copy of the whole entry: 2 ms for a group of 50,000, a search 0.2 ms.
        apart = any(c.partial and c.column.definition.type is AttributeType.REFERENCE for c in planned)
        reading_back = [] if known or apart else [post_read.request(asked)]
        dn, entry = self._at(identity, lambda dn, controls: self._changing(planned).run(dn, [*controls, *reading_back]))
        if known:
            values = {c.wire.lower(): [c.encode(v) for v in identity.anchor.values] for c in columns if c.name != DN}
            return Entry(dn, values)
        with _done():
            found = self._reader.at(dn, self._layout.filter, asked) if entry is None else self._reader.complete(entry)
            return self._found(found)

    def _at(self, identity: Identity, write: Callable[[str, list[RequestControl]], T]) -> tuple[str, T]:
        """Write to the entry where it is said to be, once more if others have moved it; return where, and what came.

        The control makes the server refuse where another entry has that name.
        """
        layout = self._layout
        dn = identity.dn if self._asserts else None
        if dn is not None and not layout.located(layout.names.key(dn)):
            dn = None
        controls: list[RequestControl] = []
        if self._asserts:
            controls.append(AssertionControl(True, layout.identified(identity.anchor)))
        for last in (False, True):
            if dn is None:
                dn = self._found(self._reader.raw(identity, ())).dn
            try:
                return dn, write(dn, controls)
            except Failure as failure:
                if failure.kind not in _CHANGED_BY_OTHERS or last or not self._asserts:
                    raise
                dn = None  # moved, or gone: the anchor tells
        raise AssertionError("the last attempt returns or raises")

    def _changing(self, planned: Sequence[Change]) -> Changing:
        return Changing(self._known, self._link, self._call, planned, self._secrets(planned))

    # -- delete

    def delete(self, identity: Identity) -> None:
        self._at(identity, self._delete_at)

    def _delete_at(self, dn: str, controls: list[RequestControl]) -> None:
        self._call.sent(f"delete {self._layout.name}")
        try:
            self._link.delete(dn, seconds=self._reader.seconds(), controls=controls)
        except Failure as failure:
            if failure.kind is not Kind.HAS_CHILDREN or not self._known.settings.delete_children:
                raise
        else:
            return
        self._delete_tree(dn)

    def _delete_tree(self, dn: str) -> None:
        self._call.sent(f"delete {self._layout.name} and what is below it")
        if self._known.directory.supports(TREE_DELETE):
            control = RequestControl(TREE_DELETE, True)
            self._link.delete(dn, seconds=self._reader.seconds(), controls=[control])
            return
        found = self._link.search(dn, ldap.SCOPE_SUBTREE, "(objectClass=*)", (), seconds=self._reader.seconds())
        for entry in sorted(found.entries, key=lambda each: -len(self._layout.names.key(each.dn).split(","))):
            try:
                self._link.delete(entry.dn, seconds=self._reader.seconds())
            except Failure as failure:
                if failure.kind is not Kind.NO_ENTRY:
                    raise

    # -- password

    def set_password(self, identity: Identity, password: Secret) -> None:
        clear_text(password)
        entry = self._found(self._reader.raw(identity, ()))
        self._set_password_at(entry.dn, password)

    def _set_password_at(self, dn: str, password: Secret) -> None:
        directory, settings = self._known.directory, self._known.settings
        text, seconds = clear_text(password), self._reader.seconds()
        if passwords.by_extended_operation(directory, settings):
            self._call.sent(f"password modify {self._layout.name}")
            self._link.set_password(dn, text, seconds=seconds)
            return
        self._call.sent(f"modify {self._layout.name}: replace the password")
        value = passwords.written(directory, settings, password)
        change = (ldap.MOD_REPLACE, passwords.attribute(directory, settings), [value])
        self._link.modify(dn, [change], seconds=seconds, hidden=(text,))

    # -- what they share

    def _result(self, dn: str, columns: Sequence[Column], entry: Entry | None) -> ConnectorObject:
        """Return the entry as it is now: from the write's own answer, else read."""
        layout = self._layout
        with _done():
            if entry is None or not self._known.directory.supports(POST_READ) or layout.member_uid or layout.filtered:
                entry = self._reader.at(dn, layout.filter, layout.asked(columns))
            if entry is None:
                raise TargetRejected(
                    f"object type {layout.name}: the entry was written, but does not match the type's filter or cannot "
                    "be read by the connector's account"
                )
            return layout.object(columns, self._reader.complete(entry) if self._known.ranges else entry)

    def _found(self, entry: Entry | None) -> Entry:
        if entry is None:
            raise self._gone()
        return entry

    def _gone(self) -> NotFound:
        return NotFound(f"object type {self._layout.name}: the directory has no such entry")

    def _secrets(self, changes: Sequence[Change]) -> list[str]:
        return [
            value.decode("utf-8", "replace")
            for change in changes
            if change.column.definition.secret
            for value in (*(change.replace or ()), *change.add, *change.remove)
        ]

    def _translate(self, values: dict[str, list[bytes]]) -> None:
        translating = self._known.member_uids()
        if translating is not None and "memberUid" in values:
            names = [value.decode() for value in values["memberUid"]]
            values["memberUid"] = translating.uids(self._link, names, self._reader.seconds)

    def _translated(self, change: Change) -> Change:
        translating = self._known.member_uids()
        if translating is None or change.column.name != "memberUid":
            return change

        def uids(values: list[bytes]) -> list[bytes]:
            return translating.uids(self._link, [v.decode() for v in values], self._reader.seconds)

        return Change(
            change.column,
            replace=None if change.replace is None else uids(change.replace),
            add=uids(change.add),
            remove=uids(change.remove),
        )
