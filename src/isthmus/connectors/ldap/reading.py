"""Reading one entry, and finding entries by a value."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import ldap
from ldap.controls import RequestControl, SimplePagedResultsControl

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.connections import Connections
from isthmus.connectors.ldap.directory import PAGED, Directory
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import DN, Column, Layout
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.connectors.ldap.member_uids import MemberUids
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.ldap.syntaxes import Unfit
from isthmus.spi import (
    Call,
    ConnectorObject,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    Reference,
    Unsupported,
    Value,
)

FIND_LIMIT = 100


@lru_cache(maxsize=16)
def _first_page(size: int) -> RequestControl:
    """Return the control that asks for so many entries; its value is encoded once."""
    control = SimplePagedResultsControl(False, size=size, cookie="")
    return RequestControl(PAGED, False, control.encodeControlValue())


_RANGE = re.compile(r"([^;]+);range=(\d+)-(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to work on one object type."""

    settings: LdapSettings
    directory: Directory
    connections: Connections
    layout: Layout
    layouts: dict[str, Layout]

    @property
    def ranges(self) -> bool:
        """Whether long lists of values come in parts (AD and its relatives)."""
        return self.directory.product.ad

    def member_uids(self) -> MemberUids | None:
        """Return what turns the values of memberUid into DNs, where that is set."""
        name = self.layout.member_uid
        return None if name is None else MemberUids(self.layouts[name])


class Reader:
    """Reads entries of one object type on one connection."""

    def __init__(self, known: Known, link: Link, call: Call) -> None:
        self._known = known
        self._layout = known.layout
        self._link = link
        self._call = call

    def seconds(self) -> float:
        return self._known.connections.seconds(self._call)

    def entry(self, identity: Identity, columns: Sequence[Column]) -> Entry | None:
        """Return the entry with this anchor, wherever it is now."""
        return self.raw(identity, self._layout.asked(columns))

    def raw(self, identity: Identity, asked: Sequence[str]) -> Entry | None:
        layout = self._layout
        try:
            wanted = layout.identified(identity.anchor)
        except InvalidValue:
            return None  # no entry can have such an anchor
        by_name = layout.anchor == DN
        dn = identity.anchor.values[0] if by_name else identity.dn
        if dn is not None:
            found = self.at(dn, wanted, asked)
            if found is not None:
                return found
            if by_name:
                self.check_bases()
                return None
        entries = self.search(wanted, asked, limit=2)
        if len(entries) > 1:
            raise MisconfiguredConnector(
                f"object type {layout.name}: several entries have the same {layout.anchor}; choose an anchor that is "
                "unique"
            )
        return entries[0] if entries else None

    def check_bases(self) -> None:
        """Make sure that an entry is missing among others: below a base that is gone, or hidden, every one is."""
        for base in self._layout.bases:
            if not is_there(self._link, base, self.seconds()):
                raise missing_base(self._layout, base)

    def at(self, dn: str, wanted: str, asked: Sequence[str]) -> Entry | None:
        """Return the entry of this name if it meets the filter and is where entries of this type are."""
        try:
            if not self._layout.located(self._layout.names.key(dn)):
                return None
        except ValueError:
            return None
        self._call.sent(f"search {self._layout.name}: base <dn> {_shown(asked)}")
        try:
            found = self._link.search(dn, ldap.SCOPE_BASE, wanted, asked, seconds=self.seconds()).entries
        except Failure as failure:
            if failure.kind is Kind.NO_ENTRY:
                return None
            raise
        return self.complete(found[0]) if found else None

    def search(self, wanted: str, asked: Sequence[str], *, limit: int = FIND_LIMIT) -> list[Entry]:
        """Return at most `limit` entries that meet the filter, of all bases; the searches are under way together."""
        layout, seconds = self._layout, self.seconds()
        controls: list[RequestControl] = [*self._known.directory.within]
        if self._known.settings.paging != "never" and self._known.directory.supports(PAGED):
            controls.append(_first_page(limit))
        self._call.sent(f"search {layout.name}: {len(layout.bases)} base(s) {_shown(asked)}")
        if len(layout.bases) > 1 or layout.excluded:
            # Several paged searches on one connection disturb one another; a page may be full of what is left out.
            controls = [*self._known.directory.within]
        numbers = [
            self._link.start_search(base, layout.scope, wanted, asked, seconds=seconds, controls=controls)
            for base in layout.bases
        ]
        found: list[Entry] = []
        for base, number in zip(layout.bases, numbers, strict=True):
            try:
                answer = self._link.finish_search(number, seconds=self.seconds())
            except Failure as failure:
                if failure.kind is Kind.NO_ENTRY:
                    raise missing_base(layout, base) from failure
                raise
            if answer.references:
                raise Failure(Kind.REFERRAL, "", referrals=answer.references)
            found += answer.entries
        found = [each for each in found if self.belongs(each)]
        return [self.complete(each) for each in found[:limit]]

    def belongs(self, entry: Entry) -> bool:
        layout = self._layout
        return not layout.excluded or layout.located(layout.names.key(entry.dn))

    def complete(self, entry: Entry) -> Entry:
        """Return the entry with the values that the server keeps back at first: ranges, names behind memberUid."""
        if self._known.ranges:
            entry = all_ranges(self._link, entry, self.seconds)
        translating = self._known.member_uids()
        if translating is not None:
            (entry,) = translating.expand(self._link, [entry], self.seconds)
        return entry


def all_ranges(link: Link, entry: Entry, seconds: Callable[[], float]) -> Entry:
    """Return the entry with every value of attributes that came in part (`member;range=0-1499`)."""
    values = dict(entry.values)
    for key in entry.values:
        found = _RANGE.fullmatch(key)
        if found is None:
            continue
        name, collected, part = found[1], list(values.pop(key)), found
        while part[3] != "*":
            asked = f"{name};range={int(part[3]) + 1}-*"
            try:
                found_now = link.search(
                    entry.dn, ldap.SCOPE_BASE, filters.EVERYTHING, [asked], seconds=seconds()
                ).entries
            except Failure as failure:
                if failure.kind is not Kind.NO_ENTRY:
                    raise
                found_now = []
            if not found_now:
                raise Failure(Kind.CHANGED, "", f"{entry.dn} was renamed or deleted while its {name} was read")
            nexts = [(m, v) for k, v in found_now[0].values.items() if (m := _RANGE.fullmatch(k)) and m[1] == name]
            if not nexts:
                break  # others have removed the rest
            part, more = nexts[0]
            collected += more
        values[name] = list(dict.fromkeys(collected))
    return replace(entry, values=values)


def is_there(link: Link, dn: str, seconds: float) -> bool:
    """Tell whether there is an entry of this name that we may see."""
    try:
        return bool(link.search(dn, ldap.SCOPE_BASE, filters.EVERYTHING, (), seconds=seconds).entries)
    except Failure as failure:
        if failure.kind is not Kind.NO_ENTRY:
            raise
        return False


def missing_base(layout: Layout, base: str) -> MisconfiguredConnector:
    return MisconfiguredConnector(
        f"object type {layout.name}: there is no entry {base}, or the connector's account may not see it; correct the "
        "base DN"
    )


def _shown(asked: Iterable[str]) -> str:
    return f"attributes {', '.join(asked) or 'none'}"


def read(known: Known, link: Link, call: Call, identity: Identity, names: Sequence[str]) -> ConnectorObject | None:
    columns = known.layout.readable(names)
    found = Reader(known, link, call).entry(identity, columns)
    return None if found is None else known.layout.object(columns, found)


def find(
    known: Known, link: Link, call: Call, name: str, value: Value, names: Sequence[str]
) -> Sequence[ConnectorObject]:
    layout = known.layout
    columns = layout.readable(names)
    by = next(column for column in layout.readable((name,)) if column.name == name)
    reader = Reader(known, link, call)
    asked = layout.asked(columns)
    if by.name == DN:
        entry = reader.at(str(value), layout.filter, asked)
        if entry is None:
            reader.check_bases()
            return ()
        return (layout.object(columns, entry),)
    if not by.searchable:
        raise Unsupported(f"object type {layout.name}: the directory cannot search by {by.name}")
    try:
        encoded = by.codec.encode(value)
    except Unfit:
        return ()  # no entry can have a value that the attribute cannot hold
    translating = known.member_uids()
    if translating is not None and by.name == "memberUid" and isinstance(value, Reference):
        uids = translating.uids(link, [value.key[0]], reader.seconds)
        if not uids:
            return ()
        encoded = uids[0]
    entries = reader.search(filters.both(layout.filter, filters.equal(by.wire, encoded)), asked)
    decode = layout.decoder(columns)
    return [decode(entry) for entry in entries]


def find_many(
    known: Known, link: Link, call: Call, name: str, values: Sequence[Value], names: Sequence[str]
) -> Sequence[Sequence[ConnectorObject]]:
    """Return `find` of each value; one search tells that nobody has any of them."""
    layout = known.layout
    columns = layout.readable(names)
    by = next(column for column in layout.readable((name,)) if column.name == name)
    if by.name != DN and by.searchable and (by.name != "memberUid" or known.member_uids() is None):
        wanted = []
        for value in values:
            with contextlib.suppress(Unfit):  # no entry can have a value that the attribute cannot hold
                wanted.append(filters.equal(by.wire, by.codec.encode(value)))
        if not wanted:
            return [()] * len(values)
        reader = Reader(known, link, call)
        if not reader.search(filters.both(layout.filter, filters.either(wanted)), layout.asked(columns)):
            return [()] * len(values)
    return [find(known, link, call, name, value, names) for value in values]
