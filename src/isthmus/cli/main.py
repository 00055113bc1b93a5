"""Put the command groups together, and turn every expected error into one line on standard error."""

from __future__ import annotations

import io
import os
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
from isthmus.cli.faults import bug, called_alone, expected, usage
from isthmus.cli.output import printable
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
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show on standard error what happens inside, and where a bug is.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """A SCIM 2.0 endpoint for applications that do not speak SCIM.

    Begin with `isthmus demo`, or with `isthmus init` for your own application.
    """
    import isthmus.web  # noqa: F401 - loads structlog without what colours terminals, five times as fast

    current = context.ensure_object(Session)
    current.config, current.verbose = config, verbose


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
    """Run the command line; exit code 1 for an expected error and Ctrl-C, 2 for wrong usage."""
    stand_in_for_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character shows its number
    current = Session()
    try:
        refuse_what_is_no_text(sys.argv[1:])
        code = app(obj=current, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    except typer.Abort:
        code = _complain("aborted", 1)
    except Exception as exc:
        if called_alone(exc):
            code = 2
        elif (text := usage(exc)) is not None:
            code = _complain(text, 2)
        elif (text := expected(exc)) is not None:
            code = _complain(text, 1)
        elif current.verbose:
            raise
        else:
            code = _complain(bug(exc), 1)
    _drop_what_cannot_be_written()
    sys.exit(code if isinstance(code, int) else 0)


def stand_in_for_closed_streams() -> None:
    """Read from nothing and write to nothing where whoever started us has closed a standard stream (`>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # what Python makes of a closed one
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for good


def refuse_what_is_no_text(arguments: list[str]) -> None:
    """Refuse bytes that are not UTF-8: neither the store nor a target could keep them."""
    for number, argument in enumerate(arguments, 1):
        if not argument.isprintable() and any("\ud800" <= character <= "\udfff" for character in argument):
            raise typer.BadParameter(f"argument {number} is not valid UTF-8 text")


def _complain(text: str, code: int) -> int:
    try:
        for line in text.splitlines():
            typer.secho(f"error: {printable(line)}", err=True, fg="red")
    except BrokenPipeError:
        return _reader_left()
    return code


def _reader_left() -> int:
    """End as a program does that a pipe's reader left, as in `isthmus audit | head -1` (128 + SIGPIPE)."""
    _drop_what_cannot_be_written()
    return 141


def _drop_what_cannot_be_written() -> None:
    """Empty the buffers, into nothing where need be: at its very end, Python would complain of what is left in them."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
