"""`isthmus tls ...`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.output import facts, write_json
from isthmus.cli.session import Json, session

app = typer.Typer(help="The certificate of the SCIM endpoint.", no_args_is_help=True)


@app.command("show")
def show(context: typer.Context, json: Json = False) -> None:
    """Show the certificate in use: names, dates, fingerprint, and what is wrong with it.

    Example: isthmus tls show
    """
    from isthmus.config.tls import describe_configured

    found = asdict(describe_configured(session(context).configuration()))
    if json:
        write_json(found)
        return
    facts({name.replace("_", " "): value for name, value in found.items()})


@app.command("import")
def import_own(
    context: typer.Context,
    certificate: Annotated[Path, typer.Argument(help="PEM file: the certificate, then its chain.")],
    key: Annotated[Path, typer.Argument(help="PEM file of the private key.")],
) -> None:
    """Use a certificate of your own. A running server takes it over without a restart.

    Example: isthmus tls import fullchain.pem privkey.pem
    """
    from isthmus.config.certificates import import_certificate

    configuration = session(context).configuration()
    for warning in import_certificate(configuration, certificate, key):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo("imported; a running server uses it within seconds")
