"""What holds for every run: the same examples each time, folders in memory, and the longest files first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import drawing

MEMORY = Path("/dev/shm")
ENOUGH = 3 << 30
"""Free bytes; all folders of a run take a third of a gigabyte, and each is deleted with its test."""

LONGEST = (
    "integration/kills/test_kills.py",
    "connectors/broken/test_broken_connectors.py",
    "integration/outages/test_late_commits.py",
    "integration/outages/test_outages.py",
    "connectors/test_ldap_conformance.py",
    "connectors/test_sql_conformance.py",
    "connectors/test_sql_children_conformance.py",
    "integration/engine/test_any_sequence.py",
    "integration/web/",
    "integration/races/",
    "acceptance/",
    "connectors/test_ldap_",
    "connectors/test_sql_",
    "fuzzing/",
    "integration/",
    "docs/",
    "scim/",
)
"""Beginnings of paths, those first that take longest: a file that begins last is waited for by all other processes."""


def pytest_configure() -> None:
    drawing.load_profile()
    # Every write of a store waits for the disk, and no test takes the power away: with memory a run waits less
    chosen = os.environ.keys() & {"PYTEST_DEBUG_TEMPROOT", "TMPDIR"}
    if not chosen and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
        return next((number for number, name in enumerate(LONGEST) if path.startswith(name)), len(LONGEST))

    items.sort(key=place)
