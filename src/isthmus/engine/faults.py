"""Named points between request and answer at which a test may end the process, as a power cut would.

Does nothing unless the environment variable ISTHMUS_TEST_KILL_AT names a point; then the process kills itself there.
The value is `point` or `point:N` (at the Nth passage in this process). Read once, when the process starts.
"""

from __future__ import annotations

import itertools
import os
import signal

POINTS = (
    "before-open",
    "after-open",
    "before-send",
    "after-send",
    "before-close",
    "after-close",
    "after-password",
    "before-answer",
)

_wanted, _, _passage = os.environ.get("ISTHMUS_TEST_KILL_AT", "").partition(":")
_passages = itertools.count(1)
_at = int(_passage or "1")


def reached(point: str) -> None:
    """Mark a named point."""
    if _wanted and point == _wanted and next(_passages) == _at:
        os.kill(os.getpid(), signal.SIGKILL)
