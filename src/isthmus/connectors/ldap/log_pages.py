"""Reading a change log in its own order, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ldap
from ldap.controls import RequestControl, SimplePagedResultsControl

from isthmus.connectors.ldap.directory import PAGED
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Entry
from isthmus.connectors.ldap.strategy import Session
from isthmus.spi import MisconfiguredConnector

_PAGE = 500


def log_pages(
    session: Session, base: str, wanted: str, asked: Sequence[str], *, size: int = _PAGE
) -> Iterator[list[Entry]]:
    """Yield the entries directly below the log's base; the link serves nothing else meanwhile."""
    try:
        yield from tree_pages(session, base, wanted, asked, size=size, scope=ldap.SCOPE_ONELEVEL)
    except Failure as failure:
        if failure.kind is Kind.NO_ENTRY:
            raise MisconfiguredConnector(
                f"there is no change log at {base}, or the account may not read it"
            ) from failure
        raise


def tree_pages(
    session: Session,
    base: str,
    wanted: str,
    asked: Sequence[str],
    *,
    size: int,
    scope: int = ldap.SCOPE_SUBTREE,
    controls: Sequence[RequestControl] = (),
) -> Iterator[list[Entry]]:
    """Yield the entries below a base, in pages."""
    cookie: bytes = b""
    while True:
        session.call.check()
        paged = session.known.directory.supports(PAGED)
        given = [*controls, *session.known.directory.within]
        given += [SimplePagedResultsControl(True, size=size, cookie=cookie)] if paged else []
        seconds = min(session.known.settings.import_timeout, session.call.remaining())
        answer = session.link.search(base, scope, wanted, asked, seconds=seconds, controls=given)
        yield answer.entries
        cookie = next((c.cookie for c in answer.controls if c.controlType == PAGED), b"")
        if not cookie:
            return
