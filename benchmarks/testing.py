"""What benchmarks share with the tests: private servers and the host as a tree of processes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from connectors.servers.postgresql import PostgresServer, find_programs
from connectors.servers.process import descendants, free_port, unprivileged
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, SlapdServer, Variant
from connectors.servers.slapd import find_programs as find_slapd
from harness import Client as Inside
from harness import bench, memory_document, memory_target
from serving import Client, Served

__all__ = [
    "GROUPS",
    "PEOPLE",
    "SUFFIX",
    "Client",
    "DurablePostgres",
    "Inside",
    "Served",
    "SlapdServer",
    "Variant",
    "bench",
    "descendants",
    "find_slapd",
    "free_port",
    "memory_document",
    "memory_target",
    "unprivileged",
]


class DurablePostgres(PostgresServer):
    """PostgreSQL as it is run in production: every commit is on disk before it is acknowledged."""

    max_connections = 100

    @classmethod
    def started(cls) -> DurablePostgres:
        programs = find_programs()
        if programs is None:
            raise SystemExit("PostgreSQL is not installed; 'make servers' installs it")
        server = cls(programs)
        server.start()
        return server

    def command(self) -> list[str]:
        return [part.replace("fsync=off", "fsync=on") for part in super().command()]
