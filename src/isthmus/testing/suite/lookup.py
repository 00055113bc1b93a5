"""Reading one object, and finding objects by a value."""

from __future__ import annotations

from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeType,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    Operation,
    Unsupported,
)
from isthmus.testing.choice import free, optional, text, text_anchor, unknown_name
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import WILDCARDS, of_type, same

FIND_LIMIT = 100
NOT_KNOWN = (MisconfiguredConnector, Unsupported, InvalidValue)


class Lookup(Hooks):
    def test_unknown_anchor_reads_none(self, subject: Subject) -> None:
        created = subject.create()
        subject.delete(created)
        assert subject.read(created) is None

    def test_unknown_object_type_is_refused(self, subject: Subject) -> None:
        """Never None and never `NotFound`: the host would take that for "is gone" and remove its copy."""
        lookup, call = subject.the_lookup, subject.call()
        identity = Identity(Anchor(tuple("1" for _ in subject.object_type.anchor)))
        refused = (MisconfiguredConnector, Unsupported)
        name = "no such type"
        subject.refused(refused, "read of an unknown type", lookup.read, name, identity, attributes=(), call=call)
        subject.refused(refused, "find of an unknown type", lookup.find, name, "a", "b", attributes=(), call=call)

    def test_unknown_attribute_is_refused(self, subject: Subject) -> None:
        """An attribute that vanished from the target must not look like one without a value."""
        created, name = subject.create(), unknown_name(subject)
        subject.refused(NOT_KNOWN, "read of an unknown attribute", subject.read, created, (name,))
        subject.refused(NOT_KNOWN, "find by an unknown attribute", subject.find, name, "x")

    def test_read_gives_the_declared_types(self, subject: Subject) -> None:
        found = subject.read_there(subject.create())
        for name, values in found.attributes.items():
            definition = subject.definition(name)
            assert isinstance(values, tuple), f"{name}: values come as a tuple"
            assert all(of_type(definition, v) for v in values), f"{name} is declared {definition.type}: {values!r}"
            assert definition.multivalued or len(values) <= 1, f"{name} is single-valued: {values!r}"

    def test_only_asked_attributes_are_read(self, subject: Subject) -> None:
        created = subject.create()
        for asked in subject.readable:
            found = subject.read_there(created, (asked,))
            unasked = set(found.attributes) - {asked} - set(subject.object_type.anchor)
            assert not unasked, f"asked for {asked}, got {sorted(unasked)} as well"
            assert asked in found.attributes, f"asked for {asked}, but it is absent; without a value it must be ()"

    def test_read_of_no_attributes_gives_the_identity(self, subject: Subject) -> None:
        created = subject.create()
        assert subject.read_there(created, ()).identity == created.identity

    def test_no_value_is_an_empty_tuple(self, subject: Subject) -> None:
        name = optional(subject).name
        attributes = subject.attributes()
        del attributes[name]
        created = subject.create(attributes)
        found = subject.read_there(created, (name,))
        if subject.definition(name).generated:
            return
        assert found.attributes[name] == (), f"{name} was not given; it must read (), not {found.attributes[name]!r}"

    def test_secret_attributes_are_never_read(self, subject: Subject) -> None:
        secret = [a.name for a in subject.object_type.attributes if a.secret]
        if not secret:
            subject.lacks("has no secret attribute")
        created = subject.create()
        seen = subject.read_there(created).attributes
        assert not set(secret) & set(seen), "a secret attribute was returned"
        for name in secret:
            subject.refused(NOT_KNOWN, f"find by secret attribute {name}", subject.find, name, "x")

    def test_find_by_every_attribute(self, subject: Subject) -> None:
        """`Unsupported` is an answer, except for the anchor; an empty list for a value that is there is not."""
        created = subject.read_there(subject.create())
        for name in subject.readable:
            for value in created.attributes[name]:
                try:
                    found = subject.find(name, value)
                except Unsupported:
                    assert name not in subject.object_type.anchor, f"{name} is of the anchor and must be searchable"
                    continue
                anchors = [f.identity.anchor for f in found]
                assert created.identity.anchor in anchors or len(anchors) >= FIND_LIMIT, (
                    f"not found by {name}={value!r}"
                )
                for each in found:
                    if subject.definition(name).type is not AttributeType.STRING:
                        assert any(same((value,), (v,)) for v in each.attributes[name]), (
                            f"find by {name} matched another value"
                        )

    def test_find_of_nothing_is_empty(self, subject: Subject) -> None:
        created = subject.create()
        name = text(subject).name
        value = created.attributes[name][0]
        subject.delete(created)
        assert not [f for f in subject.find(name, value) if f.identity == created.identity]

    def test_find_many_finds_for_each_value(self, subject: Subject) -> None:
        """In the order of the values: who is found for another's value is taken for that other."""
        name = text(subject).name
        one, other = subject.create(), subject.create()
        (first,), (second,) = one.attributes[name], other.attributes[name]
        assert first != second, "objects made for this test have different values"
        nobody, neither = f"{first}0", f"{second}0"
        found = subject.find_many(name, [nobody, second, neither, first])
        identities = [[each.identity for each in those] for those in found]
        assert len(identities) == 4, f"find_many() of 4 values gave {len(identities)} answers"
        wanted = [None, other.identity, None, one.identity]
        for value, those, identity in zip((nobody, second, neither, first), identities, wanted, strict=True):
            expected = [] if identity is None else [identity]
            assert those == expected, f"find_many() for {value!r} among others gave {those!r:.200}"
        assert [list(each) for each in subject.find_many(name, [nobody, neither])] == [[], []], "nobody has these"
        assert list(subject.find_many(name, [])) == []

    def test_find_many_takes_values_literally(self, subject: Subject) -> None:
        created, name = subject.create(), text(subject).name
        hostile = [*WILDCARDS, ")(", "\\", "|", "a)(|(b"]
        try:
            found = subject.find_many(name, hostile)
        except InvalidValue:
            return  # the host asks for each alone
        assert created.identity not in [f.identity for each in found for f in each], "a value was taken as a pattern"

    def test_find_takes_wildcards_literally(self, subject: Subject) -> None:
        created, definition = subject.create(), text(subject)
        for pattern in WILDCARDS:
            try:
                found = subject.find(definition.name, pattern)
            except InvalidValue:
                continue
            assert created.identity not in [f.identity for f in found], f"{pattern!r} was taken as a pattern"
        if Operation.UPDATE not in subject.object_type.operations:
            return
        literal = subject.create(subject.attributes(**{definition.name: ("5%_*",)}))
        assert literal.identity in [f.identity for f in subject.find(definition.name, "5%_*")]

    def test_find_takes_the_whole_value(self, subject: Subject) -> None:
        definition = text(subject)
        if definition.max_length is not None and definition.max_length < 16:
            subject.lacks(f"has no room for a word in {definition.name}")
        created = subject.create(subject.attributes(**{definition.name: ("middle",)}))
        for longer in ("middle-x", "x-middle", "x middle x"):
            subject.create(subject.attributes(**{definition.name: (longer,)}))
        try:
            found = [each.identity for each in subject.find(definition.name, "middle")]
        except Unsupported:
            subject.lacks(f"cannot find by {definition.name}")
        assert found == [created.identity], f"find by {definition.name}='middle' also gave objects that only hold it"

    def test_find_follows_case_exact(self, subject: Subject) -> None:
        for definition in [text(subject), *free(subject, AttributeType.STRING)]:
            if definition.max_length is not None and definition.max_length < 8:
                continue
            value = "CaSe-äÖ" if definition.max_length is None else "CaSe-aO"
            created = subject.create(subject.attributes(**{definition.name: (value,)}))
            for other in (value.upper(), value.lower()):
                try:
                    found = created.identity in [f.identity for f in subject.find(definition.name, other)]
                except Unsupported:
                    continue
                assert found is not definition.case_exact, (
                    f"{definition.name} is declared case_exact={definition.case_exact}, but find by {other!r} "
                    f"{'matched' if found else 'did not match'} {value!r}"
                )

    def test_anchor_text_follows_case_exact(self, subject: Subject) -> None:
        """Equal objects always give equal anchor text, or the host keeps two copies of one."""
        definition = text_anchor(subject)
        attributes = subject.attributes()
        value = str(attributes[definition.name][0])
        written = value.swapcase()
        if written == value:
            subject.lacks(f"the anchor of new objects has no letters: {value!r}")
        created = subject.create(attributes)
        found = [f.identity.anchor for f in subject.find(definition.name, written)]
        variant = {
            **subject.attributes(),
            **{n: attributes[n] for n in subject.object_type.anchor},
            definition.name: (written,),
        }
        if definition.case_exact:
            assert created.identity.anchor not in found
            other = subject.create(variant)
            assert other.identity.anchor != created.identity.anchor, "two objects share one anchor text"
            assert subject.read_there(created).identity.anchor == created.identity.anchor
        else:
            assert found == [created.identity.anchor], (
                "the same object has another anchor text when found by another case"
            )
            subject.refused(AlreadyExists, "create that differs by case only", subject.create, variant)

    def test_find_returns_at_most_100(self, subject: Subject) -> None:
        name = text(subject).name
        for _ in range(FIND_LIMIT + 5):
            subject.create(subject.attributes(**{name: ("many",)}))
        found = subject.find(name, "many", subject.object_type.anchor)
        assert len(found) <= FIND_LIMIT, f"find() returned {len(found)} objects"
        assert len(found) > 1, "find() must return every object with the value"
