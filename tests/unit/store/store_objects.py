"""Objects for the store's tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from isthmus.store import Applied, ObjectWrite, Space, Store

NOW = "2026-01-02T03:04:05Z"
LATER = "2026-01-02T03:04:06Z"


def a_write(*anchor: str, version: int = 1, **more: Any) -> ObjectWrite:
    """Return a write whose digests follow from `version`."""
    values: dict[str, Any] = {
        "attributes": json.dumps({"login": list(anchor)}).encode(),
        "scim": json.dumps({"userName": anchor[0], "version": version}).encode(),
        "shape": 1,
        "canonical": version,
        "wire": 1000 + version,
        "keys": [("login", anchor[0].casefold())],
    }
    return ObjectWrite(anchor=anchor, **(values | more))


def add(store: Store, space: Space, writes: Sequence[ObjectWrite]) -> list[Applied]:
    """Add objects and return what became of them."""
    return store.space.apply(space, writes, noted=None, now=NOW)


def open_entry(store: Store, space: Space, *locks: str, **more: Any) -> Any:
    """Open a journal entry that holds locks; an Entry or Blocked."""
    values: dict[str, Any] = {
        "operation": "update",
        "object_id": None,
        "anchor": None,
        "session": "s1",
        "correlation": "c1",
        "intent": {"changes": ["title"]},
    }
    return store.journal.open(space=space, locks=locks, **(values | more))
