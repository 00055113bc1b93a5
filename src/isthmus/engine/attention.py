"""Why a connector needs an operator, as every process knows it and as a restart finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from isthmus.engine.glance import Glance
from isthmus.store import Store

log = structlog.get_logger("isthmus.engine")


class Attention:
    """Two reasons: what stops writes and imports (the schema no longer fits), and what the last call met.

    The second ends by itself with the next call that succeeds, so a mended password needs no further step.
    """

    def __init__(self, connector: str, store: Store) -> None:
        key = connector.casefold()
        self._connector = connector
        self._blocking = Glance(store, f"attention:{key}")
        self._trouble = Glance(store, f"trouble:{key}")
        self._unreadable = Glance(store, f"unreadable:{key}")

    @property
    def blocking(self) -> str:
        """Return why writes and imports stand still, or an empty string."""
        return self._blocking.get()

    @property
    def reason(self) -> str:
        """Return why an operator should look, or an empty string."""
        return self._blocking.get() or self._trouble.get()

    def block(self, reason: str, unreadable: Mapping[str, Sequence[str]]) -> None:
        """Stop writes and imports. `unreadable`: attributes of each object type that cannot be read any more."""
        self._unreadable.set(msgspec.json.encode(unreadable).decode())
        if reason != self._blocking.get():
            self._blocking.set(reason)
            log.error("connector_needs_attention", connector=self._connector, reason=reason)

    def unblock(self) -> None:
        """The schema fits."""
        if self._blocking.get():
            self._blocking.set("")
            self._unreadable.set("")

    def unreadable(self, object_type: str) -> Sequence[str]:
        """Return the selected attributes of a type that the target no longer has, or has with another type."""
        if not self._blocking.get():
            return ()
        text = self._unreadable.get()
        return msgspec.json.decode(text, type=dict[str, list[str]]).get(object_type, ()) if text else ()

    def failed(self, reason: str) -> None:
        """Note that a call failed for a reason that only an operator can mend."""
        if reason != self._trouble.get():
            self._trouble.set(reason)
            log.error("connector_needs_attention", connector=self._connector, reason=reason)

    def succeeded(self) -> None:
        """Note that a call succeeded."""
        if self._trouble.get():
            self._trouble.set("")
            log.info("connector_works_again", connector=self._connector)
