"""Isthmus connector for people in a file with one JSON object a line."""

from isthmus.spi import ConnectorType
from isthmus_notebook.connector import NotebookConnector
from isthmus_notebook.settings import NotebookSettings

connector_type = ConnectorType(
    id="notebook",
    title="Notebook",
    settings=NotebookSettings,
    open=NotebookConnector,
    concurrency="serial",
)

__all__ = ["NotebookConnector", "NotebookSettings", "connector_type"]
