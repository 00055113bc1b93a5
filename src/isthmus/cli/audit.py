"""`isthmus audit`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer

from isthmus.cli.output import moment, seconds_of, table, write_json
from isthmus.cli.session import Json, existing, session


def audit(
    context: typer.Context,
    person: Annotated[str | None, typer.Argument(help="Name or id, or how it begins.")] = None,
    connector: Annotated[str | None, typer.Option(help="Only this connector.")] = None,
    since: Annotated[str | None, typer.Option(help="From this moment: 2026-01-31, 2026-01-31T12:00, 2h, 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this moment.")] = None,
    outcome: Annotated[str | None, typer.Option(help="done, failed, refused, unknown.")] = None,
    operation: Annotated[str | None, typer.Option(help="create, patch, replace, delete, ...")] = None,
    actor: Annotated[str | None, typer.Option(help="Who: token or operator.")] = None,
    correlation: Annotated[str | None, typer.Option(help="Correlation id of one request.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    values: Annotated[bool, typer.Option("--values", help="Show old and new values.")] = False,
    json: Json = False,
) -> None:
    """Show who did what to whom, newest first.

    Examples:

        isthmus audit b.simon --since 7d --values

        isthmus audit --connector hr --outcome failed --since 2h
    """
    with session(context).host() as host:
        query: dict[str, Any] = {
            "connector": None if connector is None else existing(host.configuration, connector),
            "outcome": outcome,
            "operation": operation,
            "actor": actor,
            "since": None if since is None else seconds_of(since),
            "until": None if until is None else seconds_of(until),
            "correlation": correlation,
            "limit": limit,
        }
        found = host.store.audit.query(name=person, **query)
        if person is not None and not found:
            found = host.store.audit.query(object_id=person, **query)
    if json:
        write_json([{"number": number, **asdict(record)} for number, record in found])
        return
    rows = []
    for _, record in found:
        what = record.message
        if values and (record.old or record.new):
            what = f"{orjson.dumps(dict(record.old)).decode()} -> {orjson.dumps(dict(record.new)).decode()} {what}"
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
