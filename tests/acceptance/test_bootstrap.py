"""`make` from nothing: what is missing is said in a line, and what is done is not done again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that the bootstrap reads, without an environment."""
    folder = tmp_path / "copy"
    (folder / "src" / "isthmus").mkdir(parents=True)
    shutil.copytree(ROOT / "tools", folder / "tools")
    for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("*.lock"))):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "src" / "isthmus" / "__init__.py", folder / "src" / "isthmus")
    return folder


def python(folder: Path, lines: str) -> Path:
    """Write a stand-in for a Python that lacks something."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def bootstrap(copy: Path, kind: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ISTHMUS_REQUIRE"}
    return subprocess.run(
        ["tools/bootstrap.sh", kind],
        cwd=copy,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_python_without_venv_is_told_what_to_install(copy: Path, tmp_path: Path) -> None:
    poor = python(tmp_path, f'case "$*" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"')
    ran = bootstrap(copy, "run", PYTHON=str(poor))
    assert ran.returncode == 1
    assert "apt-get install python3-venv" in ran.stderr
    assert not (copy / ".venv").exists()


def test_a_python_that_is_too_old_is_told(copy: Path, tmp_path: Path) -> None:
    old = python(tmp_path, "exit 1")
    ran = bootstrap(copy, "run", PYTHON=str(old))
    assert ran.returncode == 1
    assert "3.11" in ran.stderr


def test_what_is_done_is_not_done_again(copy: Path) -> None:
    (copy / ".venv").mkdir()
    shell = (copy / "tools" / "bootstrap.sh").read_text()
    found = re.search(r"^fingerprint\(\) .*$", shell, re.MULTILINE)
    assert found
    script = f'{found[0]}\nfingerprint "$@"'
    stamp = subprocess.run(
        ["bash", "-c", script, "bash", "requirements-dev.lock"], cwd=copy, capture_output=True, text=True, check=True
    ).stdout
    (copy / ".venv" / ".stamp-dev").write_text(stamp)
    for kind in ("dev", "run"):
        ran = bootstrap(copy, kind, PYTHON="/nowhere")
        assert (ran.returncode, ran.stderr) == (0, ""), "tests' environment serves the demo too"
    (copy / "requirements-dev.lock").write_text("changed")
    assert bootstrap(copy, "dev", PYTHON="/nowhere").returncode == 1


def test_every_target_is_listed() -> None:
    ran = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    for target in ("demo", "test", "check", "bench", "docs"):
        assert f"make {target} " in ran.stdout


def test_scripts_are_sound_shell() -> None:
    for path in [*(ROOT / "tools").glob("*.sh"), ROOT / ".ci" / "run"]:
        assert os.access(path, os.X_OK), path
        assert "set -euo pipefail" in path.read_text()
        subprocess.run(["bash", "-n", str(path)], check=True, timeout=10)
