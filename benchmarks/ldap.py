"""A directory as the target: creates, look-ups, unchanged imports, large groups, against OpenLDAP's programs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import directory
from benchmarks.directory import ATTRIBUTES, FLOOR, PEOPLE, STAFF, DurableSlapd
from benchmarks.figures import Figure
from benchmarks.load import run as load
from benchmarks.testing import Client, Served

CLIENTS = 16
ROUNDS = 3
SMALL = 10
PAUSE = 0.002
"""Seconds between two changes by `ldapmodify`: what the host does itself; a server that never rests is faster."""


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides of each row alternately, at one durable slapd."""
    staff, large = (10_000, 5_000) if quick else (100_000, 50_000)
    requests = 400 if quick else 4_000
    changes = 20 if quick else 100
    server = DurableSlapd.started(staff=staff, groups={"small": SMALL, "large": large})
    served = None
    try:
        served = Served(
            folder,
            connectors={"people": server.document(PEOPLE), "staff": server.document(STAFF)},
            variables={"DIRECTORY_PASSWORD": server.password},
        )
        served.start()
        for name in ("people", "staff"):
            served.run("run", "start", name)
        yield _creates(served, server, folder, requests)
        yield _lookups(served, server, requests)
        yield _imports(served, server, staff)
        yield _members(served, server, large, changes)
    finally:
        if served is not None:
            served.close()
        server.remove()


def _creates(served: Served, server: DurableSlapd, folder: Path, requests: int) -> Figure:
    posts: list[float] = []
    floors: list[float] = []
    before = server.count(PEOPLE, "(objectClass=inetOrgPerson)")
    path = folder / "people.ldif"
    for number in range(ROUNDS):
        first = (number + 1) * 1_000_000
        path.write_text("".join(directory.entry(first + n, FLOOR) for n in range(requests)))
        floors.append(requests / server.seconds("ldapadd", "-f", str(path)))
        posts.append(_load(served, "people", "POST", "/Users", lambda n, f=first: directory.scim(f + n), requests, 201))
    written = server.count(PEOPLE, "(objectClass=inetOrgPerson)") - before
    # The load sends a tenth more beforehand.
    assert written == ROUNDS * (requests + requests // 10), f"{written} entries for {ROUNDS} rounds of {requests}"
    return Figure(
        f"POST into OpenLDAP, {CLIENTS} in flight, TLS, journal and audit durable",
        "ldapadd -f of the same entries",
        max(posts) / max(floors),
        0.6,
        f"{max(posts):,.0f} against {max(floors):,.0f} a second, best of {ROUNDS} alternating rounds",
    )


def _lookups(served: Served, server: DurableSlapd, requests: int) -> Figure:
    """Ask for people who are nowhere, as a client does before each create: only the directory can say so."""
    asked: list[float] = []
    floors: list[float] = []
    command = [sys.executable, "-m", "benchmarks.searching", server.url, server.user, STAFF, str(CLIENTS)]
    environment = {**os.environ, "DIRECTORY_PASSWORD": server.password}
    for number in range(ROUNDS):
        done = subprocess.run([*command, str(requests * 4)], env=environment, check=True, capture_output=True)
        floors.append(float(done.stdout))

        def path(n: int, round: int = number) -> str:
            condition = f'userName eq "nobody.{round}.{n}"'
            return f"/Users?filter={quote(condition)}"

        asked.append(_load(served, "staff", "GET", path, None, requests, 200))
    return Figure(
        f"userName eq that misses the space (live look-up), {CLIENTS} in flight, TLS",
        "python-ldap alone, as many connections",
        max(asked) / max(floors),
        0.5,
        f"{max(asked):,.0f} against {max(floors):,.0f} a second, best of {ROUNDS} alternating rounds",
    )


def _imports(served: Served, server: DurableSlapd, count: int) -> Figure:
    searches: list[float] = []
    took: list[float] = []
    wanted = ["-E", "pr=1000/noprompt", "-LLL", "-o", "ldif-wrap=no", "-b", STAFF, "(objectClass=inetOrgPerson)"]
    for _ in range(ROUNDS):
        searches.append(server.seconds(server.search_program, *wanted, *ATTRIBUTES, "entryUUID"))
        served.run("run", "start", "staff", "--kind", "full")
        done = next(
            each
            for each in json.loads(served.run("run", "list", "staff", "--json"))
            if (each["scope"], each["kind"]) == ("inetOrgPerson", "full")
        )
        assert done["objects"] == count, done
        assert done["changed"] == done["removed"] == 0, done
        took.append(done["seconds"])
    return Figure(
        f"import of {count:,} entries, nothing changed",
        "ldapsearch -E pr=1000/noprompt of the same attributes to nowhere",
        min(searches) / min(took),
        0.3,
        f"{min(took):.2f} s against {min(searches):.2f} s, best of {ROUNDS} alternating rounds",
    )


def _members(served: Served, server: DurableSlapd, large: int, changes: int) -> Figure:
    """Add members one by one; what slapd itself takes for that, as `ldapmodify` shows, is taken off both sides."""
    client = served.client("staff")
    numbers = range(large, large + changes)
    users = [_found(client, "Users", f'userName eq "{directory.people.row(n)[0]}"') for n in numbers]
    groups = {name: _found(client, "Groups", f'displayName eq "{name}"') for name in ("small", "large")}
    ours: dict[str, list[float]] = {name: [] for name in groups}
    slapd: dict[str, list[float]] = {name: [] for name in groups}
    for _ in range(ROUNDS):
        for name, group in groups.items():
            slapd[name].append(_by_program(server, name, numbers, pause=PAUSE))
            _by_program(server, name, numbers, verb="delete")
            ours[name].append(_by_host(client, group, users))
            _by_program(server, name, numbers, verb="delete")
    client.close()
    spent = {name: min(ours[name]) for name in groups}
    own = {name: min(slapd[name]) for name in groups}
    beyond = {name: spent[name] - own[name] for name in groups}
    shown = {name: f"{spent[name] * 1e3:.2f} ms, {own[name] * 1e3:.2f} of them slapd's own" for name in groups}
    return Figure(
        f"add one member to a group of {large:,}, slapd's own time taken off",
        f"add one member to a group of {SMALL}",
        beyond["large"] / beyond["small"],
        1.5,
        f"{shown['large']}, against {shown['small']}; best of {ROUNDS} rounds of {changes}",
        at_most=True,
    )


def _by_program(
    server: DurableSlapd, group: str, numbers: Sequence[int], *, verb: str = "add", pause: float = 0.0
) -> float:
    """Return the median of the seconds that `ldapmodify` waits for one change, with a pause before each."""
    command = ["stdbuf", "-oL", "ldapmodify", "-v", "-x", "-H", server.url, "-D", server.user, "-w", server.password]
    times = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for number in numbers:
            time.sleep(pause)
            began = time.perf_counter()
            program.stdin.write(directory.additions(group, [number], verb=verb))
            program.stdin.flush()
            while (line := program.stdout.readline()) and line != "modify complete\n":
                pass
            assert line, "ldapmodify ended"
            times.append(time.perf_counter() - began)
        program.stdin.close()
        program.stdout.read()
    assert program.returncode == 0
    return statistics.median(times[1:])  # the first one includes the log-in


def _by_host(client: Client, group: str, users: Sequence[str]) -> float:
    """Return the seconds for one member: the median, for the store's checkpoints take their own time."""
    times = []
    for user in users:
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": user}]}],
        }
        began = time.perf_counter()
        answer = client.request("PATCH", f"/Groups/{group}", body)
        times.append(time.perf_counter() - began)
        assert answer.status == 204, answer.text
    return statistics.median(times)


def _found(client: Client, endpoint: str, condition: str) -> str:
    answer = client.request("GET", f"/{endpoint}?excludedAttributes=members&filter={quote(condition)}")
    [found] = answer.json["Resources"]
    return str(found["id"])


def _load(served: Served, connector: str, method: str, path: Any, body: Any, requests: int, expect: int) -> float:
    """Send so many requests and return how many a second; `path` and `body` may depend on the request's number."""
    head = (
        f"Host: localhost:{served.port}\r\nAuthorization: Bearer {served.tokens[connector]}\r\n"
        "Content-Type: application/scim+json\r\n"
    )

    def make(number: int) -> bytes:
        data = b"" if body is None else json.dumps(body(number)).encode()
        at = path if isinstance(path, str) else path(number)
        length = f"Content-Length: {len(data)}\r\n" if data else ""
        return f"{method} /ecma2host_{connector}/scim{at} HTTP/1.1\r\n{head}{length}\r\n".encode() + data

    measured = load(
        served.port, served.ca, make, connections=CLIENTS, requests=requests, pids=served.tree, expect=expect
    )
    assert measured.failures == 0, f"{measured.failures} of {measured.requests} requests failed"
    cpu = measured.cpu_per_request * 1e6
    print(f"       {method} {connector}: {measured.rate:,.0f}/s, {cpu:,.0f} us CPU of the host each", flush=True)
    return measured.rate
