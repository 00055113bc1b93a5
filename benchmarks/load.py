"""Load over TLS from many keep-alive connections, and the CPU time that the serving processes spend on it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Request = Callable[[int], bytes]
"""The bytes of the request with that number."""


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


def run(
    port: int,
    ca: Path,
    make: Request,
    *,
    connections: int,
    requests: int,
    pids: Callable[[], Iterable[int]],
    expect: int = 200,
) -> Measured:
    """Send so many requests over so many connections and measure; the first tenth is a warm-up that is not counted."""
    return asyncio.run(_run(port, ca, make, connections, requests, pids, expect))


async def _run(
    port: int,
    ca: Path,
    make: Request,
    connections: int,
    requests: int,
    pids: Callable[[], Iterable[int]],
    expect: int,
) -> Measured:
    context = ssl.create_default_context(cafile=str(ca))
    streams = [
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
        for _ in range(connections)
    ]
    latencies: list[float] = []
    failures = 0
    number = 0

    async def worker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: int) -> None:
        nonlocal number, failures
        while number < until:
            mine, number = number, number + 1
            began = time.perf_counter()
            writer.write(make(mine))
            status = await _answer(reader)
            latencies.append(time.perf_counter() - began)
            failures += status != expect

    async def all_until(until: int) -> None:
        await asyncio.gather(*(worker(reader, writer, until) for reader, writer in streams))

    await all_until(requests // 10)
    latencies.clear()
    begun, first = number, list(pids())
    cpu, began = cpu_seconds(first), time.perf_counter()
    await all_until(requests)
    seconds, used = time.perf_counter() - began, cpu_seconds(first) - cpu
    for _, writer in streams:
        writer.close()
    return Measured(number - begun, seconds, used, latencies, failures)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    if at >= 0:
        length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
        if length:
            await reader.readexactly(length)
    elif b"transfer-encoding: chunked" in lowered:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status
