"""Look at this process's own TCP connections, for what granian 2.8.7 does not offer.

* Request bodies: it has no timeout for them. `StallGuard` closes the connections of those that do not come, which frees
  the threads that read from them.
* Accepting cannot be stopped without stopping. `stop_accepting` takes the listening socket away from this process only.

Connections are looked at through a duplicate of their descriptor: the number may be used for another connection at any
moment, the duplicate still means the one that was looked at.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from isthmus.web.work import Work

_ESTABLISHED = 1  # netinet/tcp.h
# Offsets below are those of struct tcp_info (linux/tcp.h), which only grows at its end; bytes_sent: Linux 4.19.
_SIZE = 208


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted TCP connection at one moment. Times are milliseconds ago."""

    inode: int
    sent: int
    last_sent: int
    last_received: int
    duplicate: socket.socket

    @property
    def may_owe(self) -> bool:
        """Whether data may have come since data last went out; the kernel's clock ticks only every few milliseconds."""
        return self.last_received <= self.last_sent

    def cut(self) -> None:
        """End the connection now, for both sides."""
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self.duplicate.shutdown(socket.SHUT_RDWR)


def connections(port: int) -> Iterator[Connection]:
    """Yield this process's established connections to its own `port`; each is usable until the next one is asked for.

    Connections that it made itself, to targets, are none of them.
    """
    for entry in list(os.scandir("/proc/self/fd")):
        try:
            target = os.readlink(entry.path)  # noqa: PTH115 - looked at a thousand times a second under attack
            if not target.startswith("socket:["):
                continue
            duplicate = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue  # closed since it was listed
        with duplicate:
            found = _look(duplicate, int(target[8:-1]), port)
            if found is not None:
                yield found


def _look(duplicate: socket.socket, inode: int, port: int) -> Connection | None:
    if duplicate.family not in {socket.AF_INET, socket.AF_INET6} or duplicate.type != socket.SOCK_STREAM:
        return None
    try:
        if duplicate.getsockname()[1] != port:
            return None
        raw = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(raw) < _SIZE or raw[0] != _ESTABLISHED:
        return None
    word = struct.Struct("=I").unpack_from
    return Connection(
        inode=inode,
        sent=struct.unpack_from("=Q", raw, 200)[0],
        last_sent=word(raw, 44)[0],
        last_received=word(raw, 52)[0],
        duplicate=duplicate,
    )


def inode_of(listener: socket.socket) -> int:
    """Return what tells this socket from any other that has its descriptor's number later."""
    return os.fstat(listener.fileno()).st_ino


def stop_accepting(listener: socket.socket, inode: int) -> None:
    """Leave new connections to the other processes that share the listening socket; those accepted go on.

    The descriptor is pointed at another listening socket that nobody knows. granian goes on to accept from the number
    and finds nothing; the shared socket stays open in the supervisor, so nothing that waits in its queue is lost.

    Does nothing if granian has closed the descriptor, whose number may by now be another file.
    """
    try:
        if inode_of(listener) != inode:
            return
    except OSError:
        return
    with socket.socket(listener.family) as idle:
        if listener.family == socket.AF_UNIX:
            idle.bind("")  # an abstract name chosen by the kernel (unix(7), autobind)
        else:
            idle.bind(("127.0.0.1" if listener.family == socket.AF_INET else "::1", 0))
        idle.listen(1)
        idle.setblocking(False)
        os.dup2(idle.fileno(), listener.fileno(), inheritable=False)


class StallGuard:
    """Closes connections whose request has not wholly come after `patience` seconds.

    From outside, a body that does not come and an answer that takes long look the same: data came in and nothing went
    out since. But of requests that are worked on it is known when they began: what owes an answer for longer than all
    of these waits for its body. An idle connection may look so too, if its last answer took no time at all; it is only
    closed while there is a body that does not come, and after a time in which the header timeout closes it anyway.

    What is worked on for more than `longest` seconds does not count: it should have been answered by then, and a
    connector that never returns would keep every other body from being looked after.
    """

    def __init__(
        self, port: int, patience: float, *, longest: float = float("inf"), least: float = 1.0, margin: float = 1.0
    ) -> None:
        self._port = port
        self._patience = patience
        self._longest = longest
        self._least = least
        self._margin = margin
        self._owing: dict[int, tuple[int, float]] = {}

    def look(self, work: Work, *, crowded: bool) -> int:
        """Close what is over the limit and return how many.

        `crowded`: others wait, or this process is about to end; then `least` seconds are enough, as a body that is
        there arrives at once.
        """
        worked_on = min(work.oldest(), self._longest)
        limit = max(self._least if crowded else self._patience, worked_on + self._margin)
        oldest = work.oldest_body()
        if not oldest:
            self._owing.clear()
            return 0
        overdue = oldest >= limit
        now, owing, cut = time.monotonic(), {}, 0
        for connection in connections(self._port):
            if not connection.may_owe:
                continue
            sent, since = self._owing.get(connection.inode, (connection.sent, now))
            if sent != connection.sent:
                since = now  # an answer went out since, and another request began
            owing[connection.inode] = (connection.sent, since)
            if overdue and now - since >= limit:
                connection.cut()
                cut += 1
        self._owing = owing
        return cut
