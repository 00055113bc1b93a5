"""posixGroup names its members by uid: here uids become DNs, as in every other group, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import ldap

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.dn import BadName, escape, parse
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Entry, Link
from isthmus.spi import InvalidValue

_AT_ONCE = 200
"""Names in one filter: a filter of a few kilobytes is taken by every server."""

_AHEAD = 50
"""Searches under way together."""

_UNKNOWN = "memberuid="
"""Begins the key of a uid that no entry has: kept, so that nothing is lost, and meaning nobody."""

_ATTRIBUTE = "memberuid"


class MemberUids:
    """Translates by looking people up; `people` is their object type."""

    def __init__(self, people: Layout) -> None:
        self._people = people

    def expand(self, link: Link, entries: Sequence[Entry], seconds: Callable[[], float]) -> list[Entry]:
        """Return the entries with DNs in the place of uids."""
        wanted = {uid for entry in entries for uid in entry.values.get(_ATTRIBUTE, ())}
        if not wanted:
            return list(entries)
        known = self._names(link, sorted(wanted), seconds)
        return [
            replace(
                entry,
                values={
                    **entry.values,
                    _ATTRIBUTE: [known.get(uid) or _unknown(uid) for uid in entry.values.get(_ATTRIBUTE, ())],
                },
            )
            for entry in entries
        ]

    def _names(self, link: Link, uids: Sequence[bytes], seconds: Callable[[], float]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(uids), _AT_ONCE):
            part = uids[start : start + _AT_ONCE]
            wanted = filters.both(self._people.filter, filters.either(filters.equal("uid", uid) for uid in part))
            folded = {uid.lower(): uid for uid in part}
            for base in self._people.bases:
                answer = link.search(base, self._people.scope, wanted, ["uid"], seconds=seconds())
                for entry in answer.entries:
                    if self._people.excluded and not self._people.located(self._people.names.key(entry.dn)):
                        continue
                    for uid in entry.values.get("uid", ()):
                        if (asked := folded.get(uid.lower())) is not None:
                            found[asked] = entry.dn.encode()
        return found

    def uids(self, link: Link, dns: Iterable[str], seconds: Callable[[], float]) -> list[bytes]:
        """Return the uids of these entries.

        Raises:
            InvalidValue: there is no such entry, or it has no uid.
        """
        named = [(dn, self._kinds(dn)) for dn in dns]
        found: list[bytes] = []
        for start in range(0, len(named), _AHEAD):
            part = named[start : start + _AHEAD]
            found += [
                self._uid(uids, kinds) for uids, (_, kinds) in zip(self._asked(link, part, seconds), part, strict=True)
            ]
        return found

    def _kinds(self, dn: str) -> dict[str, str]:
        try:
            (name, *_) = parse(dn)
        except (BadName, ValueError) as exc:
            raise InvalidValue(f"memberUid: {dn!r} is no entry", attribute="memberUid") from exc
        return {kind.casefold(): value for kind, value in name}

    def _asked(
        self, link: Link, part: Sequence[tuple[str, dict[str, str]]], seconds: Callable[[], float]
    ) -> list[Sequence[bytes]]:
        """Return the uids of each entry; the searches are under way together.

        The entry is asked even where the name holds the uid: names are compared without case, memberUid with it.
        """
        numbers = [
            None
            if _UNKNOWN[:-1] in kinds
            else link.start_search(dn, ldap.SCOPE_BASE, filters.EVERYTHING, ["uid"], seconds=seconds())
            for dn, kinds in part
        ]
        found: list[Sequence[bytes]] = []
        for number in numbers:
            try:
                entries = [] if number is None else link.finish_search(number, seconds=seconds()).entries
            except Failure as failure:
                if failure.kind is not Kind.NO_ENTRY:
                    link.broken = True  # answers may still be on their way
                    raise
                entries = []
            found.append(entries[0].values.get("uid", ()) if entries else ())
        return found

    @staticmethod
    def _uid(found: Sequence[bytes], kinds: dict[str, str]) -> bytes:
        if _UNKNOWN[:-1] in kinds:
            return kinds[_UNKNOWN[:-1]].encode()
        if not found:
            raise InvalidValue("memberUid: a member has no uid", attribute="memberUid")
        named = kinds.get("uid", "").casefold()
        return next((uid for uid in found if uid.decode("utf-8", "replace").casefold() == named), found[0])


def _unknown(uid: bytes) -> bytes:
    return (_UNKNOWN + escape(uid.decode("utf-8", "replace"))).encode()
