"""A token for the demo's connector."""

from __future__ import annotations

from pathlib import Path

from isthmus.config.loading import load
from isthmus.demo.table import DemoProblem
from isthmus.engine.host import Host
from isthmus.engine.tokens import TokenRefused
from isthmus.spi import Secret


def make_token(configuration: Path, connector: str, chosen: Secret | None) -> Secret:
    """Make a random token, or take the chosen one, and return its text; the store keeps only its hash.

    Raises:
        DemoProblem: the chosen one is too weak.
    """
    host = Host.open(load(configuration))
    try:
        _, text = host.tokens.create(connector, name="demo", text=chosen)
        return text
    except TokenRefused as exc:
        raise DemoProblem(f"--token: {exc}") from exc
    finally:
        host.close()
