"""The whole suite against every broken connector; run by test_broken_connectors, which knows what must fail."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from connectors.broken import importing, opening, reading, trouble, writing  # noqa: F401  they fill DEFECTS
from connectors.broken.registry import DEFECTS, Defect
from connectors.memory_conformance import MemoryConformance
from isthmus.connectors.memory import connector as memory_connector

MEMORY_TEST = "test_import_keeps_memory_bounded"


def many(defect: Defect) -> int:
    """Return how many objects the memory test imports: enough for pages to differ from the whole where that matters."""
    return 1_200 if MEMORY_TEST in {defect.test, *defect.also} else 120


@pytest.fixture(scope="module", autouse=True)
def _quick_pulses() -> Iterator[None]:
    """Let watches look at the clock at a tenth of what is promised: thousands of tests wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_connector, "WATCH_PULSE", memory_connector.WATCH_PULSE / 10)
        yield


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> None:
    """Leave the thousands of tests of this run out of every garbage collection that the suite asks for."""
    gc.collect()
    gc.freeze()


for _name, _defect in DEFECTS.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (MemoryConformance,),
        {
            "connector_type": _defect.connector_type,
            "object_type": "user",
            "many": many(_defect),
            "short_timeout": 0.02,
            "slack": 2.0,  # a busy machine stops a process for half a second
        },
    )
