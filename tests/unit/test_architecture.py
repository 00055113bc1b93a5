"""Promises about the source as a whole: size of modules, words in names, layers, what is shipped."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "isthmus"

FORBIDDEN_WORDS = {"handler", "manager", "helper", "util", "utils", "common", "core", "base", "data", "info"}
"""They say nothing of what a thing does."""
FORBIDDEN_IN_TEXT = {"metaverse": "config/mim", "management agent": "config/mim"}
"""Words of other products, and the one folder where they are needed to read their files."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def sizes() -> dict[str, int]:
    """Return lines by module; an empty `__init__.py` is a folder's mark and would flatter the median."""
    counted = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in modules()}
    return {name: lines for name, lines in counted.items() if lines}


def words(name: str) -> Iterator[str]:
    """Split snake_case and CamelCase into lower-case words."""
    for part in name.split("_"):
        yield from (word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part))


def test_no_module_is_over_600_lines() -> None:
    assert {name: lines for name, lines in sizes().items() if lines > 600} == {}


def test_nine_in_ten_modules_are_under_400_lines() -> None:
    long = {name: lines for name, lines in sizes().items() if lines >= 400}
    assert len(long) <= len(sizes()) / 10, long


def test_the_median_module_is_under_150_lines() -> None:
    assert statistics.median(sizes().values()) < 150


def test_the_split_into_words_sees_what_is_forbidden() -> None:
    assert list(words("base_url")) == ["base", "url"]
    assert list(words("HTTPHandlerUtils")) == ["http", "handler", "utils"]
    assert not FORBIDDEN_WORDS & set(words("database"))


def test_module_and_class_names_use_the_vocabulary() -> None:
    found = []
    for path in modules():
        names = [path.stem, path.parent.name]
        names += [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        found += [f"{path.relative_to(ROOT)}: {name}" for name in names if FORBIDDEN_WORDS & set(words(name))]
    assert found == []


@pytest.mark.parametrize(("word", "allowed"), FORBIDDEN_IN_TEXT.items())
def test_other_products_words_stay_where_their_files_are_read(word: str, allowed: str) -> None:
    places = [path for path in modules() if word in path.read_text().lower()]
    foreign = [path for path in places if not path.is_relative_to(PACKAGE / allowed) and path.name != "settings.py"]
    assert [str(path.relative_to(ROOT)) for path in foreign] == []


def test_every_module_says_what_it_is_and_postpones_annotations() -> None:
    poor = []
    for path in modules():
        source = path.read_text()
        if not source.strip():
            continue
        tree = ast.parse(source)
        if not ast.get_docstring(tree):
            poor.append(f"{path.relative_to(ROOT)}: no docstring")
        annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree))
        if annotated and "from __future__ import annotations" not in source:
            poor.append(f"{path.relative_to(ROOT)}: no `from __future__ import annotations`")
    assert poor == []


def test_layers_are_kept() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_layer_on_disk_is_in_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each for each in contracts if each["type"] == "layers")["layers"]
    named = {part.strip().removeprefix("isthmus.") for layer in layers for part in layer.split("|")}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - {"testing"} == named, "testing has contracts of its own"


def test_the_marker_of_typed_packages_is_there() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"])
def test_lock_files_carry_hashes_and_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b", text, re.MULTILINE)
    requirements = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert requirements
    assert all("==" in line for line in requirements)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_know_every_dependency(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    if "dev" in name:
        wanted += project["dependency-groups"]["dev"] + project["dependency-groups"]["build"]
    locked = {line.split("==")[0].split("[")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}
    names = {re.split(r"[\[<>=!~ ;]", each)[0].lower().replace("_", "-") for each in wanted}
    assert names - locked == set(), "run `make lock`"
