"""Changes by uSNChanged, with deleted entries shown: AD LDS and its relatives."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import ldap
from ldap.controls import RequestControl

from isthmus.connectors.ldap import container_moves, filters
from isthmus.connectors.ldap.directory import SHOW_DELETED, read_root
from isthmus.connectors.ldap.dn import outermost
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import import_entries, page_of
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Entry
from isthmus.connectors.ldap.log_pages import tree_pages
from isthmus.connectors.ldap.reading import Reader
from isthmus.connectors.ldap.servers import RootDse
from isthmus.connectors.ldap.strategy import Session, Strategy, contexts_of
from isthmus.spi import Anchor, DeletedObject, ImportPage, Watermark, WatermarkExpired

_DELETED = "18E2EA80684F11D2B9AA00C04F79F805"
"""GUID_DELETED_OBJECTS_CONTAINER_W, [MS-ADTS] 6.1.1.4."""


@dataclass(slots=True)
class _Changed:
    """Everything that has a higher number, by objectGUID as the server sends it; `containers` by name."""

    entries: set[bytes] = field(default_factory=set)
    containers: list[str] = field(default_factory=list)


class UpdateNumbers(Strategy):
    """Asks for what has a higher update sequence number; numbers are this server's own, not its replicas'.

    What has changed and is no entry of the type now (deleted, moved away, no longer met by the filter) is reported as
    deleted. A container that is renamed gives no new number to the entries below it: they are read again.
    """

    id: ClassVar[str] = "usn"

    def hindrance(self, session: Session) -> str | None:
        if session.known.directory.said("highestCommittedUSN") is None:
            return "the server has no highestCommittedUSN"
        if session.known.layout.anchor.casefold() != "objectguid":
            return "deleted entries keep only objectGUID; it must be the anchor"
        for context in contexts_of(session.known.directory, session.known.layout):
            if not session.readable(f"<WKGUID={_DELETED},{context}>", [RequestControl(SHOW_DELETED, True)]):
                return f"CN=Deleted Objects,{context} cannot be read; grant the account List Contents and Read Property"
        return None

    def now(self, session: Session) -> str:
        root = read_root(session.link, session.seconds())
        return f"{_server(session, root)}|{_highest(root)}"

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        server, _, number = token.rpartition("|")
        root = read_root(session.link, session.seconds())
        reached = _highest(root)
        if server != _server(session, root) or not number.isdigit():
            raise WatermarkExpired("the numbers of the last import were another server's, or of before it was restored")
        if int(number) > reached:
            raise WatermarkExpired("the server's numbers are lower than at the last import; it was restored")
        layout = session.known.layout
        columns = layout.readable(names)
        asked = layout.asked(columns)
        since = filters.at_least("uSNChanged", str(int(number) + 1))
        # Before the entries themselves: what is among these and not among those then is not of the type any more.
        changed = self._changed(session, since)
        wanted = filters.both(layout.filter, since)
        for entries in import_entries(session.known, session.link, session.call, wanted, asked, page_size=page_size):
            changed.entries.difference_update(_identities(layout, entries))
            yield page_of(layout, columns, entries)
        for container in outermost([layout.names.key(dn) for dn in changed.containers]):
            for entries in self._below(session, container, asked, page_size):
                ours = [entry for entry in entries if layout.located(layout.names.key(entry.dn))]
                changed.entries.update(_identities(layout, entries))
                changed.entries.difference_update(_identities(layout, ours))
                if ours:
                    yield page_of(layout, columns, ours)
        gone = [DeletedObject(layout.name, Anchor((str(uuid.UUID(bytes_le=each)),))) for each in changed.entries]
        for start in range(0, len(gone), page_size):
            yield ImportPage(deleted=gone[start : start + page_size])
        yield ImportPage(watermark=Watermark(f"{server}|{reached}"))

    def _changed(self, session: Session, since: str) -> _Changed:
        layout, directory = session.known.layout, session.known.directory
        of_the_type = filters.equal("objectClass", layout.classes[0].encode())  # a deleted entry keeps its class
        wanted = filters.both(since, filters.either((of_the_type, container_moves.FILTER)))
        contexts = contexts_of(directory, layout)
        found = _Changed()
        for context in contexts:
            asked = [layout.columns[layout.anchor].wire, "objectClass", "isDeleted"]
            controls = [RequestControl(SHOW_DELETED, True)]
            pages = tree_pages(session, context, wanted, asked, size=_PAGE, controls=controls)
            for entry in (each for page in pages for each in page):
                container = container_moves.is_container(layout, entry)
                if not container:
                    found.entries.update(_identities(layout, [entry]))
                if "isdeleted" in entry.values or layout.names.key(entry.dn) in contexts:
                    continue
                if container or not container_moves.apart(layout):
                    found.containers.append(entry.dn)
        return found

    def _below(self, session: Session, container: str, asked: Sequence[str], size: int) -> Iterator[list[Entry]]:
        reader = Reader(session.known, session.link, session.call)
        try:
            for entries in tree_pages(session, container, session.known.layout.filter, asked, size=size):
                yield [reader.complete(entry) for entry in entries]
        except Failure as failure:
            if failure.kind is not Kind.NO_ENTRY:  # renamed once more, or deleted: the next delta tells
                raise


_PAGE = 1000
"""AD's own limit for one page (MaxPageSize)."""


def _identities(layout: Layout, entries: Sequence[Entry]) -> list[bytes]:
    wire = layout.columns[layout.anchor].wire.lower()
    return [value for entry in entries for value in entry.values.get(wire, ())]


def _server(session: Session, root: RootDse) -> str:
    """Return whose numbers they are: a server that is restored from a backup gets another invocation id."""
    service = next(iter(root.get("dsservicename", ())), "")
    found = (
        session.link.search(
            service, ldap.SCOPE_BASE, filters.EVERYTHING, ("invocationId",), seconds=session.seconds()
        ).entries
        if service
        else []
    )
    values = found[0].values.get("invocationid", ()) if found else ()
    return f"{service}#{values[0].hex()}" if values else service


def _highest(root: RootDse) -> int:
    return int(next(iter(root.get("highestcommittedusn", ())), "0"))
