"""A renamed container: the log has one line for it, and every entry below has another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from isthmus.connectors.ldap.dn import BadName, is_below, parse, text
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.layout import DN, Layout
from isthmus.connectors.ldap.log_pages import tree_pages
from isthmus.connectors.ldap.strategy import Present, Session, Touched
from isthmus.spi import ImportPage


class Moves:
    """What was renamed in the part of a log that was read, in its order.

    A container that is renamed takes along what is below it. What happens to that afterwards is told by its new name;
    the host knows it by the one before, and only that one may be where entries of the type are.
    """

    def __init__(self, layout: Layout) -> None:
        self._names = layout.names
        self._count = 0
        self._former: dict[str, list[tuple[int, str]]] = {}

    def followed(self, touched: Touched) -> Touched:
        """Return the same with the names that the entry had before what is above it was renamed."""
        try:
            old = self._names.key(touched.names[0])
            before = self._before(old)
            if len(touched.names) > 1:
                self._count += 1
                self._former.setdefault(self._names.key(touched.names[-1]), []).append((self._count, old))
        except BadName:
            return touched
        return replace(touched, before=before) if before else touched

    def _before(self, key: str) -> list[str]:
        found: list[str] = []
        last = self._count + 1
        while self._former and (step := self._step(key, last)) is not None:
            key, last = step
            found.insert(0, key)
        return found

    def _step(self, key: str, last: int) -> tuple[str, int] | None:
        """Return the name before the latest renaming, of those that came earlier than `last`, that it comes from."""
        names = parse(key)
        found: tuple[str, int] | None = None
        for depth in range(len(names)):
            above = text(names[depth:])
            for number, old in self._former.get(above, ()):
                if (found is None or number > found[1]) and number < last:
                    found = key[: len(key) - len(above)] + old, number
        return found


def below(session: Session, moved: Touched, *, page_size: int) -> Iterator[list[Touched]]:
    """Yield what happened to the entries below one that was renamed, in pages; it may be outside our bases now."""
    layout = session.known.layout
    new = layout.names.key(moved.names[-1])
    olds = [*moved.before, layout.names.key(moved.names[0])]
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
                    *before, former = [key[: len(key) - len(new)] + old for old in olds]
                    known_as = None
                    if layout.anchor != DN and (values := layout.values(anchor, entry)):
                        known_as = layout.anchor_text(values[0])
                    touched.append(Touched([former, key], known_as, before=before))
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
