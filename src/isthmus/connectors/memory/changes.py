"""The target's log of changes, which delta imports read."""

from __future__ import annotations

import secrets
import threading

from isthmus.connectors.memory.rows import Key, TargetTrouble, Trouble


class ChangeLog:
    """The number of the last change of each object; deleted ones stay in it. Guarded by the target's lock."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(8)  # another target, or one started again, does not know our watermarks
        self._number = 0
        self._last: dict[Key, int] = {}  # in the order of the last change
        self._noted = threading.Condition()

    def note(self, key: Key) -> None:
        """Note that this object was added, changed or removed just now."""
        self._number += 1
        self._last.pop(key, None)
        self._last[key] = self._number
        with self._noted:
            self._noted.notify_all()

    def wait(self, number: int, seconds: float) -> None:
        """Return once there is a change after this number, or after so many seconds; without the target's lock."""
        with self._noted:
            self._noted.wait_for(lambda: self._number > number, seconds)

    def expire(self) -> None:
        """Forget all changes so far: watermarks given out before are of no use any more."""
        self._epoch = secrets.token_hex(8)
        self._last.clear()

    @property
    def token(self) -> str:
        return self.token_at(self._number)

    def token_at(self, number: int) -> str:
        return f"{self._epoch}:{number}"

    def number(self, token: str) -> int:
        """Return the number behind a watermark's token."""
        epoch, _, number = token.partition(":")
        if epoch != self._epoch or not number.isascii() or not number.isdigit():
            raise TargetTrouble(Trouble.FORGOTTEN, "the target does not know what changed since this watermark")
        return int(number)

    def since(self, number: int) -> list[tuple[Key, int]]:
        """Return what changed after a number, oldest first."""
        found = []
        for key in reversed(self._last):
            if self._last[key] <= number:
                break
            found.append((key, self._last[key]))
        return found[::-1]
