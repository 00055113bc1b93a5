"""The SPI pins nothing of ours, and says what it exports."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus.spi
import isthmus.testing

SPI = Path(isthmus.spi.__file__).parent
SUITE = Path(isthmus.testing.__file__).parent


def imported(path: Path) -> set[str]:
    """Return the packages a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("path", sorted(SPI.rglob("*.py")), ids=lambda p: p.name)
def test_spi_imports_the_standard_library_only(path: Path) -> None:
    for name in imported(path):
        first = name.partition(".")[0]
        assert first in sys.stdlib_module_names or name.startswith("isthmus.spi"), name


@pytest.mark.parametrize("path", sorted(SUITE.rglob("*.py")), ids=lambda p: str(p.relative_to(SUITE)))
def test_suite_imports_spi_pytest_and_the_standard_library_only(path: Path) -> None:
    for name in imported(path):
        first = name.partition(".")[0]
        ours = name.startswith(("isthmus.spi", "isthmus.testing"))
        assert ours or first == "pytest" or first in sys.stdlib_module_names, name


def test_spi_loads_nothing_of_the_host() -> None:
    code = "import sys, isthmus.spi; print([m for m in sys.modules if m.startswith('isthmus.')])"
    loaded = ast.literal_eval(subprocess.check_output([sys.executable, "-c", code], text=True, timeout=30))
    assert all(name.startswith("isthmus.spi") for name in loaded), loaded


def test_everything_exported_exists_and_is_listed_once() -> None:
    for package in (isthmus.spi, isthmus.testing):
        assert len(package.__all__) == len(set(package.__all__))
        assert all(hasattr(package, name) for name in package.__all__)


def test_public_classes_say_what_they_promise() -> None:
    for name in isthmus.spi.__all__:
        each = getattr(isthmus.spi, name)
        if isinstance(each, type):
            methods = [m for k, m in vars(each).items() if callable(m) and not k.startswith("_")]
            documented = (each.__doc__ or "").strip() and not (each.__doc__ or "").startswith(f"{name}(")
            assert documented or any(m.__doc__ for m in methods) or name == "AttributeType", name


def test_assertions_of_the_suite_are_rewritten(tmp_path: Path) -> None:
    """A failing assertion of the suite shows the values on both sides, as one in a test module does."""
    test = tmp_path / "test_rewritten.py"
    test.write_text(
        """
import pytest
from isthmus.testing import ConnectorConformance
from isthmus.testing.suite.lookup import Lookup

class Fake:
    object_type = hooks = None
    def create(self): return None
    def delete(self, created): return None
    def read(self, created): return 'something'

def test_rewritten():
    with pytest.raises(AssertionError, match="assert 'something' is None"):
        Lookup().test_unknown_anchor_reads_none(Fake())
"""
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(test)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout


def test_everything_public_is_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "spi.md").read_text()
    hooks = [name for name in vars(isthmus.testing.Hooks) if not name.startswith("_") and name != "subject"]
    fields = [f"`{each.name}`" for each in dataclasses.fields(isthmus.spi.ConnectorType)]
    left_out = {"AttributeType", "Operation", "Setting", "Suggestion", "settings_of"}  # seen by the host or the wizard
    wanted = [*(set(isthmus.spi.__all__) - left_out), *hooks, *fields, *isthmus.testing.Hooks.__annotations__]
    assert [name for name in wanted if name not in page] == []
