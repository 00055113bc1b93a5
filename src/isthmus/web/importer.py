"""One import in a process of its own, so that decoding does not hold up answers and its memory goes when it ends.

    python -m isthmus.web.importer PARENT [CONNECTOR ...] NOTICES      (configuration on stdin)

Named connectors are put on their timers first, and a first import is queued for each. A run that is cut off is found by
the next look at dead owners; what it had applied stays, and nothing is removed by half a run.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

from isthmus.web import logs, process


def main(arguments: list[str]) -> int:
    """Carry out at most one run."""
    process.die_with_parent(int(arguments[0]))
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configuration = process.Task.receive().configuration()
    logs.configure(configuration.host.log)
    from isthmus.engine.host import opened
    from isthmus.engine.scheduling import execute_next, request_import, schedule, tick
    from isthmus.spi import ConnectorError

    with opened(configuration, threads=8) as host:
        for name in arguments[1:-1]:
            if not host.has(name):
                continue
            schedule(host, name)
            if host.target(name).document.paused:
                continue
            try:
                request_import(host, name, requested_by="start")
            except ConnectorError as exc:
                host.target(name).attention.failed(exc.message)
        tick(host)
        execute_next(host)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End in order: the run's own clean-up runs, its owner's lock is released."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
