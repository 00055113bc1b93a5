"""Notice what is due: imports by timer, queued runs, housekeeping. The work itself is done in processes of its own.

Asked once a second, so it only reads a few small rows; opening a connector, which loads database drivers, is left to
the process that imports.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from isthmus.store import StoreError

if TYPE_CHECKING:
    from isthmus.engine.host import Host

log = structlog.get_logger("isthmus.web")

_INTERVAL = 1.0
_HOUSEKEEPING_EVERY = 3600.0


class Timing(threading.Thread):
    """The background thread of the operations process. `work` tells the supervisor that an importer has work."""

    def __init__(self, host: Host, *, work: Callable[[], None]) -> None:
        super().__init__(name="timing", daemon=True)
        self._host = host
        self._work = work
        self._ending = threading.Event()
        self._housekeeping_at = time.monotonic() + 60.0
        self._looked_at = 0.0

    def stop(self) -> None:
        """End the thread after what it is doing now."""
        self._ending.set()

    def run(self) -> None:
        """Look once a second until stopped."""
        while not self._ending.wait(_INTERVAL):
            try:
                self._look()
                if time.monotonic() >= self._housekeeping_at:
                    from isthmus.engine.scheduling import housekeeping

                    self._housekeeping_at = time.monotonic() + _HOUSEKEEPING_EVERY
                    housekeeping(self._host, self._looks_and_ends)
            except StoreError as exc:
                log.error("timing_failed", reason=str(exc))  # noqa: TRY400 - tried again in a second
            except Exception:  # without this thread nothing would be imported any more
                log.exception("timing_failed")

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        if due(self._host):
            self._work()

    def _looks_and_ends(self) -> bool:
        """Go on looking once a second while something else takes its time; tell whether to stop."""
        if time.monotonic() - self._looked_at >= _INTERVAL:
            self._look()
        return self._ending.is_set()


def due(host: Host) -> bool:
    """Tell whether a timer has run out or a run waits; runs whose process died are closed on the way."""
    store = host.store
    for run in store.runs.fail_dead():
        log.error("import_died", connector=run.connector, run=run.id)
    if store.runs.waits():
        return True
    return store.schedules.waits(time.time())
