"""`isthmus serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.session import session


def serve(
    context: typer.Context,
    allow_root: Annotated[bool, typer.Option("--allow-root", help="Run although the account is root.")] = False,
) -> None:
    """Serve every connector until SIGTERM or Ctrl-C; requests under way are ended first.

    A change of the configuration is taken over without a restart; a faulty one is reported and the running one kept.

    Examples:

        isthmus serve

        isthmus --config /etc/isthmus serve
    """
    from isthmus.web.supervisor import serve as supervise

    raise typer.Exit(supervise(session(context).path, allow_root=allow_root))
