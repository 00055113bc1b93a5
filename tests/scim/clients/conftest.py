from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Bench, Client, SqlPeople, bench, folder_in_memory, memory_document, memory_target, sql_document
from isthmus.connectors.memory import MemoryTarget


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """These tests are about answers; no write needs to wait for the disk."""
    with folder_in_memory("isthmus-clients-") as made:
        yield made


@pytest.fixture(scope="module")
def people(folder: Path) -> SqlPeople:
    """The table behind the connector `hr`."""
    return SqlPeople(folder / "people.db")


@pytest.fixture(scope="module")
def memory() -> Iterator[tuple[str, MemoryTarget]]:
    with memory_target() as named:
        yield named


@pytest.fixture(scope="module")
def served(folder: Path, people: SqlPeople, memory: tuple[str, MemoryTarget]) -> Iterator[Bench]:
    """One host for all tests of a file: each test makes users of its own."""
    documents: dict[str, str] = {
        "hr": sql_document(people.path, extra="") + "\n[guard]\nprovider_objects = 100000\n",
        "app": memory_document(memory[0], guard="provider_objects = 100000"),
    }
    with bench(folder / "host", documents) as opened:
        yield opened


@pytest.fixture
def target(memory: tuple[str, MemoryTarget]) -> MemoryTarget:
    """The in-memory target behind the connector `app`."""
    return memory[1]


@pytest.fixture
def hr(served: Bench) -> Client:
    """A connector to an SQLite table, with every flow."""
    return served.client("hr")


@pytest.fixture
def app(served: Bench) -> Client:
    """A connector to an in-memory target, with groups."""
    return served.client("app")


@pytest.fixture(params=["hr", "app"])
def client(request: pytest.FixtureRequest, served: Bench) -> Client:
    """Both, one after the other."""
    return served.client(request.param)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A user name of the test's own."""
    return f"u-{uuid.uuid4().hex[:12]}"
