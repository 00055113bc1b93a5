"""How many examples are drawn, and whether they are the same in every run.

A test run draws the same examples each time: it fails by what was changed, never by chance. Chance has a run of its
own, with other examples each time and so many times more of them: `ISTHMUS_TEST_EXAMPLES=10` (CONTRIBUTING.md).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("ISTHMUS_TEST_EXAMPLES", "1"))


def examples(number: int) -> int:
    """Return how many examples to draw where a usual run draws this number."""
    return number * TIMES


def load_profile() -> None:
    """Give every test that draws examples its settings. None is judged by time: the machine may be busy."""
    settings.register_profile(
        "isthmus",
        derandomize=TIMES == 1,
        max_examples=examples(100),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("isthmus")
