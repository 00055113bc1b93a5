"""A host with two workers and several tables of people, and what an identity provider says to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from integration.kills.clients import PATCH, USER
from integration.kills.targets import USUAL, Limits, People, server_people, sqlite_people
from serving import Answer, Client, Served

T = TypeVar("T")


@dataclass
class Town:
    """The host, the server behind it (None: SQLite) and the tables by connector name."""

    kind: str
    served: Served
    server: Any
    people: Mapping[str, People]

    def client(self, connector: str, *, timeout: float = 40) -> Client:
        return self.served.client(connector, timeout=timeout)


@contextmanager
def town(
    folder: Path,
    kind: str,
    server: Any,
    tables: Mapping[str, tuple[bool, Limits]],
    *,
    beside: Mapping[str, People] | None = None,
    extra: str = "",
) -> Iterator[Town]:
    """Serve a table for each connector: `natural` and its limits by name."""
    people: dict[str, People] = {}
    for name, (natural, limits) in tables.items():
        if kind == "sqlite":
            people[name] = sqlite_people(folder / name, natural=natural, limits=limits)
        else:
            people[name] = server_people(server, kind, natural=natural, limits=limits)
    people |= beside or {}
    variables = {"PEOPLE_PASSWORD": "unused" if server is None else server.password}
    documents = {name: one.document for name, one in people.items()}
    served = Served(folder, workers=2, connectors=documents, variables=variables, extra=extra)
    try:
        served.start()
        yield Town(kind, served, server, people)
    finally:
        served.close()


BOTH = {"natural": (True, USUAL), "made": (False, USUAL)}


def body(login: str, first: str = "A", last: str = "B") -> dict[str, Any]:
    return {"schemas": [USER], "userName": login, "name": {"givenName": first, "familyName": last}}


def create(client: Client, login: str, **names: str) -> Answer:
    return client.request("POST", "/Users", body(login, **names))


def patch(client: Client, id: str, path: str, value: Any, **headers: str) -> Answer:
    operations = [{"op": "Replace", "path": path, "value": value}]
    return client.request("PATCH", f"/Users/{id}", {"schemas": [PATCH], "Operations": operations}, headers)


def search(client: Client, login: str) -> Answer:
    return client.request("GET", "/Users?filter=" + quote(f'userName eq "{login}"'))


def ids(client: Client, login: str) -> list[str]:
    """Return the ids of those with this login; fail unless the answer is a list."""
    answer = search(client, login)
    assert answer.status == 200, answer.text
    return [one["id"] for one in answer.json["Resources"]]


def everyone(client: Client) -> list[tuple[str, str, str, bool]]:
    """Return (login, first, last, disabled) of every resource, in order."""
    found: list[tuple[str, str, str, bool]] = []
    while True:
        answer = client.request("GET", f"/Users?startIndex={len(found) + 1}&count=1000")
        assert answer.status == 200, answer.text
        page = answer.json
        for one in page["Resources"]:
            name = one.get("name", {})
            found.append((one["userName"], name.get("givenName"), name.get("familyName"), not one["active"]))
        if not page["Resources"] or len(found) >= page["totalResults"]:
            return sorted(found)


def in_table(people: People) -> list[tuple[str, str, str, bool]]:
    """Return (login, first, last, disabled) of every row, in order."""
    rows = people.query("SELECT login, first, last, disabled FROM people")
    return sorted((login, first, last, bool(disabled)) for login, first, last, disabled in rows)


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Begin every task at the same moment and return their results in order."""
    barrier = threading.Barrier(len(tasks), timeout=30)

    def run(task: Callable[[], T]) -> T:
        barrier.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))
