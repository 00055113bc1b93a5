"""Follow an import to its end, with a progress bar at a terminal, and carry it out where no server does."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.cli.faults import Refused
from isthmus.cli.session import operator

if TYPE_CHECKING:
    from isthmus.engine.host import Host
    from isthmus.engine.importing import Progress
    from isthmus.store.records import Run

POLL_SECONDS = 0.2

Show = Callable[[int, int | None, float], None]
"""Takes objects read, objects expected, and objects a second."""


@dataclass(slots=True)
class Attention:
    """Whether Ctrl-C was pressed."""

    wanted: bool = False


def follow(host: Host, run: Run, *, quiet: bool) -> Run:
    """Wait until a run has ended, and carry it out here if no server does; Ctrl-C stops what is done here."""
    from isthmus.engine.scheduling import execute_next
    from isthmus.spi import Cancelled
    from isthmus.web.claim import claimant

    with shown_progress(run.connector, quiet=quiet or not sys.stderr.isatty()) as show, attention() as ctrl_c:

        def report(progress: Progress) -> None:
            show(progress.objects, progress.expected, progress.rate)
            if ctrl_c.wanted:
                raise Cancelled(f"interrupted by {operator()}")

        while True:
            now = host.store.runs.get(run.id)
            assert now is not None
            seconds = 0.0 if now.started is None else (now.ended or time.time()) - now.started
            rate = now.objects / seconds if seconds > 0 else 0
            if now.state not in ("queued", "running"):
                show(now.objects, now.objects, rate)
                return now
            served = claimant(host.configuration.state_dir) is not None
            if ctrl_c.wanted and served:
                raise Refused(
                    f"no longer shown; the server goes on with run {run.id}, 'isthmus run cancel {run.id}' stops it"
                )
            if ctrl_c.wanted:
                host.store.runs.cancel(run.id)  # one that another command has begun is told by this
            if served:
                show(now.objects, now.expected, rate)
                time.sleep(POLL_SECONDS)
            else:
                host.store.runs.fail_dead()
                if execute_next(host, report) is None:
                    time.sleep(POLL_SECONDS)  # another command carries a run of this scope out


@contextmanager
def attention() -> Iterator[Attention]:
    """Take note of the first Ctrl-C; a second one ends the command at once.

    An exception thrown into the middle of a driver's call would be lost there or taken for a fault of the target.
    """
    found = Attention()

    def note(_number: int, _frame: Any) -> None:
        found.wanted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def shown_progress(connector: str, *, quiet: bool) -> Iterator[Show]:
    """Show a bar with objects, rate and the time left; on standard error, so that it is not in the answer."""
    if quiet:
        yield lambda _objects, _expected, _rate: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"import {connector}", total=None, rate="")

        def show(objects: int, expected: int | None, rate: float) -> None:
            total = None if expected is None else max(objects, expected)
            bar.update(task, completed=objects, total=total, rate=f"{rate:,.0f}/s" if rate else "")

        yield show
