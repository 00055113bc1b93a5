"""Races are run on the real host with two workers, against real databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.servers.fixtures import mariadb, postgresql
from integration.races.town import BOTH, Town, town

__all__ = ["mariadb", "place", "postgresql"]


@pytest.fixture(scope="session", params=["sqlite", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Serve a table with a natural key and one whose key the database makes."""
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(kind)
    with town(tmp_path_factory.mktemp(kind), kind, server, BOTH) as made:
        yield made
