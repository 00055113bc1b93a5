"""A call knows its time, whether it is still wanted, and passes on what was sent."""

from __future__ import annotations

import threading

import pytest

from isthmus.spi import Call, Cancelled, TargetUnavailable


def test_remaining_counts_down_and_never_below_zero() -> None:
    call = Call(timeout=60)
    first = call.remaining()
    assert 59 < first <= 60
    assert call.remaining() <= first
    assert Call(timeout=-1).remaining() == 0.0


def test_check_passes_while_there_is_time() -> None:
    Call(timeout=60, cancelled=threading.Event()).check()


def test_check_past_the_deadline_is_unavailable() -> None:
    with pytest.raises(TargetUnavailable) as raised:
        Call(timeout=0).check()
    assert not raised.value.outcome_unknown


def test_cancellation_comes_before_the_deadline() -> None:
    cancelled = threading.Event()
    call = Call(timeout=0, cancelled=cancelled)
    cancelled.set()
    with pytest.raises(Cancelled):
        call.check()


def test_sent_is_passed_on() -> None:
    heard: list[str] = []
    Call(on_sent=heard.append).sent("INSERT ...")
    Call().sent("nobody listens")
    assert heard == ["INSERT ..."]


def test_identity_of_a_write_is_carried() -> None:
    call = Call(correlation="c", session="s", entry="e")
    assert (call.correlation, call.session, call.entry) == ("c", "s", "e")
    assert Call().entry is None
