"""Kill tests start the real host against real databases."""

from __future__ import annotations

from connectors.servers.fixtures import mariadb, postgresql

__all__ = ["mariadb", "postgresql"]
