"""Passwords: set, set again, and never anywhere else."""

from __future__ import annotations

from isthmus.spi import (
    Anchor,
    Identity,
    MisconfiguredConnector,
    NotFound,
    Operation,
    Secret,
    SupportsLookup,
    Unsupported,
)
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject

PASSWORD = Secret("Tr0ub4dor&3-correct-horse")
OTHER = Secret("b'; \"päss\\wörd%s -- {0}")


class Passwords(Hooks):
    def test_password_twice_succeeds(self, subject: Subject) -> None:
        created = subject.create()
        subject.set_password(created, PASSWORD)
        subject.set_password(created, PASSWORD)

    def test_password_works_afterwards(self, subject: Subject) -> None:
        created, other = subject.create(), subject.create()
        for password, wrong in ((PASSWORD, OTHER), (OTHER, PASSWORD)):
            subject.set_password(created, password)
            assert subject.needs_hook("password_works", self.password_works(subject.settings, created, password))
            assert not self.password_works(subject.settings, created, wrong), "an old or wrong password works as well"
        assert not self.password_works(subject.settings, other, OTHER), "another object's password was changed"

    def test_password_changes_nothing_else(self, subject: Subject) -> None:
        created = subject.create()
        before = subject.read_there(created).attributes
        subject.set_password(created, PASSWORD)
        after = subject.read_there(created).attributes
        readonly = {a.name for a in subject.object_type.attributes if a.readonly}
        assert {k: v for k, v in after.items() if k not in readonly} == {
            k: v for k, v in before.items() if k not in readonly
        }

    def test_password_of_unknown_is_not_found(self, subject: Subject) -> None:
        created = subject.create()
        subject.delete(created)
        subject.refused(NotFound, "set_password of what was deleted", subject.set_password, created, PASSWORD)

    def test_password_of_unknown_type_is_refused(self, subject: Subject) -> None:
        connector, call = subject.the_password, subject.call()
        identity = Identity(Anchor(tuple("1" for _ in subject.object_type.anchor)))
        subject.refused(
            (MisconfiguredConnector, Unsupported),
            "set_password of an unknown type",
            connector.set_password,
            "no such type",
            identity,
            PASSWORD,
            call=call,
        )

    def test_password_in_create(self, subject: Subject) -> None:
        if not subject.type.password_in_create or Operation.PASSWORD not in subject.object_type.operations:
            subject.lacks("takes no password in create()")
        created = subject.create(password=PASSWORD)
        if isinstance(subject.connector, SupportsLookup):
            assert subject.read(created) is not None
        works = subject.needs_hook("password_works", self.password_works(subject.settings, created, PASSWORD))
        assert works, "create() took a password that does not work"
