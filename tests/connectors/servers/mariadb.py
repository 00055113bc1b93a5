"""A private MariaDB server."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pymysql

from connectors.servers.certificates import write_certificates
from connectors.servers.process import Server, give_away, unprivileged


def find_programs() -> tuple[str, str] | None:
    """Return the server and the program that makes its data folder, or None."""
    path = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    return (server, install) if server and install else None


class MariadbServer(Server):
    """`user` owns the databases `test_...`; `administrator` may do all. TLS is on (`ca`)."""

    user = "isthmus"
    password = "correct horse/battery@staple%41"
    administrator = "root"
    max_connections = 60
    dialect = "mariadb"

    def __init__(self, programs: tuple[str, str]) -> None:
        super().__init__("mariadb")
        self.program, install = programs
        self._numbers = itertools.count(1)
        write_certificates(self.folder)
        self.ca = str(self.folder / "ca.pem")
        # A server that starts deletes every temporary table in its folder for these: also those of others, in /tmp
        temporary = self.folder / "tmp"
        temporary.mkdir()
        give_away(temporary)
        self._storage = (
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={temporary}",
            "--innodb-log-file-size=16M",  # else 96 MB are written before each first start
        )
        made = subprocess.run(
            unprivileged([install, *self._storage, "--skip-test-db", "--auth-root-authentication-method=normal"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        if made.returncode != 0:
            raise RuntimeError(f"mariadb-install-db ended with {made.returncode}:\n{made.stdout.decode()[:2000]}")
        self._secured = False

    def command(self) -> Sequence[str]:
        return [
            self.program,
            *self._storage,
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--max-connections={self.max_connections}",
            "--skip-name-resolve",
            "--performance-schema=OFF",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=2",  # the machine does not crash in a test, only the server
            f"--ssl-ca={self.ca}",
            f"--ssl-cert={self.folder / 'server.pem'}",
            f"--ssl-key={self.folder / 'server.key'}",
        ]

    def answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except pymysql.err.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        if not self._secured:
            self.run("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", self.user, self.password)
            self.run("GRANT ALL ON `test\\_%%`.* TO %s@'%%'", self.user)
            self._secured = True

    def connect(self, database: str | None = None, *, administrator: bool = True) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.administrator if administrator else self.user,
            password="" if administrator else self.password,
            database=database,
            autocommit=True,
            connect_timeout=5,
            charset="utf8mb4",
        )

    def run(self, statement: str, *values: object, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as administrator and return its rows."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def create_database(self) -> str:
        """Create an empty database that `user` may use and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return name

    def url(self, database: str) -> str:
        return f"mariadb://{self.user}@{self.host}:{self.port}/{database}"
