"""`isthmus secret ...`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import write_json
from isthmus.cli.session import Json, operator, session

if TYPE_CHECKING:
    from isthmus.spi import Secret

app = typer.Typer(help="Passwords that connectors use, kept encrypted.", no_args_is_help=True)

SecretName = Annotated[str, typer.Argument(help="Name of the secret.", show_default=False)]


@app.command("set")
def set_secret(context: typer.Context, name: SecretName) -> None:
    """Store a secret: asked for at a terminal, read from standard input otherwise.

    Refer to it in a connector's settings as `{ secret = "NAME" }`.

    Examples:

        isthmus secret set hr.password

        isthmus secret set hr.password < password.txt
    """
    from isthmus.config.secrets import Secrets

    current = session(context)
    configuration = current.configuration()
    Secrets(configuration).set(name, read_secret(f"Value of {name}"))
    note(context, "set secret", name)
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
def remove_secret(context: typer.Context, name: SecretName) -> None:
    """Remove a secret.

    Example: isthmus secret remove hr.password
    """
    from isthmus.config.errors import nearest
    from isthmus.config.secrets import Secrets

    secrets = Secrets(session(context).configuration())
    if not secrets.remove(name):
        raise Refused(f"there is no secret {name!r}; {nearest(name, secrets.names(), what='secrets')}")
    note(context, "remove secret", name)
    typer.echo(f"removed {name}")


def note(context: typer.Context, operation: str, name: str) -> None:
    """Write down who changed which secret; never what it is."""
    from isthmus.engine.operations import note as note_operation

    with session(context).host() as host:
        note_operation(host, operation, actor=operator(), name=name)


def read_secret(prompt: str) -> Secret:
    """Return a secret from the terminal without echo, or from standard input without its last line end."""
    from isthmus.spi import Secret

    if sys.stdin.isatty():
        return Secret(typer.prompt(prompt, hide_input=True, confirmation_prompt=True))
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise Refused("what came by standard input is not UTF-8 text, as a secret has to be") from None
    return Secret(text.removesuffix("\n").removesuffix("\r"))
