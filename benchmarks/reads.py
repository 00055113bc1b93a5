"""GET by id and `userName eq` over TLS, with every feature, against a bare function on the same server."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks import people
from benchmarks.figures import Figure
from benchmarks.load import Measured
from benchmarks.load import run as load
from benchmarks.testing import Served, descendants, free_port

CONNECTIONS = 64
ROUNDS = 3


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides alternately and compare CPU time for one request."""
    count = 10_000 if quick else 100_000
    requests = 4_000 if quick else 20_000
    database = folder / "people.db"
    with sqlite3.connect(database) as connection:
        connection.execute(people.CREATE_SQLITE)
        marks = ",".join("?" * len(people.COLUMNS))
        connection.executemany(f"INSERT INTO people VALUES ({marks})", people.rows(count))
    connection.close()
    served = Served(folder, connectors={"hr": people.document(f'url = "sqlite:///{database}"')})
    served.start()
    bare = None
    try:
        served.run("run", "start", "hr")
        ids = _ids(served)
        bare, port = _start_bare(folder, served, count)

        def by_id(number: int) -> bytes:
            return _request(served, f"/Users/{ids[number % len(ids)]}")

        def by_name(number: int) -> bytes:
            name = people.row((number * 7919) % count)[0]
            condition = f'userName eq "{name}"'
            return _request(served, f"/Users?filter={quote(condition)}")

        def plain(number: int) -> bytes:
            return f"GET /x/{ids[number % len(ids)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        sides: dict[str, list[Measured]] = {"bare": [], "id": [], "name": []}
        for _ in range(ROUNDS):
            bare_pids = [bare.pid, *descendants(bare.pid)]
            sides["bare"].append(_load(port, served, plain, requests, bare_pids))
            sides["id"].append(_load(served.port, served, by_id, requests, served.tree()))
            sides["name"].append(_load(served.port, served, by_name, requests, served.tree()))
    finally:
        served.close()
        if bare is not None:
            bare.terminate()  # a kill would leave its worker behind
            bare.wait(20)
    floor = min(one.cpu_per_request for one in sides["bare"])
    for key, title in (("id", "GET by id"), ("name", "userName eq")):
        cost = min(one.cpu_per_request for one in sides[key])
        yield Figure(
            f"{title}, {count:,} people, TLS, {CONNECTIONS} connections, CPU time",
            "bare WSGI function with one SQLite look-up",
            floor / cost,
            0.5,
            f"{cost * 1e6:.0f} us against {floor * 1e6:.0f} us a request, best of {ROUNDS} rounds of {requests:,}",
        )


def _load(port: int, served: Served, make, requests: int, pids: list[int]) -> Measured:  # type: ignore[no-untyped-def]
    measured = load(port, served.ca, make, connections=CONNECTIONS, requests=requests, pids=lambda: pids)
    assert measured.failures == 0, f"{measured.failures} answers were not 200"
    return measured


def _request(served: Served, path: str) -> bytes:
    return (
        f"GET /ecma2host_hr/scim{path} HTTP/1.1\r\nHost: localhost:{served.port}\r\n"
        f"Authorization: Bearer {served.tokens['hr']}\r\nAccept: application/scim+json\r\n\r\n"
    ).encode()


def _ids(served: Served) -> list[str]:
    client = served.client()
    found: list[str] = []
    for start in range(1, 5_001, 1000):
        page = client.request("GET", f"/Users?startIndex={start}&count=1000&attributes=id").json
        found += [one["id"] for one in page["Resources"]]
    client.close()
    return found


def _start_bare(folder: Path, served: Served, count: int) -> tuple[subprocess.Popen[bytes], int]:
    """Give the bare function the same bodies under the same ids, and start it with the same certificate and threads."""
    database = folder / "bare.db"
    client = served.client()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE bodies (id TEXT PRIMARY KEY, body BLOB)")
        for start in range(1, count + 1, 1000):
            page = client.request("GET", f"/Users?startIndex={start}&count=1000").json
            connection.executemany(
                "INSERT INTO bodies VALUES (?, ?)", [(one["id"], json.dumps(one).encode()) for one in page["Resources"]]
            )
    connection.close()
    client.close()
    port = free_port()
    tls = served.configuration / "tls"
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.bare",
            str(port),
            str(tls / "server.crt"),
            str(tls / "server.key"),
            str(database),
            "64",
        ],
        env={**os.environ},
    )
    deadline = time.monotonic() + 20
    while not _listens(port):
        assert started.poll() is None, "the bare server ended"
        assert time.monotonic() < deadline, "the bare server did not start"
        time.sleep(0.05)
    return started, port


def _listens(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
