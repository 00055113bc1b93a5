"""Name the thread that writes, so that a write whose answer never came can be waited for (SPI `SupportsSettling`)."""

from __future__ import annotations

import itertools
import threading


class Sessions:
    """Give every thread of this process a name of its own, and a new one when its last write was abandoned."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._numbers = itertools.count(1)
        self._local = threading.local()

    def current(self) -> str:
        """Return this thread's session name."""
        name: str | None = getattr(self._local, "name", None)
        return name if name is not None else self.renew()

    def renew(self) -> str:
        """Give this thread a new name; the old one is never used again."""
        name = f"{self._owner}-{next(self._numbers)}"
        self._local.name = name
        return name
