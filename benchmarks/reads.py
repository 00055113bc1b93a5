"""GET by id, `userName eq` and lists over TLS, with every feature, against a bare function on the same server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks import people
from benchmarks.beside import Beside
from benchmarks.figures import Figure
from benchmarks.load import Measured, Request
from benchmarks.load import run as load
from benchmarks.testing import Served

CONNECTIONS = 64
ROUNDS = 5
LISTS = 100
"""Different pages that are asked for."""
PAGE = 100


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides alternately and compare CPU time for one request."""
    count = 10_000 if quick else 100_000
    requests = 3_000 if quick else 12_000
    database = folder / "people.db"
    people.make_sqlite(database, count)
    served = Served(folder, connectors={"hr": people.document(f'url = "sqlite:///{database}"')})
    second = Served(folder / "second", workers=2, connectors={"hr": people.document(f'url = "sqlite:///{database}"')})
    bare = None
    sides: dict[str, list[Measured]] = {"bare": [], "id": [], "name": [], "bare list": [], "list": [], "two": []}
    try:
        for host in (served, second):
            host.start()
            host.run("run", "start", "hr")
        ids = _ids(served)
        bodies = folder / "bare.db"
        _keep_bodies(bodies, served, count)
        bare = Beside(served, "benchmarks.bare", str(bodies), "64")

        def by_id(number: int) -> bytes:
            return request(served, f"/Users/{ids[number % len(ids)]}")

        def by_id_of_two(number: int) -> bytes:
            return request(second, f"/Users/{ids[number % len(ids)]}")

        def by_name(number: int) -> bytes:
            condition = f'userName eq "{people.row((number * 7919) % count)[0]}"'
            return request(served, f"/Users?filter={quote(condition)}")

        def page(number: int) -> bytes:
            return request(served, _page(number, count))

        def plain(number: int) -> bytes:
            return f"GET /x/{ids[number % len(ids)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        def plain_page(number: int) -> bytes:
            return f"GET /x/page-{number % LISTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        def measure(side: str, port: int, make: Request, pids: list[int], share: int = 1) -> None:
            ca = second.ca if port == second.port else served.ca
            measured = load(port, ca, make, connections=CONNECTIONS, requests=requests // share, pids=lambda: pids)
            assert measured.failures == 0, f"{measured.failures} answers were not 200"
            sides[side].append(measured)

        for _ in range(ROUNDS):
            measure("bare", bare.port, plain, bare.pids())
            measure("id", served.port, by_id, served.tree())
            measure("two", second.port, by_id_of_two, second.tree())
            measure("name", served.port, by_name, served.tree())
            measure("bare list", bare.port, plain_page, bare.pids(), 6)
            measure("list", served.port, page, served.tree(), 6)
    finally:
        served.close()
        second.close()
        if bare is not None:
            bare.close()
    cost = {side: min(one.cpu_per_request for one in found) for side, found in sides.items()}
    rounds = f"best of {ROUNDS} rounds of {requests:,}"
    with_tls = f"{count:,} people, TLS, {CONNECTIONS} connections, CPU time"
    for side, title in (("id", "GET by id"), ("name", "userName eq")):
        yield Figure(
            f"{title}, {with_tls}",
            "bare WSGI function with one SQLite look-up",
            cost["bare"] / cost[side],
            0.65,
            f"{cost[side] * 1e6:.0f} us against {cost['bare'] * 1e6:.0f} us a request, {rounds}",
        )
    yield Figure(
        f"list of {PAGE} users, {with_tls}",
        "the same bare function returning the same bytes ready-made",
        cost["bare list"] / cost["list"],
        0.4,
        f"{cost['list'] * 1e6:.0f} us against {cost['bare list'] * 1e6:.0f} us a request, "
        f"best of {ROUNDS} rounds of {requests // 6:,}",
    )
    yield Figure(
        f"GET by id with two workers, {with_tls}",
        "one worker",
        cost["two"] / cost["id"],
        1.15,
        f"{cost['two'] * 1e6:.0f} us against {cost['id'] * 1e6:.0f} us a request, {rounds}",
        at_most=True,
    )


def request(served: Served, path: str) -> bytes:
    """Return a GET as clients send it."""
    return (
        f"GET /ecma2host_hr/scim{path} HTTP/1.1\r\nHost: localhost:{served.port}\r\n"
        f"Authorization: Bearer {served.tokens['hr']}\r\nAccept: application/scim+json\r\n\r\n"
    ).encode()


def _page(number: int, count: int) -> str:
    return f"/Users?startIndex={1 + (number % LISTS) * (count // LISTS)}&count={PAGE}"


def _ids(served: Served) -> list[str]:
    client = served.client()
    found: list[str] = []
    for start in range(1, 5_001, 1000):
        page = client.request("GET", f"/Users?startIndex={start}&count=1000&attributes=id").json
        found += [one["id"] for one in page["Resources"]]
    client.close()
    return found


def _keep_bodies(database: Path, served: Served, count: int) -> None:
    """Give the bare function the same bodies under the same ids, and the same lists."""
    client = served.client()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE bodies (id TEXT PRIMARY KEY, body BLOB)")
        insert = "INSERT INTO bodies VALUES (?, ?)"
        for start in range(1, count + 1, 1000):
            page = client.request("GET", f"/Users?startIndex={start}&count=1000").json
            connection.executemany(insert, [(one["id"], json.dumps(one).encode()) for one in page["Resources"]])
        for number in range(LISTS):
            text = client.request("GET", _page(number, count)).text
            connection.execute(insert, (f"page-{number}", text))
    connection.close()
    client.close()
