"""Broken in opening, closing, schema and scopes."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from typing import ClassVar

from connectors.broken.registry import broken
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import (
    Call,
    Connector,
    ImportScope,
    ObjectType,
    Schema,
    SupportsCreate,
    SupportsDelete,
    SupportsDeltaImport,
    SupportsFullImport,
    SupportsLookup,
    SupportsSettling,
    SupportsUpdate,
)

_count = itertools.count()


def _with_user(schema: Schema, user: ObjectType) -> Schema:
    return Schema({**schema.object_types, "user": user})


@broken(
    "test_opening_does_not_talk_to_the_target",
    because="the target",
    also=(
        "test_scopes_do_not_talk_to_the_target",
        "test_dead_target_is_unavailable",
        "test_hanging_target_is_unavailable_in_time",
        "test_throttled_target_says_when_to_come_back",
        "test_wrong_credentials_are_a_misconfiguration",
        "test_secrets_never_show",
    ),
)
class ConnectsWhenOpened(MemoryConnector):
    """Asks the target while it is opened."""

    def __init__(self, settings):
        super().__init__(settings)
        self.test(call=Call(timeout=0.05))


@broken(
    "test_scopes_do_not_talk_to_the_target",
    because="refuses connections",
)
class AsksForScopes(MemoryConnector):
    """Asks the target for its scopes."""

    def scopes(self):
        self.test(call=Call(timeout=1))
        return super().scopes()


@broken(
    "test_closing_releases_everything",
    because="leaves threads",
)
class LeavesThreads(MemoryConnector):
    """Starts a thread that close() does not end."""

    def __init__(self, settings):
        super().__init__(settings)
        threading.Thread(target=threading.Event().wait, args=(30,), daemon=True).start()


@broken(
    "test_closing_leaves_other_connectors_alone",
    because="closed",
    also=("test_closing_releases_everything", "test_use_after_close_raises_or_works"),
)
class ClosesForAll(MemoryConnector):
    """Keeps one session for all connectors of a target, and closes that."""

    closed: ClassVar[set[str]] = set()

    def close(self):
        self.closed.add(self._settings.name)

    def test(self, *, call):
        if self._settings.name in self.closed:
            raise ValueError("closed session")
        super().test(call=call)


@broken(
    "test_use_after_close_raises_or_works",
    because="AttributeError escape",
)
class FallsApartWhenClosed(MemoryConnector):
    """Forgets its settings when it is closed."""

    def close(self):
        del self._settings


@broken(
    "test_scopes_cover_every_object_type_once",
    because="Counter",
)
class CoversUsersTwice(MemoryConnector):
    """Offers a second scope for users."""

    def scopes(self):
        return (*super().scopes(), ImportScope("again", ("user",)))


@broken(
    "test_schema_is_stable",
    because="differ",
)
class ChangesItsMind(MemoryConnector):
    """Discovers another description each time."""

    def read_schema(self, *, call):
        schema = super().read_schema(call=call)
        first, *others = schema.object_types["user"].attributes
        first = dataclasses.replace(first, description=str(next(_count)))
        return _with_user(schema, dataclasses.replace(schema.object_types["user"], attributes=(first, *others)))


@broken(
    "test_schema_is_not_cached",
    because="never answered from a cache",
)
class RemembersItsSchema(MemoryConnector):
    """Answers read_schema() from memory after the first time."""

    remembered = None

    def read_schema(self, *, call):
        fresh = super().read_schema(call=call)
        self.remembered = self.remembered or fresh
        return self.remembered


@broken(
    "test_schema_is_consistent",
    because="which is no object type",
)
class RefersToNothing(MemoryConnector):
    """Declares a reference to an object type that does not exist."""

    def read_schema(self, *, call):
        schema = super().read_schema(call=call)
        user = schema.object_types["user"]
        attributes = tuple(
            dataclasses.replace(a, reference_to="person") if a.reference_to else a for a in user.attributes
        )
        return _with_user(schema, dataclasses.replace(user, attributes=attributes))


@broken(
    "test_operations_are_backed_by_the_class",
    because="SupportsPassword",
    password_in_create=False,
)
class ClaimsPasswords(
    Connector,
    SupportsFullImport,
    SupportsDeltaImport,
    SupportsLookup,
    SupportsCreate,
    SupportsUpdate,
    SupportsDelete,
    SupportsSettling,
):
    """Claims to set passwords but has no method for it."""

    def __init__(self, settings):
        self._inner = MemoryConnector(settings)

    def test(self, **given):
        self._inner.test(**given)

    def read_schema(self, **given):
        return self._inner.read_schema(**given)

    def scopes(self):
        return self._inner.scopes()

    def close(self):
        self._inner.close()

    def import_full(self, *given, **named):
        return self._inner.import_full(*given, **named)

    def current_watermark(self, *given, **named):
        return self._inner.current_watermark(*given, **named)

    def import_delta(self, *given, **named):
        return self._inner.import_delta(*given, **named)

    def read(self, *given, **named):
        return self._inner.read(*given, **named)

    def find(self, *given, **named):
        return self._inner.find(*given, **named)

    def create(self, *given, **named):
        return self._inner.create(*given, **named)

    def update(self, *given, **named):
        return self._inner.update(*given, **named)

    def delete(self, *given, **named):
        self._inner.delete(*given, **named)

    def settle(self, *given, **named):
        self._inner.settle(*given, **named)
