"""One host for all tests of a file; each test makes users and groups of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Bench, Client, SqlPeople, bench, memory_document, memory_target, sql_document
from isthmus.connectors.memory import MemoryTarget

GUARD = "provider_objects = 100000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all tests of a file."""
    return tmp_path_factory.mktemp("host")


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
    documents = {
        "app": memory_document(memory[0], guard=GUARD),
        "hr": sql_document(people.path) + f"\n[guard]\n{GUARD}\n",
        "strict": memory_document(memory[0], guard=GUARD, extra="strict = true"),
    }
    with bench(folder / "host", documents) as opened:
        yield opened


@pytest.fixture
def target(memory: tuple[str, MemoryTarget]) -> MemoryTarget:
    """The in-memory target behind the connector `app`."""
    return memory[1]


@pytest.fixture
def app(served: Bench) -> Client:
    """A connector to an in-memory target, with groups."""
    return served.client("app")


@pytest.fixture
def hr(served: Bench) -> Client:
    """A connector to an SQLite table, with every flow."""
    return served.client("hr")


@pytest.fixture(params=["hr", "app"])
def client(request: pytest.FixtureRequest, served: Bench) -> Client:
    """Both, one after the other."""
    return served.client(request.param)


@pytest.fixture
def name() -> str:
    """A name of the test's own."""
    return f"u-{uuid.uuid4().hex[:12]}"
