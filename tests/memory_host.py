"""A host with one connector to an in-memory target of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import variants
from harness import Bench, Client
from isthmus.connectors.memory import MemoryTarget


class MemoryHost:
    """A host with one connector `app` to an in-memory target of its own."""

    def __init__(self, opened: Bench, target: MemoryTarget, document: Callable[..., str]) -> None:
        self.bench = opened
        self.host = opened.host
        self.target = target
        self.name = target.name
        self._document = document
        self.client: Client = opened.client("app")

    def reconfigure(self, **changes: Any) -> None:
        """Serve on with a document in which this is different."""
        self.bench.reconfigure("app", self._document(**changes))

    @property
    def asked(self) -> dict[str, int]:
        """How often the connector's methods were called."""
        return variants.asked[self.name]

    def put(self, *names: str, **more: tuple[Any, ...]) -> None:
        """Add users behind our back."""
        for name in names:
            self.target.put("user", {"login": (name,), **more})

    def logins(self) -> list[str]:
        return sorted(anchor[0] for anchor in self.target.anchors("user"))

    def listed(self) -> list[str]:
        """The names of all users that SCIM shows."""
        return sorted(user["userName"] for user in self.client.get("/Users?count=1000").resources)


Serve = Callable[..., MemoryHost]
"""Serves one connector; takes what its document shall say otherwise."""
