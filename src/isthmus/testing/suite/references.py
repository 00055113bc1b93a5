"""References: kept as the target's own key, returned as they were given."""

from __future__ import annotations

from isthmus.spi import (
    AttributeChange,
    AttributeDefinition,
    AttributeType,
    ConnectorObject,
    InvalidValue,
    Operation,
    Reference,
)
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same


class References(Hooks):
    def test_references_round_trip(self, subject: Subject) -> None:
        one, two = subject.create(), subject.create()
        created = subject.create()
        for a in _references_to_own_type(subject):
            points = (_to(subject, one), _to(subject, two)) if a.multivalued else (_to(subject, one),)
            updated = subject.update(created, AttributeChange(a.name, replace=points))
            assert same(updated.attributes[a.name], points)
            assert same(subject.read_there(created, (a.name,)).attributes[a.name], points)
            updated = subject.update(created, AttributeChange(a.name, replace=()))
            assert updated.attributes[a.name] == ()

    def test_references_are_added_and_removed(self, subject: Subject) -> None:
        several = [a for a in _references_to_own_type(subject) if a.multivalued]
        if not several:
            subject.lacks("has no multi-valued reference to its own type")
        one, two, three = (_to(subject, subject.create()) for _ in range(3))
        created = subject.create()
        for a in several:
            for change, expected in (
                (AttributeChange(a.name, add=(one, two)), (one, two)),
                (AttributeChange(a.name, add=(two, three)), (one, two, three)),
                (AttributeChange(a.name, remove=(one,)), (two, three)),
                (AttributeChange(a.name, add=(one,), remove=(one, two)), (one, three)),
                (AttributeChange(a.name, remove=(two,)), (one, three)),
            ):
                updated = subject.update(created, change)
                returned = updated.attributes.get(a.name, expected)  # it may be left out
                assert same(returned, expected), f"{a.name} after {change}: {returned!r}"
                found = subject.read_there(created, (a.name,)).attributes[a.name]
                assert same(found, expected), f"{a.name} after {change}: a read returns {found!r}"

    def test_references_are_imported_as_keys(self, subject: Subject) -> None:
        one, created = subject.create(), subject.create()
        for a in _references_to_own_type(subject):
            subject.update(created, AttributeChange(a.name, replace=(_to(subject, one),)))
            if Operation.IMPORT in subject.object_type.operations:
                got = subject.imported()[created.identity.anchor.values].attributes[a.name]
                assert same(got, (_to(subject, one),)), f"{a.name}: imported {got!r}"

    def test_references_find_the_referring(self, subject: Subject) -> None:
        one, created = subject.create(), subject.create()
        for a in _references_to_own_type(subject):
            subject.update(created, AttributeChange(a.name, replace=(_to(subject, one),)))
            found = [f.identity for f in subject.find(a.name, _to(subject, one))]
            assert found == [created.identity], f"find by {a.name}"

    def test_reference_to_nothing_is_kept_or_refused(self, subject: Subject) -> None:
        gone, created = subject.create(), subject.create()
        key = _to(subject, gone)
        subject.delete(gone)
        for a in _references_to_own_type(subject):
            try:
                updated = subject.update(created, AttributeChange(a.name, replace=(key,)))
            except InvalidValue:  # not NotFound, which means that the object itself is gone
                continue
            assert same(updated.attributes[a.name], (key,))


def _references_to_own_type(subject: Subject) -> list[AttributeDefinition]:
    found = [
        a
        for a in subject.object_type.attributes
        if a.type is AttributeType.REFERENCE
        and a.reference_to in {None, subject.object_type.name}
        and not (a.readonly or a.secret)
        and a.name not in subject.hooks.reserved
    ]
    if not found:
        subject.lacks("has no reference to its own type")
    return found


def _to(subject: Subject, existing: ConnectorObject) -> Reference:
    if subject.object_type.dn is not None:
        assert existing.identity.dn is not None
        return Reference((existing.identity.dn,), existing.object_type)
    return Reference(existing.identity.anchor.values, existing.object_type)
