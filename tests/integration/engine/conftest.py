from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import variants
from harness import bench, memory_document, memory_target
from memory_host import MemoryHost, Serve


@pytest.fixture(scope="session", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with variants.installed(tmp_path_factory.mktemp("variants")):
        yield


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve one connector; call it with what its document shall say otherwise."""
    with ExitStack() as stack:

        def start(*, threads: int = 64, host: str = "", type: str = "watched", **changes: Any) -> MemoryHost:
            name, target = stack.enter_context(memory_target())

            def document(**more: Any) -> str:
                return memory_document(name, **{"type": type, **changes, **more})

            folder = tmp_path / uuid.uuid4().hex[:8]
            opened = stack.enter_context(bench(folder, {"app": document()}, threads=threads, host=host))
            return MemoryHost(opened, target, document)

        yield start


@pytest.fixture
def app(serve: Serve) -> MemoryHost:
    """A connector with the usual settings."""
    return serve()


@pytest.fixture
def between(app: MemoryHost) -> Iterator[Callable[[Callable[[int], None]], None]]:
    """Let something happen after each page of the import."""

    def set_action(action: Callable[[int], None]) -> None:
        variants.between_pages[app.name] = action

    yield set_action
    variants.between_pages.pop(app.name, None)
