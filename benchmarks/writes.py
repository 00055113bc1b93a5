"""POST and PATCH into PostgreSQL, everything durable, against pgbench with the same INSERT and UPDATE."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks import people
from benchmarks.figures import Figure
from benchmarks.load import run as load
from benchmarks.testing import DurablePostgres, Served

CLIENTS = 16
ROUNDS = 3

INSERT = (
    "\\set n random(1, 2000000000)\n"
    "INSERT INTO floor VALUES ('person.' || :n, 'First1', 'Last1', 'person.' || :n || '@example.com', 'Title 1', "
    "'Department 1', :n, false) ON CONFLICT DO NOTHING;\n"
)
UPDATE = (
    "\\set n random(0, {last})\n"
    "UPDATE floor SET title = 'Title ' || :n WHERE login = 'person.' || lpad(:n::text, 7, '0');\n"
)


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides alternately, at the same server, into tables with the same columns and indexes."""
    for workers in (1, 2):
        part = folder / str(workers)
        part.mkdir()
        yield from _with(part, workers, quick=quick)


def _with(folder: Path, workers: int, *, quick: bool) -> Iterator[Figure]:
    requests = 600 if quick else 6_000
    seconds = 2 if quick else 6
    changed = 500 if quick else 5_000  # people whose title is changed
    server = DurablePostgres.started()
    served = None
    inserts: list[float] = []
    updates: list[float] = []
    posts: list[float] = []
    patches: list[float] = []
    try:
        database = server.create_database()
        for name in ("people", "floor"):
            server.run(people.CREATE_POSTGRESQL.replace("TABLE people", f"TABLE {name}"), database=database)
        server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC", database=database)
        settings = f'url = "{server.url(database)}"\npassword = {{ env = "PEOPLE_PASSWORD" }}\ntls = "disable"'
        served = Served(
            folder,
            workers=workers,
            extra="own_cores = true" if workers > 1 else "",
            connectors={"hr": people.document(settings)},
            variables={"PEOPLE_PASSWORD": server.password},
        )
        served.start()
        writes = _Writes(served)
        for number in range(ROUNDS):
            server.run("TRUNCATE floor", database=database)
            inserts.append(_pgbench(server, database, folder, seconds, INSERT))
            posts.append(writes.post((number + 1) * 10_000_000, requests))
        written = server.run("SELECT count(*) FROM people", database=database)[0][0]
        assert written >= ROUNDS * requests, "not every acknowledged create is in the table"
        marks = ",".join(["%s"] * len(people.COLUMNS))
        with server.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE floor")
            for name in ("people", "floor"):
                cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", list(people.rows(changed)))
            cursor.execute("VACUUM ANALYZE")
        ids = writes.ids(changed)
        for number in range(ROUNDS):
            updates.append(_pgbench(server, database, folder, seconds, UPDATE.replace("{last}", str(changed - 1))))
            patches.append(writes.patch(ids, number, requests))
        titles = server.run("SELECT count(*) FROM people WHERE title LIKE 'Changed %%'", database=database)[0][0]
        assert titles == changed, "not every acknowledged change is in the table"
    finally:
        if served is not None:
            served.close()
        server.remove()
    having = "" if workers == 1 else f"; {workers} workers, each on a core of its own"
    for title, against, rates, floors in (
        ("POST", "INSERT of the same row", posts, inserts),
        ("PATCH of one attribute", "UPDATE of one column by key", patches, updates),
    ):
        yield Figure(
            f"{title} into PostgreSQL, {CLIENTS} in flight, TLS, journal and audit durable{having}",
            f"pgbench {against}, {CLIENTS} clients",
            max(rates) / max(floors),
            0.15,
            f"{max(rates):,.0f} against {max(floors):,.0f} a second, best of {ROUNDS} alternating rounds",
        )


class _Writes:
    """The writes of all connections to one host."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._head = (
            f"Host: localhost:{served.port}\r\nAuthorization: Bearer {served.tokens['hr']}\r\n"
            "Content-Type: application/scim+json\r\nContent-Length: "
        )

    def post(self, first: int, requests: int) -> float:
        """Create people from that number on; return how many a second."""
        return self._load(lambda number: self.creation(first + number), requests, 201)

    def patch(self, ids: list[str], round: int, requests: int) -> float:
        """Change one person's title after the other's; return how many a second."""
        return self._load(lambda number: self.change(ids[number % len(ids)], f"{round} {number}"), requests, 200)

    def ids(self, count: int) -> list[str]:
        """Import the people below that number and return their ids."""
        self._served.run("run", "start", "hr")
        wanted = {people.row(number)[0] for number in range(count)}
        client = self._served.client()
        found: list[str] = []
        start = 1
        while len(found) < count:
            path = f"/Users?startIndex={start}&count=1000&attributes=id,userName"
            page = client.request("GET", path).json["Resources"]
            assert page, "not everybody was imported"
            found += [one["id"] for one in page if one["userName"] in wanted]
            start += len(page)
        client.close()
        return found

    def creation(self, number: int) -> bytes:
        login, first, last, email, title, department, employee, _ = people.row(number)
        body = {
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User",
            ],
            "userName": login,
            "name": {"givenName": first, "familyName": last},
            "emails": [{"type": "work", "value": email}],
            "title": title,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": department},
            "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User": {"employee": employee},
            "active": True,
        }
        return self._request("POST", "", body)

    def change(self, id: str, title: str) -> bytes:
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "title", "value": f"Changed {title}"}],
        }
        return self._request("PATCH", f"/{id}", body)

    def _request(self, method: str, path: str, body: object) -> bytes:
        data = json.dumps(body).encode()
        return f"{method} /ecma2host_hr/scim/Users{path} HTTP/1.1\r\n{self._head}{len(data)}\r\n\r\n".encode() + data

    def _load(self, make, requests: int, expect: int) -> float:  # type: ignore[no-untyped-def]
        served = self._served
        measured = load(
            served.port, served.ca, make, connections=CLIENTS, requests=requests, pids=served.tree, expect=expect
        )
        assert measured.failures == 0, f"{measured.failures} of {measured.requests} writes failed"
        return measured.rate


def _pgbench(server: DurablePostgres, database: str, folder: Path, seconds: int, text: str) -> float:
    """Return the statements a second that the database itself manages with so many clients."""
    script = folder / "script.sql"
    script.write_text(text)
    program = shutil.which("pgbench") or str(server.programs / "pgbench")
    done = subprocess.run(
        [program, *f"-n -c {CLIENTS} -j 2 -T {seconds} -M prepared -h {server.host} -p {server.port}".split()]  # noqa: RUF005
        + ["-U", server.administrator, "-f", str(script), database],
        env={"PGPASSWORD": server.password, "PGSSLMODE": "disable"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])
