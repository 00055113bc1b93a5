"""Real servers for every test of a connector."""

from connectors.servers.fixtures import directory_389, mariadb, plain_slapd, postgresql, samba, slapd
from connectors.servers.targets import server_target, target

__all__ = ["directory_389", "mariadb", "plain_slapd", "postgresql", "samba", "server_target", "slapd", "target"]
