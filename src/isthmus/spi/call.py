"""What the host hands to every connector method: deadline, cancellation, correlation, audit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from isthmus.spi.errors import Cancelled, TargetUnavailable


class Call:
    """One call of a connector: how long it may take, whether it is still wanted, what it sent.

    `deadline` is a `time.monotonic()` value. `session` names the thread of the process that writes; it is written to
    the journal before the write, so that `SupportsSettling.settle` can later wait for that session to end. `entry` is
    the id of the journal entry of a write, or None; a connector may put it where an administrator of the target sees
    it. `wanted` names attributes that the host would like to see in the result of a write: where they cost nothing,
    return them too, and the host need not read the object again. A list of references that it does not name is not
    needed.
    """

    __slots__ = ("_cancelled", "_on_sent", "correlation", "deadline", "entry", "session", "wanted")

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        correlation: str = "",
        session: str = "",
        entry: str | None = None,
        cancelled: threading.Event | None = None,
        on_sent: Callable[[str], None] | None = None,
        wanted: Sequence[str] = (),
    ) -> None:
        self.deadline = time.monotonic() + timeout
        self.correlation = correlation
        self.session = session
        self.entry = entry
        self._cancelled = cancelled
        self._on_sent = on_sent
        self.wanted = wanted

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raise `Cancelled` if the caller gave up and `TargetUnavailable` if the deadline has passed.

        Call it between pages and before every round trip to the target.
        """
        if self._cancelled is not None and self._cancelled.is_set():
            raise Cancelled("cancelled by the operator or because the host is stopping")
        if time.monotonic() >= self.deadline:
            raise TargetUnavailable("the time allowed for this request was used up before the target had answered")

    def sent(self, text: str) -> None:
        """Report, with values masked, what was sent to the target; it is shown in the audit."""
        if self._on_sent is not None:
            self._on_sent(text)
