"""All entries of a type, page by page."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ldap.controls import SimplePagedResultsControl

from isthmus.connectors.ldap.directory import PAGED
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import Column, Layout
from isthmus.connectors.ldap.link import Answer, Entry, Link
from isthmus.connectors.ldap.reading import Known, Reader, missing_base
from isthmus.connectors.pages import Decoded
from isthmus.spi import Call, ImportPage


def page_of(layout: Layout, columns: Sequence[Column], entries: Sequence[Entry]) -> ImportPage:
    # Version 0 of the format writes equal values as equal bytes; later ones refer back to texts met before.
    wire = [marshal.dumps((entry.dn, sorted(entry.values.items())), 0) for entry in entries]
    return ImportPage(objects=Decoded(entries, layout.decoder(columns)), wire=wire)


def import_entries(
    known: Known, link: Link, call: Call, wanted: str, asked: Sequence[str], *, page_size: int
) -> Iterator[list[Entry]]:
    """Yield every entry that meets the filter, in pages."""
    reader = Reader(known, link, call)
    for base in known.layout.bases:
        with _based(known, base):
            for entries in _pages(known, link, call, base, wanted, asked, page_size):
                call.check()
                kept = [each for each in entries if reader.belongs(each)]
                if known.ranges:
                    kept = [reader.complete(each) for each in kept]
                elif (translating := known.member_uids()) is not None:
                    kept = translating.expand(link, kept, reader.seconds)
                if kept:
                    yield kept


def begin(known: Known, link: Link, call: Call, base: str) -> None:
    """Read one entry below a base as an import would; the connection serves nothing else afterwards.

    Raises:
        MisconfiguredConnector: the base is not there.
    """
    with _based(known, base):
        next(_pages(known, link, call, base, known.layout.filter, (), 1), None)


@contextmanager
def _based(known: Known, base: str) -> Iterator[None]:
    try:
        yield
    except Failure as failure:
        if failure.kind is Kind.NO_ENTRY:
            raise missing_base(known.layout, base) from failure
        raise


def _pages(
    known: Known, link: Link, call: Call, base: str, wanted: str, asked: Sequence[str], page_size: int
) -> Iterator[list[Entry]]:
    paged = known.settings.paging == "always" or (known.settings.paging == "auto" and known.directory.supports(PAGED))
    return (_paged if paged else _streamed)(known, link, call, base, wanted, asked, page_size)


def _seconds(known: Known, call: Call) -> float:
    call.check()
    return min(known.settings.import_timeout, call.remaining())


def _paged(
    known: Known, link: Link, call: Call, base: str, wanted: str, asked: Sequence[str], page_size: int
) -> Iterator[list[Entry]]:
    """Yield page after page; the next one is asked for before this one is worked on, so that the server need not wait.

    Not where a page makes further searches necessary: a server may forget where a list was when something else is asked
    on the same connection.
    """
    ahead = not known.ranges and known.member_uids() is None
    size, cookie = page_size, b""

    def ask() -> int:
        control = SimplePagedResultsControl(True, size=size, cookie=cookie)
        scope, seconds = known.layout.scope, _seconds(known, call)
        controls = [control, *known.directory.within]
        return link.start_search(base, scope, wanted, asked, seconds=seconds, controls=controls)

    number = ask()
    while True:
        try:
            answer = link.finish_search(number, seconds=_seconds(known, call))
        except Failure as failure:
            # The server's limit for one page; what it sets for all pages together, smaller pages do not help.
            if failure.kind is Kind.LIMIT and not cookie and size > 1:
                size //= 2
                number = ask()
                continue
            raise
        _complete(answer)
        cookie = next((c.cookie for c in answer.controls if c.controlType == PAGED), b"")
        if cookie and ahead:
            number = ask()
        yield answer.entries
        if not cookie:
            return
        if not ahead:
            number = ask()


def _streamed(
    known: Known, link: Link, call: Call, base: str, wanted: str, asked: Sequence[str], page_size: int
) -> Iterator[list[Entry]]:
    page: list[Entry] = []
    seconds = _seconds(known, call)
    within = known.directory.within
    for answer in link.stream(base, known.layout.scope, wanted, asked, seconds=seconds, controls=within):
        _complete(answer)
        page += answer.entries
        if len(page) >= page_size:
            yield page
            page = []
        call.check()
    yield page


def _complete(answer: Answer) -> None:
    if answer.references:
        raise Failure(Kind.REFERRAL, "", "part of the tree is on another server", referrals=answer.references)


def import_pages(known: Known, link: Link, call: Call, names: Sequence[str], *, page_size: int) -> Iterator[ImportPage]:
    """Yield all objects of the type."""
    layout = known.layout
    columns = layout.readable(names)
    asked = layout.asked(columns)
    call.sent(f"search {layout.name}: {len(layout.bases)} base(s), {layout.filter}")
    for entries in import_entries(known, link, call, layout.filter, asked, page_size=page_size):
        yield page_of(layout, columns, entries)
