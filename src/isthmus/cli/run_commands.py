"""`isthmus run ...`: imports."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.output import moment, table, write_json
from isthmus.cli.session import Json, Name, existing, operator, session
from isthmus.store.records import Run

if TYPE_CHECKING:
    from isthmus.engine.host import Host

app = typer.Typer(help="Imports from the target to the connector space.", no_args_is_help=True)
POLL_SECONDS = 0.2


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
    from isthmus.engine.scheduling import request_import

    with session(context).host() as host:
        connector = existing(host.configuration, name)
        runs = request_import(host, connector, kind=kind, requested_by=operator())
        ended = [follow(host, run, quiet=json) for run in runs]
    if json:
        write_json([describe(run) for run in ended])
    else:
        for run in ended:
            typer.echo(
                f"{run.state}: {run.objects} objects, {run.changed} changed, {run.removed} removed {run.message}"
            )
    if any(run.state != "done" for run in ended):
        raise typer.Exit(1)


def follow(host: Host, run: Run, *, quiet: bool) -> Run:
    """Wait until a run has ended, and carry it out here if nobody else claims it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from isthmus.engine.scheduling import execute_next
    from isthmus.web.claim import claimant

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"import {run.connector}", total=None, rate="")

        def show(objects: int, expected: int | None, rate: float) -> None:
            bar.update(task, completed=objects, total=expected, rate=f"{rate:,.0f}/s")

        while True:
            now = host.store.runs.get(run.id)
            assert now is not None
            if now.state not in ("queued", "running"):
                return now
            began = now.started or time.time()
            show(now.objects, now.expected, now.objects / max(time.time() - began, 0.001))
            if now.state == "queued" and claimant(host.configuration.state_dir) is None:
                execute_next(host, lambda progress: show(progress.objects, progress.expected, progress.rate))
            else:
                time.sleep(POLL_SECONDS)


@app.command("list")
def list_runs(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this connector.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
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
def cancel(context: typer.Context, run_id: Annotated[str, typer.Argument(help="Id of the run.")]) -> None:
    """Stop a run; what it has applied so far stays, and nothing is removed.

    Example: isthmus run cancel 8c1f0d7e
    """
    from isthmus.engine.operations import run_cancel

    with session(context).host() as host:
        run = run_cancel(host, run_id)
    typer.echo(f"run {run.id}: {run.state}" + (", will stop at the next page" if run.state == "running" else ""))


@app.command("release")
def release(context: typer.Context, run_id: Annotated[str, typer.Argument(help="Id of the held run.")]) -> None:
    """Let a run through that the guard holds: it reads the target anew and removes what is missing.

    Example: isthmus run release 8c1f0d7e
    """
    from isthmus.engine.operations import run_release

    with session(context).host() as host:
        run = run_release(host, run_id, actor=operator())
    typer.echo(f"released; run {run.id} is queued again")


def describe(run: Run) -> dict[str, Any]:
    """Return a run as plain values."""
    return {field: getattr(run, field) for field in Run.__dataclass_fields__}
