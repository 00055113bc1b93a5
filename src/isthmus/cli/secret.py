"""`isthmus secret ...`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from isthmus.cli.output import write_json
from isthmus.cli.session import Json, session
from isthmus.spi import Secret

app = typer.Typer(help="Passwords that connectors use, kept encrypted.", no_args_is_help=True)


@app.command("set")
def set_secret(context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the secret.")]) -> None:
    """Store a secret: asked for at a terminal, read from standard input otherwise.

    Refer to it in a connector's settings as `{ secret = "NAME" }`.

    Examples:

        isthmus secret set hr-password

        isthmus secret set hr-password < password.txt
    """
    from isthmus.config.secrets import Secrets

    Secrets(session(context).configuration()).set(name, read_secret(f"Value of {name}"))
    typer.echo(f'stored; use it as {{ secret = "{name}" }}')


@app.command("list")
def list_secrets(context: typer.Context, json: Json = False) -> None:
    """List the names of the secrets.

    Example: isthmus secret list
    """
    from isthmus.config.secrets import Secrets

    names = Secrets(session(context).configuration()).names()
    if json:
        write_json(names)
    else:
        typer.echo("\n".join(names) or "no secrets; 'isthmus secret set NAME' stores one")


@app.command("remove")
def remove_secret(context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the secret.")]) -> None:
    """Remove a secret.

    Example: isthmus secret remove hr-password
    """
    from isthmus.config.secrets import Secrets

    if not Secrets(session(context).configuration()).remove(name):
        raise typer.BadParameter(f"there is no secret {name!r}; 'isthmus secret list' shows the names")
    typer.echo(f"removed {name}")


def read_secret(prompt: str) -> Secret:
    """Return a secret from the terminal without echo, or from standard input without its last line end."""
    if sys.stdin.isatty():
        return Secret(typer.prompt(prompt, hide_input=True, confirmation_prompt=True))
    text = sys.stdin.read()
    return Secret(text.removesuffix("\n").removesuffix("\r"))
