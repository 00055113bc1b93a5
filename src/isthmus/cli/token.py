"""`isthmus token ...`."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import instant, moment, say, table, write_json
from isthmus.cli.session import Json, Name, OptionalName, existing, operator, session

if TYPE_CHECKING:
    from isthmus.engine.host import Host
    from isthmus.spi import Secret
    from isthmus.store.records import Token

app = typer.Typer(help="Bearer tokens of the identity providers.", no_args_is_help=True)

DAY = 86_400.0
LONGEST_DAYS = 36_500.0

TokenId = Annotated[str, typer.Argument(help="Id of the token, from 'token list'.", show_default=False)]


@app.command("create")
def create(
    context: typer.Context,
    name: Name,
    label: Annotated[str, typer.Option("--label", help="What the token is for; shown in the audit.")] = "default",
    scope: Annotated[Literal["read", "write"], typer.Option(help="read: only GET and search.")] = "write",
    days: Annotated[float | None, typer.Option(help="Days until it expires; left out: never.")] = None,
    chosen_file: Annotated[
        Path | None, typer.Option("--from", help="A file with a token you chose, or - for standard input.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a token and show it once. Several may be valid at the same time.

    A chosen token is never taken from the command line, where other accounts could read it.

    Examples:

        isthmus token create hr

        isthmus token create hr --label entra --days 365

        isthmus token create hr --from token.txt
    """
    from isthmus.engine.tokens import ADVISED_LENGTH

    if days is not None and not 0 < days <= LONGEST_DAYS:
        raise typer.BadParameter(f"--days must be more than 0 and at most {LONGEST_DAYS:.0f}; left out: no end")
    with session(context).host() as host:
        connector = existing(host.configuration, name)
        chosen = None if chosen_file is None else read_chosen(chosen_file)
        token, secret = host.tokens.create(
            connector,
            name=label,
            scope=scope,
            text=chosen,
            expires=None if days is None else time.time() + days * DAY,
        )
        note(host, "create token", token)
    if json:
        write_json({**describe(token), "token": secret.reveal() if chosen is None else None})
        return
    if chosen is None:
        typer.echo(secret.reveal())
        typer.echo("Copy the token now: only its hash is kept.", err=True)
    else:
        typer.echo(f"token {token.id} stored")
        if len(chosen.reveal()) < ADVISED_LENGTH:
            typer.echo(f"warning: better use at least {ADVISED_LENGTH} characters", err=True)


def read_chosen(file: Path) -> Secret:
    """Return the token that stands in a file, or comes by standard input."""
    from isthmus.spi import Secret

    raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    # what is not ASCII is refused with the other characters that no header can carry
    return Secret(raw.decode("ascii", "replace").strip())


@app.command("list")
def list_tokens(context: typer.Context, name: OptionalName = None, json: Json = False) -> None:
    """List tokens, without their text.

    Example: isthmus token list hr
    """
    with session(context).host() as host:
        tokens = host.tokens.list(None if name is None else existing(host.configuration, name))
    if json:
        write_json([describe(token) for token in tokens])
        return
    table(
        ("id", "connector", "label", "scope", "created", "expires", "last used", "state"),
        [
            (
                token.id,
                token.connector,
                token.name,
                token.scope,
                moment(token.created),
                moment(token.expires),
                moment(token.last_used),
                state(token),
            )
            for token in tokens
        ],
        empty="no tokens; 'isthmus token create NAME' makes one",
    )


@app.command("rotate")
def rotate(
    context: typer.Context,
    token_id: TokenId,
    overlap_hours: Annotated[
        float, typer.Option(help="How long the old token stays valid.", min=0, max=24 * 365)
    ] = 24.0,
    json: Json = False,
) -> None:
    """Make a successor of a token; the old one stays valid for a while, so that nothing is refused in between.

    The successor is valid for as long as the old one was meant to be.

    Example: isthmus token rotate 3f2a9c01d4e5 --overlap-hours 2
    """
    if math.isnan(overlap_hours):
        raise typer.BadParameter("--overlap-hours must be a number")
    with session(context).host() as host:
        old = found(host, token_id)
        if state(old) in ("revoked", "expired"):
            raise Refused(f"token {token_id} is {state(old)}; 'isthmus token create {old.connector}' makes a new one")
        made = host.tokens.rotate(token_id, overlap=overlap_hours * 3600)
        assert made is not None
        token, secret = made
        note(host, "rotate token", token, f"; it follows {token_id}, which ends in {overlap_hours:g} hours")
    if json:
        write_json({**describe(token), "token": secret.reveal()})
        return
    typer.echo(secret.reveal())
    typer.echo(f"Copy the token now. The old one ends in {overlap_hours:g} hours.", err=True)


@app.command("revoke")
def revoke(context: typer.Context, token_id: TokenId, json: Json = False) -> None:
    """End a token; every process refuses it within a second.

    Example: isthmus token revoke 3f2a9c01d4e5
    """
    with session(context).host() as host:
        token = found(host, token_id)
        before = state(token) == "revoked"
        if not before:
            host.tokens.revoke(token_id)
            note(host, "revoke token", token)
        token = found(host, token_id)
    say(f"token {token_id} {'was revoked before' if before else 'revoked'}", describe(token), json=json)


def found(host: Host, token_id: str) -> Token:
    """Return the token, or say how to find out its id."""
    token = host.store.tokens.get(token_id)
    if token is None:
        raise Refused(f"there is no token {token_id!r}; 'isthmus token list' shows them")
    return token


def describe(token: Token) -> dict[str, Any]:
    """Return a token without its hash."""
    return {
        "id": token.id,
        "connector": token.connector,
        "label": token.name,
        "scope": token.scope,
        "created": instant(token.created),
        "expires": instant(token.expires),
        "revoked": instant(token.revoked),
        "last_used": instant(token.last_used),
        "state": state(token),
    }


def state(token: Token) -> str:
    """Return whether the token can be used now."""
    now = time.time()
    if token.revoked is not None and token.revoked <= now:
        return "revoked"
    if token.expires is not None and token.expires <= now:
        return "expired"
    return "valid" if token.revoked is None else f"valid until {moment(token.revoked)}"


def note(host: Host, operation: str, token: Token, more: str = "") -> None:
    """Write down who made or ended a token."""
    from isthmus.engine.operations import note as note_operation

    note_operation(
        host,
        operation,
        actor=operator(),
        connector=token.connector,
        name=token.name,
        message=f"token {token.id}, scope {token.scope}{more}",
    )
