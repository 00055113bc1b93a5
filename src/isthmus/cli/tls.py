"""`isthmus tls ...`."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.faults import Refused
from isthmus.cli.output import facts, say, write_json
from isthmus.cli.secret import read_secret
from isthmus.cli.session import Json, operator, session

app = typer.Typer(help="The certificate of the SCIM endpoint.", no_args_is_help=True)


@app.command("show")
def show(context: typer.Context, json: Json = False) -> None:
    """Show the certificate in use: names, dates, fingerprint, and what is wrong with it.

    Example: isthmus tls show
    """
    from isthmus.config.tls import describe_configured

    found = asdict(describe_configured(session(context).configuration()))
    found["days_left"] = int(found["days_left"])
    if json:
        write_json(found)
        return
    shown = {
        name.replace("_", " "): f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, dt.datetime) else value
        for name, value in found.items()
        if name != "problems" and value is not None
    }
    facts(shown)
    for problem in found["problems"]:
        typer.secho(f"problem: {problem}", fg="red")


@app.command("import")
def import_own(
    context: typer.Context,
    certificate: Annotated[Path, typer.Argument(help="PEM file: the certificate, then its chain.", show_default=False)],
    key: Annotated[Path, typer.Argument(help="PEM file of the private key.", show_default=False)],
    password: Annotated[
        bool, typer.Option("--password", help="Ask for the key's password (or read it from standard input).")
    ] = False,
    json: Json = False,
) -> None:
    """Use a certificate of your own. A running server takes it over without a restart.

    Examples:

        isthmus tls import fullchain.pem privkey.pem

        isthmus tls import fullchain.pem privkey.pem --password < password.txt
    """
    from isthmus.config.certificates import import_certificate
    from isthmus.engine.operations import note

    current = session(context)
    for file in (certificate, key):
        if not file.exists():
            raise Refused(f"{file}: there is no such file")
    secret = read_secret(f"Password of {key}") if password else None
    with current.host() as host:
        warnings = import_certificate(host.configuration, certificate, key, password=secret)
        note(host, "import certificate", actor=operator(), name=certificate.name)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    values = {"certificate": certificate, "warnings": list(warnings)}
    say("imported; a running server uses it within seconds", values, json=json)
