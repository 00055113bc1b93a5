"""`isthmus demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the walk; exit code 1 if a step differs.")] = False,
    walk: Annotated[
        bool, typer.Option("--walk/--no-walk", help="Walk through an identity provider's requests.")
    ] = True,
    port: Annotated[
        int, typer.Option(min=0, max=65533, help="Port of the SCIM endpoint; the next two are taken too. 0: free ones.")
    ] = 8585,
    token: Annotated[str | None, typer.Option(help="Bearer token to use; left out: a random one.")] = None,
    directory: Annotated[Path, typer.Option("--dir", help="Folder the demo makes anew.")] = Path("demo"),
    people: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people to generate.")] = 1000,
    database: Annotated[
        str | None,
        typer.Option(
            help="URL of a PostgreSQL, MySQL or MariaDB database; the demo makes and removes a table of its own."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Groups, managers, devices, and values in child tables: a dozen tables.")
    ] = False,
) -> None:
    """Run the demo: a host with generated people, and a walk through what Entra ID sends.

    Examples:

        isthmus demo

        isthmus demo --once

        isthmus demo --full

        isthmus demo --port 9000 --people 50

        isthmus demo --database postgresql://me:secret@127.0.0.1/test
    """
    from isthmus.demo import run
    from isthmus.spi import Secret

    chosen = None if token is None else Secret(token)
    raise typer.Exit(
        run(
            once=once,
            walk=walk,
            port=port,
            token=chosen,
            directory=directory,
            people=people,
            database=database,
            full=full,
        )
    )
