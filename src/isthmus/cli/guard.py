"""`isthmus guard ...`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.output import facts, instant, moment, say, table, write_json
from isthmus.cli.session import Json, operator, session

if TYPE_CHECKING:
    from isthmus.store.records import Hold

app = typer.Typer(help="What is held back because it would change too much at once.", no_args_is_help=True)

HoldId = Annotated[str, typer.Argument(help="Id of the hold, from 'guard show'.", show_default=False)]


@app.command("show")
def show(
    context: typer.Context,
    hold_id: Annotated[str | None, typer.Argument(help="Id of a hold; left out: all.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    json: Json = False,
) -> None:
    """Show what the guard holds back.

    Example: isthmus guard show
    """
    from isthmus.engine.operations import guard_list, guard_show

    with session(context).host() as host:
        holds = guard_list(host, active=not everything) if hold_id is None else [guard_show(host, hold_id)]
    if json:
        write_json([describe(hold) for hold in holds])
    elif hold_id is not None:
        (hold,) = holds
        times = {"opened": moment(hold.opened), "released_until": moment(hold.released_until)}
        facts({**describe(hold), **times})
    else:
        table(
            ("id", "connector", "type", "what", "count", "limit", "since", "state", "message"),
            [
                (
                    hold.id,
                    hold.connector,
                    hold.object_type,
                    hold.kind,
                    hold.count,
                    hold.limit,
                    moment(hold.opened),
                    hold.state,
                    hold.message,
                )
                for hold in holds
            ],
            empty="the guard holds nothing back",
        )


@app.command("release")
def release(
    context: typer.Context,
    hold_id: HoldId,
    hours: Annotated[
        float, typer.Option(help="How long the guard lets this kind of change through.", min=0.01, max=8760)
    ] = 1.0,
    json: Json = False,
) -> None:
    """Let through what is held back. A held import is run anew; an identity provider sends its requests again.

    Example: isthmus guard release 77ab... --hours 2
    """
    from isthmus.engine.operations import guard_release
    from isthmus.web.claim import claimant

    if math.isnan(hours):
        raise typer.BadParameter("--hours must be a number")
    with session(context).host() as host:
        hold = guard_release(host, hold_id, hours=hours, actor=operator())
        name = host.configuration.names.get(hold.connector, hold.connector)
        served = claimant(host.configuration.state_dir) is not None
    unit = "hour" if hours == 1 else "hours"
    follow = "" if hold.run is None or served else f"; 'isthmus run start {name}' imports now, since nothing is served"
    say(f"released for {hours:g} {unit}: {hold.message}{follow}", describe(hold), json=json)


@app.command("cancel")
def cancel(context: typer.Context, hold_id: HoldId, json: Json = False) -> None:
    """Decide that what is held back does not happen.

    Example: isthmus guard cancel 77ab...
    """
    from isthmus.engine.operations import guard_cancel

    with session(context).host() as host:
        hold = guard_cancel(host, hold_id, actor=operator())
    say(f"cancelled: {hold.message}", describe(hold), json=json)


def describe(hold: Hold) -> dict[str, Any]:
    """Return a hold as plain values."""
    values = {field: getattr(hold, field) for field in hold.__dataclass_fields__}
    return {**values, "opened": instant(hold.opened), "released_until": instant(hold.released_until)}
