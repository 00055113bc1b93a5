"""The connector under test, opened, with what the suite needs to drive it and to clean up after itself."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from isthmus.spi import (
    AttributeChange,
    AttributeDefinition,
    Call,
    Connector,
    ConnectorError,
    ConnectorObject,
    Identity,
    ImportPage,
    ImportScope,
    NotFound,
    ObjectType,
    Operation,
    Schema,
    Secret,
    SupportsCreate,
    SupportsDelete,
    SupportsDeltaImport,
    SupportsFindMany,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsUpdate,
    SupportsWatch,
    Value,
)
from isthmus.testing.choice import writable
from isthmus.testing.values import sample

if TYPE_CHECKING:
    from isthmus.testing.hooks import Hooks

T = TypeVar("T")
Expected = type[ConnectorError] | tuple[type[ConnectorError], ...]
_number = itertools.count(1)  # one for the whole run, so that objects of different tests never collide


class Subject:
    """A connector under test. Each `the...` property gives a capability, or skips the test with the reason.

    Every call through this class fails the test if anything but an error of `spi.errors` escapes.
    """

    def __init__(self, hooks: Hooks, settings: Any) -> None:
        self.hooks = hooks
        self.settings = settings
        self.type = hooks.connector_type
        self.sent: list[str] = []
        self.errors: list[ConnectorError] = []
        self._open: list[Connector] = []
        self._made: list[ConnectorObject] = []
        self._schema: Schema | None = None
        self._scope: ImportScope | None = None
        self.connector = self.open()

    # opening and closing

    def open(self, settings: Any = None) -> Connector:
        """Open one more connector; it is closed at the end of the test."""
        with self.watched("open"):
            connector = self.type.open(self.settings if settings is None else settings)
        assert isinstance(connector, Connector), "open() must return a Connector"
        self._open.append(connector)
        return connector

    def close(self, connector: Connector) -> None:
        self._open.remove(connector)
        with self.watched("close"):
            connector.close()

    def dispose(self) -> None:
        """Delete what was created and close what was opened, whatever state the test left it in."""
        connector = self.connector
        if isinstance(connector, SupportsDelete) and connector in self._open:
            for made in reversed(self._made):
                try:
                    connector.delete(made.object_type, made.identity, call=self.call())
                except NotFound:
                    continue
                except ConnectorError:
                    break  # the test itself has said what is wrong; cleaning must not hide it
        for opened in self._open:
            opened.close()

    # schema

    @property
    def schema(self) -> Schema:
        if self._schema is None:
            with self.watched("read_schema"):
                self._schema = self.connector.read_schema(call=self.call())
        return self._schema

    @property
    def object_type(self) -> ObjectType:
        name = self.hooks.object_type
        found = self.schema.object_types.get(name)
        if found is None:
            pytest.fail(f"read_schema() has no object type {name!r}, only {sorted(self.schema.object_types)}")
        return found

    def definition(self, name: str) -> AttributeDefinition:
        found = self.object_type.attribute(name)
        assert found is not None, f"{name} is not an attribute of {self.object_type.name}"
        return found

    @property
    def readable(self) -> tuple[str, ...]:
        """Every attribute that may be read."""
        return tuple(a.name for a in self.object_type.attributes if not a.secret)

    # skipping

    def lacks(self, what: str) -> NoReturn:
        """Skip: the connector, or its target's schema, does not have what the test is about."""
        pytest.skip(f"{self.type.id}/{self.hooks.object_type}: {what}")

    def needs_hook(self, name: str, given: T | None) -> T:
        """Return what a hook gave; without it skip, or fail if `require_all` is set."""
        if given is not None:
            return given
        reason = f"{type(self.hooks).__name__} does not provide `{name}`"
        if self.hooks.require_all:
            pytest.fail(reason)
        pytest.skip(reason)

    def _claims(self, operation: Operation, kind: type) -> None:
        if not isinstance(self.connector, kind):
            self.lacks(f"does not implement {kind.__name__}")
        if operation not in self.object_type.operations:
            self.lacks(f"operation {operation.value} is not among the type's operations")

    @property
    def the_lookup(self) -> SupportsLookup:
        self._claims(Operation.LOOKUP, SupportsLookup)
        assert isinstance(self.connector, SupportsLookup)
        return self.connector

    @property
    def the_find_many(self) -> SupportsFindMany:
        self._claims(Operation.LOOKUP, SupportsFindMany)
        assert isinstance(self.connector, SupportsFindMany)
        return self.connector

    @property
    def the_create(self) -> SupportsCreate:
        self._claims(Operation.CREATE, SupportsCreate)
        assert isinstance(self.connector, SupportsCreate)
        return self.connector

    @property
    def the_update(self) -> SupportsUpdate:
        self._claims(Operation.UPDATE, SupportsUpdate)
        assert isinstance(self.connector, SupportsUpdate)
        return self.connector

    @property
    def the_delete(self) -> SupportsDelete:
        self._claims(Operation.DELETE, SupportsDelete)
        assert isinstance(self.connector, SupportsDelete)
        return self.connector

    @property
    def the_password(self) -> SupportsPassword:
        self._claims(Operation.PASSWORD, SupportsPassword)
        assert isinstance(self.connector, SupportsPassword)
        return self.connector

    @property
    def the_full_import(self) -> SupportsFullImport:
        self._claims(Operation.IMPORT, SupportsFullImport)
        assert isinstance(self.connector, SupportsFullImport)
        return self.connector

    @property
    def the_delta_import(self) -> SupportsDeltaImport:
        self._claims(Operation.IMPORT, SupportsDeltaImport)
        assert isinstance(self.connector, SupportsDeltaImport)
        return self.connector

    @property
    def the_watch(self) -> SupportsWatch:
        self._claims(Operation.IMPORT, SupportsWatch)
        assert isinstance(self.connector, SupportsWatch)
        return self.connector

    # calling

    def call(
        self,
        *,
        timeout: float | None = None,
        cancelled: threading.Event | None = None,
        session: str = "",
        entry: str | None = None,
    ) -> Call:
        return Call(
            timeout=self.hooks.timeout if timeout is None else timeout,
            correlation="conformance",
            session=session or "conformance-session",
            entry=entry,
            cancelled=cancelled,
            on_sent=self.sent.append,
        )

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Fail the test if anything but a named error of `spi.errors` escapes."""
        try:
            yield
        except ConnectorError as error:
            self.errors.append(error)
            if type(error) is ConnectorError:
                raise AssertionError(f"{what} raised a bare ConnectorError, which means a bug: {error}") from error
            if not (isinstance(error.message, str) and error.message.strip()):
                raise AssertionError(f"{what} raised {type(error).__name__} without a text that says why") from error
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            raise AssertionError(f"{what} let {type(error).__name__} escape; only spi.errors may: {error}") from error

    def refused(
        self, expected: Expected, what: str, action: Callable[..., object], *given: Any, **named: Any
    ) -> ConnectorError:
        """Return the error that `action` raised with these arguments, which must be one of the expected."""
        names = " or ".join(e.__name__ for e in (expected if isinstance(expected, tuple) else (expected,)))
        try:
            with self.watched(what):
                result = action(*given, **named)
        except expected as error:
            return error
        except ConnectorError as error:
            raise AssertionError(f"{what}: expected {names}, got {type(error).__name__}: {error}") from error
        pytest.fail(f"{what}: expected {names}, but it returned {result!r:.200}")

    def tolerated(self, what: str, action: Callable[..., object], *given: Any, **named: Any) -> ConnectorError | None:
        """Run something that may work or raise a named error; return the error."""
        try:
            with self.watched(what):
                action(*given, **named)
        except ConnectorError as error:
            return error
        return None

    def within(self, seconds: float, what: str, action: Callable[..., T], *given: Any, **named: Any) -> T:
        """Return what `action` returns, or raise what it raises; fail if it takes longer."""
        outcome: list[tuple[bool, Any]] = []

        def run() -> None:
            try:
                outcome.append((True, action(*given, **named)))
            except BaseException as error:  # noqa: BLE001  carried over to the thread that waits
                outcome.append((False, error))

        thread = threading.Thread(target=run, daemon=True, name=f"conformance: {what}")
        thread.start()
        thread.join(seconds)
        if not outcome:
            pytest.fail(f"{what} had not returned after {seconds:.1f} s")
        succeeded, value = outcome[0]
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]

    # the type under test, in short

    def attributes(self, **overrides: tuple[Value, ...]) -> dict[str, tuple[Value, ...]]:
        """Return valid attributes of one more new object."""
        n = next(_number)
        given = self.hooks.new_attributes(n)
        if given is None:
            given = {a.name: (sample(a, n),) for a in writable(self.object_type)}
        return {**given, **overrides}

    def create(self, attributes: Mapping[str, tuple[Value, ...]] | None = None, **keywords: Any) -> ConnectorObject:
        """Create an object, by default one with every attribute, and remember to delete it."""
        chosen = self.attributes() if attributes is None else attributes
        keywords.setdefault("dn", self.hooks.new_dn(next(_number)))
        keywords.setdefault("call", self.call())
        creating = keywords.pop("connector", None) or self.the_create
        with self.watched("create"):
            created = creating.create(self.object_type.name, chosen, **keywords)
        self.remember(created)
        return self.sound("create()", created)

    def remember(self, created: ConnectorObject) -> None:
        """Delete this object at the end of the test."""
        self._made.append(created)

    def read(
        self, which: ConnectorObject | Identity, attributes: Iterable[str] | None = None
    ) -> ConnectorObject | None:
        identity = which.identity if isinstance(which, ConnectorObject) else which
        names = self.readable if attributes is None else tuple(attributes)
        with self.watched("read"):
            found = self.the_lookup.read(self.object_type.name, identity, attributes=names, call=self.call())
        return None if found is None else self.sound("read()", found)

    def read_there(self, which: ConnectorObject | Identity, attributes: Iterable[str] | None = None) -> ConnectorObject:
        """Return an object that must exist."""
        found = self.read(which, attributes)
        assert found is not None, f"read() returned None for {which!r:.200}"
        return found

    def find(self, attribute: str, value: Value, attributes: Iterable[str] | None = None) -> Sequence[ConnectorObject]:
        names = self.readable if attributes is None else tuple(attributes)
        with self.watched("find"):
            found = self.the_lookup.find(self.object_type.name, attribute, value, attributes=names, call=self.call())
        return [self.sound("find()", each) for each in found]

    def find_many(
        self, attribute: str, values: Sequence[Value], attributes: Iterable[str] | None = None
    ) -> Sequence[Sequence[ConnectorObject]]:
        names = self.readable if attributes is None else tuple(attributes)
        with self.watched("find_many"):
            return self.the_find_many.find_many(
                self.object_type.name, attribute, values, attributes=names, call=self.call()
            )

    def update(self, which: ConnectorObject, *changes: AttributeChange, **keywords: Any) -> ConnectorObject:
        keywords.setdefault("call", self.call())
        updating = keywords.pop("connector", None) or self.the_update
        with self.watched("update"):
            updated = updating.update(self.object_type.name, which.identity, changes, **keywords)
        if updated.identity != which.identity:
            self.remember(updated)
        return self.sound("update()", updated)

    def delete(self, which: ConnectorObject, *, connector: Any = None) -> None:
        deleting = connector or self.the_delete
        with self.watched("delete"):
            deleting.delete(self.object_type.name, which.identity, call=self.call())

    def set_password(self, which: ConnectorObject, password: Secret) -> None:
        with self.watched("set_password"):
            self.the_password.set_password(self.object_type.name, which.identity, password, call=self.call())

    def sound(self, what: str, returned: ConnectorObject) -> ConnectorObject:
        """Return what a method returned for an object of the type under test, if it has the form of one."""
        assert isinstance(returned, ConnectorObject), f"{what} gave {type(returned).__name__}, not a ConnectorObject"
        name, anchor = self.object_type.name, returned.identity.anchor.values
        assert returned.object_type == name, f"{what} gave an object of type {returned.object_type!r}, not {name!r}"
        assert len(anchor) == len(self.object_type.anchor), f"{what}: the anchor {anchor!r} has not one value for each"
        assert all(isinstance(value, str) for value in anchor), f"{what}: the anchor {anchor!r} is not made of text"
        bare = [n for n, values in returned.attributes.items() if not isinstance(values, tuple)]
        assert not bare, f"{what}: values come as a tuple, also one alone: {bare}"
        return returned

    # importing

    @property
    def scope(self) -> ImportScope:
        """The scope that the type under test is in, as the connector gave it when first asked."""
        if self._scope is None:
            with self.watched("scopes"):
                scopes = self.connector.scopes()
            self._scope = next((s for s in scopes if self.object_type.name in s.object_types), None)
        if self._scope is None:
            pytest.fail(f"no scope covers {self.object_type.name}")
        return self._scope

    def wanted(self, attributes: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Return what an import is asked to read: these of the type under test, all of the others."""
        wanted = {
            name: tuple(a.name for a in self.schema.object_types[name].attributes if not a.secret)
            for name in self.scope.object_types
        }
        if attributes is not None:
            wanted[self.object_type.name] = tuple(attributes)
        return wanted

    def pages(
        self,
        *,
        page_size: int = 100,
        attributes: Iterable[str] | None = None,
        call: Call | None = None,
        connector: Any = None,
        limit: int | None = None,
    ) -> Iterator[ImportPage]:
        """Run a full import, at most for `limit` pages."""
        importing = connector or self.the_full_import
        with self.watched("import_full"):
            pages = importing.import_full(
                self.scope, attributes=self.wanted(attributes), page_size=page_size, call=call or self.call()
            )
            yield from itertools.islice(pages, limit)

    def imported(
        self, *, page_size: int = 100, attributes: Iterable[str] | None = None
    ) -> dict[tuple[str, ...], ConnectorObject]:
        """Return the objects of the type under test that a full import yields, by anchor."""
        return {
            found.identity.anchor.values: self.sound("import_full()", found)
            for page in self.pages(page_size=page_size, attributes=attributes)
            for found in page.objects
            if found.object_type == self.object_type.name
        }
