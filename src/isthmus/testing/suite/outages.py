"""Targets that are dead, hang, throttle or refuse the password."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from isthmus.spi import (
    AttributeChange,
    Call,
    Connector,
    ConnectorError,
    ConnectorObject,
    MisconfiguredConnector,
    Operation,
    Secret,
    SupportsCreate,
    SupportsDelete,
    SupportsFindMany,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsSettling,
    SupportsUpdate,
    TargetUnavailable,
    Throttled,
)
from isthmus.testing.choice import text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject

SETTLED_WITHIN = 10.0
"""Seconds within which a write whose answer never came takes effect or does not, once the target answers again."""


def every_operation(
    subject: Subject, connector: Connector, existing: ConnectorObject | None
) -> dict[str, Callable[[Call], object]]:
    """Return one call of each method the connector claims for the type, by name; some need an existing object."""
    t, operations = subject.object_type, subject.object_type.operations
    calls: dict[str, Callable[[Call], object]] = {
        "test": lambda call: connector.test(call=call),
        "read_schema": lambda call: connector.read_schema(call=call),
    }
    if Operation.IMPORT in operations and isinstance(connector, SupportsFullImport):
        scope, wanted = subject.scope, subject.wanted()
        calls["import_full"] = lambda call: list(
            connector.import_full(scope, attributes=wanted, page_size=10, call=call)
        )
    if Operation.LOOKUP in operations and isinstance(connector, SupportsLookup):
        name = t.anchor[0]
        if existing is not None and existing.attributes.get(name):
            value = existing.attributes[name][0]
            calls["find"] = lambda call: connector.find(t.name, name, value, attributes=(name,), call=call)
            if isinstance(connector, SupportsFindMany):
                values = [value, f"{value}x"] if isinstance(value, str) else [value]
                calls["find_many"] = lambda call: connector.find_many(
                    t.name, name, values, attributes=(name,), call=call
                )
            calls["read"] = lambda call: connector.read(t.name, existing.identity, attributes=(name,), call=call)
    if Operation.CREATE in operations and isinstance(connector, SupportsCreate):
        attributes = subject.attributes()
        calls["create"] = lambda call: connector.create(t.name, attributes, call=call)
    if existing is None:
        return calls
    if Operation.UPDATE in operations and isinstance(connector, SupportsUpdate):
        change = AttributeChange(text(subject).name, replace=("never",))
        calls["update"] = lambda call: connector.update(t.name, existing.identity, [change], call=call)
    if Operation.PASSWORD in operations and isinstance(connector, SupportsPassword):
        calls["set_password"] = lambda call: connector.set_password(
            t.name, existing.identity, Secret("never-2-be"), call=call
        )
    if Operation.DELETE in operations and isinstance(connector, SupportsDelete):
        calls["delete"] = lambda call: connector.delete(t.name, existing.identity, call=call)
    return calls


def existing_object(subject: Subject) -> ConnectorObject | None:
    """Return an object to ask for, where the connector can make one; what the suite must know of the target is read."""
    assert subject.scope  # reads the schema as well
    if Operation.CREATE in subject.object_type.operations and isinstance(subject.connector, SupportsCreate):
        return subject.create()
    return None


class Outages(Hooks):
    def test_dead_target_is_unavailable(self, subject: Subject) -> None:
        existing = existing_object(subject)
        with subject.needs_hook("dead_target", self.dead_target(subject.settings)) as dead:
            connector = subject.open(dead)
            for name, action in every_operation(subject, connector, existing).items():
                error = subject.refused(
                    TargetUnavailable,
                    f"{name} of a dead target",
                    subject.within,
                    5 + self.slack,
                    name,
                    action,
                    subject.call(timeout=5),
                )
                assert not error.outcome_unknown, f"{name}: nothing was sent, so the outcome is known"

    def test_hanging_target_is_unavailable_in_time(self, subject: Subject) -> None:
        existing = existing_object(subject)
        with subject.needs_hook("hang_target", self.hang_target(subject.settings)) as hanging:
            connector = subject.open(hanging)
            for name, action in every_operation(subject, connector, existing).items():
                _unavailable_in_time(subject, name, action)

    def test_open_session_survives_an_outage(self, subject: Subject) -> None:
        """A failed connection is replaced on the next call; nothing needs a restart."""
        self._session_survives(subject, "dead_target", self.dead_target(subject.settings))

    def test_open_session_survives_a_hang(self, subject: Subject) -> None:
        self._session_survives(subject, "hang_target", self.hang_target(subject.settings))

    def test_unanswered_write_says_that_its_outcome_is_unknown(self, subject: Subject) -> None:
        """If a write whose answer never came takes effect later, its error had `outcome_unknown`."""
        created, name = subject.create(), text(subject).name
        with subject.needs_hook("hang_target", self.hang_target(subject.settings)) as hanging:
            if hanging != subject.settings:
                subject.needs_hook("hang_target that stops the target itself", None)
            error = _unavailable_in_time(
                subject,
                "update",
                lambda call: subject.update(created, AttributeChange(name, replace=("late",)), call=call),
                session="unanswered",
            )
        if isinstance(subject.connector, SupportsSettling):
            with subject.watched("settle"):
                subject.connector.settle("unanswered", call=subject.call(timeout=SETTLED_WITHIN))
            first = subject.read_there(created, (name,)).attributes[name]
            if error.outcome_unknown:
                assert subject.read_there(created, (name,)).attributes[name] == first, (
                    "changed again after settle() had returned"
                )
                return
        if error.outcome_unknown:
            return
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            assert subject.read_there(created, (name,)).attributes[name] != ("late",), (
                "the write took effect although its error said that the outcome is known"
            )

    def test_throttled_target_says_when_to_come_back(self, subject: Subject) -> None:
        existing = existing_object(subject)
        with subject.needs_hook("throttled_target", self.throttled_target(subject.settings)) as throttled:
            connector = subject.open(throttled)
            for name, action in every_operation(subject, connector, existing).items():
                error = subject.refused(Throttled, f"{name} of a throttled target", action, subject.call())
                assert isinstance(error, Throttled)
                assert 0 < error.retry_after < 86_400

    def test_wrong_credentials_are_a_misconfiguration(self, subject: Subject) -> None:
        existing = existing_object(subject)
        wrong = subject.needs_hook("wrong_credentials", self.wrong_credentials(subject.settings))
        connector = subject.open(wrong)
        for name, action in every_operation(subject, connector, existing).items():
            subject.refused(MisconfiguredConnector, f"{name} with wrong credentials", action, subject.call())

    def _session_survives(self, subject: Subject, hook: str, outage: AbstractContextManager[Any] | None) -> None:
        created = subject.create()
        with subject.needs_hook(hook, outage) as settings:
            if settings != subject.settings:
                subject.needs_hook(f"{hook} that stops the target itself", None)
            for _ in range(2):
                _unavailable_in_time(subject, "read", lambda call: _read(subject, created, call))
        subject.read_there(created)
        if Operation.UPDATE in subject.object_type.operations:
            subject.update(created, AttributeChange(text(subject).name, replace=("after",)))


def _read(subject: Subject, created: ConnectorObject, call: Call) -> object:
    return subject.the_lookup.read(subject.object_type.name, created.identity, attributes=subject.readable, call=call)


def _unavailable_in_time(
    subject: Subject, name: str, action: Callable[[Call], object], *, session: str = ""
) -> ConnectorError:
    limit = subject.hooks.short_timeout
    return subject.refused(
        TargetUnavailable,
        f"{name} of a target that hangs",
        subject.within,
        limit + subject.hooks.slack,
        name,
        action,
        subject.call(timeout=limit, session=session),
    )
