"""`isthmus secret ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import say, write_json
from isthmus.cli.session import Json, operator, session

if TYPE_CHECKING:
    from isthmus.spi import Secret

app = typer.Typer(help="Passwords that connectors use, kept encrypted.", no_args_is_help=True)

SecretName = Annotated[str, typer.Argument(help="Name of the secret.", show_default=False)]


@app.command("set")
def set_secret(context: typer.Context, name: SecretName, json: Json = False) -> None:
    """Store a secret: asked for at a terminal, read from standard input otherwise.

    Refer to it in a connector's settings as `{ secret = "NAME" }`.

    Examples:

        isthmus secret set hr.password

        isthmus secret set hr.password < password.txt
    """
    from isthmus.config.secrets import Secrets

    configuration = session(context).configuration()
    value = read_secret(f"Value of {name}")
    with noted(context, "set secret", name):
        Secrets(configuration).set(name, value)
    say(f'stored; use it as {{ secret = "{name}" }}', {"name": name}, json=json)


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
def remove_secret(context: typer.Context, name: SecretName, json: Json = False) -> None:
    """Remove a secret.

    Example: isthmus secret remove hr.password
    """
    from isthmus.config.errors import nearest
    from isthmus.config.secrets import Secrets

    secrets = Secrets(session(context).configuration())
    with noted(context, "remove secret", name):
        if not secrets.remove(name):
            raise Refused(f"there is no secret {name!r}; {nearest(name, secrets.names(), what='secrets')}")
    say(f"removed {name}", {"name": name}, json=json)


@contextmanager
def noted(context: typer.Context, operation: str, name: str) -> Iterator[None]:
    """Write down who changed which secret, once it is done; never what it is. Without a store nothing is done."""
    from isthmus.engine.operations import note

    with session(context).host() as host:
        yield
        note(host, operation, actor=operator(), name=name)


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
