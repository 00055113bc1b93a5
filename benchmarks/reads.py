"""GET by id, `userName eq` and lists over TLS, with every feature, against a bare function on the same server."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from benchmarks import people
from benchmarks.beside import Beside
from benchmarks.figures import Figure
from benchmarks.load import Request
from benchmarks.load import run as load
from benchmarks.testing import Served
from isthmus.config.documents import ScimSettings

CONNECTIONS = 64
THREADS = ScimSettings().threads
"""As many for the bare function as the host has."""
STARTS = 3
"""How often all servers are started anew: where their memory lies changes what a request costs by some per cent."""
ROUNDS = 5
"""Rounds after each start."""
LISTS = 100
"""Different pages that are asked for."""
PAGE = 100
STEP = 7919  # a prime: persons are asked for from everywhere, by whatever


@dataclass
class _Side:
    """One kind of request to one server, and the CPU time of one request in each round."""

    port: int
    make: Request
    pids: Callable[[], Sequence[int]]
    requests: int
    cost: list[float] = field(default_factory=list)


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure all sides one after the other, round by round, and compare the CPU time for one request by round."""
    count = 10_000 if quick else 100_000
    requests = 1_000 if quick else 4_000
    documents = _documents(folder, count)
    served = Served(folder, connectors=documents)
    second = Served(folder / "second", workers=2, connectors={"hr": documents["hr"]})
    costs: dict[str, list[float]] = {}
    try:
        for host in (served, second):
            host.start()
            for name in host.tokens:
                host.run("run", "start", name)
        bodies = folder / "bare.db"
        ids = {name: _keep_bodies(bodies, served, name, count) for name in documents}
        for number in range(STARTS):
            if number:
                for host in (served, second):
                    host.stop()
                    host.start()
            bare = Beside(served, "benchmarks.bare", str(bodies), str(THREADS))
            try:
                sides = _sides(served, second, bare, ids, requests, count)
                for again in range(ROUNDS):
                    _round(served, second, sides, backwards=again % 2 == 1)
            finally:
                bare.close()
            for name, side in sides.items():
                costs.setdefault(name, []).extend(side.cost)
    finally:
        served.close()
        second.close()
    yield from _figures(costs, count, requests)


def _documents(folder: Path, count: int) -> dict[str, str]:
    plain, joined = folder / "people.db", folder / "joined.db"
    people.make_sqlite(plain, count)
    people.make_joined(joined, count)
    return {
        "hr": people.document(f'url = "sqlite:///{plain}"'),
        "joined": people.joined_document(f'url = "sqlite:///{joined}"'),
    }


def _sides(
    served: Served, second: Served, bare: Beside, ids: dict[str, list[str]], requests: int, count: int
) -> dict[str, _Side]:
    """Return what is measured. Every side of a comparison asks for the same persons, from all of them."""

    def plain(key: Callable[[int], str]) -> Request:
        return lambda number: f"GET /x/{key(number)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def by_id(host: Served, name: str) -> Request:
        return lambda number: request(host, f"/Users/{ids[name][number * STEP % count]}", name)

    def by_name(name: str) -> Request:
        def make(number: int) -> bytes:
            condition = f'userName eq "{people.row(number * STEP % count)[0]}"'
            return request(served, f"/Users?filter={quote(condition)}", name)

        return make

    def one_of(name: str) -> Callable[[int], str]:
        return lambda number: ids[name][number * STEP % count]

    few = requests // 6
    return {
        "bare": _Side(bare.port, plain(one_of("hr")), bare.pids, requests),
        "id": _Side(served.port, by_id(served, "hr"), served.tree, requests),
        "name": _Side(served.port, by_name("hr"), served.tree, requests),
        "two": _Side(second.port, by_id(second, "hr"), second.tree, requests),
        "bare joined": _Side(bare.port, plain(one_of("joined")), bare.pids, requests),
        "joined id": _Side(served.port, by_id(served, "joined"), served.tree, requests),
        "joined name": _Side(served.port, by_name("joined"), served.tree, requests),
        "bare list": _Side(bare.port, plain(lambda number: f"page-{number % LISTS}"), bare.pids, few),
        "list": _Side(served.port, lambda number: request(served, _page(number, count)), served.tree, few),
    }


def _round(served: Served, second: Served, sides: dict[str, _Side], *, backwards: bool) -> None:
    for side in reversed(sides.values()) if backwards else sides.values():
        ca = second.ca if side.port == second.port else served.ca
        pids = side.pids()
        measured = load(
            side.port, ca, side.make, connections=CONNECTIONS, requests=side.requests, pids=lambda pids=pids: pids
        )
        assert measured.failures == 0, f"{measured.failures} answers were not 200"
        side.cost.append(measured.cpu_per_request)


def _figures(costs: dict[str, list[float]], count: int, requests: int) -> Iterator[Figure]:
    with_tls = f"{count:,} people, TLS, {CONNECTIONS} connections, CPU time"
    bare = "bare WSGI function with one SQLite look-up"
    joined = f"{count:,} people with a manager and two groups, TLS, {CONNECTIONS} connections, CPU time"
    bytes_ready = "the same bare function returning the same bytes ready-made"
    rounds = f"medians of {STARTS} starts with {ROUNDS} rounds of"
    many, few = f"{rounds} {requests:,}", f"{rounds} {requests // 6:,}"
    for base, side, title, against, goal, how in (
        ("bare", "id", f"GET by id, {with_tls}", bare, 0.65, many),
        ("bare", "name", f"userName eq, {with_tls}", bare, 0.65, many),
        ("bare joined", "joined id", f"GET by id, {joined}", bare, 0.65, many),
        ("bare joined", "joined name", f"userName eq, {joined}", bare, 0.65, many),
        ("bare list", "list", f"list of {PAGE} users, {with_tls}", bytes_ready, 0.4, few),
    ):
        yield _figure(title, against, costs[side], costs[base], goal, how)
    yield _figure(
        f"GET by id with two workers, {with_tls}", "one worker", costs["two"], costs["id"], 1.15, many, worse=True
    )


def _figure(
    title: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    goal: float,
    how: str,
    *,
    worse: bool = False,
) -> Figure:
    """Return the median of the rounds' ratios, for both sides of a round were measured within seconds of one another.

    `worse`: the ratio says how many times as much ours costs, and not how near it comes.
    """
    ratios = sorted(our / their if worse else their / our for our, their in zip(ours, theirs, strict=True))
    quarter = len(ratios) // 4
    told = (
        f"{statistics.median(ours) * 1e6:.0f} us against {statistics.median(theirs) * 1e6:.0f} us a request, {how}; "
        f"half of the rounds within {ratios[quarter]:.2f} and {ratios[-1 - quarter]:.2f}"
    )
    return Figure(title, against, statistics.median(ratios), goal, told, at_most=worse)


def request(served: Served, path: str, connector: str = "hr") -> bytes:
    """Return a GET as clients send it."""
    return (
        f"GET /ecma2host_{connector}/scim{path} HTTP/1.1\r\nHost: localhost:{served.port}\r\n"
        f"Authorization: Bearer {served.tokens[connector]}\r\nAccept: application/scim+json\r\n\r\n"
    ).encode()


def _page(number: int, count: int) -> str:
    return f"/Users?startIndex={1 + (number % LISTS) * (count // LISTS)}&count={PAGE}"


def _keep_bodies(database: Path, served: Served, connector: str, count: int) -> list[str]:
    """Give the bare function the same bodies under the same ids, and the same lists; return the ids by number."""
    client = served.client(connector)
    ids: dict[str, str] = {}
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS bodies (id TEXT PRIMARY KEY, body BLOB)")
        insert = "INSERT INTO bodies VALUES (?, ?)"
        for start in range(1, count + 1, 1000):
            page = client.request("GET", f"/Users?startIndex={start}&count=1000").json
            connection.executemany(insert, [(one["id"], json.dumps(one).encode()) for one in page["Resources"]])
            ids.update((one["userName"], one["id"]) for one in page["Resources"])
        for number in range(LISTS if connector == "hr" else 0):
            text = client.request("GET", _page(number, count)).text
            connection.execute(insert, (f"page-{number}", text))
    connection.close()
    client.close()
    return [ids[people.row(number)[0]] for number in range(count)]
