"""What every child process of `serve` does first, whatever it serves."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from isthmus.config.documents import Configuration, ConnectorDocument, HostDocument
from isthmus.web.errors import CannotServe

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send us a signal when our parent ends, even if it was killed; end now if it already has.

    prctl(2): the setting is not inherited by a forked child, so each process makes it for itself.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def raise_file_limit() -> int:
    """Allow as many open files as this process may have and return that number: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def clear_header_variables() -> None:
    """Remove process variables that a WSGI server would present as request headers (`HTTP_...`)."""
    for name in [name for name in os.environ if name.upper().startswith("HTTP_")]:
        del os.environ[name]


class TlsFiles(msgspec.Struct, frozen=True):
    """The files the SCIM listener serves with, checked by `preparing`."""

    certificate: str
    key: str
    client_ca: str | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor hands to a child process on its standard input: the checked configuration.

    A child that read the files itself could meet an edit that was never checked. There is no secret in it: connector
    settings hold references.
    """

    path: str
    host: HostDocument
    connectors: dict[str, ConnectorDocument]
    names: dict[str, str]
    tls: TlsFiles | None = None

    @classmethod
    def of(cls, configuration: Configuration, tls: TlsFiles | None = None) -> Task:
        """Return the task for this configuration."""
        return cls(
            path=str(configuration.path),
            host=configuration.host,
            connectors=configuration.connectors,
            names=configuration.names,
            tls=tls,
        )

    def configuration(self) -> Configuration:
        """Return the configuration."""
        return Configuration(path=Path(self.path), host=self.host, connectors=self.connectors, names=self.names)

    def encode(self) -> bytes:
        """Return the text that `receive` reads."""
        return msgspec.json.encode(self)

    @classmethod
    def receive(cls) -> Task:
        """Read the task from standard input, wholly."""
        return msgspec.json.decode(sys.stdin.buffer.read(), type=cls)


class Notices:
    """The pipe on which a child tells the supervisor what happened: one short line each, atomic (pipe(7))."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, word: str, detail: str = "") -> None:
        """Send one line; a supervisor that is gone does not listen and is not missed."""
        try:
            os.write(self._descriptor, f"{word} {detail}".rstrip().encode() + b"\n")
        except BrokenPipeError:
            return


def refuse_root(*, allow_root: bool) -> None:
    """Refuse to serve as root: nothing here needs it.

    Raises:
        CannotServe: the account is root and was not allowed.
    """
    if os.geteuid() == 0 and not allow_root:
        raise CannotServe("do not serve as root: create an account for Isthmus, or pass --allow-root if you must")
