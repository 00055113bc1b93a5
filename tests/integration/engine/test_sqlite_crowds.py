"""Many clients at once and a target that is an SQLite file: nobody is refused, for the target is well."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from harness import Bench, SqlPeople, new_folder, sql_document

CLIENTS = 16
TURNS = 12


@pytest.fixture(params=["delete", "wal"])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> SqlPeople:
    people = SqlPeople(tmp_path / "people.db")
    people.run(f"PRAGMA journal_mode = {request.param}")
    return people


def crowd(work: Callable[[int], list[int]]) -> Counter[int]:
    """Return how often each status was answered to so many clients at once."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(status for each in pool.map(work, range(CLIENTS)) for status in each)


def test_sixteen_clients_write_and_none_is_refused(people: SqlPeople, tmp_path: Path) -> None:
    folder = new_folder(tmp_path, {"hr": sql_document(people.path)})
    host = Bench(folder, threads=32)  # as the host has them: a quarter, eight, may ask the target at once
    try:
        client = host.client("hr")
        ids = [client.created(f"p{number}") for number in range(CLIENTS)]

        def work(number: int) -> list[int]:
            own = host.client("hr")
            found = []
            for turn in range(TURNS):
                found.append(own.patch(ids[number], {"op": "replace", "path": "title", "value": f"T{turn}"}).status)
                found.append(own.post({"userName": f"new{number}-{turn}"}).status - 1)
                found.append(own.get(f'/Users?filter=userName eq "nobody{number}-{turn}"').status)  # asks the target
            return found

        assert crowd(work) == {200: 3 * CLIENTS * TURNS}
    finally:
        host.close()
    assert people.count() == CLIENTS * (TURNS + 1)
    assert people.run("SELECT DISTINCT title FROM people WHERE login LIKE 'p%'") == [(f"T{TURNS - 1}",)]


def test_two_workers_leave_room_for_one_another(people: SqlPeople, tmp_path: Path) -> None:
    folder = new_folder(tmp_path, {"hr": sql_document(people.path)})
    one = Bench(folder, threads=32)
    other = Bench(folder, threads=32)  # shares nothing with the first but files
    try:
        ids = [one.client("hr").created(f"p{number}") for number in range(CLIENTS)]
        token = one.token("hr")

        def work(number: int) -> list[int]:
            host = (one, other)[number % 2]
            path = f"/Users/{ids[number]}"
            body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
            return [
                host.request(
                    "hr",
                    "PATCH",
                    path,
                    {**body, "Operations": [{"op": "replace", "path": "title", "value": f"T{turn}"}]},
                    token=token,
                ).status
                for turn in range(TURNS)
            ]

        assert crowd(work) == {200: CLIENTS * TURNS}
    finally:
        one.close()
        other.close()


def test_a_reader_gets_in_between_writers(people: SqlPeople, tmp_path: Path) -> None:
    """Also on a connection that is only opened now."""
    folder = new_folder(tmp_path, {"hr": sql_document(people.path)})
    host = Bench(folder, threads=32)
    try:
        host.client("hr").created("anna")
        with closing(sqlite3.connect(people.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE people SET title = 'x'")
            with ThreadPoolExecutor(4) as pool:
                waiting = [
                    pool.submit(host.client("hr").get, f'/Users?filter=userName eq "nobody{n}"') for n in range(4)
                ]
                other.execute("COMMIT")
                assert [one.result(10).total for one in waiting] == [0] * 4
    finally:
        host.close()
