from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import variants
from harness import Bench, Client, bench, memory_document, memory_target

from isthmus.connectors.memory import MemoryTarget

Serve = Callable[..., "Served"]


class Served:
    """A host with one connector `app` to an in-memory target of its own."""

    def __init__(self, opened: Bench, target: MemoryTarget, document: Callable[..., str]) -> None:
        self.bench = opened
        self.host = opened.host
        self.target = target
        self.name = target.name
        self._document = document
        self.client: Client = opened.client("app")

    def reconfigure(self, **changes: Any) -> None:
        """Serve on with a document in which this is different."""
        self.bench.reconfigure("app", self._document(**changes))

    @property
    def asked(self) -> dict[str, int]:
        """How often the connector's methods were called."""
        return variants.asked[self.name]

    def put(self, *names: str, **more: tuple[Any, ...]) -> None:
        """Add users behind our back."""
        for name in names:
            self.target.put("user", {"login": (name,), **more})

    def logins(self) -> list[str]:
        return sorted(anchor[0] for anchor in self.target.anchors("user"))

    def listed(self) -> list[str]:
        """The names of all users that SCIM shows."""
        return sorted(user["userName"] for user in self.client.get("/Users?count=1000").resources)


@pytest.fixture(scope="session", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with variants.installed(tmp_path_factory.mktemp("variants")):
        yield


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve one connector; call it with what its document shall say otherwise."""
    with ExitStack() as stack:

        def start(*, threads: int = 64, host: str = "", type: str = "watched", **changes: Any) -> Served:
            name, target = stack.enter_context(memory_target())

            def document(**more: Any) -> str:
                return memory_document(name, **{"type": type, **changes, **more})

            folder = tmp_path / uuid.uuid4().hex[:8]
            opened = stack.enter_context(bench(folder, {"app": document()}, threads=threads, host=host))
            return Served(opened, target, document)

        yield start


@pytest.fixture
def app(serve: Serve) -> Served:
    """A connector with the usual settings."""
    return serve()
