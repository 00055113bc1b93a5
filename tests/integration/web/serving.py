"""A real `serve` for tests: configuration, SQLite target, certificates, processes, and a plain client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.config.loading import load
from isthmus.config.starting import initialise
from isthmus.engine.host import opened
from ports import free_port

_SERVE = """
import sys
from pathlib import Path
from isthmus.web.errors import CannotServe
from isthmus.web.supervisor import serve
try:
    code = serve(Path(sys.argv[1]), announce=lambda url: print("serving", url, flush=True), allow_root=True)
except CannotServe as error:
    print("refused:", error, flush=True)
    code = 2
sys.exit(code)
"""

_CONNECTOR = """\
type = "sql"
[settings]
url = "sqlite:///{database}"
[[settings.object_types]]
name = "Employee"
table = "Employees"
anchor = ["Login"]
[[resource_types]]
object_type = "Employee"
name = "User"
endpoint = "Users"
attributes = ["Login", "FirstName", "Email"]
matching = ["Login"]
[resource_types.flows]
userName = {{ attribute = "Login" }}
"name.givenName" = {{ attribute = "FirstName" }}
[resource_types.disable]
action = "nothing"
[resource_types.delete]
action = "delete"
"""


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first true value of `condition`, or fail."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    found = {pid}
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        found |= descendants(int(child))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass
class Serving:
    """One configuration folder, served while `running`."""

    folder: Path
    port: int
    operations: int
    token: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.processes[-1]

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def start(self) -> subprocess.Popen[bytes]:
        """Start `serve` without waiting."""
        with (self.folder / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self.folder / "isthmus.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "ISTHMUS_KEY_FILE": str(self.folder.parent / "key")},
            )
        self.processes.append(process)
        return process

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log[-4000:]
            return self.health("/readyz") == 200 and "serving https" in self.log

        until(ready, 60, "ready")
        until(self.imported, 60, "first import")

    def imported(self) -> bool:
        status, _, body = self.request("GET", "/Users?count=0")
        return status == 200 and json.loads(body)["totalResults"] > 0

    def health(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.operations, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def text(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.operations, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.crt"))

    def connect(self, *, timeout: float = 15.0) -> ssl.SSLSocket:
        """Return a TLS connection on which nothing was sent."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout)
        return self.context().wrap_socket(plain, server_hostname="localhost")

    def head(self, method: str, path: str, *, length: int | None = None, token: str | None = None) -> bytes:
        """Return the header section of a request, without its closing empty line."""
        lines = [
            f"{method} /scim/hr{path} HTTP/1.1",
            f"Host: localhost:{self.port}",
            f"Authorization: Bearer {self.token if token is None else token}",
        ]
        if length is not None:
            lines += ["Content-Type: application/scim+json", f"Content-Length: {length}"]
        return "\r\n".join(lines).encode() + b"\r\n"

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, timeout: float = 15.0
    ) -> tuple[int, dict[str, str], bytes]:
        """Make one request on a fresh connection."""
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=self.context())
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        raw = None
        if body is not None:
            raw = json.dumps(body).encode()
            headers["Content-Type"] = "application/scim+json"
        try:
            connection.request(method, f"/scim/hr{path}", body=raw, headers=headers)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def create(self, login: str, *, timeout: float = 15.0) -> int:
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": login}
        return self.request("POST", "/Users", body, timeout=timeout)[0]

    def logins(self) -> set[str]:
        database = sqlite3.connect(self.folder / "hr.db")
        try:
            return {login for (login,) in database.execute("SELECT Login FROM Employees")}
        finally:
            database.close()

    def masters(self) -> list[int]:
        """Return the leading processes of the SCIM server's generations."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if "isthmus.web.server" in command_of(int(child))]

    def stop(self) -> int:
        """Stop in order and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def make(folder: Path, *, workers: int = 2, people: int = 20, scim: str = "") -> Serving:
    """Write a configuration with a SQLite target and return what serves it."""
    folder.mkdir(mode=0o700, parents=True)
    serving = Serving(folder, free_port(), free_port(), "")
    (folder / "isthmus.toml").write_text(
        f'[scim]\nlisten = "127.0.0.1:{serving.port}"\nworkers = {workers}\n{scim}\n'
        f'[operations]\nlisten = "127.0.0.1:{serving.operations}"\n[log]\nformat = "json"\n'
    )
    (folder / "serve.log").touch()
    key = os.environ.get("ISTHMUS_KEY_FILE")
    os.environ["ISTHMUS_KEY_FILE"] = str(folder.parent / "key")
    try:
        initialise(folder)
        database = sqlite3.connect(folder / "hr.db")
        database.execute("CREATE TABLE Employees (Login TEXT PRIMARY KEY, FirstName TEXT, Email TEXT)")
        database.executemany("INSERT INTO Employees VALUES (?, 'F', 'E')", [(f"user{n}",) for n in range(people)])
        database.commit()
        database.close()
        (folder / "connectors" / "hr.toml").write_text(_CONNECTOR.format(database=folder / "hr.db"))
        with opened(load(folder / "isthmus.toml")) as host:
            serving.token = host.tokens.create("hr", name="test")[1].reveal()
    finally:
        if key is None:
            del os.environ["ISTHMUS_KEY_FILE"]
        else:
            os.environ["ISTHMUS_KEY_FILE"] = key
    return serving


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Serving]:
    """Serve for the time of a test; leave no process behind, whatever happens."""
    made = make(folder, **settings)
    made.start()
    try:
        made.wait_ready()
        yield made
    finally:
        for process in made.processes:
            family = descendants(process.pid)
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for pid in family:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
