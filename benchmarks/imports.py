"""A million people: first import, unchanged import, reads meanwhile, memory, deep pages, start."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

from benchmarks import people
from benchmarks.figures import Figure
from benchmarks.load import pss
from benchmarks.testing import DurablePostgres, Served

MEGABYTE = 1024 * 1024


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Load the same rows into PostgreSQL by COPY and into the connector space by an import, and compare."""
    count = 100_000 if quick else 1_000_000
    server = DurablePostgres.started()
    served = None
    try:
        database = server.create_database()
        rows = folder / "rows.tsv"
        with rows.open("w") as stream:
            for row in people.rows(count):
                stream.write("\t".join(("t" if v else "f") if isinstance(v, bool) else str(v) for v in row) + "\n")
        server.run(people.CREATE_POSTGRESQL, database=database)
        copy_in = _seconds(lambda: _psql(server, database, f"\\copy people from '{rows}'"))
        server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC", database=database)
        server.run("ANALYZE people", database=database)
        small = folder / "small.db"
        _small(small)
        settings = f'url = "{server.url(database)}"\npassword = {{ env = "PEOPLE_PASSWORD" }}\ntls = "disable"'
        served = Served(
            folder,
            connectors={
                "hr": people.document(settings),
                "small": people.document(f'url = "sqlite:///{small}"'),
            },
            variables={"PEOPLE_PASSWORD": server.password},
        )
        yield from _measure(served, server, database, count, copy_in)
    finally:
        if served is not None:
            served.close()
        server.remove()


def _measure(served: Served, server: DurablePostgres, database: str, count: int, copy_in: float) -> Iterator[Figure]:
    served.start()
    served.run("run", "start", "small")
    small, large = served.client("small"), served.client("hr")
    idle = _median(lambda: small.request("GET", _by_name(7)), 2.0)
    peak = Peak(served)
    reading = Reads(served)
    with peak, reading:
        took = _seconds(lambda: served.run("run", "start", "hr"))
    total = large.request("GET", "/Users?count=0").json["totalResults"]
    assert total == count, f"{total} people instead of {count}"
    yield Figure(
        f"first import of {count:,} rows",
        "COPY in of the same rows, same indexes",
        copy_in / took,
        0.2,
        f"{took:.1f} s against {copy_in:.1f} s",
    )
    yield Figure(
        "median read while that import runs",
        "idle",
        reading.median / idle,
        2.0,
        f"{reading.median * 1e3:.2f} ms against {idle * 1e3:.2f} ms, one connection",
        at_most=True,
    )
    copies, imports = [], []
    for _ in range(2):
        copies.append(_seconds(lambda: _psql(server, database, "\\copy people to '/dev/null'")))
        with peak:
            imports.append(_seconds(lambda: served.run("run", "start", "hr")))
    runs = json.loads(served.run("run", "list", "hr", "--json"))
    own = min(run["seconds"] for run in runs[:2])
    assert all(run["changed"] == 0 and run["removed"] == 0 for run in runs[:2]), runs[:2]
    yield Figure(
        f"import of {count:,} rows, nothing changed",
        "psql COPY TO of the same rows",
        min(copies) / own,
        0.25,
        f"{own:.2f} s against {min(copies):.2f} s ({min(imports):.2f} s with the command itself)",
    )
    serving = pss(served.tree()) / MEGABYTE
    highest = max(peak.highest / MEGABYTE, serving)
    yield Figure(
        "memory of all processes",
        "during the imports, and serving afterwards",
        highest,
        250,
        f"{peak.highest / MEGABYTE:.0f} MB at most during the imports, {serving:.0f} MB serving afterwards (PSS)",
        at_most=True,
        unit=" MB",
    )
    deep = f"/Users?startIndex={count * 9 // 10}&count=100"
    first = _median(lambda: small.request("GET", "/Users?startIndex=1&count=100"), 2.0)
    far = _median(lambda: large.request("GET", deep), 2.0)
    yield Figure(
        f"page of 100 at {count * 9 // 10:,} of {count:,}",
        "first page of a connector with 1,000 objects",
        far / first,
        2.0,
        f"{far * 1e3:.2f} ms against {first * 1e3:.2f} ms",
        at_most=True,
    )
    small.close()
    large.close()
    served.stop()
    began = time.perf_counter()
    served.start()
    client = served.client("hr")
    answer = client.request("GET", _by_name(count // 2))
    took = time.perf_counter() - began
    assert answer.json["totalResults"] == 1
    client.close()
    yield Figure(
        f"start to first answer, {count:,} objects in the store",
        "start of the command",
        took,
        2.0,
        "from starting the process to the answer of userName eq over TLS",
        at_most=True,
        unit=" s",
    )


class Peak:
    """The highest sum of PSS of all processes while the block runs, looked at ten times a second."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.highest = 0

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.highest = max(self.highest, pss(self._served.tree()))


class Reads:
    """One client that reads all the time while the block runs."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._times: list[float] = []

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        client = self._served.client("small")
        while not self._stop.is_set():
            began = time.perf_counter()
            answer = client.request("GET", _by_name(7))
            self._times.append(time.perf_counter() - began)
            assert answer.status == 200
        client.close()

    @property
    def median(self) -> float:
        return sorted(self._times)[len(self._times) // 2]


def _by_name(number: int) -> str:
    condition = f'userName eq "{people.row(number)[0]}"'
    return f"/Users?filter={quote(condition)}"


def _median(ask: Callable[[], object], seconds: float) -> float:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _psql(server: DurablePostgres, database: str, command: str) -> None:
    subprocess.run(
        ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", server.host, "-p", str(server.port)]  # noqa: RUF005
        + ["-U", server.administrator, "-d", database, "-c", command],
        env={**os.environ, "PGPASSWORD": server.password, "PGSSLMODE": "disable"},
        check=True,
        capture_output=True,
    )


def _small(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(people.CREATE_SQLITE)
        marks = ",".join("?" * len(people.COLUMNS))
        connection.executemany(f"INSERT INTO people VALUES ({marks})", people.rows(1000))
    connection.close()
