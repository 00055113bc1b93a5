"""`isthmus audit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from isthmus.cli.output import instant, moment, seconds_of, table, write_json
from isthmus.cli.session import Json, complete, existing, session

Outcome = Literal["done", "not done", "failed", "refused", "held", "unknown"]


def audit(
    context: typer.Context,
    person: Annotated[
        str | None, typer.Argument(help="Name or how it begins, or the whole id.", show_default=False)
    ] = None,
    connector: Annotated[str | None, typer.Option(help="Only this connector.", autocompletion=complete)] = None,
    since: Annotated[str | None, typer.Option(help="From this moment: 2026-01-31, 2026-01-31T12:00, 2h, 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this moment.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="How it ended.")] = None,
    operation: Annotated[
        str | None, typer.Option(help="As the audit names it: create, patch, replace, delete, 'release guard', ...")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Who, as the audit names it: 'operator ann'.")] = None,
    correlation: Annotated[str | None, typer.Option(help="Correlation id of one request.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many records at most.")] = 50,
    values: Annotated[bool, typer.Option("--values", help="Show old and new values.")] = False,
    json: Json = False,
) -> None:
    """Show who did what to whom, newest first.

    Examples:

        isthmus audit b.simon --since 7d --values

        isthmus audit --connector hr --outcome failed --since 2h
    """
    began = None if since is None else seconds_of(since, "--since")
    ended = None if until is None else seconds_of(until, "--until")
    with session(context).host() as host:
        query: dict[str, Any] = {
            "connector": None if connector is None else host.configuration.names.get(connector.casefold(), connector),
            "outcome": outcome,
            "operation": operation,
            "actor": actor,
            "since": began,
            "until": ended,
            "correlation": correlation,
            "limit": limit,
        }
        found = host.store.audit.query(name=person, **query)
        if person is not None and not found:
            found = host.store.audit.query(object_id=person, **query)
        if connector is not None and not found:
            existing(host.configuration, connector)  # one that was removed is still found above
    if json:
        write_json([{"number": number, **asdict(record), "at": instant(record.at)} for number, record in found])
        return
    rows = []
    for _, record in found:
        what = record.message
        if values and (record.old or record.new):
            what = f"{compact(record.old)} -> {compact(record.new)} {what}"
        rows.append(
            (
                moment(record.at),
                record.connector,
                record.operation,
                record.name or record.object_id,
                f"{record.outcome} {record.status or ''}".strip(),
                record.actor,
                f"{record.duration * 1000:.0f} ms",
                what,
            )
        )
    table(("when", "connector", "operation", "who", "outcome", "by", "took", "what"), rows, empty="nothing found")


def compact(values: Mapping[str, Any]) -> str:
    """Return old or new values on one line."""
    import orjson

    return orjson.dumps(dict(values)).decode()
