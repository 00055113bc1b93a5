"""Calls that are no longer wanted, and writes that settle."""

from __future__ import annotations

import threading

from isthmus.spi import Cancelled, ConnectorObject, SupportsSettling, TargetUnavailable
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.suite.outages import every_operation, existing_object


class Patience(Hooks):
    def test_cancelled_calls_do_nothing(self, subject: Subject) -> None:
        existing = existing_object(subject)
        before = _state(subject, existing)
        cancelled = threading.Event()
        cancelled.set()
        for name, action in every_operation(subject, subject.connector, existing).items():
            call = subject.call(cancelled=cancelled)
            error = subject.refused(Cancelled, f"{name} that was cancelled before", action, call)
            assert not error.outcome_unknown, f"{name}: nothing was sent"
        assert _state(subject, existing) == before, "a cancelled write took effect"

    def test_calls_past_their_deadline_do_nothing(self, subject: Subject) -> None:
        existing = existing_object(subject)
        before = _state(subject, existing)
        for name, action in every_operation(subject, subject.connector, existing).items():
            call = subject.call(timeout=0)
            error = subject.refused(TargetUnavailable, f"{name} past its deadline", action, call)
            assert not error.outcome_unknown, f"{name}: nothing was sent"
        assert _state(subject, existing) == before, "a write past its deadline took effect"

    def test_settle_returns_when_nothing_is_pending(self, subject: Subject) -> None:
        connector = _settling(subject)
        created = subject.create(call=subject.call(session="finished"))
        with subject.watched("settle"):
            connector.settle("finished", call=subject.call())
            connector.settle("finished", call=subject.call())
            connector.settle("never-used", call=subject.call())
        assert subject.read_there(created).identity == created.identity, "settle() undid a write that was answered"

    def test_settle_of_a_hanging_target_is_unavailable(self, subject: Subject) -> None:
        connector = _settling(subject)
        with subject.needs_hook("hang_target", self.hang_target(subject.settings)) as hanging:
            if hanging != subject.settings:
                subject.needs_hook("hang_target that stops the target itself", None)
            limit = self.short_timeout
            subject.refused(
                TargetUnavailable,
                "settle of a target that hangs",
                subject.within,
                limit + self.slack,
                "settle",
                connector.settle,
                "any",
                call=subject.call(timeout=limit),
            )


def _settling(subject: Subject) -> SupportsSettling:
    if not isinstance(subject.connector, SupportsSettling):
        subject.lacks("does not implement SupportsSettling")
    return subject.connector


def _state(subject: Subject, existing: ConnectorObject | None) -> object:
    """Return what the connector can show of the target: every object, and the existing one."""
    imported = {k: dict(v.attributes) for k, v in subject.imported().items()}
    return imported, None if existing is None else subject.read(existing)
