"""Values made of parts: kept part by part, added and removed as wholes."""

from __future__ import annotations

from isthmus.spi import (
    AttributeChange,
    AttributeDefinition,
    AttributeType,
    Complex,
    ConnectorObject,
    InvalidValue,
    Operation,
)
from isthmus.testing.choice import writable
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import HOSTILE, complex_sample, edges, of_type, same, smallest, written_parts


class CompositeValues(Hooks):
    def test_parts_round_trip(self, subject: Subject) -> None:
        """Every part of every type, by create, read and import."""
        for a in _complex(subject):
            value = complex_sample(a, 810_001)
            created = subject.create(subject.attributes(**{a.name: (value,)}))
            found = subject.read_there(created, (a.name,)).attributes[a.name]
            assert same(found, (value,)), f"{a.name}: sent {value!r}, read {found!r}"
            assert all(of_type(a, each) for each in found), f"{a.name}: a part is not of its declared type: {found!r}"
            if Operation.IMPORT in subject.object_type.operations:
                imported = subject.imported()[created.identity.anchor.values].attributes[a.name]
                assert same(imported, (value,)), f"{a.name}: sent {value!r}, imported {imported!r}"

    def test_edges_of_parts_round_trip_or_are_refused(self, subject: Subject) -> None:
        for a in _complex(subject):
            created = subject.create()
            problems = [_written(subject, created, a, value) for value in edges(a) if isinstance(value, Complex)]
            assert a.name in self.rounds or not any(problems), "\n".join(p for p in problems if p)

    def test_hostile_text_in_parts_round_trips_or_is_refused(self, subject: Subject) -> None:
        bystander = subject.create()
        before = subject.read_there(bystander).attributes
        for a in _complex(subject):
            created = subject.create()
            texts = [part for part in written_parts(a) if part.type is AttributeType.STRING]
            roomiest = max(texts, key=lambda part: part.max_length or 1 << 20, default=None)
            if roomiest is None:
                continue
            sent = [Complex({**complex_sample(a, 1).as_dict(), roomiest.name: text}) for text in HOSTILE]
            problems = [_written(subject, created, a, value) for value in sent]
            assert not any(problems), "\n".join(p for p in problems if p)
        assert subject.read_there(bystander).attributes == before, "another object was changed"

    def test_absent_parts_stay_absent(self, subject: Subject) -> None:
        """A part that was not given reads as absent, never as empty text, zero or false, unless the target makes it."""
        for a in _complex(subject):
            value = smallest(a, 820_001)
            created = subject.create(subject.attributes(**{a.name: (value,)}))
            found = subject.read_there(created, (a.name,)).attributes[a.name]
            made = {part.name for part in a.sub_attributes if part.generated or part.readonly}
            kept = [
                Complex({name: part for name, part in each.parts if name not in made})
                for each in found
                if isinstance(each, Complex)
            ]
            assert same(kept, (value,)), f"{a.name}: sent {value!r}, read {found!r}"

    def test_elements_are_added_removed_and_replaced(self, subject: Subject) -> None:
        for a in _several(subject):
            one, two, three = (complex_sample(a, n) for n in (830_001, 830_002, 830_003))
            created = subject.create(subject.attributes(**{a.name: (one, two)}))
            _expect(subject, created, a, "after the create", one, two)
            subject.update(created, AttributeChange(a.name, add=(three,)))
            _expect(subject, created, a, "after adding an element", one, two, three)
            subject.update(created, AttributeChange(a.name, add=(three,)))
            _expect(subject, created, a, "after adding an element that is there", one, two, three)
            subject.update(created, AttributeChange(a.name, remove=(one,)))
            _expect(subject, created, a, "after removing an element", two, three)
            subject.update(created, AttributeChange(a.name, remove=(one,)))
            _expect(subject, created, a, "after removing an element that is not there", two, three)
            subject.update(created, AttributeChange(a.name, add=(one,), remove=(two,)))
            _expect(subject, created, a, "after removing one element and adding another", one, three)
            subject.update(created, AttributeChange(a.name, replace=(two,)))
            _expect(subject, created, a, "after replacing all", two)
            subject.update(created, AttributeChange(a.name, replace=()))
            _expect(subject, created, a, "after clearing")

    def test_elements_that_differ_in_one_part_are_two(self, subject: Subject) -> None:
        """An element is the whole of its parts: removing one leaves others that share a part with it."""
        for a in _several(subject):
            parts = written_parts(a)
            if len(parts) < 2:
                continue
            one, other = complex_sample(a, 840_001), complex_sample(a, 840_002)
            for part in (p for p in parts if p.type is not AttributeType.BOOLEAN):
                mixed = Complex({**one.as_dict(), part.name: other.as_dict()[part.name]})
                try:
                    created = subject.create(subject.attributes(**{a.name: (one, mixed)}))
                except InvalidValue:
                    continue  # the other parts are a key there
                _expect(subject, created, a, f"that differ in {part.name} only", one, mixed)
                subject.update(created, AttributeChange(a.name, remove=(one,)))
                _expect(subject, created, a, f"after removing the one with another {part.name}", mixed)

    def test_one_part_is_changed_as_a_whole_value(self, subject: Subject) -> None:
        """The host changes a part by taking the old value away and adding the new one, in one change."""
        for a in _complex(subject):
            old, new = complex_sample(a, 850_001), complex_sample(a, 850_002)
            created = subject.create(subject.attributes(**{a.name: (old,)}))
            for part in written_parts(a):
                changed = Complex({**old.as_dict(), part.name: new.as_dict()[part.name]})
                if a.multivalued:
                    subject.update(created, AttributeChange(a.name, add=(changed,), remove=(old,)))
                else:
                    subject.update(created, AttributeChange(a.name, replace=(changed,)))
                _expect(subject, created, a, f"after changing {part.name}", changed)
                old = changed

    def test_unknown_parts_are_refused(self, subject: Subject) -> None:
        for a in _complex(subject):
            created = subject.create()
            before = subject.read_there(created, (a.name,)).attributes[a.name]
            bad = Complex({**complex_sample(a, 860_001).as_dict(), "no_such_part": "x"})
            subject.refused(
                InvalidValue, f"{a.name} with an unknown part", subject.update, created, AttributeChange(a.name, (bad,))
            )
            assert same(subject.read_there(created, (a.name,)).attributes[a.name], before)


def _complex(subject: Subject) -> list[AttributeDefinition]:
    found = [
        a
        for a in writable(subject.object_type)
        if a.type is AttributeType.COMPLEX and a.name not in subject.hooks.reserved
    ]
    return found or subject.lacks("has no attribute that is made of parts")


def _several(subject: Subject) -> list[AttributeDefinition]:
    found = [a for a in _complex(subject) if a.multivalued]
    return found or subject.lacks("has no multi-valued attribute that is made of parts")


def _expect(subject: Subject, created: ConnectorObject, a: AttributeDefinition, when: str, *expected: Complex) -> None:
    found = subject.read_there(created, (a.name,)).attributes[a.name]
    assert same(found, expected), f"{a.name} {when}: expected {expected!r}, read {found!r}"


def _written(subject: Subject, created: ConnectorObject, a: AttributeDefinition, value: Complex) -> str | None:
    """Write and read a value; return what is wrong, None if it came back exactly or was refused."""
    try:
        subject.update(created, AttributeChange(a.name, replace=(value,)))
    except InvalidValue:
        return None
    found = subject.read_there(created, (a.name,)).attributes[a.name]
    return None if same(found, (value,)) else f"{a.name}: sent {value!r:.200}, read {found!r:.200}"
