"""What is shipped: the wheel carries everything the program reads, and the markers that others look for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_every_file_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    tracked = {
        str(path.relative_to(source))
        for path in (source / "isthmus").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in wheel.namelist() if name.startswith("isthmus/")}
    assert tracked == shipped
    assert {"isthmus/py.typed", "isthmus/store/schema.sql", "isthmus/store/queries.sql"} <= shipped


def test_the_wheel_names_licence_and_entry_points(wheel: zipfile.ZipFile) -> None:
    inside = {name.rpartition("/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
    metadata = wheel.read(inside["METADATA"]).decode()
    entry_points = wheel.read(inside["entry_points.txt"]).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Apache License" in wheel.read(inside["LICENSE"]).decode()
    assert "[isthmus.connectors]" in entry_points
    assert "isthmus = isthmus.cli.main:run" in entry_points
