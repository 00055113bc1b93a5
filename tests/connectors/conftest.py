"""Real servers for every test of a connector."""

from connectors.servers.fixtures import mariadb, postgresql
from connectors.servers.targets import server_target, target

__all__ = ["mariadb", "postgresql", "server_target", "target"]
