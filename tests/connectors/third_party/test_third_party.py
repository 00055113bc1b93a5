"""A connector of somebody else: a package with an entry point, installed, found, and held to the SPI's promises."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE / "isthmus-notebook"
PAGE = HERE.parents[2] / "docs" / "how-to" / "write-a-connector.md"

FIND_AND_USE = """
import sys
from importlib.metadata import entry_points
from isthmus.spi import Call

(entry_point,) = entry_points(group="isthmus.connectors", name="notebook")
connector_type = entry_point.load()
connector = connector_type.open(connector_type.settings(path=sys.argv[1]))
connector.test(call=Call())
created = connector.create("person", {"login": ("ada",), "phones": ("1", "2")}, call=Call())
print(connector_type.id, created.identity.anchor.values[0], len(list(connector.read_schema(call=Call()).object_types)))
connector.close()
"""

FIND_BY_REGISTRY = """
from isthmus.config.registry import connector_type
print(connector_type("notebook").title)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install the package, without network, into a folder of its own; return the folder."""
    if importlib.util.find_spec("hatchling") is None:
        reason = "hatchling, which builds the package, is not installed; tools/bootstrap.sh dev installs it"
        if os.environ.get("ISTHMUS_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("third_party")
    source = shutil.copytree(PROJECT, folder / "source")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir", "--disable-pip-version-check"]
    run = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *options, "--target", str(folder / "site"), str(source)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    return folder / "site"


def python(site: Path, *arguments: str, cwd: Path) -> str:
    """Run Python with the installed package on its path; return what it prints."""
    before = os.environ.get("PYTHONPATH")
    path = str(site) if not before else f"{site}{os.pathsep}{before}"
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout


def test_entry_point_is_found_and_opened(installed: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.jsonl"
    people.touch()
    assert python(installed, "-c", FIND_AND_USE, str(people), cwd=tmp_path).split() == ["notebook", "ada", "1"]
    assert people.read_text() == '{"login": ["ada"], "phones": ["1", "2"]}\n'


def test_the_host_knows_the_connector_type(installed: Path, tmp_path: Path) -> None:
    assert python(installed, "-c", FIND_BY_REGISTRY, cwd=tmp_path).strip() == "Notebook"


def test_types_are_marked_as_checked(installed: Path) -> None:
    assert (installed / "isthmus_notebook" / "py.typed").is_file()


def test_conformance_suite_passes(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "tests", tmp_path / "tests")
    said = python(installed, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests", cwd=tmp_path)
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None, said
    assert int(passed[1]) > 60, "the suite left out more than this connector does not claim"


def test_the_page_shows_this_package() -> None:
    """Every block of the page that names a file is that file, and every file is shown."""
    shown = dict(re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    files = {
        str(path.relative_to(PROJECT)): path.read_text()
        for path in PROJECT.rglob("*")
        if path.is_file() and path.suffix in {".py", ".toml"} and "__pycache__" not in path.parts
    }
    assert sorted(shown) == sorted(files)
    for name, text in files.items():
        assert shown[name] == text, f"{name} differs from the page"
