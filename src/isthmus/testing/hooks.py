"""What a connector author tells the suite: three things it must know and what else it may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

import pytest

from isthmus.spi import ConnectorObject, ConnectorType, Secret, Value
from isthmus.testing.subject import Subject


class OtherWriter(Protocol):
    """Somebody else who writes to the target, past the connector."""

    def create(self, attributes: Mapping[str, tuple[Value, ...]]) -> None:
        """Add an object of the type under test."""

    def update(self, existing: ConnectorObject, attribute: str, values: tuple[Value, ...]) -> None:
        """Give one attribute other values."""

    def delete(self, existing: ConnectorObject) -> None:
        """Remove an object."""


class Hooks:
    """Everything a subclass of `ConnectorConformance` may set or override.

    Three are needed: `connector_type`, `object_type` and the fixture `settings`. Every other has a default that either
    works for most targets or leaves out the tests that need it, saying so.
    """

    connector_type: ClassVar[ConnectorType[Any]]
    """The connector type under test."""

    object_type: ClassVar[str]
    """The object type that the suite writes to and reads."""

    require_all: ClassVar[bool] = False
    """Fail instead of skip where a hook is missing. What the connector does not claim is still skipped."""

    timeout: ClassVar[float] = 30.0
    """Seconds allowed for an ordinary call."""

    short_timeout: ClassVar[float] = 0.5
    """Seconds allowed for a call of a target that hangs."""

    slack: ClassVar[float] = 2.0
    """Seconds by which a call may overrun its deadline."""

    many: ClassVar[int] = 10_000
    """How many objects the memory test imports."""

    memory_limit: ClassVar[int] = 16 * 1024 * 1024
    """Bytes that Python may allocate while these are imported in pages of 100."""

    text_attribute: ClassVar[str | None] = None
    """The attribute that takes any text; left out: the roomiest string attribute that is not the anchor."""

    reserved: ClassVar[frozenset[str]] = frozenset()
    """Attributes that the suite writes only with the values of `new_attributes` (enumerations, checked formats)."""

    rounds: ClassVar[frozenset[str]] = frozenset()
    """Attributes whose type rounds (`NUMERIC(10,2)`, `DATETIME` without fraction): edge values may come back so."""

    @pytest.fixture
    def settings(self) -> Any:
        """Return valid settings of a target that is ready to be written to. Override this fixture; it may use yours.

        The suite deletes the objects it created if the connector can delete; else give every test a fresh target.
        """
        pytest.fail("a subclass of ConnectorConformance needs a pytest fixture named `settings`")

    @pytest.fixture
    def subject(self, settings: Any) -> Iterator[Subject]:
        """Return the connector under test, opened."""
        subject = Subject(self, settings)
        try:
            yield subject
        finally:
            subject.dispose()

    def new_attributes(self, n: int) -> Mapping[str, tuple[Value, ...]] | None:
        """Return valid attributes for the n-th new object, anchor included unless the target makes it.

        Left out, every attribute that can be written gets a value made from its type and `n`; references stay empty.
        """

    def new_dn(self, n: int) -> str | None:
        """Return the DN for the n-th new object, for targets where the caller names it."""

    def bad_change(self) -> tuple[str, tuple[Value, ...]] | None:
        """Return an attribute and values that the target refuses.

        Left out, the suite derives one from the schema: too long, not nullable, or not of the type.
        """

    def fill(self, settings: Any, count: int) -> bool | None:
        """Put `count` objects into the target quickly and return True; left out, they are created one by one."""

    def wrong_credentials(self, settings: Any) -> Any | None:
        """Return settings with a wrong password (or key, or token) for the same target."""

    def dead_target(self, settings: Any) -> AbstractContextManager[Any] | None:
        """Return a context manager that gives settings whose target refuses connections while it is entered.

        If it gives the same settings, because it stops the target itself, sessions opened before are tested too.
        """

    def hang_target(self, settings: Any) -> AbstractContextManager[Any] | None:
        """Return a context manager that gives settings whose target accepts but does not answer while it is entered.

        If it gives the same settings, because it stops the target itself, sessions that were open before and writes
        without an answer are tested too.
        """

    def throttled_target(self, settings: Any) -> AbstractContextManager[Any] | None:
        """Return a context manager that gives settings whose target asks for fewer requests while it is entered."""

    def changed_schema(self, settings: Any) -> AbstractContextManager[Any] | None:
        """Return a context manager within which the target has one more attribute; it gives anything."""

    def other_writer(self, settings: Any) -> OtherWriter | None:
        """Return somebody who changes the target behind the connector's back."""

    def expire_watermarks(self, settings: Any) -> bool | None:
        """Make the target forget its changes so far and return True."""

    def password_works(self, settings: Any, existing: ConnectorObject, password: Secret) -> bool | None:
        """Return whether the object can log in to the target with this password."""
