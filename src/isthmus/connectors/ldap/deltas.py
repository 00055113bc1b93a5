"""Delta imports: which strategy, and the watermark that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.connectors.ldap import (
    delta_accesslog,
    delta_changelog,
    delta_modify_timestamp,
    delta_syncrepl,
    delta_usn,
)
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.strategy import Choice, Strategy
from isthmus.spi import Call, ImportPage, Unsupported, Watermark, WatermarkExpired

STRATEGIES: dict[str, Strategy] = {
    each.id: each
    for each in (
        delta_accesslog.AccessLog(),
        delta_changelog.ChangeLog(),
        delta_syncrepl.SyncRepl(),
        delta_usn.UpdateNumbers(),
        delta_modify_timestamp.ModifyTimestamps(),
    )
}

_NONE = "none"


def choose(known: Known, link: Link, call: Call) -> Choice:
    """Return the strategy that the settings name, or the best that the server offers, and why."""
    wanted = known.settings.delta
    if wanted == _NONE:
        return Choice(None, "delta = 'none'")
    if wanted != "auto":
        reason = STRATEGIES[wanted].hindrance(known, link, call)
        if reason is not None:
            raise Unsupported(f"delta = '{wanted}' is not possible: {reason}")
        return Choice(STRATEGIES[wanted], "as set")
    passed = []
    for id in known.directory.product.deltas:
        reason = STRATEGIES[id].hindrance(known, link, call)
        if reason is None:
            why = f"{known.directory.product.title} offers {id}"
            return Choice(STRATEGIES[id], "; ".join((why, *passed)))
        passed.append(f"not {id}: {reason}")
    return Choice(None, "; ".join(passed))


def current_watermark(known: Known, link: Link, call: Call) -> Watermark:
    chosen = choose(known, link, call)
    if chosen.strategy is None:
        return Watermark(f"{_NONE}:")
    call.sent(f"delta by {chosen.strategy.id}: {chosen.reason}")
    return Watermark(f"{chosen.strategy.id}:{chosen.strategy.now(known, link, call)}")


def import_delta(
    known: Known, link: Link, call: Call, *, since: Watermark, names: Sequence[str], page_size: int
) -> Iterator[ImportPage]:
    """Yield what changed.

    Raises:
        Unsupported: no strategy works with this server.
        WatermarkExpired: it was made by another strategy, or the server no longer knows all changes.
    """
    chosen = choose(known, link, call)
    if chosen.strategy is None:
        raise Unsupported(f"no delta import: {chosen.reason}")
    id, _, token = since.token.partition(":")
    if id != chosen.strategy.id:
        raise WatermarkExpired(f"the last import counted by {id or 'nothing'}, this one by {chosen.strategy.id}")
    call.sent(f"delta by {id}: {chosen.reason}")
    for page in chosen.strategy.changes(known, link, call, token=token, names=names, page_size=page_size):
        mark = None if page.watermark is None else Watermark(f"{id}:{page.watermark.token}")
        yield ImportPage(objects=page.objects, deleted=page.deleted, watermark=mark, wire=page.wire)
