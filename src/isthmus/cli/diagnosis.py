"""`isthmus doctor`."""

from __future__ import annotations

import typer

from isthmus.cli.connector import report
from isthmus.cli.session import Json, session


def doctor(context: typer.Context, json: Json = False) -> None:
    """Look for what hinders provisioning: listeners, certificate, tokens, targets, columns, store, disk, clock.

    Only reads. Exit code 1 if something must be mended; every line says how.

    Example: isthmus doctor
    """
    from isthmus.engine.diagnosis import examine_all

    current = session(context)
    configuration = current.configuration()
    with current.host() as host:
        findings = examine_all(host, configuration)
    report(findings, json=json)
