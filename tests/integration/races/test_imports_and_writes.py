"""Imports and writes at the same time: at the end the connector space shows what the table has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from integration.kills.checking import check
from integration.kills.clients import Crowd
from integration.kills.targets import USUAL, People
from integration.races.town import Town, everyone, in_table, town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PEOPLE = 3000
REQUESTS = 3


def fill(people: People, number: int) -> None:
    rows = ", ".join(f"('resident-{index:05}', 'First', 'Last')" for index in range(number))
    people.query(f"INSERT INTO people (login, first, last) VALUES {rows}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Serve one table, natural for SQLite, else with a key the database makes."""
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(kind)
    with town(tmp_path_factory.mktemp("busy"), kind, server, {"hr": (kind == "sqlite", USUAL)}) as made:
        fill(made.people["hr"], PEOPLE)
        yield made


def import_now(place: Town) -> dict[str, Any]:
    (run,) = place.served.json("run", "start", "hr", check=False)
    return dict(run)


def test_writes_and_imports_at_once(busy: Town) -> None:
    """No write is undone by an import that had read the row before; no import is stopped by writes."""
    people, stop = busy.people["hr"], threading.Event()

    def neighbours() -> int:
        """Change rows behind the host's back that no client touches."""
        turn = 0
        while not stop.is_set():
            turn += 1
            people.query(f"UPDATE people SET last = 'Moved {turn}' WHERE login = 'resident-{turn % PEOPLE:05}'")
            people.query(f"INSERT INTO people (login, first, last) VALUES ('newcomer-{turn:05}', 'New', 'Comer')")
            stop.wait(0.02)
        return turn

    with ThreadPoolExecutor(1) as pool, Crowd(busy.served, seed=1, size=6) as crowd:
        moving = pool.submit(neighbours)
        try:
            for _ in range(2):
                crowd.wait_for_answers(10)
                before = crowd.answered
                run = import_now(busy)
                assert run["state"] == "done", run
                assert run["objects"] >= PEOPLE
                assert crowd.answered > before, "nothing was written while the import ran: the test did not test"
        finally:
            stop.set()
        assert moving.result(30) > 10
    rows = people.rows()
    for person in crowd.people():  # before any later import could mend what an earlier one has broken
        found = rows.get(person.login, [])
        assert [(row["last"], row["disabled"]) for row in found] in [
            [] if state is None else [state] for state in person.possible
        ]
    mine = {person.login for person in crowd.people()}
    client = busy.client("hr")
    shown = everyone(client)
    assert [one for one in shown if one[0] in mine] == [one for one in in_table(people) if one[0] in mine]
    assert len({one[0] for one in shown}) == len(shown), "somebody is doubled"

    run = import_now(busy)
    assert run["state"] == "done", run
    assert everyone(client) == in_table(people)
    check(busy.served, people, crowd)
    client.close()


def test_many_imports_asked_for_at_once(busy: Town) -> None:
    """Each is answered by a run that began after it was asked for, and never two read the same table at once."""
    people = busy.people["hr"]
    known = {run["id"] for run in busy.served.json("run", "list", "hr", "--limit", "1000")}
    people.query("INSERT INTO people (login, first, last) VALUES ('asked', 'For', 'Once')")
    with ThreadPoolExecutor(REQUESTS) as pool:
        ended = list(pool.map(lambda _: import_now(busy), range(REQUESTS)))
    assert {run["state"] for run in ended} == {"done"}, ended
    runs = [run for run in busy.served.json("run", "list", "hr", "--limit", "1000") if run["id"] not in known]
    assert {run["id"] for run in ended} == {run["id"] for run in runs}
    runs.sort(key=lambda run: run["started"])
    assert all(one["ended"] <= next_one["started"] for one, next_one in pairwise(runs)), runs
    client = busy.client("hr")
    assert everyone(client) == in_table(people)
    client.close()
