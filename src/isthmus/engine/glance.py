"""A small durable text of the store, read again at most once a second."""

from __future__ import annotations

import time

from isthmus.store import Store

FRESH_SECONDS = 1.0


class Glance:
    """Remember one value of `Store.settings`; what another process sets is seen within a second."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._text = ""
        self._read_at = float("-inf")

    def get(self) -> str:
        """Return the value, or an empty string; the same object while the value is unchanged."""
        now = time.monotonic()
        if now - self._read_at >= FRESH_SECONDS:
            text = self._store.settings.get(self._name) or ""
            if text != self._text:
                self._text = text
            self._read_at = now
        return self._text

    def fresh(self) -> str:
        """Return the value as it is in the store now."""
        self._read_at = float("-inf")
        return self.get()

    def set(self, text: str) -> None:
        """Set the value for every process."""
        self._store.settings.set(self._name, text)
        self._text = text
        self._read_at = time.monotonic()
