"""The access log: whole lines, none lost, none mixed with another process's."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from isthmus.config.documents import LogSettings
from isthmus.web.logs import AccessLog, stamp

JSON = LogSettings(format="json")
FULL = Path("/dev/full")


def test_a_line_is_written_at_once_without_gathering(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("wb", buffering=0) as stream:
        log = AccessLog(JSON, stream.fileno())
        log.write({"path": "Users", "ms": 1.5})
        (line,) = file.read_text().splitlines()
    found = json.loads(line)
    assert (found["event"], found["path"], found["ms"]) == ("request", "Users", 1.5)


def test_gathered_lines_are_whole_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("wb", buffering=0) as stream:
        log = AccessLog(JSON, stream.fileno())
        log.gather()

        def write(thread: int) -> None:
            for number in range(700):
                log.write({"thread": thread, "number": number})

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        log.flush()
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert len(lines) == 2800
    for thread in range(4):
        assert [line["number"] for line in lines if line["thread"] == thread] == list(range(700))


def test_no_write_is_larger_than_a_pipe_takes_whole() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # keeps one write apart from the next
    with ours, theirs:
        theirs.setblocking(False)
        log = AccessLog(JSON, ours.fileno())
        log._lines.extend(b"x" * 999 + b"\n" for _ in range(10))
        log.flush()
        writes = [len(theirs.recv(20_000)) for _ in range(3)]
    assert writes == [4000, 4000, 2000]
    assert max(writes) <= select.PIPE_BUF


def test_a_process_that_ends_leaves_no_line_behind(tmp_path: Path) -> None:
    file = tmp_path / "log"
    program = (
        "import multiprocessing, sys\n"
        "from isthmus.config.documents import LogSettings\n"
        "from isthmus.web.logs import AccessLog\n"
        "def work():\n"
        "    log = AccessLog(LogSettings(format='json'))\n"
        "    log.gather()\n"
        "    for number in range(50): log.write({'number': number})\n"
        "child = multiprocessing.get_context('fork').Process(target=work)\n"
        "child.start(); child.join(); sys.exit(child.exitcode)\n"
    )
    with file.open("wb") as stream:
        subprocess.run([sys.executable, "-c", program], stderr=stream, check=True, timeout=60)
    assert len(file.read_bytes().splitlines()) == 50


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    with FULL.open("wb", buffering=0) as full:
        log = AccessLog(JSON, full.fileno())
        log.write({"path": "Users"})
        log.gather()
        for number in range(3):
            log.write({"number": number})
        log.flush()


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_process_whose_log_cannot_be_written_goes_on() -> None:
    program = (
        "import structlog\n"
        "from isthmus.config.documents import LogSettings\n"
        "from isthmus.web.logs import configure\n"
        "configure(LogSettings(format='json'))\n"
        "for number in range(3): structlog.get_logger('isthmus').error('event', number=number)\n"
        "print('done')\n"
    )
    with FULL.open("wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_a_moment_is_written_to_the_millisecond() -> None:
    assert stamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert stamp(1_000_000_000.25) == "2001-09-09T01:46:40.250Z"
