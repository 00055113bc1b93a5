"""One import in a process of its own, so that decoding does not hold up answers and its memory goes when it ends.

    python -m isthmus.web.importer PARENT [CONNECTOR ...] NOTICES      (configuration on stdin)

Named connectors are put on their timers first, and a first import is queued for each. A run that is cut off is found by
the next look at dead owners; what it had applied stays, and nothing is removed by half a run.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import structlog

from isthmus.web import logs, process

if TYPE_CHECKING:
    from isthmus.config.documents import Configuration

log = structlog.get_logger("isthmus.import")

AGAIN_SECONDS = 10.0
"""How long to wait where the store cannot be written, while connectors are still to be put on their timers."""

_COLLECT_AFTER = 100_000


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
    from isthmus.engine.scheduling import execute_next, start, tick
    from isthmus.store import StoreError

    while True:
        begun = not names
        try:
            with opened(configuration, threads=8) as host:
                start(host, names)
                begun = True
                tick(host)
                gc.freeze()
                execute_next(host)
        except StoreError as exc:
            if begun:
                raise
            log.error("importer_waits", reason=str(exc), again_in=AGAIN_SECONDS)  # noqa: TRY400 - the reason says it all
            time.sleep(AGAIN_SECONDS)
        else:
            return


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End in order: the run's own clean-up runs, its owner's lock is released."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
