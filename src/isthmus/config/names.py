"""Names of connectors and secrets: they become file names and parts of URLs."""

from __future__ import annotations

import re

_ALLOWED = re.compile(r"[A-Za-z0-9_.-]+")
_CONNECTOR_LENGTH = 64
_SECRET_LENGTH = 128  # "connector.table.key", each part at most as long as a connector's name


def connector_name_problem(name: str) -> str | None:
    """Return what is wrong with the name of a connector, or None.

    Names are unique ignoring case, as the base URL is matched without regard to case; the loader, which knows the
    others, checks that.
    """
    return _problem(name, "connector", _CONNECTOR_LENGTH)


def secret_name_problem(name: str) -> str | None:
    """Return what is wrong with the name of a secret, or None."""
    return _problem(name, "secret", _SECRET_LENGTH)


def _problem(name: str, what: str, longest: int) -> str | None:
    if not name:
        return f"the name of a {what} must not be empty"
    if len(name) > longest:
        return f"the name of a {what} may have at most {longest} characters"
    if not _ALLOWED.fullmatch(name):
        return f"the name of a {what} may hold only the letters a to z, digits, _ - and ."
    if name.startswith("."):
        return f"the name of a {what} must not begin with a dot"
    return None
