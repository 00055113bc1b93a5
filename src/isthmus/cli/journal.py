"""`isthmus journal ...`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.output import facts, instant, moment, say, table, write_json
from isthmus.cli.session import Json, OptionalName, existing, operator, session

if TYPE_CHECKING:
    from isthmus.store.records import Entry

app = typer.Typer(help="Writes under way, and those whose outcome is not known.", no_args_is_help=True)

EntryId = Annotated[str, typer.Argument(help="Id of the entry, from 'journal list'.", show_default=False)]


@app.command("list")
def list_entries(
    context: typer.Context,
    name: OptionalName = None,
    json: Json = False,
) -> None:
    """List open entries and those in doubt.

    Example: isthmus journal list
    """
    from isthmus.engine.operations import journal_list

    with session(context).host() as host:
        entries = journal_list(host, None if name is None else existing(host.configuration, name))
    if json:
        write_json([describe(entry) for entry in entries])
        return
    table(
        ("id", "operation", "object", "state", "age", "reason"),
        [
            (
                entry.id,
                entry.operation,
                entry.object_id or entry.anchor,
                entry.state.value.replace("_", " "),
                f"{time.time() - entry.opened:.0f} s",
                entry.reason,
            )
            for entry in entries
        ],
        empty="the journal is empty: the outcome of every write is known",
    )


@app.command("show")
def show(context: typer.Context, entry_id: EntryId, json: Json = False) -> None:
    """Show one entry: what it was to do, and what is known.

    Example: isthmus journal show 5d0c...
    """
    from isthmus.engine.operations import journal_show

    with session(context).host() as host:
        entry = journal_show(host, entry_id)
    if json:
        write_json(describe(entry))
    else:
        facts({**describe(entry), "opened": moment(entry.opened)})


@app.command("resolve")
def resolve(
    context: typer.Context,
    entry_id: EntryId,
    outcome: Annotated[Literal["done", "not-done"], typer.Argument(help="What the target shows: the change, or not.")],
    json: Json = False,
) -> None:
    """Close an entry by your word, after looking at the target. Until then writes to that object answer 503.

    Example: isthmus journal resolve 5d0c... done
    """
    from isthmus.engine.operations import journal_resolve
    from isthmus.store.records import EntryState

    state = EntryState.DONE if outcome == "done" else EntryState.NOT_DONE
    with session(context).host() as host:
        entry = journal_resolve(host, entry_id, state, actor=operator())
    text = f"entry {entry.id}: {outcome}; run an import so that the connector space shows what the target has"
    say(text, {**describe(entry), "outcome": outcome}, json=json)


def describe(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain values."""
    values = {field: getattr(entry, field) for field in entry.__dataclass_fields__}
    return {**values, "opened": instant(entry.opened), "intent": dict(entry.intent)}
