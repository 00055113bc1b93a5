"""`isthmus token ...`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isthmus.cli.output import moment, table, write_json
from isthmus.cli.session import Json, Name, existing, operator, session
from isthmus.store.records import Token

app = typer.Typer(help="Bearer tokens of the identity providers.", no_args_is_help=True)

DAY = 86_400.0


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
    from isthmus.spi import Secret

    chosen = None
    if chosen_file is not None:
        text = sys.stdin.read() if str(chosen_file) == "-" else chosen_file.read_text()
        chosen = Secret(text.strip())
    with session(context).host() as host:
        connector = existing(host.configuration, name)
        token, secret = host.tokens.create(
            connector,
            name=label,
            scope=scope,
            text=chosen,
            expires=None if days is None else time.time() + days * DAY,
        )
        audit(host, connector, "token create", token)
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


@app.command("list")
def list_tokens(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this connector.")] = None,
    json: Json = False,
) -> None:
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
    token_id: Annotated[str, typer.Argument(help="Id of the token, from 'token list'.")],
    overlap_hours: Annotated[float, typer.Option(help="How long the old token stays valid.")] = 24.0,
    json: Json = False,
) -> None:
    """Make a successor of a token; the old one stays valid for a while, so that nothing is refused in between.

    Example: isthmus token rotate 3f2a9c01d4e5 --overlap-hours 2
    """
    with session(context).host() as host:
        made = host.tokens.rotate(token_id, overlap=overlap_hours * 3600)
        if made is None:
            raise typer.BadParameter(f"there is no token {token_id!r}; 'isthmus token list' shows them")
        token, secret = made
        audit(host, token.connector, "token rotate", token)
    if json:
        write_json({**describe(token), "token": secret.reveal()})
        return
    typer.echo(secret.reveal())
    typer.echo(f"Copy the token now. The old one ends in {overlap_hours:g} hours.", err=True)


@app.command("revoke")
def revoke(
    context: typer.Context, token_id: Annotated[str, typer.Argument(help="Id of the token, from 'token list'.")]
) -> None:
    """End a token; every process refuses it within a second.

    Example: isthmus token revoke 3f2a9c01d4e5
    """
    with session(context).host() as host:
        token = host.store.tokens.get(token_id)
        if token is None or not host.tokens.revoke(token_id):
            raise typer.BadParameter(f"there is no token {token_id!r}; 'isthmus token list' shows them")
        audit(host, token.connector, "token revoke", token)
    typer.echo(f"token {token_id} revoked")


def describe(token: Token) -> dict[str, Any]:
    """Return a token without its hash."""
    return {
        "id": token.id,
        "connector": token.connector,
        "label": token.name,
        "scope": token.scope,
        "created": moment(token.created),
        "expires": None if token.expires is None else moment(token.expires),
        "state": state(token),
    }


def state(token: Token) -> str:
    """Return whether the token can be used now."""
    now = time.time()
    if token.revoked is not None:
        return "revoked" if token.revoked <= now else f"valid until {moment(token.revoked)}"
    if token.expires is not None and token.expires <= now:
        return "expired"
    return "valid"


def audit(host: Any, connector: str, operation: str, token: Token) -> None:
    """Write down who made or ended a token."""
    from isthmus.store.records import AuditRecord

    host.store.audit.write(
        AuditRecord(
            at=time.time(),
            connector=connector,
            actor=operator(),
            address="",
            operation=operation,
            name=token.name,
            outcome="done",
            message=f"token {token.id}, scope {token.scope}",
        )
    )
