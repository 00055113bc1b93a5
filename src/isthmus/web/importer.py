"""One import in a process of its own, so that decoding does not hold up answers and its memory goes when it ends.

    python -m isthmus.web.importer PARENT [CONNECTOR ...] NOTICES      (configuration on stdin)

Named connectors are put on their timers first, and a first import is queued for each. A run that is cut off is found by
the next look at dead owners; what it had applied stays, and nothing is removed by half a run.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import structlog

from isthmus.web import logs, process

if TYPE_CHECKING:
    from isthmus.config.documents import Configuration
    from isthmus.engine.host import Host
    from isthmus.store.records import Run

log = structlog.get_logger("isthmus.import")

AGAIN_SECONDS = 10.0
"""How long to wait where the store cannot be written, while connectors are still to be put on their timers."""

_COLLECT_AFTER = 100_000
_GRACE = 60.0
"""Seconds that a run may go on after its time is over, or it was cancelled: for the page that it works on."""


def main(arguments: list[str]) -> int:
    """Carry out at most one run."""
    process.die_with_parent(int(arguments[0]))
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configuration = process.Task.receive().configuration()
    logs.configure(configuration.host.log)
    # A page makes tens of thousands of objects that live until it is written and none that refer to one another:
    # looking for cycles among them takes a tenth of a first import.
    gc.set_threshold(_COLLECT_AFTER)
    carry_out(configuration, arguments[1:-1])
    return 0


def carry_out(configuration: Configuration, names: Sequence[str]) -> None:
    """Put these connectors on their timers, whatever time that takes, and carry out at most one run."""
    from isthmus.engine.host import opened
    from isthmus.engine.scheduling import execute, start, tick
    from isthmus.store import StoreError

    while True:
        begun = not names
        try:
            with opened(configuration, threads=8) as host:
                start(host, names)
                begun = True
                tick(host)
                gc.freeze()
                run = host.store.runs.claim(host.store.owner)
                if run is not None:
                    Overdue(host, run).start()
                    execute(host, run)
        except StoreError as exc:
            if begun:
                raise
            log.error("importer_waits", reason=str(exc), again_in=AGAIN_SECONDS)  # noqa: TRY400 - the reason says it all
            time.sleep(AGAIN_SECONDS)
        else:
            return


class Overdue(threading.Thread):
    """Ends this process where the run does not end, for its connector stands still or looks at no deadline.

    It would keep one of the few places for imports, and the target of the connector would not be imported any more.
    """

    def __init__(
        self,
        host: Host,
        run: Run,
        *,
        grace: float = _GRACE,
        every: float = 1.0,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        super().__init__(name="overdue", daemon=True)
        self._host = host
        self._run = run
        self._grace = grace
        self._every = every
        self._end = end

    def run(self) -> None:
        """Look until the run has ended."""
        from isthmus.store import StoreError

        if not self._host.has(self._run.connector):
            return
        until = time.monotonic() + self._host.target(self._run.connector).document.import_timeout + self._grace
        while True:
            time.sleep(self._every)
            try:
                now = self._host.store.runs.get(self._run.id)
            except StoreError:
                continue  # the run itself meets that too; looked at again in a second
            if now is None or now.state != "running":
                return
            if now.cancel_requested:
                until = min(until, time.monotonic() + self._grace)
            if time.monotonic() >= until:
                break
        state = "cancelled" if now.cancel_requested else "failed"
        message = "the connector did not end the import in time; its process was ended"
        log.error("import_overdue", connector=now.connector, run=now.id, state=state)
        with suppress(StoreError):  # else it is found by the next look at dead owners
            self._host.store.runs.finish(
                now.id, state, message, objects=now.objects, changed=now.changed, removed=now.removed
            )
        self._end(1)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End in order: the run's own clean-up runs, its owner's lock is released."""
    from isthmus.engine.answers import Stopped

    raise Stopped(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
