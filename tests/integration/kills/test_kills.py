"""Killing any process at any moment loses nothing acknowledged and doubles nobody."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.kills.checking import check
from integration.kills.clients import Crowd
from integration.kills.targets import People, server_people, sqlite_people
from isthmus.engine.faults import POINTS
from serving import Served, kill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("ISTHMUS_TEST_KILLS", "8"))
"""Random kills for each kind of target: a short run here, 250 for each of four kinds before a release."""

KINDS = [
    pytest.param("sqlite", True, id="sqlite-natural"),
    pytest.param("sqlite", False, id="sqlite-made"),
    pytest.param("postgresql", True, id="postgresql-natural"),
    pytest.param("postgresql", False, id="postgresql-made"),
]


@pytest.fixture
def people(request: pytest.FixtureRequest, tmp_path: Path, kind: str, natural: bool) -> People:
    if kind == "sqlite":
        return sqlite_people(tmp_path, natural=natural)
    return server_people(request.getfixturevalue(kind), kind, natural=natural)


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path, people: People, kind: str) -> Iterator[Served]:
    variables: dict[str, Any] = {}
    if kind != "sqlite":
        variables["PEOPLE_PASSWORD"] = request.getfixturevalue(kind).password
    host = Served(tmp_path, workers=2, connectors={"hr": people.document}, variables=variables)
    try:
        yield host
    finally:
        host.close()


@pytest.mark.parametrize(("kind", "natural"), KINDS)
def test_random_kills(people: People, served: Served, kind: str, natural: bool) -> None:
    """Kill all processes, or one worker, at random moments under sixteen clients."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    choose = random.Random(seed)
    served.start()
    with Crowd(served, seed=seed) as crowd:
        for _ in range(KILLS):
            crowd.wait_for_answers(16)
            time.sleep(choose.uniform(0, 0.3))  # the random moment itself, not a wait for something
            workers = served.workers()
            if workers and choose.random() < 0.7:
                kill(choose.choice(workers))
            else:
                served.kill_all()
                served.start()
            if crowd.problems:
                break
    assert crowd.answered > KILLS, f"only {crowd.answered} answers: the test did not test\n{served.tail()}"
    check(served, people, crowd)


@pytest.mark.parametrize("point", [point for point in POINTS if point != "after-password"])
@pytest.mark.parametrize(("kind", "natural"), [KINDS[0], KINDS[3]])
def test_kills_at_named_points(people: People, served: Served, kind: str, natural: bool, point: str) -> None:
    """Every worker kills itself at its third passage of the point; then the host comes back without that.

    Only creates with a password pass the point after it, and this table has none.
    """
    served.start(ISTHMUS_TEST_KILL_AT=f"{point}:3")
    workers = set(served.workers())
    with Crowd(served, seed=len(point)) as crowd:
        deadline = time.monotonic() + 60
        while workers & set(served.workers()) and not crowd.problems:
            assert time.monotonic() < deadline, f"no worker reached {point}: {crowd.answered} answers\n{served.tail()}"
            time.sleep(0.05)
    served.kill_all()
    served.start()
    check(served, people, crowd)
