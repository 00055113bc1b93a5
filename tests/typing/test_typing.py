"""Type checkers see the SPI of the installed package: right connectors pass strictly, mistakes are found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NOTEBOOK = HERE.parent / "connectors" / "third_party" / "isthmus-notebook"
WRONG = HERE / "samples" / "wrong.py"


def mypy(folder: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    """Check outside of this project, so that neither its settings nor its sources count, only what is installed."""
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", *paths],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    return tmp_path


def test_a_connector_checks_strictly(folder: Path) -> None:
    """The package of the how-to page, its conformance test included."""
    shutil.copytree(NOTEBOOK, folder, dirs_exist_ok=True)
    run = mypy(folder, "isthmus_notebook", "tests")
    assert run.returncode == 0, run.stdout + run.stderr


def test_mistakes_are_found(folder: Path) -> None:
    shutil.copy(WRONG, folder)
    run = mypy(folder, WRONG.name)
    assert run.returncode == 1, run.stdout + run.stderr
    found = {
        (int(line), code)
        for line, code in re.findall(r"wrong\.py:(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.MULTILINE)
    }
    lines = enumerate(WRONG.read_text().splitlines(), start=1)
    expected = {(number, code) for number, text in lines for code in re.findall(r"# E: ([\w-]+)", text)}
    assert found == expected, run.stdout
