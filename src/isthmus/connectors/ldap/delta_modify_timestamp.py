"""Changes by modifyTimestamp, or by entryCSN where the server has it. It never learns of deletions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.importing import import_entries, page_of
from isthmus.connectors.ldap.strategy import Session, Strategy
from isthmus.connectors.ldap.syntaxes import Unfit, parse_time
from isthmus.spi import ImportPage, Watermark, WatermarkExpired

_TEXT = "%Y%m%d%H%M%SZ"


class ModifyTimestamps(Strategy):
    """Asks for entries changed since a moment, less the difference that clocks may have.

    The moment is our own clock's: no standard attribute tells the server's. A change may therefore come several times.
    """

    id: ClassVar[str] = "modify_timestamp"
    deletions: ClassVar[bool] = False
    of_one_server: ClassVar[bool] = True  # a replica may get a change long after its modifyTimestamp

    def hindrance(self, session: Session) -> str | None:
        return None if session.known.directory.attribute("modifyTimestamp") else "the schema has no modifyTimestamp"

    def now(self, session: Session) -> str:
        session.call.check()
        return datetime.now(UTC).strftime(_TEXT)

    def changes(self, session: Session, *, token: str, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
        try:
            since = parse_time(token) - timedelta(seconds=session.known.settings.clock_margin)
        except Unfit as exc:
            raise WatermarkExpired(f"the watermark {token!r} is no moment") from exc
        layout = session.known.layout
        columns = layout.readable(names)
        reached = self.now(session)  # before the search: what changes during it is asked for again
        wanted = filters.both(layout.filter, filters.at_least("modifyTimestamp", since.strftime(_TEXT)))
        for entries in import_entries(
            session.known, session.link, session.call, wanted, layout.asked(columns), page_size=page_size
        ):
            yield page_of(layout, columns, entries)
        yield ImportPage(watermark=Watermark(reached))
