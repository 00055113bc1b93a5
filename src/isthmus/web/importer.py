"""One import in a process of its own, so that decoding does not hold up answers and its memory goes when it ends.

    python -m isthmus.web.importer PARENT [CONNECTOR ...] NOTICES      (configuration on stdin)

Named connectors are put on their timers first, and a first import is queued for each. A run that is cut off is found by
the next look at dead owners; what it had applied stays, and nothing is removed by half a run.
"""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import NoReturn

from isthmus.web import logs, process

_COLLECT_AFTER = 100_000


def main(arguments: list[str]) -> int:
    """Carry out at most one run."""
    process.die_with_parent(int(arguments[0]))
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configuration = process.Task.receive().configuration()
    logs.configure(configuration.host.log)
    from isthmus.engine.host import opened
    from isthmus.engine.scheduling import execute_next, start, tick

    with opened(configuration, threads=8) as host:
        start(host, arguments[1:-1])
        tick(host)
        # A page makes tens of thousands of objects that live until it is written and none that refer to one another:
        # looking for cycles among them takes a tenth of a first import.
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        execute_next(host)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End in order: the run's own clean-up runs, its owner's lock is released."""
    from isthmus.engine.answers import Stopped

    raise Stopped(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
