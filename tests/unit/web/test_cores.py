"""Each worker has a core of its own, as far as there are enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TAKE = """
import os, sys, threading
from pathlib import Path
from isthmus.web.cores import take_core
tied, found = threading.Event(), []
thread = threading.Thread(target=lambda: (tied.wait(20), found.append(sorted(os.sched_getaffinity(0)))))
thread.start()
core = take_core(Path(sys.argv[1]))
tied.set()
thread.join()
print(core, *found[0], flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system ties no process to a core")
def test_workers_take_different_cores_until_none_is_left(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    cores = sorted(before)[:4]
    os.sched_setaffinity(0, cores)  # what is started here inherits it
    started: list[subprocess.Popen[str]] = []

    def start() -> list[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().split()

    try:
        for core in cores:
            assert start() == [str(core), str(core)]
        assert start() == ["None", *map(str, cores)]
        started[0].communicate(timeout=10)
        assert start() == [str(cores[0]), str(cores[0])]
    finally:
        os.sched_setaffinity(0, before)
        for process in started:
            process.kill()
            process.communicate()
