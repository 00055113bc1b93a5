"""The conformance suite for the in-memory connector, with every hook given."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from isthmus.connectors.memory import MemorySettings, MemoryTarget, connector_type
from isthmus.spi import AttributeDefinition, ConnectorObject, Secret, Value
from isthmus.testing import ConnectorConformance

PASSWORD = Secret("opens-the-target-2718")
_names = itertools.count(1)


class OtherWriter:
    """Changes the target directly."""

    def __init__(self, target: MemoryTarget, object_type: str) -> None:
        self.target = target
        self.object_type = object_type

    def create(self, attributes: Mapping[str, tuple[Value, ...]]) -> None:
        self.target.put(self.object_type, attributes)

    def update(self, existing: ConnectorObject, attribute: str, values: tuple[Value, ...]) -> None:
        self.target.change(self.object_type, existing.identity.anchor.values, **{attribute: values})

    def delete(self, existing: ConnectorObject) -> None:
        self.target.drop(self.object_type, existing.identity.anchor.values)


class MemoryConformance(ConnectorConformance):
    """All hooks, so that nothing of the suite is left out."""

    connector_type = connector_type
    require_all = True
    short_timeout = 0.1

    @pytest.fixture
    def settings(self) -> Iterator[MemorySettings]:
        name = f"conformance-{next(_names)}"
        MemoryTarget.named(name).protect(PASSWORD)
        yield MemorySettings(name=name, password=PASSWORD)
        MemoryTarget.forget(name)

    def wrong_credentials(self, settings: MemorySettings) -> MemorySettings:
        return dataclasses.replace(settings, password=Secret("wrong-password-314"))

    @contextmanager
    def dead_target(self, settings: MemorySettings) -> Iterator[MemorySettings]:
        with MemoryTarget.named(settings.name).weather.outage():
            yield settings

    @contextmanager
    def hang_target(self, settings: MemorySettings) -> Iterator[MemorySettings]:
        with MemoryTarget.named(settings.name).weather.hang():
            yield settings

    @contextmanager
    def throttled_target(self, settings: MemorySettings) -> Iterator[MemorySettings]:
        with MemoryTarget.named(settings.name).weather.throttling():
            yield settings

    @contextmanager
    def changed_schema(self, settings: MemorySettings) -> Iterator[None]:
        with MemoryTarget.named(settings.name).extended(self.object_type, AttributeDefinition(name="added")):
            yield

    def other_writer(self, settings: MemorySettings) -> OtherWriter:
        return OtherWriter(MemoryTarget.named(settings.name), self.object_type)

    def expire_watermarks(self, settings: MemorySettings) -> bool:
        MemoryTarget.named(settings.name).expire_watermarks()
        return True

    def password_works(self, settings: MemorySettings, existing: ConnectorObject, password: Secret) -> bool:
        target = MemoryTarget.named(settings.name)
        return target.password_is(self.object_type, existing.identity.anchor.values, password)
