"""Configurations for tests: how they are written, and how a bad one is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.config.errors import ConfigError
from isthmus.config.loading import load

Write = Callable[..., Path]
"""Writes `isthmus.toml` and, by keyword, connectors' files; returns the path of the first."""


def refused(path: Path) -> ConfigError:
    """Return the error with which loading ends."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value
