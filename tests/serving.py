"""The installed host as a separate tree of processes, with one SQL connector, for tests from outside."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from connectors.servers.process import descendants
from isthmus.config.loading import load
from isthmus.config.starting import initialise
from isthmus.engine.host import opened
from ports import free_port

PROGRAM = Path(sys.executable).with_name("isthmus")
START_SECONDS = 60.0


@dataclass
class Answer:
    status: int
    headers: Message  # names in any case
    text: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """One keep-alive connection that presents a token; reconnects after a failure, or when the host has closed it."""

    def __init__(self, port: int, ca: Path, token: str, connector: str, *, timeout: float = 40) -> None:
        self._context = ssl.create_default_context(cafile=str(ca))
        self._port, self._token, self._timeout = port, token, timeout
        self.base = f"/ecma2host_{connector}/scim"
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/scim+json", **(headers or {})}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/scim+json")
        if self._connection is not None and self._is_closed(self._connection):
            self.close()
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, timeout=self._timeout, context=self._context
            )
        try:
            self._connection.request(method, self.base + path, data, sent)
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    @staticmethod
    def _is_closed(connection: http.client.HTTPSConnection) -> bool:
        """Tell whether the host has ended a connection that was idle for long, as it may."""
        return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Served:
    """A configuration folder and the host that serves it."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        extra: str = "",
        connectors: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.port, self.operations_port = free_port(), free_port()
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("ISTHMUS_")}
        self._environment |= {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "home" / ".config")}
        self._environment |= variables or {}
        (folder / "home").mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "isthmus"
        with self._own_environment():
            initialise(self.configuration)
        (self.configuration / "isthmus.toml").write_text(
            f"""[scim]
listen = "127.0.0.1:{self.port}"
workers = {workers}
{extra}
[operations]
listen = "127.0.0.1:{self.operations_port}"
[log]
level = "info"
format = "json"
"""
        )
        for name, document in connectors.items():
            (self.configuration / "connectors" / f"{name}.toml").write_text(document)
        self.tokens: dict[str, str] = {}
        with self._own_environment(), opened(load(self.configuration)) as host:
            for name in connectors:
                self.tokens[name] = host.tokens.create(name, name="test")[1].reveal()
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []
        self.log = folder / "serve.log"

    @contextmanager
    def _own_environment(self) -> Iterator[None]:
        """Do here what `isthmus init` and `isthmus token create` do: to start these takes two seconds for each host."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    @property
    def ca(self) -> Path:
        return self.configuration / "tls" / "ca.crt"

    def run(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
        """Run a command on this configuration and return its output."""
        done = subprocess.run(
            [str(PROGRAM), "--config", str(self.configuration), *arguments],
            env={**self._environment, "COLUMNS": "200", "NO_COLOR": "1"},
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"isthmus {' '.join(arguments)}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode()

    def json(self, *arguments: str, check: bool = True) -> Any:
        """Run a command on this configuration and return what it says to machines."""
        return json.loads(self.run(*arguments, "--json", check=check))

    def start(self, **environment: str) -> None:
        """Start serving and wait until a TLS connection is answered."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [str(PROGRAM), "--config", str(self.configuration), "serve", "--allow-root"],
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"serve did not answer:\n{self.tail()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), 1) as raw,
                context.wrap_socket(raw, server_hostname="127.0.0.1"),
            ):
                return True
        except OSError:
            return False

    def tail(self, lines: int = 40) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def client(self, connector: str = "hr", *, timeout: float = 40) -> Client:
        client = Client(self.port, self.ca, self.tokens[connector], connector, timeout=timeout)
        self._clients.append(client)
        return client

    def tree(self) -> list[int]:
        """Return every living process of the host."""
        if self.process is None:
            return []
        return [self.process.pid, *descendants(self.process.pid)]

    def workers(self) -> list[int]:
        """Return the processes that answer requests: grandchildren of the supervisor below the SCIM server."""
        found = []
        for pid in self.tree():
            try:
                name = Path(f"/proc/{pid}/cmdline").read_bytes()
                parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
                parent_name = Path(f"/proc/{parent}/cmdline").read_bytes()
            except (OSError, ValueError):
                continue
            if b"isthmus.web.server" in name and b"isthmus.web.server" in parent_name:
                found.append(pid)
        return found

    def kill_all(self) -> None:
        """Kill every process at once, as a power cut would."""
        for pid in self.tree():
            kill(pid)
        if self.process is not None:
            self.process.wait(20)
            self.process = None

    def stop(self) -> int:
        """Stop gracefully and return the exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        self.process = None
        return code

    def close(self) -> None:
        for client in self._clients:  # a test that failed has not closed its own
            client.close()
        if self.process is not None:
            self.kill_all()


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
