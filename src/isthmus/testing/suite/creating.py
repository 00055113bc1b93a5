"""Creating and deleting objects."""

from __future__ import annotations

from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    AttributeType,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Operation,
    TargetRejected,
    Unsupported,
    Value,
)
from isthmus.testing.choice import alike, free, natural, text, text_anchor, unknown_name
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same, sample


class Creating(Hooks):
    def test_create_returns_what_a_read_returns(self, subject: Subject) -> None:
        attributes = subject.attributes()
        created = subject.create(attributes)
        found = subject.read_there(created)
        assert found.identity == created.identity
        assert found.object_type == created.object_type == self.object_type
        for name, values in attributes.items():
            if subject.definition(name).secret:
                continue
            assert name in created.attributes, f"{name} was given but is not in the returned object"
            assert same(created.attributes[name], values), (
                f"{name}: sent {values!r}, returned {created.attributes[name]!r}"
            )
        for a in subject.object_type.attributes:
            if (a.generated or a.readonly) and found.attributes.get(a.name):
                assert a.name in created.attributes, (
                    f"{a.name} was made by the target but is not in the returned object"
                )
        for name, values in created.attributes.items():
            assert same(found.attributes[name], values), (
                f"{name}: create returned {values!r}, a read {found.attributes[name]!r}"
            )

    def test_identity_agrees_with_the_attributes(self, subject: Subject) -> None:
        created, t = subject.create(), subject.object_type
        found = subject.read_there(created)
        assert len(created.identity.anchor.values) == len(t.anchor)
        assert all(found.attributes[name] for name in t.anchor), "an anchor attribute has no value"
        if t.dn is not None:
            assert found.identity.dn is not None, "objects of a type with a dn carry it in their identity"
            assert found.attributes[t.dn] == (found.identity.dn,)

    def test_create_twice_is_already_exists(self, subject: Subject) -> None:
        natural(subject)
        attributes = subject.attributes()
        created = subject.create(attributes)
        other = {**subject.attributes(), **{name: attributes[name] for name in subject.object_type.anchor}}
        dn = created.identity.dn
        subject.refused(AlreadyExists, "create with a taken anchor", subject.create, other, dn=dn)
        found = subject.read_there(created)
        assert all(same(found.attributes[n], v) for n, v in created.attributes.items()), (
            "the refused create changed the object"
        )

    def test_unique_attributes_are_unique(self, subject: Subject) -> None:
        unique = [a for a in subject.object_type.attributes if a.unique and not (a.readonly or a.generated or a.secret)]
        unique = [
            a for a in unique if a.name not in subject.object_type.anchor and a.type is not AttributeType.REFERENCE
        ]
        if not unique:
            subject.lacks("has no unique attribute besides its anchor")
        for a in unique:
            created = subject.create(subject.attributes(**{a.name: (sample(a, 7_000_001),)}))
            other = subject.attributes(**{a.name: created.attributes[a.name]})
            subject.refused(AlreadyExists, f"create with a taken {a.name}", subject.create, other)

    def test_generated_anchor_is_returned(self, subject: Subject) -> None:
        generated = [n for n in subject.object_type.anchor if subject.definition(n).generated]
        if not generated:
            subject.lacks("its target does not make the anchor")
        attributes = {k: v for k, v in subject.attributes().items() if k not in generated}
        first, second = subject.create(attributes), subject.create({**attributes, **_fresh_unique(subject)})
        assert first.identity.anchor != second.identity.anchor
        for name in generated:
            assert first.attributes.get(name), f"the generated {name} must be in the returned object"

    def test_required_attributes_are_required(self, subject: Subject) -> None:
        required = [a.name for a in subject.object_type.attributes if a.required and not a.generated]
        if not required:
            subject.lacks("has no required attribute")
        for name in required:
            attributes = subject.attributes()
            attributes.pop(name, None)
            subject.refused(InvalidValue, f"create without required {name}", subject.create, attributes)

    def test_create_is_all_or_nothing(self, subject: Subject) -> None:
        natural(subject)
        attributes = subject.attributes()
        bad = {**attributes, unknown_name(subject): ("x",)}
        subject.refused(
            (TargetRejected, MisconfiguredConnector, Unsupported), "create with a bad value", subject.create, bad
        )
        created = subject.create(attributes)  # would be refused if the first had left something
        assert subject.read_there(created).identity == created.identity

    def test_create_of_unknown_type_is_refused(self, subject: Subject) -> None:
        create, call = subject.the_create, subject.call()
        subject.refused(
            (MisconfiguredConnector, Unsupported),
            "create of an unknown type",
            create.create,
            "no such type",
            {"a": ("b",)},
            call=call,
        )

    def test_several_values_for_a_single_valued_attribute_are_refused(self, subject: Subject) -> None:
        candidates = [a for a in free(subject) if a.type is not AttributeType.BOOLEAN]
        if not candidates:
            subject.lacks("has no single-valued attribute that takes any value")
        for a in candidates:
            two = subject.attributes(**{a.name: (sample(a, 1), sample(a, 2))})
            subject.refused(InvalidValue, f"two values for {a.name}", subject.create, two)

    def test_readonly_attributes_cannot_be_given(self, subject: Subject) -> None:
        readonly = [a for a in subject.object_type.attributes if a.readonly and a.type is not AttributeType.REFERENCE]
        if not readonly:
            subject.lacks("has no read-only attribute")
        for a in readonly:
            attributes = subject.attributes(**{a.name: (sample(a, 424_242),)})
            subject.refused(
                (TargetRejected, Unsupported), f"create with read-only {a.name}", subject.create, attributes
            )

    def test_correlation_attribute_finds_the_object(self, subject: Subject) -> None:
        """The host marks a create with its journal entry's id and finds the row by it after a crash."""
        name = subject.object_type.correlation_attribute
        if name is None:
            subject.lacks("has no correlation attribute")
        mark = "0123456789abcdef0123456789abcdef"
        created = subject.create(subject.attributes(**{name: (mark,)}))
        subject.create()
        assert [f.identity for f in subject.find(name, mark)] == [created.identity]

    def test_deleted_is_gone(self, subject: Subject) -> None:
        created, other = subject.create(), subject.create()
        subject.delete(created)
        assert subject.read(created) is None
        assert subject.read(other) is not None, "another object was deleted as well"
        if Operation.IMPORT in subject.object_type.operations:
            assert created.identity.anchor.values not in subject.imported()

    def test_delete_tells_objects_apart_that_are_alike(self, subject: Subject) -> None:
        created, other = (subject.create(attributes) for attributes in alike(subject))
        subject.delete(created)
        assert subject.read(other) is not None, "an object with the same values was deleted as well"

    def test_an_anchor_that_begins_another_is_not_the_other(self, subject: Subject) -> None:
        """Neither for a read or a find, nor for an update or a delete."""
        definition = text_anchor(subject)
        value = str(subject.attributes()[definition.name][0])
        if definition.max_length is not None and len(value) + 1 > definition.max_length:
            subject.lacks("has no room in its anchor for one more letter")
        longer = [
            subject.create(subject.attributes(**{definition.name: (text,)})) for text in (f"{value}0", f"0{value}")
        ]
        created = subject.create(subject.attributes(**{definition.name: (value,)}))
        before = [subject.read_there(each).attributes for each in longer]
        assert [each.identity for each in subject.find(definition.name, value)] == [created.identity]
        assert subject.read_there(created).identity == created.identity
        if Operation.UPDATE in subject.object_type.operations:
            subject.update(created, AttributeChange(text(subject).name, replace=("changed",)))
        if Operation.DELETE in subject.object_type.operations:
            subject.delete(created)
        for each, attributes in zip(longer, before, strict=True):
            found = subject.read(each)
            assert found is not None, f"{each.identity.anchor.values} was deleted with {created.identity.anchor.values}"
            assert found.attributes == attributes, f"{each.identity.anchor.values} was changed with the other"

    def test_delete_of_unknown_is_not_found(self, subject: Subject) -> None:
        created = subject.create()
        subject.delete(created)
        subject.refused(NotFound, "delete of what was deleted", subject.delete, created)

    def test_delete_of_unknown_type_is_refused(self, subject: Subject) -> None:
        delete, call = subject.the_delete, subject.call()
        identity = Identity(Anchor(tuple("1" for _ in subject.object_type.anchor)))
        subject.refused(
            (MisconfiguredConnector, Unsupported),
            "delete of an unknown type",
            delete.delete,
            "no such type",
            identity,
            call=call,
        )

    def test_deleted_can_be_created_again(self, subject: Subject) -> None:
        attributes = subject.attributes()
        subject.delete(subject.create(attributes))
        again = subject.create(attributes)
        assert subject.read_there(again).identity == again.identity


def _fresh_unique(subject: Subject) -> dict[str, tuple[Value, ...]]:
    attributes = subject.attributes()
    return {a.name: attributes[a.name] for a in subject.object_type.attributes if a.unique and a.name in attributes}
