"""Put the command groups together, and turn every expected error into one line on standard error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus import __version__
from isthmus.cli import (
    audit,
    check,
    connector,
    demo,
    diagnosis,
    guard,
    initialising,
    journal,
    run_commands,
    searching,
    secret,
    serving,
    tls,
    token,
)
from isthmus.cli.session import Session

app = typer.Typer(
    name="isthmus",
    help="A SCIM 2.0 endpoint for applications that do not speak SCIM.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="isthmus.toml or its folder.", envvar="ISTHMUS_CONFIG", show_envvar=True),
    ] = None,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """A SCIM 2.0 endpoint for applications that do not speak SCIM.

    Begin with `isthmus demo`, or with `isthmus init` for your own application.
    """
    context.obj = Session(config)


app.command("init")(initialising.init)
app.command("serve")(serving.serve)
app.command("demo")(demo.demo)
app.command("search")(searching.search)
app.command("audit")(audit.audit)
app.command("doctor")(diagnosis.doctor)
app.add_typer(connector.app, name="connector")
app.add_typer(token.app, name="token")
app.add_typer(secret.app, name="secret")
app.add_typer(tls.app, name="tls")
app.add_typer(check.app, name="config")
app.add_typer(run_commands.app, name="run")
app.add_typer(journal.app, name="journal")
app.add_typer(guard.app, name="guard")


def run() -> None:
    """Run the command line; exit code 1 for an expected error, 2 for wrong usage."""
    from isthmus.cli.faults import expected

    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as exc:
        text = expected(exc)
        if text is None:
            raise
        typer.secho(f"error: {text}", err=True, fg="red")
        sys.exit(1)
