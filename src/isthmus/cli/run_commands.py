"""`isthmus run ...`: imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import instant, moment, say, table, write_json
from isthmus.cli.session import Json, Name, OptionalName, existing, operator, session

if TYPE_CHECKING:
    from isthmus.store.records import Run

app = typer.Typer(help="Imports from the target to the connector space.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="Id of the run, from 'run list'.", show_default=False)]


@app.command("start")
def start(
    context: typer.Context,
    name: Name,
    kind: Annotated[Literal["full", "delta"], typer.Option(help="delta: only what changed.")] = "full",
    json: Json = False,
) -> None:
    """Import now and show the progress. Exit code 1 unless the run is done.

    A running server executes it; without one, this command does.

    Example: isthmus run start hr
    """
    from isthmus.cli.following import follow
    from isthmus.engine.operations import note
    from isthmus.engine.scheduling import request_import

    with session(context).host() as host:
        connector = existing(host.configuration, name)
        if host.target(connector).document.paused:
            raise Refused(f"{connector} is paused; 'isthmus connector resume {connector}' ends that")
        runs = request_import(host, connector, kind=kind, requested_by=operator())
        if not runs:
            raise Refused(f"{connector} publishes nothing that could be imported; add a [[resource_types]] table")
        ids = ", ".join(run.id for run in runs)
        note(host, "start run", actor=operator(), connector=connector, message=f"{kind}, run {ids}")
        ended = [follow(host, run, quiet=json) for run in runs]
    if json:
        write_json([describe(run) for run in ended])
    else:
        for run in ended:
            unit = "object" if run.objects == 1 else "objects"
            counts = f"{run.objects} {unit}, {run.changed} changed, {run.removed} removed"
            typer.echo(f"{run.state}: {counts}" + (f"; {run.message}" if run.message else ""))
    if any(run.state != "done" for run in ended):
        raise typer.Exit(1)


@app.command("list")
def list_runs(
    context: typer.Context,
    name: OptionalName = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many runs at most.")] = 20,
    json: Json = False,
) -> None:
    """List runs, newest first.

    Example: isthmus run list hr
    """
    from isthmus.engine.operations import run_list

    with session(context).host() as host:
        runs = run_list(host, None if name is None else existing(host.configuration, name), limit)
    if json:
        write_json([describe(run) for run in runs])
        return
    table(
        ("id", "connector", "kind", "scope", "state", "began", "objects", "changed", "removed", "message"),
        [
            (
                run.id,
                run.connector,
                run.kind,
                run.scope,
                run.state,
                moment(run.started or run.queued),
                f"{run.objects}/{run.expected}" if run.expected else run.objects,
                run.changed,
                run.removed,
                run.message,
            )
            for run in runs
        ],
        empty="no runs yet; 'isthmus run start NAME' makes one",
    )


@app.command("cancel")
def cancel(context: typer.Context, run_id: RunId, json: Json = False) -> None:
    """Stop a run; what it has applied so far stays, and nothing is removed.

    Example: isthmus run cancel 8c1f0d7e
    """
    from isthmus.engine.operations import run_cancel

    with session(context).host() as host:
        run = run_cancel(host, run_id, actor=operator())
    later = ", will stop at the next page" if run.state == "running" else ""
    say(f"run {run.id}: {run.state}{later}", describe(run), json=json)


@app.command("release")
def release(context: typer.Context, run_id: RunId, json: Json = False) -> None:
    """Let a run through that the guard holds: it reads the target anew and removes what is missing.

    Example: isthmus run release 8c1f0d7e
    """
    from isthmus.engine.operations import run_release
    from isthmus.web.claim import claimant

    with session(context).host() as host:
        run = run_release(host, run_id, actor=operator())
        name = host.configuration.names.get(run.connector, run.connector)
        served = claimant(host.configuration.state_dir) is not None
    follow = "" if served else f"; 'isthmus run start {name}' carries it out, since nothing is served"
    say(f"released; run {run.id} is queued again{follow}", describe(run), json=json)


def describe(run: Run) -> dict[str, Any]:
    """Return a run as plain values."""
    values = {field: getattr(run, field) for field in run.__dataclass_fields__}
    times = {field: instant(values[field]) for field in ("queued", "started", "ended")}
    seconds = None if run.started is None or run.ended is None else round(run.ended - run.started, 3)
    return {**values, **times, "seconds": seconds}
