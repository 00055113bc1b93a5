"""A connector to a target that lives in this process: for tests, for trying things out, and as an example to read.

Connectors with the same `name` share one `MemoryTarget`, which tests reach with `MemoryTarget.named`.
"""

from __future__ import annotations

from isthmus.connectors.memory.connector import MemoryConnector
from isthmus.connectors.memory.rows import Trouble
from isthmus.connectors.memory.settings import MemorySettings
from isthmus.connectors.memory.target import MemoryTarget
from isthmus.spi import ConnectorType

connector_type = ConnectorType(
    id="memory",
    title="In-memory target",
    settings=MemorySettings,
    open=MemoryConnector,
    concurrency="threads",
    password_in_create=True,
    settle_seconds=1.0,
)

__all__ = ["MemoryConnector", "MemorySettings", "MemoryTarget", "Trouble", "connector_type"]
