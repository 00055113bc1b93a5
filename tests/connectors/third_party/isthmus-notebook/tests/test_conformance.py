"""The notebook keeps the promises of the SPI."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isthmus_notebook import NotebookSettings, connector_type

from isthmus.testing import ConnectorConformance


class TestNotebook(ConnectorConformance):
    connector_type = connector_type
    object_type = "person"

    @pytest.fixture
    def settings(self, tmp_path: Path) -> NotebookSettings:
        path = tmp_path / "people.jsonl"
        path.touch()
        return NotebookSettings(path=str(path))

    @contextmanager
    def dead_target(self, settings: NotebookSettings) -> Iterator[NotebookSettings]:
        path = Path(settings.path)
        away = path.rename(path.with_suffix(".away"))
        yield settings
        away.rename(path)

    def fill(self, settings: NotebookSettings, count: int) -> bool:
        lines = (json.dumps({"login": [f"many-{n}"], "name": [f"Name {n}"]}) + "\n" for n in range(count))
        Path(settings.path).write_text("".join(lines))
        return True
