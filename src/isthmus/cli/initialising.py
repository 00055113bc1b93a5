"""`isthmus init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.output import write_json
from isthmus.cli.session import Json, session


def init(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder for the configuration; left out: that of --config, or this.", show_default=False),
    ] = None,
    san: Annotated[
        list[str] | None, typer.Option("--san", help="A further host name or address for the certificate.")
    ] = None,
    listen: Annotated[str | None, typer.Option(help="Address of the SCIM endpoint, as 0.0.0.0:8585.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Where to keep the key of the secrets, outside the folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a configuration: isthmus.toml, folders, the key of the secrets, a private CA and a certificate.

    What exists is kept, so running it twice does no harm.

    Examples:

        isthmus init

        isthmus init /etc/isthmus --san scim.example.org --listen 0.0.0.0:8585
    """
    from isthmus.config.loading import FILE_NAME
    from isthmus.config.starting import initialise

    if folder is None:
        given = session(context).config
        folder = Path() if given is None else given.parent if given.name == FILE_NAME else given
    report = initialise(folder, sans=san or (), listen=listen, key_file=key_file)
    if json:
        write_json(
            {
                "configuration": report.configuration.path,
                "created": list(report.created),
                "kept": list(report.kept),
                "key_file": report.key_file,
                "ca_certificate": report.ca_certificate,
                "notes": list(report.notes),
            }
        )
        return
    for path in report.created:
        typer.echo(f"made  {path}")
    for path in report.kept:
        typer.echo(f"kept  {path}")
    for note in report.notes:
        typer.echo(f"note  {note}")
    typer.echo(f"\nKeep a copy of the key {report.key_file}: without it the secrets cannot be read.")
    typer.echo(f"Let the identity provider's agent machine trust {report.ca_certificate}.")
    found = session(context).config or Path()
    where = "" if found.absolute() in (folder.absolute(), report.configuration.path) else f" --config {folder}"
    typer.echo(f"Next: isthmus{where} connector add NAME --url URL --table TABLE")
