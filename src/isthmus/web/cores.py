"""Give a worker a core of its own (`scim.own_cores`)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


def take_core(folder: Path) -> int | None:
    """Tie this process with all of its threads to a core that no other worker has; return which.

    None, and it runs on any core, where all are taken or the system does not know of this. A core is taken by a lock on
    a file in the folder, which is held for as long as the process lives. So workers that take over from others, as at
    each change of the configuration, find one when those have gone: ask again then.

    A worker's threads hardly ever run at the same time, for they share one interpreter. On several cores each of them
    finds its memory in another core's cache, and waking it there takes longer.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for core in sorted(os.sched_getaffinity(0)):
        file = os.open(folder / f"{core}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        _tie(core)
        return core  # the file stays open
    return None


def _tie(core: int) -> None:
    """Tie every thread that there is; those to come inherit it (sched(7))."""
    os.sched_setaffinity(0, {core})
    tasks = Path("/proc/self/task")
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(task.name), {core})
