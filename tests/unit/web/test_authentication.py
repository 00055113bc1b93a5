"""Guessing is slow, and costs nobody else anything."""

from __future__ import annotations

import threading

import pytest

from isthmus.scim.errors import TooManyRequests, Unauthorized
from isthmus.web.authentication import Attempts, Authentication
from unit.web.double import WRITE, DoubleHost


def fail(attempts: Attempts, address: str, times: int) -> None:
    for _ in range(times):
        attempts.failed(address, "hr")


def test_delays_grow_per_address_and_connector() -> None:
    delays: list[float] = []
    attempts = Attempts(held_at_most=2, sleep=delays.append)
    fail(attempts, "192.0.2.1", 9)
    assert delays == [0.1, 0.2, 0.4, 0.8]
    attempts.failed("192.0.2.1", "crm")
    attempts.failed("192.0.2.2", "hr")
    assert len(delays) == 4
    fail(attempts, "192.0.2.1", 10)
    assert max(delays) == 2.0


def test_an_address_that_never_ends_to_guess_is_held_up_for_ever() -> None:
    delays: list[float] = []
    fail(Attempts(held_at_most=1, sleep=delays.append), "192.0.2.1", 3_000)
    assert delays[100:] == [2.0] * 2_895


def test_memory_is_bounded() -> None:
    attempts = Attempts(held_at_most=1, sleep=lambda _seconds: None)
    for number in range(10_500):
        attempts.failed(f"2001:db8::{number:x}", "hr")
    assert len(attempts) == 10_000


def test_few_threads_are_held() -> None:
    held, release = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        held.set()
        assert release.wait(10)

    attempts = Attempts(held_at_most=1, sleep=sleep)
    fail(attempts, "192.0.2.1", 5)
    thread = threading.Thread(target=attempts.failed, args=("192.0.2.1", "hr"))
    thread.start()
    assert held.wait(10)
    with pytest.raises(TooManyRequests):
        attempts.failed("192.0.2.1", "hr")
    release.set()
    thread.join(10)


def test_a_valid_token_is_never_refused_because_others_failed() -> None:
    host = DoubleHost()
    authentication = Authentication(host.tokens, threads=8, attempts=Attempts(held_at_most=1, sleep=lambda _s: None))  # type: ignore[arg-type]
    for _ in range(100):
        with pytest.raises(Unauthorized):
            authentication.authenticate("Bearer no", connector="hr", known=True, address="192.0.2.1", method="GET")
    token = authentication.authenticate(
        f"Bearer {WRITE}", connector="hr", known=True, address="192.0.2.1", method="POST"
    )
    assert token.scope == "write"


def test_a_huge_token_is_not_even_looked_up() -> None:
    host = DoubleHost()
    authentication = Authentication(host.tokens, threads=8)  # type: ignore[arg-type]
    with pytest.raises(Unauthorized):
        authentication.authenticate(
            "Bearer " + "x" * 50_000, connector="hr", known=True, address="192.0.2.1", method="GET"
        )
    assert host.checked == []
