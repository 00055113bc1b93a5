"""Many threads that take turns and write, while another process keeps the store's lock as long as they wait for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from isthmus.engine.turns import Turns
from isthmus.store import Store, StoreBusy, writing
from isthmus.store.write_lock import WriteLock

PATIENCE = 0.05
SECONDS = 2.0


def test_nobody_is_left_asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads whose time ends as they are woken: none may be handed a turn that it does not take."""
    monkeypatch.setattr(writing, "BUSY_SECONDS", PATIENCE)
    outcomes: list[str] = []
    with Store.open(tmp_path) as store:
        turns = Turns()
        store.take_place(turns)
        other = WriteLock(tmp_path)
        until = time.monotonic() + SECONDS

        def write() -> None:
            while time.monotonic() < until:
                with turns:
                    try:
                        store._writer.run(
                            lambda c: c.execute("UPDATE counter SET value = value + 1").rowcount, seconds=PATIENCE
                        )
                        outcomes.append("written")
                    except StoreBusy:
                        outcomes.append("busy")

        threads = [threading.Thread(target=write, daemon=True) for _ in range(16)]
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            other.take(20)
            time.sleep(PATIENCE * 1.1)
            other.give_up()
            time.sleep(PATIENCE / 2)
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
        assert {"written", "busy"} == set(outcomes)
        assert store.number() == outcomes.count("written")
        other.close()
