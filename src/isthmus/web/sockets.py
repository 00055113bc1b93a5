"""Listening sockets, opened once by the supervisor and inherited by whoever serves them.

The supervisor owns them, not the server processes: a connection that arrives while one generation of workers ends and
the next begins waits in the queue of a socket that never closes. They are bound without SO_REUSEPORT, so that a second
program on the same port is refused by the kernel instead of silently taking half of the connections.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from isthmus.config.listening import ListenAddress
from isthmus.web.errors import AddressInUse, CannotServe

BACKLOG = 4096
"""Connections the kernel keeps until we accept them: its own upper limit (net.core.somaxconn) since Linux 5.4."""


def open_listener(address: ListenAddress, *, purpose: str) -> socket.socket:
    """Return a bound, listening socket that is not inherited by child processes unless passed to them.

    Raises:
        AddressInUse: somebody listens there already.
        CannotServe: the address cannot be bound for another reason; `purpose` names the setting.
    """
    if address.path is not None:
        return _open_unix(Path(address.path), purpose)
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
    except OSError as exc:
        raise CannotServe(f"{purpose}: the address {address} cannot be resolved: {exc.strerror or exc}") from exc
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # take over from connections in TIME_WAIT
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address.host != "::" else 0)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _problem(exc, str(address), purpose) from exc
    return listener


def _open_unix(path: Path, purpose: str) -> socket.socket:
    _remove_stale(path, purpose)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)  # the owner and its group may connect, from the first moment on
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _problem(exc, f"unix:{path}", purpose) from exc
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path, purpose: str) -> None:
    """Remove a socket nobody listens on any more: its file outlives a killed process."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe(f"{purpose}: {path} exists and is not a socket; choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            return
        except OSError as exc:
            raise _problem(exc, f"unix:{path}", purpose) from exc
    raise AddressInUse(f"{purpose}: another program listens on unix:{path}")


def _problem(exc: OSError, where: str, purpose: str) -> CannotServe:
    if exc.errno == errno.EADDRINUSE:
        return AddressInUse(f"{purpose}: another program listens on {where}; stop it or choose another address")
    if exc.errno == errno.EACCES:
        return CannotServe(f"{purpose}: no permission to listen on {where}; ports below 1024 need CAP_NET_BIND_SERVICE")
    if exc.errno == errno.EADDRNOTAVAIL:
        return CannotServe(f"{purpose}: {where} is not an address of this machine")
    return CannotServe(f"{purpose}: cannot listen on {where}: {exc.strerror or exc}")
