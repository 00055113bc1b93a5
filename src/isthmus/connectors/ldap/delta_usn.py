"""Changes by uSNChanged, with deleted entries shown: AD LDS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import ldap
from ldap.controls import RequestControl

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.directory import SHOW_DELETED, read_root
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.importing import import_entries, page_of
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.strategy import Session, Strategy
from isthmus.spi import Anchor, DeletedObject, ImportPage, Watermark, WatermarkExpired


class UpdateNumbers(Strategy):
    """Asks for what has a higher update sequence number; numbers are this server's own, not its replicas'."""

    id: ClassVar[str] = "usn"

    def hindrance(self, session: Session) -> str | None:
        if session.known.directory.said("highestCommittedUSN") is None:
            return "the server has no highestCommittedUSN"
        if session.known.layout.anchor.casefold() != "objectguid":
            return "deleted entries keep only objectGUID; it must be the anchor"
        return None

    def now(self, session: Session) -> str:
        return f"{_server(session.known)}|{_highest(session)}"

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        server, _, number = token.rpartition("|")
        if server != _server(session.known) or not number.isdigit():
            raise WatermarkExpired("the numbers of the last import were another server's")
        reached = _highest(session)
        if int(number) > reached:
            raise WatermarkExpired("the server's numbers are lower than at the last import; it was restored")
        layout = session.known.layout
        columns = layout.readable(names)
        since = filters.at_least("uSNChanged", str(int(number) + 1))
        wanted = filters.both(layout.filter, since)
        for entries in import_entries(
            session.known, session.link, session.call, wanted, layout.asked(columns), page_size=page_size
        ):
            yield page_of(layout, columns, entries)
        for gone in self._deleted(session, since, page_size):
            yield ImportPage(deleted=gone)
        yield ImportPage(watermark=Watermark(f"{server}|{reached}"))

    def _deleted(self, session: Session, since: str, page_size: int) -> Iterator[list[DeletedObject]]:
        layout = session.known.layout
        guid = layout.columns[layout.anchor]
        wanted = filters.both("(isDeleted=TRUE)", since)
        found: list[DeletedObject] = []
        for context in session.known.directory.contexts:
            seconds = session.seconds()
            try:
                for answer in session.link.stream(
                    context,
                    ldap.SCOPE_SUBTREE,
                    wanted,
                    layout.asked([guid]),
                    seconds=seconds,
                    controls=[RequestControl(SHOW_DELETED, True)],
                ):
                    for entry in answer.entries:
                        found += [
                            DeletedObject(layout.name, Anchor((layout.anchor_text(value),)))
                            for value in layout.values(guid, entry)
                        ]
                    if len(found) >= page_size:
                        yield found
                        found = []
            except Failure as failure:
                if failure.kind is not Kind.NO_ENTRY:
                    raise
        if found:
            yield found


def _server(known: Known) -> str:
    return known.directory.said("dsServiceName") or ""


def _highest(session: Session) -> int:
    root = read_root(session.link, session.seconds())
    return int(root.get("highestcommittedusn", ("0",))[0])
