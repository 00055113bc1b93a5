"""Who asks, from where, and until when an answer is of use."""

from __future__ import annotations

import time
from typing import NamedTuple


class Caller(NamedTuple):
    """The origin of one request. `deadline` is a `time.monotonic()` value; `base_url` has no trailing slash."""

    actor: str
    address: str
    correlation: str
    deadline: float
    base_url: str

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self.deadline - time.monotonic())
