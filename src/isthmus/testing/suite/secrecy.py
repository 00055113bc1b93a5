"""A Secret never shows: not in a repr, an error, its causes, a log line, standard output or what was sent."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.spi import AttributeChange, AttributeType, Operation, Secret, SupportsPassword
from isthmus.testing.choice import text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.suite.outages import every_operation, existing_object

PASSWORD = Secret("pA55-never-shown-0123456789")
MARK = "value-that-is-masked-0123456789"


class Secrecy(Hooks):
    def test_secrets_never_show(
        self, subject: Subject, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        hidden = {PASSWORD.reveal(), *_revealed(subject.settings)}
        existing = existing_object(subject)
        if existing is not None:
            self._exercise(subject, existing)
        wrong = self.wrong_credentials(subject.settings)
        if wrong is not None:
            hidden |= _revealed(wrong)
            connector = subject.open(wrong)
            for name, action in every_operation(subject, connector, existing).items():
                subject.tolerated(name, action, subject.call())
        dead = self.dead_target(subject.settings)
        if dead is not None:
            with dead as settings:
                connector = subject.open(settings)
                for name, action in every_operation(subject, connector, existing).items():
                    subject.tolerated(name, action, subject.call(timeout=5))
        shown = {
            "repr of the connector": f"{subject.connector!r} {subject.connector!s}",
            "repr of the settings": f"{subject.settings!r} {subject.settings!s}",
            "text given to call.sent()": "\n".join(subject.sent),
            "error": "\n".join(text for error in subject.errors for text in _said(error)),
            "log": "\n".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records),
            "standard output": "".join(capfd.readouterr()),
        }
        for where, said in shown.items():
            for secret in hidden:
                assert secret not in said, f"a secret shows in: {where}"  # the secret itself is not repeated here

    def _exercise(self, subject: Subject, existing: Any) -> None:
        """Use a password wherever one may be used, and make it fail."""
        operations, t = subject.object_type.operations, subject.object_type
        if Operation.PASSWORD in operations and isinstance(subject.connector, SupportsPassword):
            subject.set_password(existing, PASSWORD)
        if subject.type.password_in_create and {Operation.CREATE, Operation.PASSWORD} <= operations:
            created = subject.create(password=PASSWORD)
            taken = {n: created.attributes[n] for n in t.anchor if n in created.attributes}
            subject.tolerated("create twice", subject.create, subject.attributes(**taken), password=PASSWORD)
            subject.tolerated("create of nothing", subject.create, {}, password=PASSWORD)
        if operations >= {Operation.PASSWORD, Operation.DELETE} and isinstance(subject.connector, SupportsPassword):
            gone = subject.create()
            subject.delete(gone)
            subject.tolerated("set_password of what was deleted", subject.set_password, gone, PASSWORD)

    def test_secret_attributes_never_show(self, subject: Subject) -> None:
        secret = [
            a for a in subject.object_type.attributes if a.secret and a.type is AttributeType.STRING and not a.readonly
        ]
        if not secret:
            subject.lacks("has no secret text attribute")
        for a in secret:
            value = MARK[: a.max_length]
            created = subject.create(subject.attributes(**{a.name: (value,)}))
            updated = subject.update(created, AttributeChange(a.name, replace=(value,)))
            two = AttributeChange(a.name, replace=(value, value))
            subject.tolerated("update with two values", subject.update, created, two)
            errors = [text for error in subject.errors for text in _said(error)]
            for shown in (repr(created), repr(updated), repr(subject.read(created)), *subject.sent, *errors):
                assert value not in shown, f"the value of {a.name} shows"

    def test_what_was_sent_is_reported_with_values_masked(self, subject: Subject) -> None:
        """Each write tells the audit what it sent; the values are in the audit already, where they can be redacted."""
        name = text(subject).name
        subject.sent.clear()
        created = subject.create(subject.attributes(**{name: (MARK,)}))
        assert subject.sent, "create() reported nothing to call.sent()"
        if Operation.UPDATE in subject.object_type.operations:
            reported = len(subject.sent)
            subject.update(created, AttributeChange(name, replace=(MARK + "2",)))
            assert len(subject.sent) > reported, "update() reported nothing to call.sent()"
        if Operation.DELETE in subject.object_type.operations:
            reported = len(subject.sent)
            subject.delete(created)
            assert len(subject.sent) > reported, "delete() reported nothing to call.sent()"
        assert MARK not in "\n".join(subject.sent), "a value shows in what was sent"


def _revealed(settings: Any) -> set[str]:
    """Return the text of every secret in the settings; very short ones would be found by accident."""
    found: set[str] = set()
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret) and len(value.reveal()) >= 6:
            found.add(value.reveal())
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            found |= _revealed(value)
    return found


def _said(error: BaseException) -> Iterator[str]:
    """Yield what an error says, with everything a log would print of its causes."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield f"{each} {each!r} {each.args!r}"
        yield from getattr(each, "__notes__", ())
        pending += [each.__cause__, None if each.__suppress_context__ else each.__context__]
