from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.store import Space, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def people(store: Store) -> Space:
    return store.space.ensure("hr", "Person")
