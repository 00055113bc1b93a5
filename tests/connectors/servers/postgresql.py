"""A private PostgreSQL server."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from connectors.servers.certificates import write_certificates
from connectors.servers.process import Server, give_away, unprivileged


def find_programs() -> Path | None:
    """Return the folder of the newest installed server, or None."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer(Server):
    """`user` is an ordinary account that owns the databases; `administrator` the superuser. TLS is on (`ca`)."""

    user = "isthmus"
    password = "correct horse/battery@staple%41"
    administrator = "postgres"
    max_connections = 60
    dialect = "postgresql"

    def __init__(self, programs: Path) -> None:
        super().__init__("postgresql")
        self.programs = programs
        self._numbers = itertools.count(1)
        write_certificates(self.folder)
        self.ca = str(self.folder / "ca.pem")
        secret = self.folder / "password"
        secret.write_text(self.password)
        give_away(secret)
        subprocess.run(
            unprivileged(
                [
                    str(programs / "initdb"),
                    f"--pgdata={self.folder / 'data'}",
                    f"--username={self.administrator}",
                    f"--pwfile={secret}",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--auth=scram-sha-256",
                    "--no-sync",
                ]
            ),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def command(self) -> Sequence[str]:
        options = {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self.max_connections,
            "shared_buffers": "32MB",
            "dynamic_shared_memory_type": "mmap",  # in its own folder: a killed one leaves nothing in memory for ever
            "fsync": "off",  # the machine does not crash in a test, only the server
            "ssl": "on",
            "ssl_cert_file": self.folder / "server.pem",
            "ssl_key_file": self.folder / "server.key",
            "log_min_messages": "fatal",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *settings]

    def answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        if not self.run("SELECT 1 FROM pg_roles WHERE rolname = %s", self.user):
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            self.run(create.format(sql.Identifier(self.user), sql.Literal(self.password)))

    def stop(self, sig: signal.Signals = signal.SIGINT) -> None:
        super().stop(sig)  # SIGINT: fast shutdown, which does not wait for clients

    def connect(self, database: str = "postgres", *, administrator: bool = True) -> psycopg.Connection[Any]:
        user = self.administrator if administrator else self.user
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def run(self, statement: Any, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as administrator and return its rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def create_database(self) -> str:
        """Create an empty database owned by `user` and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f'CREATE DATABASE "{name}" OWNER "{self.user}"')
        return name

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@{self.host}:{self.port}/{database}"
