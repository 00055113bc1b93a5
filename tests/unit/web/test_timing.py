"""The thread that notices what is due."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from harness import until
from isthmus.store import StoreBusy
from isthmus.web import timing


@pytest.mark.parametrize("trouble", [StoreBusy("later"), OSError(24, "Too many open files")], ids=["store", "files"])
def test_it_goes_on_whatever_goes_wrong(trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nothing would be imported by timer any more."""
    troubles = [trouble]

    def due(_host: Any) -> bool:
        if troubles:
            raise troubles.pop()
        return True

    monkeypatch.setattr(timing, "due", due)
    monkeypatch.setattr(timing, "_INTERVAL", 0.001)
    work = threading.Event()
    noticed = timing.Timing(cast("Any", None), work=work.set)
    noticed.start()
    try:
        until(work.is_set)
        assert not troubles
    finally:
        noticed.stop()
        noticed.join(20)
