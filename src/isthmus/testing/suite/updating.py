"""Updating and renaming objects."""

from __future__ import annotations

from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    AttributeType,
    ConnectorObject,
    Identity,
    MisconfiguredConnector,
    NotFound,
    Operation,
    TargetRejected,
    Unsupported,
    Value,
)
from isthmus.testing.choice import alike, bad_change, free, natural, optional, text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same, sample


class Updating(Hooks):
    def test_update_returns_what_a_read_returns(self, subject: Subject) -> None:
        created, a = subject.create(), text(subject)
        updated = subject.update(created, AttributeChange(a.name, replace=("changed",)))
        found = subject.read_there(created)
        assert updated.identity == found.identity == created.identity
        assert updated.attributes[a.name] == ("changed",)
        for name, values in updated.attributes.items():
            assert same(found.attributes[name], values), (
                f"{name}: update returned {values!r}, a read {found.attributes[name]!r}"
            )

    def test_update_changes_only_what_it_names(self, subject: Subject) -> None:
        created, a = subject.create(), text(subject)
        other = subject.create()
        before, before_other = subject.read_there(created), subject.read_there(other)
        subject.update(created, AttributeChange(a.name, replace=("changed",)))
        after = subject.read_there(created)
        for name, values in before.attributes.items():
            if name != a.name and not subject.definition(name).readonly:
                assert same(after.attributes[name], values), f"{name} was not named but changed from {values!r}"
        assert subject.read_there(other).attributes == before_other.attributes, "another object was changed as well"

    def test_update_tells_objects_apart_that_are_alike(self, subject: Subject) -> None:
        """Nothing but the anchor says which object is meant."""
        created, other = (subject.create(attributes) for attributes in alike(subject))
        before = subject.read_there(other).attributes
        for a in [text(subject), *free(subject)]:
            subject.update(created, AttributeChange(a.name, replace=(sample(a, 910_001),)))
            assert subject.read_there(other).attributes == before, f"an object with the same {a.name} was changed too"

    def test_update_applies_every_change(self, subject: Subject) -> None:
        created = subject.create()
        values = {a.name: (sample(a, 920_001),) for a in free(subject)}
        if len(values) < 2:
            subject.lacks("has fewer than two attributes to change")
        updated = subject.update(created, *(AttributeChange(n, replace=v) for n, v in values.items()))
        for found in (updated, subject.read_there(created)):
            left = [name for name, wanted in values.items() if not same(found.attributes[name], wanted)]
            assert not left, f"{len(values)} changes in one update, and these were not made: {left}"

    def test_what_was_returned_does_not_change(self, subject: Subject) -> None:
        """The host keeps what a method returned while others write."""
        created, a = subject.create(), text(subject)
        found = subject.read_there(created)
        before = dict(found.attributes)
        subject.update(created, AttributeChange(a.name, replace=("changed",)))
        subject.read_there(created)
        assert dict(found.attributes) == before, "an object that was returned earlier changed with the target"

    def test_update_of_the_same_value_succeeds(self, subject: Subject) -> None:
        created, a = subject.create(), text(subject)
        updated = subject.update(created, AttributeChange(a.name, replace=created.attributes[a.name]))
        assert updated.attributes[a.name] == created.attributes[a.name]

    def test_update_of_nothing_returns_the_object(self, subject: Subject) -> None:
        created = subject.create()
        assert subject.update(created).identity == created.identity

    def test_empty_replacement_clears(self, subject: Subject) -> None:
        created, name = subject.create(), optional(subject).name
        updated = subject.update(created, AttributeChange(name, replace=()))
        assert updated.attributes[name] == ()
        assert subject.read_there(created, (name,)).attributes[name] == ()

    def test_update_of_unknown_is_not_found(self, subject: Subject) -> None:
        created, name = subject.create(), text(subject).name
        subject.delete(created)
        change = AttributeChange(name, replace=("x",))
        subject.refused(NotFound, "update of what was deleted", subject.update, created, change)
        assert subject.read(created) is None, "the refused update created the object"

    def test_update_of_unknown_type_is_refused(self, subject: Subject) -> None:
        update, call = subject.the_update, subject.call()
        identity = Identity(Anchor(tuple("1" for _ in subject.object_type.anchor)))
        subject.refused(
            (MisconfiguredConnector, Unsupported),
            "update of an unknown type",
            update.update,
            "no such type",
            identity,
            [AttributeChange("a", replace=("b",))],
            call=call,
        )

    def test_update_is_all_or_nothing(self, subject: Subject) -> None:
        good = text(subject).name
        name, values = bad_change(subject)
        if name == good:
            others = [a for a in free(subject, AttributeType.STRING) if a.name != good]
            if not others:
                subject.lacks("has only one attribute to change")
            good = others[0].name
        created = subject.create()
        before = subject.read_there(created)
        changes = (AttributeChange(good, replace=("good",)), AttributeChange(name, replace=values))
        refused = (TargetRejected, MisconfiguredConnector, Unsupported)
        for order in (changes, changes[::-1]):
            subject.refused(refused, f"update with a bad {name}", subject.update, created, *order)
            assert subject.read_there(created).attributes == before.attributes, (
                "a part of the refused update was applied"
            )

    def test_readonly_attributes_cannot_be_changed(self, subject: Subject) -> None:
        readonly = [a for a in subject.object_type.attributes if a.readonly and a.type is not AttributeType.REFERENCE]
        if not readonly:
            subject.lacks("has no read-only attribute")
        created = subject.create()
        for a in readonly:
            change = AttributeChange(a.name, replace=(sample(a, 424_242),))
            subject.refused(
                (TargetRejected, Unsupported), f"update of read-only {a.name}", subject.update, created, change
            )

    def test_values_are_added_and_removed(self, subject: Subject) -> None:
        candidates = free(subject, multivalued=True)
        if not candidates:
            subject.lacks("has no multi-valued attribute")
        for a in candidates:
            one, two, three, four = (sample(a, n) for n in (900_001, 900_002, 900_003, 900_004))
            created = subject.create(subject.attributes(**{a.name: (one, two)}))
            assert same(subject.read_there(created).attributes[a.name], (one, two))
            for change, expected, what in (
                (AttributeChange(a.name, add=(three,)), (one, two, three), "after adding one value"),
                (AttributeChange(a.name, add=(three,)), (one, two, three), "after adding what is there"),
                (AttributeChange(a.name, remove=(one,)), (two, three), "after removing one value"),
                (AttributeChange(a.name, remove=(one,)), (two, three), "after removing what is not there"),
                (
                    AttributeChange(a.name, add=(two, four), remove=(two, three)),
                    (two, four),
                    "values are removed before others are added",
                ),
            ):
                updated = subject.update(created, change)
                returned = updated.attributes.get(a.name, expected)  # it may be left out
                assert same(returned, expected), f"{a.name}, {what}: {returned!r}"
                found = subject.read_there(created).attributes[a.name]
                assert same(found, expected), f"{a.name}, {what}: a read returns {found!r}"
            updated = subject.update(created, AttributeChange(a.name, replace=()))
            assert updated.attributes[a.name] == ()

    def test_rename_keeps_the_rest(self, subject: Subject) -> None:
        created, renamed, wanted = self._renamed(subject)
        assert renamed.identity.anchor != created.identity.anchor
        assert subject.read(created) is None, "the old anchor still reads an object"
        found = subject.read_there(renamed)
        for name in subject.object_type.anchor:
            assert same(found.attributes[name], wanted[name])
        for name, values in created.attributes.items():
            if name not in subject.object_type.anchor and name != subject.object_type.dn:
                assert same(found.attributes[name], values), f"rename changed {name}"

    def test_rename_to_a_taken_anchor_is_already_exists(self, subject: Subject) -> None:
        self._can_rename(subject)
        one, two = subject.create(), subject.create()
        before = [subject.read_there(o).attributes for o in (one, two)]
        changes = [
            AttributeChange(n, replace=subject.read_there(two).attributes[n]) for n in subject.object_type.anchor
        ]
        subject.refused(AlreadyExists, "rename to a taken anchor", subject.update, one, *changes)
        assert [subject.read_there(o).attributes for o in (one, two)] == before

    def _can_rename(self, subject: Subject) -> None:
        natural(subject)
        if Operation.RENAME not in subject.object_type.operations:
            subject.lacks("operation rename is not among the type's operations")

    def _renamed(self, subject: Subject) -> tuple[ConnectorObject, ConnectorObject, dict[str, tuple[Value, ...]]]:
        self._can_rename(subject)
        created, wanted = subject.create(), subject.attributes()
        changes = [AttributeChange(n, replace=wanted[n]) for n in subject.object_type.anchor]
        return created, subject.update(created, *changes), wanted
