"""Text that means something to somebody on the way: it comes back exactly or is refused."""

from __future__ import annotations

import pytest

from isthmus.spi import AttributeChange, InvalidValue, Unsupported
from isthmus.testing.choice import text, text_anchor
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.suite.values import round_trip
from isthmus.testing.values import HOSTILE, same


class HostileValues(Hooks):
    def test_hostile_text_round_trips_or_is_refused(self, subject: Subject) -> None:
        bystander, created, definition = subject.create(), subject.create(), text(subject)
        before = subject.read_there(bystander).attributes
        problems = [round_trip(subject, created, definition, value) for value in HOSTILE]
        assert not any(problems), "\n".join(p for p in problems if p)
        assert subject.read_there(bystander).attributes == before, "another object was changed"

    def test_hostile_text_is_found_literally(self, subject: Subject) -> None:
        bystander, created, definition = subject.create(), subject.create(), text(subject)
        wrong = []
        for value in HOSTILE:
            try:
                subject.update(created, AttributeChange(definition.name, replace=(value,)))
            except InvalidValue:
                subject.tolerated("find", subject.find, definition.name, value)
                continue
            try:
                found = [f.identity for f in subject.find(definition.name, value)]
            except Unsupported:
                subject.lacks(f"cannot find by {definition.name}")
            if found != [created.identity]:
                wrong.append(
                    f"find by {value!r} gave {len(found)} objects"
                    + (" and a bystander" * (bystander.identity in found))
                )
        assert not wrong, "\n".join(wrong)

    def test_hostile_anchor_is_taken_literally(self, subject: Subject) -> None:
        definition = text_anchor(subject)
        bystander = subject.create()
        for value in HOSTILE:
            attributes = subject.attributes(**{definition.name: (value,)})
            try:
                created = subject.create(attributes)
            except InvalidValue:
                continue
            found = subject.read_there(created)
            assert same(found.attributes[definition.name], (value,)), (
                f"anchor {value!r} reads {found.attributes[definition.name]!r}"
            )
            assert [f.identity for f in subject.find(definition.name, value)] == [created.identity], (
                f"find by anchor {value!r}"
            )
            subject.delete(created)
            assert subject.read(created) is None
        assert subject.read(bystander) is not None, "another object was deleted"

    def test_unknown_hostile_anchor_reads_none(self, subject: Subject) -> None:
        """An identity provider may ask for any id; an answer is None, or `InvalidValue` where it cannot exist."""
        definition = text_anchor(subject)
        created = subject.create()
        for value in HOSTILE:
            try:
                found = subject.find(definition.name, value)
            except InvalidValue:
                continue
            assert created.identity not in [f.identity for f in found], (
                f"find by anchor {value!r} matched another object"
            )
            if found:
                pytest.fail(f"find by anchor {value!r} found {found!r:.200}")
