"""Connectors that are broken on purpose, each with the tests of the suite that must notice, and what these must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from isthmus.connectors.memory import connector_type
from isthmus.spi import Connector, ConnectorType

C = TypeVar("C", bound=type[Connector])


@dataclass(frozen=True)
class Defect:
    """`test` must fail with `because` in its message; `also` fail by nature; of `may_fail`, threads decide."""

    connector: type[Connector]
    test: str
    because: str
    also: frozenset[str]
    may_fail: frozenset[str]
    password_in_create: bool

    @property
    def connector_type(self) -> ConnectorType[Any]:
        opening: Any = self.connector
        return replace(connector_type, open=opening, password_in_create=self.password_in_create)


DEFECTS: dict[str, Defect] = {}


def broken(
    test: str,
    *,
    because: str,
    also: tuple[str, ...] = (),
    may_fail: tuple[str, ...] = (),
    password_in_create: bool = True,
) -> Callable[[C], C]:
    """Register a connector and the test that it must fail."""

    def register(connector: C) -> C:
        assert connector.__doc__, "say what is broken"
        DEFECTS[connector.__name__] = Defect(
            connector, test, because, frozenset(also), frozenset(may_fail), password_in_create
        )
        return connector

    return register
