"""Connector types made from the in-memory one: each lacks something that targets lack, or shows what it was asked.

They are installed as third parties' are: by an entry point in the metadata of a package on the path.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from isthmus.connectors.memory import MemoryConnector, MemorySettings, connector_type
from isthmus.spi import (
    AttributeChange,
    Attributes,
    Call,
    Connector,
    ConnectorObject,
    ConnectorType,
    Identity,
    ImportPage,
    ImportScope,
    Operation,
    Schema,
    Secret,
    SupportsCreate,
    SupportsDelete,
    SupportsFullImport,
    SupportsPassword,
    SupportsUpdate,
    TargetUnavailable,
    Value,
)

asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
"""How often each method was called, by the target's name."""
fail_passwords: set[str] = set()
"""Targets that refuse the second call."""
between_pages: dict[str, Callable[[int], None]] = {}
"""What happens once a page of an import has been read, and before the host has it, by the target's name."""
without: dict[str, set[str]] = {}
"""Attributes that a target's schema lacks for now."""
lies: defaultdict[str, dict[str, Callable[..., Any]]] = defaultdict(dict)
"""What a method does instead, by the target's name; it is given the method and what that was given."""


def _counted(name: str) -> Callable[..., Any]:
    def method(self: Watched, *given: Any, **named: Any) -> Any:
        asked[self._name][name] += 1
        return getattr(super(Watched, self), name)(*given, **named)

    return method


def _lied(name: str) -> Callable[..., Any]:
    def method(self: Lying, *given: Any, **named: Any) -> Any:
        honest = getattr(super(Lying, self), name)
        lie = lies[self._name].get(name)
        return honest(*given, **named) if lie is None else lie(honest, *given, **named)

    return method


def _delegated(name: str) -> Callable[..., Any]:
    def method(self: Blind, *given: Any, **named: Any) -> Any:
        return getattr(self._inner, name)(*given, **named)

    return method


class Watched(MemoryConnector):
    """Counts what it is asked and lets tests in between."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self._name = settings.name

    def read_schema(self, *, call: Call) -> Schema:
        asked[self._name]["read_schema"] += 1
        found = super().read_schema(call=call)
        return Schema(
            {
                name: replace(
                    kind,
                    attributes=tuple(a for a in kind.attributes if a.name not in without.get(self._name, set())),
                )
                for name, kind in found.object_types.items()
            }
        )

    read, find, find_many = map(_counted, ("read", "find", "find_many"))
    create, update, delete = map(_counted, ("create", "update", "delete"))

    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        asked[self._name]["import_full"] += 1
        for number, page in enumerate(
            super().import_full(scope, attributes=attributes, page_size=page_size, call=call), 1
        ):
            if (action := between_pages.get(self._name)) is not None:
                action(number)
            yield page
            call.check()


class SecondCall(Watched):
    """A password takes a call of its own."""

    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        assert password is None, "this target takes no password in a create"
        return super().create(object_type, attributes, dn=dn, call=call)

    def set_password(self, object_type: str, identity: Identity, password: Secret, *, call: Call) -> None:
        asked[self._name]["set_password"] += 1
        if self._name in fail_passwords:
            raise TargetUnavailable("the password server is down")
        super().set_password(object_type, identity, password, call=call)


class Generous(Watched):
    """Returns every object as a whole, whatever was changed, as the contract allows."""

    def update(
        self,
        object_type: str,
        identity: Identity,
        changes: Sequence[AttributeChange],
        *,
        new_dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        done = super().update(object_type, identity, changes, new_dn=new_dn, password=password, call=call)
        kind = MemoryConnector.read_schema(self, call=call).object_types[object_type]
        names = [a.name for a in kind.attributes if not a.secret]
        whole = MemoryConnector.read(self, object_type, done.identity, attributes=names, call=call)
        assert whole is not None
        return whole


class Blind(Connector, SupportsFullImport, SupportsCreate, SupportsUpdate, SupportsDelete, SupportsPassword):
    """Imports and writes, but cannot be asked for single objects."""

    def __init__(self, settings: MemorySettings) -> None:
        self._inner = Watched(settings)

    def read_schema(self, *, call: Call) -> Schema:
        found = self._inner.read_schema(call=call)
        return Schema(
            {
                name: replace(kind, operations=kind.operations - {Operation.LOOKUP})
                for name, kind in found.object_types.items()
            }
        )

    test, scopes, close, import_full = map(_delegated, ("test", "scopes", "close", "import_full"))
    create, update, delete, set_password = map(_delegated, ("create", "update", "delete", "set_password"))


class Lying(Watched):
    """Does what a test has it do."""

    test, read_schema, scopes, close = map(_lied, ("test", "read_schema", "scopes", "close"))
    read, find, find_many, import_full = map(_lied, ("read", "find", "find_many", "import_full"))
    current_watermark, import_delta = map(_lied, ("current_watermark", "import_delta"))
    create, update, delete, set_password = map(_lied, ("create", "update", "delete", "set_password"))


class Buggy(Watched):
    """Raises what no connector may."""

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        raise ZeroDivisionError(f"with the value {value!r} in it")


def cannot_open(settings: MemorySettings) -> Connector:
    """Fail as a connector that was never tried."""
    raise ZeroDivisionError(f"with the setting {settings.name!r} in it")


def variant(id: str, opening: Callable[[Any], Connector], **more: Any) -> ConnectorType[Any]:
    return replace(connector_type, id=id, open=opening, **more)


watched = variant("watched", Watched)
second_call = variant("second-call", SecondCall, password_in_create=False)
blind = variant("blind", Blind, settle_seconds=0.0)
one_at_a_time = variant("serial", Watched, concurrency="serial")
buggy = variant("buggy", Buggy)
generous = variant("generous", Generous)
lying = variant("lying", Lying, settle_seconds=0.0)
unopened = variant("cannot-open", cannot_open)

_POINTS = {
    "watched": "watched",
    "second-call": "second_call",
    "blind": "blind",
    "serial": "one_at_a_time",
    "buggy": "buggy",
    "generous": "generous",
    "lying": "lying",
    "cannot-open": "unopened",
    "cannot-load": "nothing_of_this_name",
}
_installing = threading.Lock()


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Have the variants installed while the body runs."""
    found = folder / "isthmus_variants-1.0.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: isthmus-variants\nVersion: 1.0\n")
    lines = [f"{point} = variants:{name}" for point, name in _POINTS.items()]
    (found / "entry_points.txt").write_text("[isthmus.connectors]\n" + "\n".join(lines) + "\n")
    with _installing:
        sys.path.append(str(folder))
    try:
        yield
    finally:
        with _installing:
            sys.path.remove(str(folder))
