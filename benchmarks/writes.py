"""POST into PostgreSQL, everything durable, against pgbench with the same INSERT."""

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


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides alternately, at the same server, into tables with the same columns and indexes."""
    requests = 600 if quick else 3_000
    seconds = 2 if quick else 6
    server = DurablePostgres.started()
    served = None
    try:
        database = server.create_database()
        for name in ("people", "floor"):
            server.run(people.CREATE_POSTGRESQL.replace("TABLE people", f"TABLE {name}"), database=database)
        server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC", database=database)
        settings = f'url = "{server.url(database)}"\npassword = {{ env = "PEOPLE_PASSWORD" }}\ntls = "disable"'
        served = Served(
            folder, connectors={"hr": people.document(settings)}, variables={"PEOPLE_PASSWORD": server.password}
        )
        served.start()
        token = served.tokens["hr"]
        rates, floors = [], []
        for number in range(ROUNDS):
            floors.append(_pgbench(server, database, folder, seconds))
            first = (number + 1) * 10_000_000

            def post(number: int, first: int = first) -> bytes:
                return _post(served.port, token, first + number)

            measured = load(
                served.port, served.ca, post, connections=CLIENTS, requests=requests, pids=served.tree, expect=201
            )
            assert measured.failures == 0, f"{measured.failures} of {measured.requests} creates failed"
            rates.append(measured.rate)
        written = server.run("SELECT count(*) FROM people", database=database)[0][0]
        assert written >= ROUNDS * requests, "not every acknowledged create is in the table"
    finally:
        if served is not None:
            served.close()
        server.remove()
    yield Figure(
        f"POST into PostgreSQL, {CLIENTS} in flight, TLS, journal and audit durable",
        f"pgbench INSERT of the same row, {CLIENTS} clients",
        max(rates) / max(floors),
        0.10,
        f"{max(rates):,.0f} against {max(floors):,.0f} a second, best of {ROUNDS} alternating rounds",
    )


def _post(port: int, token: str, number: int) -> bytes:
    login, first, last, email, title, department, employee, _ = people.row(number)
    body = json.dumps(
        {
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
    ).encode()
    head = (
        f"POST /ecma2host_hr/scim/Users HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _pgbench(server: DurablePostgres, database: str, folder: Path, seconds: int) -> float:
    """Return the inserts a second that the database itself manages with so many clients."""
    server.run("TRUNCATE floor", database=database)
    script = folder / "insert.sql"
    script.write_text(
        "\\set n random(1, 2000000000)\n"
        "INSERT INTO floor VALUES ('person.' || :n, 'First1', 'Last1', 'person.' || :n || '@example.com', 'Title 1', "
        "'Department 1', :n, false) ON CONFLICT DO NOTHING;\n"
    )
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
