"""Acceptance tests start the installed command and look at it from outside."""

from __future__ import annotations

from connectors.servers.fixtures import mariadb, postgresql

__all__ = ["mariadb", "postgresql"]
