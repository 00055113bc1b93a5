"""Outages are made on private servers, behind the real host with two workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.servers.fixtures import mariadb, postgresql
from integration.kills.targets import Limits, sqlite_people
from integration.races.town import Town, town

__all__ = ["mariadb", "place", "postgresql", "scene"]

SHORT = Limits(timeout=3, statement=2, lock=1.5, connect=2)
LATE = Limits(timeout=6, statement=60, lock=60, connect=5)
"""The server goes on for long with what the host has given up. Until then a test has to see it wait, and stop it."""

PATIENT = Limits(timeout=8, statement=7, lock=6, connect=8)

REQUEST_SECONDS = 10


@pytest.fixture(scope="session", params=["postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Serve tables of one server, and one of SQLite ("lite") that no outage concerns."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    tables = {
        "hr": (False, SHORT),
        "natural": (True, SHORT),
        "late-natural": (True, LATE),
        "late-made": (False, LATE),
        "patient": (False, PATIENT),
    }
    lite = sqlite_people(folder / "lite", natural=True)
    extra = f"request_timeout = {REQUEST_SECONDS}\nbody_timeout = {REQUEST_SECONDS - 1}\n"
    server = request.getfixturevalue(kind)
    with town(folder, kind, server, tables, beside={"lite": lite}, extra=extra) as made:
        yield made


@pytest.fixture
def scene(place: Town) -> Iterator[Town]:
    """Give the place with everything in order, and put in order what a failed test leaves."""
    yield place
    if place.server.process is None:
        place.server.start()
    place.server.resume()
    if place.served.process is None:
        place.served.start()
