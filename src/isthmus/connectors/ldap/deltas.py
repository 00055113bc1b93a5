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
from isthmus.connectors.ldap.strategy import Choice, Session, Strategy
from isthmus.spi import ImportPage, Unsupported, Watermark, WatermarkExpired

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


def choose(session: Session) -> Choice:
    """Return the strategy that the settings name, or the best that the server offers, and why."""
    wanted = session.known.settings.delta
    if wanted == _NONE:
        return Choice(None, "delta = 'none'")
    if wanted != "auto":
        reason = STRATEGIES[wanted].hindrance(session)
        if reason is not None:
            raise Unsupported(f"delta = '{wanted}' is not possible: {reason}")
        return Choice(STRATEGIES[wanted], "as set")
    passed: list[str] = []
    for name in session.known.directory.product.deltas:
        reason = STRATEGIES[name].hindrance(session) or STRATEGIES[name].doubt(session)
        if reason is None:
            why = f"{session.known.directory.product.title} offers {name}"
            return Choice(STRATEGIES[name], "; ".join((why, *passed)))
        passed.append(f"not {name}: {reason}")
    return Choice(None, "; ".join(passed))


def current_watermark(session: Session) -> Watermark:
    chosen = choose(session)
    if chosen.strategy is None:
        return Watermark(f"{_NONE}:")
    session.call.sent(f"delta by {chosen.strategy.id}: {chosen.reason}")
    return _watermark(chosen.strategy, session, chosen.strategy.now(session))


def _watermark(strategy: Strategy, session: Session, token: str) -> Watermark:
    return Watermark(f"{strategy.id}:{token}{_server(strategy, session)}")


def _server(strategy: Strategy, session: Session) -> str:
    """Return the end of a watermark that says whose it is, where that counts."""
    return f"@{session.link.url}" if strategy.of_one_server else ""


def import_delta(session: Session, *, since: Watermark, names: Sequence[str], page_size: int) -> Iterator[ImportPage]:
    """Yield what changed.

    Raises:
        Unsupported: no strategy works with this server.
        WatermarkExpired: it was made by another strategy or on another server, or this one no longer knows all changes.
    """
    chosen = choose(session)
    if chosen.strategy is None:
        raise Unsupported(f"no delta import: {chosen.reason}")
    kind, _, token = since.token.partition(":")
    if kind != chosen.strategy.id:
        raise WatermarkExpired(f"the last import counted by {kind or 'nothing'}, this one by {chosen.strategy.id}")
    server = _server(chosen.strategy, session)
    if not token.endswith(server):
        raise WatermarkExpired(f"the last import was from another server than {session.link.url}")
    session.call.sent(f"delta by {kind}: {chosen.reason}")
    for page in chosen.strategy.changes(session, token=token.removesuffix(server), names=names, page_size=page_size):
        mark = None if page.watermark is None else _watermark(chosen.strategy, session, page.watermark.token)
        yield ImportPage(objects=page.objects, deleted=page.deleted, watermark=mark, wire=page.wire)
