"""What the audit keeps of a write: who, when, on whom, old and new values with secrets redacted, outcome."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from isthmus.engine.caller import Caller
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import AttributeChange, Attributes, Reference, Value
from isthmus.store import UNSET, Unset
from isthmus.store.records import AuditRecord

REDACTED = "***"


@dataclass(slots=True)
class Trail:
    """Collect what one request did, until it is written to the audit together with the outcome."""

    connector: str
    rt: ResourceType
    operation: str
    caller: Caller
    object_id: str = ""
    name: str = ""
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def record(self, outcome: str, status: int, message: str = "") -> AuditRecord:
        """Return the audit record of this request as it ends now."""
        return AuditRecord(
            at=time.time(),
            connector=self.connector,
            actor=self.caller.actor,
            address=self.caller.address,
            operation=self.operation,
            object_type=self.rt.definition.object_type,
            object_id=self.object_id,
            name=self.name,
            outcome=outcome,
            status=status,
            duration=time.monotonic() - self.started,
            correlation=self.caller.correlation,
            message="; ".join([*([message] if message else []), *self.notes]),
            sent=tuple(self.sent),
            old=self.old,
            new=self.new,
        )

    def on_sent(self, text: str) -> None:
        """Take what a connector reports as sent; what it takes for text need not be any, nor have a form in UTF-8."""
        self.sent.append(str(text).encode("utf-8", "replace").decode())


def plain_values(rt: ResourceType, attributes: Attributes) -> dict[str, Any]:
    """Return attributes as JSON values for people, secrets redacted."""
    known = _public(rt)
    return {
        name: [plain_value(rt, value) for value in values] if name in known else REDACTED
        for name, values in attributes.items()
    }


def plain_value(rt: ResourceType, value: Value) -> Any:
    """Return one value as JSON holds it."""
    return list(value.key) if isinstance(value, Reference) else rt.plain(value)


def changed_values(
    rt: ResourceType, before: Mapping[str, Any], changes: Iterable[AttributeChange]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return old and new values of the attributes that are named by the changes."""
    known = _public(rt)
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for change in changes:
        if change.name not in known:
            new[change.name] = REDACTED
            continue
        old[change.name] = before.get(change.name, [])
        if change.replace is not None:
            new[change.name] = [plain_value(rt, value) for value in change.replace]
        else:
            new[change.name] = {
                "add": [plain_value(rt, value) for value in change.add],
                "remove": [plain_value(rt, value) for value in change.remove],
            }
    return old, new


def intent_of(
    rt: ResourceType,
    *,
    attributes: Attributes | None = None,
    changes: Sequence[AttributeChange] = (),
    external_id: str | Unset | None = UNSET,
    state: str = "",
    has_password: bool = False,
    new_dn: str | None = None,
    guard: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Return what a journal entry keeps of a write: enough to find out what became of it, and no secret."""
    intent: dict[str, Any] = {}
    if attributes is not None:
        known = _public(rt)
        public = {name: values for name, values in attributes.items() if name in known}
        intent["attributes"] = orjson.loads(rt.encode(public))
    if changes:
        intent["changes"] = changed_values(rt, {}, changes)[1]
    if not isinstance(external_id, Unset):
        intent["external_id"] = external_id
    if state:
        intent["state"] = state
    if has_password:
        intent["has_password"] = True
    if new_dn is not None:
        intent["new_dn"] = new_dn
    if guard is not None:
        intent["guard"] = list(guard)
    return intent


@lru_cache(maxsize=500)  # of a compiled resource type it never changes, and every write asks for each attribute
def _public(rt: ResourceType) -> frozenset[str]:
    """Return the attributes that are known and not secret."""
    return frozenset(definition.name for definition in rt.object_type.attributes if not definition.secret)
