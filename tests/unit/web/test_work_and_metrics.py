"""What a process counts: requests under way, and requests answered."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from isthmus.scim.errors import Unavailable
from isthmus.web import metrics
from isthmus.web.metrics import BUCKETS, Recorder, collect, start_afresh
from isthmus.web.work import Work


def test_waiting_for_a_body_is_not_work() -> None:
    work = Work(bodies=2)
    first = work.begin()
    assert work.oldest() > 0.0
    with work.receiving(first):
        assert work.oldest() == 0.0
        assert work.oldest_body() > 0.0
    assert work.oldest() > 0.0
    assert work.oldest_body() == 0.0
    work.end(first)
    assert work.oldest() == 0.0


def test_too_many_bodies() -> None:
    work = Work(bodies=1)
    first, second = work.begin(), work.begin()
    with work.receiving(first):
        with pytest.raises(Unavailable), work.receiving(second):
            raise AssertionError("it was let in")
        assert work.crowded
    work.end(first)
    work.end(second)
    assert work.oldest() == 0.0


def test_sums_over_processes_that_live_and_that_ended(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.request("hr", "GET", 200, 0.0001)
    recorder.request("hr", "GET", 200, 99.0)
    recorder.call("hr", "create", "ok", 0.25)
    recorder.publish()
    child = (
        "import sys; from pathlib import Path; from isthmus.web.metrics import Recorder\n"
        "r = Recorder(Path(sys.argv[1])); r.request('hr', 'GET', 200, 0.5)\n"
        "r.request('hr', 'POST', 409, 0.5); r.publish()"
    )
    subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=True, timeout=60)
    for _ in range(2):  # the second time, what has ended is counted from the folded file
        found = {(series.operation, series.outcome): series for series in collect(tmp_path)[0]}
        assert sum(found["GET", "200"].buckets) == 3
        assert found["GET", "200"].buckets[0] == 1
        assert found["GET", "200"].buckets[len(BUCKETS)] == 1
        assert found["POST", "409"].seconds == 0.5
        (call,) = collect(tmp_path)[1]
        assert (call.operation, call.outcome, call.seconds, sum(call.buckets)) == ("create", "ok", 0.25, 1)
    assert len(list(tmp_path.glob("*.json"))) == 2
    start_afresh(tmp_path)
    assert collect(tmp_path) == ([], [])


def test_two_who_ask_at_once_count_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[threading.Thread] = []

    def counted() -> int:
        ((series,), _calls) = collect(tmp_path)
        return sum(series.buckets)

    def has_ended(_process: int) -> bool:
        return False

    def has_ended_while_another_asks(_process: int) -> bool:
        if not others:
            others.append(threading.Thread(target=counted))
            others[0].start()
            others[0].join(1)  # it ends, unless it has to wait for this one
        return False

    for asked in (has_ended, has_ended_while_another_asks):
        recorder = Recorder(tmp_path)
        recorder.request("hr", "GET", 200, 0.1)
        recorder.publish()
        monkeypatch.setattr(metrics, "_runs", asked)
        counts = counted()
    others[0].join(20)
    assert (counts, counted()) == (2, 2)


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.publish()
    assert list(tmp_path.iterdir()) == []
    recorder.request("hr", "GET", 200, 0.1)
    recorder.publish()
    (file,) = tmp_path.iterdir()
    before = file.stat().st_ino
    recorder.publish()
    assert file.stat().st_ino == before


def test_a_cut_file_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{os.getpid()}-1.json").write_text('{"process":1,')
    assert collect(tmp_path) == ([], [])
