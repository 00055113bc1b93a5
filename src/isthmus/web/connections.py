"""Look at this process's own TCP connections, for what granian 2.8.7 does not bound.

* TLS handshakes: granian lets 64 of them be unfinished at a time and each may take 10 s, so that a thousand connections
  that say nothing would keep everybody else out for minutes. `HandshakeGuard` closes unfinished ones as soon as others wait.
* Request bodies: there is no timeout at all. A connection on which data came but no answer went out for longer than any
  request may take is closed (`StallGuard`); that also frees the thread that reads from it.
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

_ESTABLISHED = 1  # netinet/tcp.h
# Offsets below are those of struct tcp_info (linux/tcp.h), which only grows at its end; bytes_sent came with Linux 4.19.
_SIZE = 208


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted TCP connection at one moment. Times are milliseconds ago."""

    inode: int
    sent: int
    segments_sent: int
    segment_size: int
    last_sent: int
    last_received: int
    round_trip: float
    duplicate: socket.socket

    @property
    def in_handshake(self) -> bool:
        """Whether the TLS handshake is unfinished.

        Until it has heard the client's Finished, a server writes at most once: its first flight. Afterwards it writes again
        at once: session tickets in TLS 1.3 (RFC 8446 4.6.1), its own Finished in TLS 1.2 (RFC 5246 7.3).
        """
        return self.segments_sent <= -(-self.sent // max(1, self.segment_size))

    @property
    def owes_answer(self) -> bool:
        """Whether data has come since data last went out."""
        return self.last_received < self.last_sent

    def cut(self) -> None:
        """End the connection now, for both sides."""
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self.duplicate.shutdown(socket.SHUT_RDWR)


def connections() -> Iterator[Connection]:
    """Yield this process's established TCP connections; each is usable until the next one is asked for."""
    for entry in list(os.scandir("/proc/self/fd")):
        try:
            target = os.readlink(entry.path)  # noqa: PTH115 - looked at a thousand times a second under attack
            if not target.startswith("socket:["):
                continue
            duplicate = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue  # closed since it was listed
        with duplicate:
            found = _look(duplicate, int(target[8:-1]))
            if found is not None:
                yield found


def _look(duplicate: socket.socket, inode: int) -> Connection | None:
    if duplicate.family == socket.AF_UNIX or duplicate.type != socket.SOCK_STREAM:
        return None
    try:
        raw = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(raw) < _SIZE or raw[0] != _ESTABLISHED:
        return None
    word = struct.Struct("=I").unpack_from
    return Connection(
        inode=inode,
        sent=struct.unpack_from("=Q", raw, 200)[0],
        segments_sent=word(raw, 156)[0],
        segment_size=word(raw, 16)[0],
        last_sent=word(raw, 44)[0],
        last_received=word(raw, 52)[0],
        round_trip=word(raw, 68)[0] / 1e6,
        duplicate=duplicate,
    )


def waiting(listener: socket.socket) -> int:
    """Return how many connections nobody has accepted yet (tcp_info.tcpi_unacked of a listening socket)."""
    if listener.family == socket.AF_UNIX:
        return 0
    return int(struct.unpack_from("=I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE), 24)[0])


def stop_accepting(listener: socket.socket) -> None:
    """Leave new connections to the other processes that share the listening socket; those accepted go on.

    The descriptor is pointed at another listening socket that nobody knows. granian goes on to accept from the number and
    finds nothing; the shared socket stays open in the supervisor, so nothing that waits in its queue is lost.
    """
    with socket.socket(socket.AF_UNIX if listener.family == socket.AF_UNIX else listener.family) as idle:
        if listener.family == socket.AF_UNIX:
            idle.bind("")  # an abstract name chosen by the kernel (unix(7), autobind)
        else:
            idle.bind(("127.0.0.1" if listener.family == socket.AF_INET else "::1", 0))
        idle.listen(1)
        idle.setblocking(False)
        os.dup2(idle.fileno(), listener.fileno(), inheritable=False)


class HandshakeGuard:
    """Closes TLS handshakes that do not go on while other connections wait to be accepted.

    A client sends the next message of a handshake one round trip after ours. The time allowed is that with a wide margin,
    and counts only while somebody waits: a slow client on a quiet server is not disturbed.
    """

    def __init__(self, listener: socket.socket, *, patience: float = 0.15, round_trips: float = 6.0) -> None:
        self._listener = listener
        self._patience = patience
        self._round_trips = round_trips
        self._seen: dict[int, float] = {}

    def look(self) -> int:
        """Close what holds others up and return how many; cheap while nobody waits."""
        if not waiting(self._listener):
            self._seen.clear()
            return 0
        now, seen, cut = time.monotonic(), {}, 0
        for connection in connections():
            if not connection.in_handshake:
                continue
            since = seen[connection.inode] = self._seen.get(connection.inode, now)
            if now - since >= max(self._patience, self._round_trips * connection.round_trip):
                connection.cut()
                cut += 1
        self._seen = seen
        return cut


class StallGuard:
    """Closes connections whose request has been under way for longer than any request may take.

    `limit`: seconds for sending the body and for answering, together. A request that was wholly received is answered within
    that time, so what is closed here is a body that never ends.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._owing: dict[int, tuple[int, float]] = {}

    def look(self) -> int:
        """Close what is over the limit and return how many."""
        now, owing, cut = time.monotonic(), {}, 0
        for connection in connections():
            if not connection.owes_answer:
                continue
            sent, since = self._owing.get(connection.inode, (connection.sent, now))
            if sent != connection.sent:
                since = now  # an answer went out since, and another request began
            owing[connection.inode] = (connection.sent, since)
            if now - since >= self._limit:
                connection.cut()
                cut += 1
        self._owing = owing
        return cut
