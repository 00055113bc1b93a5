"""Real servers for every test of a connector."""

from connectors.servers.fixtures import mariadb, plain_slapd, postgresql, slapd
from connectors.servers.targets import server_target, target

__all__ = ["mariadb", "plain_slapd", "postgresql", "server_target", "slapd", "target"]
