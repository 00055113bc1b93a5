"""The target itself: objects in memory, and switches that make it behave as real targets do on bad days."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, TypeVar

from isthmus.connectors.memory.changes import ChangeLog
from isthmus.connectors.memory.rows import (
    Key,
    Row,
    TargetTrouble,
    Trouble,
    attribute_of,
    changed_row,
    comparable,
    new_row,
)
from isthmus.connectors.memory.schema import OBJECT_TYPES
from isthmus.connectors.memory.tables import Tables
from isthmus.connectors.memory.weather import Weather
from isthmus.spi import AttributeChange, AttributeDefinition, Attributes, Call, ObjectType, Schema, Secret, Value

T = TypeVar("T")


class MemoryTarget:
    """Objects in memory, shared by every connector that names this target. Safe for threads.

    Methods under "requests" are what a connector sends. The others are for tests: they change the target behind every
    connector's back. `weather` has the switches for bad days.
    """

    _named: ClassVar[dict[str, MemoryTarget]] = {}
    _naming: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.weather = Weather()
        self._changes = ChangeLog()
        self._lock = threading.RLock()
        self._tables = Tables(self._changes)
        self._types = {t.name: t for t in OBJECT_TYPES}
        self._password: Secret | None = None

    @classmethod
    def named(cls, name: str) -> MemoryTarget:
        """Return the target of this name, made empty when first asked for."""
        with cls._naming:
            return cls._named.setdefault(name, cls(name))

    @classmethod
    def forget(cls, name: str) -> None:
        """Drop the target of this name; connectors that are open keep the one they have."""
        with cls._naming:
            cls._named.pop(name, None)

    # for tests, behind every connector's back

    def protect(self, password: Secret | None) -> None:
        """Let in only connectors that have this password."""
        self._password = password

    def put(self, object_type: str, attributes: Attributes) -> tuple[str, ...]:
        """Add an object; return its anchor."""
        with self._lock:
            return self._tables.insert(new_row(self.type_named(object_type), attributes)).anchor

    def change(self, object_type: str, anchor: tuple[str, ...], **values: tuple[Value, ...]) -> None:
        """Give attributes of an object other values."""
        with self._lock:
            old = self._tables.existing((object_type, anchor))
            self._tables.replace(old, changed_row(old, [AttributeChange(n, replace=v) for n, v in values.items()]))

    def drop(self, object_type: str, anchor: tuple[str, ...]) -> None:
        """Remove an object."""
        with self._lock:
            self._tables.remove((object_type, anchor))

    def get(self, object_type: str, anchor: tuple[str, ...]) -> Attributes | None:
        """Return an object's attributes, secret ones included, or None."""
        with self._lock:
            row = self._tables.get((object_type, anchor))
            return None if row is None else dict(row.values)

    def anchors(self, object_type: str) -> list[tuple[str, ...]]:
        """Return the anchors of a type in the order in which they were added."""
        with self._lock:
            return self._tables.anchors(object_type)

    def password_is(self, object_type: str, anchor: tuple[str, ...], password: Secret) -> bool:
        """Whether the object can log in with this password."""
        with self._lock:
            return self._tables.existing((object_type, anchor)).password == password

    @contextmanager
    def extended(self, object_type: str, attribute: AttributeDefinition) -> Iterator[None]:
        """Have one more attribute for a while."""
        before = self.type_named(object_type)
        self._retype(
            ObjectType(
                name=before.name,
                anchor=before.anchor,
                attributes=(*before.attributes, attribute),
                operations=before.operations,
                dn=before.dn,
                correlation_attribute=before.correlation_attribute,
            )
        )
        try:
            yield
        finally:
            self._retype(before)

    def _retype(self, object_type: ObjectType) -> None:
        with self._lock:
            self._types[object_type.name] = object_type
            self._tables.retype(object_type)

    # requests

    def login(self, password: Secret | None, call: Call, latency: float = 0.0) -> None:
        """Begin a request: wait as long as the target takes, then check the password."""
        self.weather.endure(call, latency)
        if self._password is not None and self._password != password:
            raise TargetTrouble(Trouble.LOGIN, "the target refuses the password")

    def schema(self) -> Schema:
        with self._lock:
            return Schema(dict(self._types))

    def type_named(self, name: str) -> ObjectType:
        found = self._types.get(name)
        if found is None:
            raise TargetTrouble(Trouble.NO_TYPE, f"the target has no object type {name!r}")
        return found

    def row(self, key: Key) -> Row | None:
        with self._lock:
            self.type_named(key[0])
            found = self._tables.get(key)
            return None if found is None else found.copy()

    def rows(self, keys: Sequence[Key]) -> list[Row]:
        """Return those of these objects that exist, as they are now."""
        with self._lock:
            return [found.copy() for key in keys if (found := self._tables.get(key)) is not None]

    def matching(self, object_type: str, attribute: str, value: Value, limit: int) -> list[Row]:
        with self._lock:
            definition = attribute_of(self.type_named(object_type), attribute)
            wanted = comparable(definition, value)
            found: list[Row] = []
            for row in self._tables.of_type(object_type):
                if any(comparable(definition, v) == wanted for v in row.values[attribute]):
                    found.append(row.copy())
                    if len(found) >= limit:
                        break
            return found

    def insert(self, object_type: str, attributes: Attributes, password: Secret | None, call: Call) -> Row:
        def write() -> Row:
            row = new_row(self.type_named(object_type), attributes)
            row.password = password
            return self._tables.insert(row).copy()

        return self._write(write, call)

    def modify(self, key: Key, changes: Sequence[AttributeChange], password: Secret | None, call: Call) -> Row:
        def write() -> Row:
            self.type_named(key[0])
            if password is None and (adjusted := self._tables.adjusted(key, changes)) is not None:
                return adjusted
            old = self._tables.existing(key)
            new = changed_row(old, changes)
            if password is not None:
                new.password = password
            return self._tables.replace(old, new).copy()

        return self._write(write, call)

    def erase(self, key: Key, call: Call) -> None:
        def write() -> None:
            self.type_named(key[0])
            self._tables.remove(key)

        self._write(write, call)

    def _write(self, write: Callable[[], T], call: Call) -> T:
        def locked() -> T:
            with self._lock:
                return write()

        return self.weather.carry(locked, call)

    def current_token(self) -> str:
        """Return the token of a watermark for all changes from now on."""
        with self._lock:
            return self._changes.token

    def changed_since(self, token: str) -> tuple[list[tuple[Key, int]], str]:
        """Return what changed since a watermark, oldest first, each with its number, and the token of this moment."""
        with self._lock:
            return self._changes.since(self._changes.number(token)), self._changes.token

    def wait_for_change(self, token: str, seconds: float) -> None:
        """Return once something changed since a watermark, or after so many seconds."""
        with self._lock:
            number = self._changes.number(token)
        self._changes.wait(number, seconds)

    def token_at(self, token: str, number: int) -> str:
        """Return the token for what changes after a number, in the same epoch as a token."""
        with self._lock:
            self._changes.number(token)  # raises if the changes were forgotten meanwhile
            return self._changes.token_at(number)

    def expire_watermarks(self) -> None:
        """Forget all changes so far: watermarks given out before are of no use any more."""
        with self._lock:
            self._changes.expire()
