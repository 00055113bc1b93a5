"""Load over TLS from many keep-alive connections, and the CPU time that the serving processes spend on it.

One thread, non-blocking sockets, nothing that it can do without, since it shares the machine with what it measures:
asyncio's streams cost three times as much for each request, and leave the server waiting for the next one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Request = Callable[[int], bytes]
"""The bytes of the request with that number."""
_READ = 65_536


@dataclass(frozen=True)
class Measured:
    """What one run cost. Times in seconds; `cpu` is of the serving processes, user and system."""

    requests: int
    seconds: float
    cpu: float
    latencies: list[float]
    failures: int

    @property
    def cpu_per_request(self) -> float:
        return self.cpu / self.requests

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def median(self) -> float:
        ordered = sorted(self.latencies)
        return ordered[len(ordered) // 2]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have used so far; one that has ended (an import) counts no longer.

    By each process's clock (clock_getcpuclockid(3)): `/proc/PID/stat` goes by steps of 10 ms, a twentieth of a short
    round.
    """
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)
    return total


def pss(pids: Iterable[int]) -> int:
    """Return the proportional set size of processes, in bytes."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


@dataclass(slots=True)
class _Client:
    """One keep-alive connection and what has come of its answer so far."""

    stream: ssl.SSLSocket
    began: float = 0.0
    received: bytes = b""


def run(
    port: int,
    ca: Path,
    make: Request,
    *,
    connections: int,
    requests: int,
    pids: Callable[[], Iterable[int]],
    expect: int = 200,
    seconds: float = 120.0,
) -> Measured:
    """Send so many requests, one at a time on each connection, after a tenth as many that do not count."""
    context = ssl.create_default_context(cafile=str(ca))
    clients = {}
    for _ in range(connections):
        raw = socket.create_connection(("127.0.0.1", port), 20)
        stream = context.wrap_socket(raw, server_hostname="127.0.0.1")
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[stream.fileno()] = _Client(stream)
    end = time.monotonic() + seconds
    try:
        warm = requests // 10
        _send(clients, make, range(warm), expect, end)
        first = list(pids())
        cpu, began = cpu_seconds(first), time.perf_counter()
        latencies, failures = _send(clients, make, range(warm, warm + requests), expect, end)
        took, used = time.perf_counter() - began, cpu_seconds(first) - cpu
    finally:
        for client in clients.values():
            client.stream.close()
    return Measured(requests, took, used, latencies, failures)


def _send(
    clients: dict[int, _Client], make: Request, numbers: range, expect: int, end: float
) -> tuple[list[float], int]:
    """Keep every connection busy until all requests are answered; return latencies and how many were not as expected.

    Raises:
        TimeoutError: no answer within the time.
        ConnectionError: the server ended a connection.
    """
    waiting = [make(number) for number in numbers]  # made beforehand: this thread has enough to do
    waiting.reverse()
    poll, clock, latencies, failures = select.epoll(), time.perf_counter, [], 0
    busy = 0
    for file, client in clients.items():
        if waiting:
            poll.register(file, select.EPOLLIN)
            client.began = clock()
            client.stream.setblocking(False)
            client.stream.sendall(waiting.pop())
            busy += 1
    while busy:
        ready = poll.poll(max(0.0, end - time.monotonic()))
        if not ready:
            raise TimeoutError("not every request was answered in time")
        for file, _ in ready:
            client = clients[file]
            try:
                data = client.stream.recv(_READ)
            except ssl.SSLWantReadError:
                continue
            if not data:
                raise ConnectionError("the server ended a connection")
            client.received += data
            status = _answered(client.received)
            if status is None:
                continue
            now = clock()
            latencies.append(now - client.began)
            failures += status != expect
            client.received = b""
            if waiting:
                client.began = now
                client.stream.sendall(waiting.pop())
            else:
                poll.unregister(file)
                busy -= 1
    poll.close()
    return latencies, failures


def _answered(received: bytes) -> int | None:
    """Return the status of an answer that has come wholly, or None. The host always sends a Content-Length."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    line = lowered[at + 15 : lowered.find(b"\r\n", at) if b"\r\n" in lowered[at:] else len(lowered)]
    length = int(line) if at >= 0 else 0
    return int(head[9:12]) if len(body) >= length else None
