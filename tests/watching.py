"""A host that watches its targets, with what the supervisor would do beside it: carrying queued imports out."""

from __future__ import annotations

import threading

from harness import Bench
from isthmus.engine import scheduling
from isthmus.engine.watching import Watches


class WatchingHost:
    """Watches from the beginning until `stop`."""

    def __init__(self, made: Bench) -> None:
        self.bench = made
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._importer = threading.Thread(target=self._import, daemon=True)
        self._importer.start()
        self.watches = Watches(made.host, work=self.look)
        self.watches.start()

    def look(self) -> None:
        """Look for queued imports."""
        self._wanted.set()

    def _import(self) -> None:
        while not self._ending.is_set():
            if self._wanted.wait(0.1):
                self._wanted.clear()
                while scheduling.execute_next(self.bench.host) is not None:
                    pass

    def stop(self) -> None:
        """End watches and imports; no thread is left."""
        self.watches.stop()
        self._ending.set()
        self._importer.join(60)
        assert not self._importer.is_alive(), "an import does not end"
