"""Changes by modifyTimestamp, or by entryCSN where the server has it. It never learns of deletions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.importing import import_entries, page_of
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.strategy import Strategy
from isthmus.connectors.ldap.syntaxes import Unfit, parse_time
from isthmus.spi import Call, ImportPage, Watermark, WatermarkExpired

_TEXT = "%Y%m%d%H%M%SZ"


class ModifyTimestamps(Strategy):
    """Asks for entries changed since a moment, less the difference that clocks may have.

    The moment is our own clock's: no standard attribute tells the server's. A change may therefore come several times.
    """

    id: ClassVar[str] = "modify_timestamp"
    deletions: ClassVar[bool] = False

    def hindrance(self, known: Known, link: Link, call: Call) -> str | None:
        return None if known.directory.attribute("modifyTimestamp") else "the schema has no modifyTimestamp"

    def now(self, known: Known, link: Link, call: Call) -> str:
        return datetime.now(UTC).strftime(_TEXT)

    def changes(
        self, known: Known, link: Link, call: Call, *, token: str, names: Sequence[str], page_size: int
    ) -> Iterator[ImportPage]:
        try:
            since = parse_time(token) - timedelta(seconds=known.settings.clock_margin)
        except Unfit as exc:
            raise WatermarkExpired(f"the watermark {token!r} is no moment") from exc
        layout = known.layout
        columns = layout.readable(names)
        reached = self.now(known, link, call)  # before the search: what changes during it is asked for again
        wanted = filters.both(layout.filter, filters.at_least("modifyTimestamp", since.strftime(_TEXT)))
        for entries in import_entries(known, link, call, wanted, layout.asked(columns), page_size=page_size):
            yield page_of(layout, columns, entries)
        yield ImportPage(watermark=Watermark(reached))
