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
    from isthmus.engine.diagnosis import Finding, examine_connectors, examine_host
    from isthmus.store import StoreError
    from isthmus.web.claim import claimant

    current = session(context)
    configuration = current.configuration()
    findings = examine_host(configuration, served=claimant(configuration.state_dir) is not None)
    try:
        with current.host(configuration) as host:
            findings += examine_connectors(host)
    except StoreError as exc:
        findings.append(Finding("store", "failure", f"{exc}; connectors were not looked at"))
    report(findings, json=json)
