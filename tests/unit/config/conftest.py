"""A configuration in a temporary folder, with its key outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from configurations import Write
from isthmus.config.documents import Configuration
from isthmus.config.key import create_key
from isthmus.config.loading import load


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the key or configuration of the person who runs it."""
    monkeypatch.setenv("ISTHMUS_KEY_FILE", str(tmp_path / "outside" / "key"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("ISTHMUS_CONFIG", "CREDENTIALS_DIRECTORY", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write `isthmus.toml` and connectors' files and return the path of the first."""

    def _write(host: str = "", **connectors: str) -> Path:
        folder = tmp_path / "etc"
        (folder / "connectors").mkdir(parents=True, exist_ok=True)
        path = folder / "isthmus.toml"
        path.write_text(host, encoding="utf-8")
        for name, text in connectors.items():
            (folder / "connectors" / f"{name}.toml").write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture
def configuration(write: Write, tmp_path: Path) -> Configuration:
    """An empty configuration whose key exists."""
    create_key(tmp_path / "outside" / "key")
    return load(write())
