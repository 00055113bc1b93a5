"""The whole suite against every broken connector; run by test_broken_connectors, which knows what must fail."""

from __future__ import annotations

import gc

import pytest

from connectors.broken import importing, opening, reading, trouble, writing  # noqa: F401  they fill DEFECTS
from connectors.broken.registry import DEFECTS
from connectors.memory_conformance import MemoryConformance


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
            "many": 1_200,  # enough for pages to differ from the whole
            "short_timeout": 0.02,
            "slack": 0.5,
        },
    )
