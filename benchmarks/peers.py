"""Every operation on one person, and lists, against scim2-server with its memory store on the same HTTP server.

The payloads are the same. scim2-server writes to its own memory; the host to an SQLite table and, for comparison, to
its in-memory connector; its journal is durable each time.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks import people
from benchmarks.beside import Beside
from benchmarks.figures import Figure
from benchmarks.load import run as load
from benchmarks.testing import Client, Served, memory_document

CONNECTIONS = 16
ROUNDS = 6
PEOPLE = 1_000
"""Few, for scim2-server looks at each of them for a list."""
TOKEN = "token-of-the-other-server"  # not a secret: its server lives as long as the benchmark
AGAINST = f"scim2-server with its memory store, same payloads, same HTTP server, {PEOPLE:,} people, CPU time"
TITLES = {"get": "GET by id", "filter": "userName eq", "list": "list of 100 users", "patch": "PATCH", "post": "POST"}
WRITES = {"patch", "post"}


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both sides alternately and compare CPU time for one request."""
    if importlib.util.find_spec("scim2_server") is None:
        for title in TITLES.values():
            yield Figure(title, AGAINST, math.nan, 5, "scim2-server is not installed (dependency group bench)")
        return
    requests = 300 if quick else 1_500
    database = folder / "people.db"
    people.make_sqlite(database, 0)
    kept = memory_document("peers", guard="provider_objects = 10000000")
    served = Served(folder, connectors={"hr": people.document(f'url = "sqlite:///{database}"'), "kept": kept})
    served.start()
    peer = None
    try:
        peer = Beside(served, "benchmarks.peer", TOKEN, "32")
        sides = {
            "host": _Side(served.port, "/ecma2host_hr/scim", served.tokens["hr"], served.tree, patched=200),
            "kept": _Side(served.port, "/ecma2host_kept/scim", served.tokens["kept"], served.tree, patched=200),
            "peer": _Side(peer.port, "/v2", TOKEN, peer.pids, patched=204),
        }
        for side in sides.values():
            side.fill(served.ca)
        costs: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for operation in TITLES:
                for name, side in sides.items():
                    if name == "kept" and operation not in WRITES:
                        continue
                    make, expect = side.operation(operation)
                    share = 10 if operation == "list" else 1
                    measured = load(
                        side.port, served.ca, make, connections=CONNECTIONS, requests=requests // share, pids=side.pids,
                        expect=expect,
                    )  # fmt: skip
                    assert measured.failures == 0, f"{name}: {measured.failures} of {operation} failed"
                    costs.setdefault((operation, name), []).append(measured.cpu_per_request)
    finally:
        served.close()
        if peer is not None:
            peer.close()
    for operation, title in TITLES.items():
        other = min(costs[operation, "peer"])
        places = (
            {"host": " into SQLite", "kept": " into the in-memory connector"} if operation in WRITES else {"host": ""}
        )
        for name, place in places.items():
            own = min(costs[operation, name])
            detail = f"{own * 1e6:.0f} us against {other * 1e6:.0f} us a request, best of {ROUNDS} rounds"
            yield Figure(f"{title}{place}, TLS", AGAINST, other / own, 5, detail)


class _Side:
    """One of the two servers: how it is asked."""

    def __init__(self, port: int, base: str, token: str, pids: Callable[[], list[int]], *, patched: int) -> None:
        self.port, self.pids = port, pids
        self._base, self._token, self._patched = base, token, patched
        self._ids: list[str] = []
        self._created = 0

    def fill(self, ca: Path) -> None:
        """Create the people and remember their ids."""
        client = Client(self.port, ca, self._token, "hr")
        client.base = self._base
        for number in range(PEOPLE):
            answer = client.request("POST", "/Users", _user(number))
            assert answer.status == 201, answer
            self._ids.append(answer.json["id"])
        client.close()
        self._created = PEOPLE

    def operation(self, name: str) -> tuple[Callable[[int], bytes], int]:
        """Return what makes the requests, and the status of their answers."""
        ids = self._ids
        match name:
            case "get":
                return lambda number: self._request("GET", f"/Users/{ids[number % PEOPLE]}"), 200
            case "filter":
                return lambda number: self._request("GET", f"/Users?filter={_named(number * 7919 % PEOPLE)}"), 200
            case "list":
                return lambda number: self._request("GET", f"/Users?startIndex={1 + number % 9 * 100}&count=100"), 200
            case "patch":
                return lambda number: self._request(
                    "PATCH", f"/Users/{ids[number % PEOPLE]}", _patch(number)
                ), self._patched
            case _:
                return self._post, 201

    def _post(self, _number: int) -> bytes:
        self._created += 1
        return self._request("POST", "/Users", _user(self._created))

    def _request(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        more = f"Content-Type: application/scim+json\r\nContent-Length: {len(data)}\r\n" if data else ""
        return (
            f"{method} {self._base}{path} HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
            f"Authorization: Bearer {self._token}\r\nAccept: application/scim+json\r\n{more}\r\n"
        ).encode() + data


def _user(number: int) -> dict[str, object]:
    login, first, last, email, title, department, _, _ = people.row(number)
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
        "userName": login,
        "name": {"givenName": first, "familyName": last},
        "title": title,
        "emails": [{"value": email, "type": "work", "primary": True}],
        "active": True,
        enterprise: {"department": department},
    }


def _patch(number: int) -> dict[str, object]:
    schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    return {"schemas": [schema], "Operations": [{"op": "replace", "path": "title", "value": f"Title {number}"}]}


def _named(number: int) -> str:
    return quote(f'userName eq "{people.row(number)[0]}"')
