"""A renamed container: the log has one line for it, and every entry below has another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.connectors.ldap.dn import is_below
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import DN
from isthmus.connectors.ldap.log_pages import tree_pages
from isthmus.connectors.ldap.strategy import Present, Session, Touched
from isthmus.spi import ImportPage


def below(session: Session, moved: Touched, *, page_size: int) -> Iterator[list[Touched]]:
    """Yield what happened to the entries below one that was renamed, in pages; it may be outside our bases now."""
    layout = session.known.layout
    old, new = (layout.names.key(name) for name in (moved.names[0], moved.names[-1]))
    anchor = layout.columns[layout.anchor]
    asked = layout.asked([anchor])
    with session.known.connections.apart(session.call) as own:  # paged searches on one connection disturb one another
        try:
            for entries in tree_pages(session.on(own), moved.names[-1], layout.filter, asked, size=page_size):
                touched = []
                for entry in entries:
                    key = layout.names.key(entry.dn)
                    if key == new or not is_below(key, new):
                        continue
                    former = key[: len(key) - len(new)] + old
                    known_as = None
                    if layout.anchor != DN and (values := layout.values(anchor, entry)):
                        known_as = layout.anchor_text(values[0])
                    touched.append(Touched([former, key], known_as))
                if touched:
                    yield touched
        except Failure as failure:
            if failure.kind is not Kind.NO_ENTRY:  # renamed once more: a later line of the log tells
                raise


def pages_of(
    session: Session, present: Present, touched: Sequence[Touched], *, mark: str, page_size: int
) -> Iterator[ImportPage]:
    """Yield the pages of what a part of the log touched; only the last one carries the watermark."""
    for each in touched:
        if len(each.names) > 1:
            for part in below(session, each, page_size=page_size):
                yield present.page(part, mark=None)
    # A state, not a history, is reported: once for each entry.
    once = {each.anchor or "\n".join(each.names): each for each in touched}
    yield present.page(list(once.values()), mark=mark)
