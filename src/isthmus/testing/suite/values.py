"""Values by their declared types: exactly as sent, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from isthmus.spi import AttributeChange, AttributeDefinition, AttributeType, ConnectorObject, InvalidValue, Value
from isthmus.testing.choice import free, text, writable
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import HOSTILE, edges, of_type, same, sample

HUGE = 1024 * 1024

WRONG: dict[AttributeType, tuple[Value, ...]] = {
    AttributeType.INTEGER: ("twelve", "1; DELETE", Decimal("1.5")),
    AttributeType.DECIMAL: ("a lot", Decimal("NaN"), Decimal("Infinity")),
    AttributeType.BOOLEAN: ("perhaps",),
    AttributeType.DATETIME: ("yesterday",),
}


class TypedValues(Hooks):
    def test_ordinary_values_round_trip(self, subject: Subject) -> None:
        attributes = subject.attributes()
        found = subject.read_there(subject.create(attributes))
        for name, values in attributes.items():
            definition = subject.definition(name)
            if definition.secret:
                continue
            got = found.attributes[name]
            assert same(got, values), f"{name} ({definition.type}): sent {values!r}, read {got!r}"
            assert all(of_type(definition, v) for v in got)

    def test_edge_values_round_trip_or_are_refused(self, subject: Subject) -> None:
        created = subject.create()
        for definition in free(subject):
            for value in edges(definition):
                problem = round_trip(subject, created, definition, value)
                if problem and definition.name not in self.rounds:
                    raise AssertionError(problem)

    def test_empty_string_is_kept_or_no_value(self, subject: Subject) -> None:
        """Targets that know no empty string (Oracle, LDAP) give `()` or refuse; nothing may be made up."""
        created, definition = subject.create(), text(subject)
        try:
            updated = subject.update(created, AttributeChange(definition.name, replace=("",)))
        except InvalidValue:
            return
        assert updated.attributes[definition.name] in {("",), ()}
        found = subject.read_there(created)
        assert found.attributes[definition.name] == updated.attributes[definition.name]

    def test_max_length_is_kept(self, subject: Subject) -> None:
        limited = [a for a in free(subject, AttributeType.STRING, AttributeType.BINARY) if a.max_length is not None]
        if not limited:
            subject.lacks("has no attribute with a max_length")
        created = subject.create()
        for a in limited:
            assert a.max_length is not None
            exact: Value = "ä" * a.max_length if a.type is AttributeType.STRING else b"x" * a.max_length
            problem = round_trip(subject, created, a, exact)
            assert not problem, f"a value of exactly max_length: {problem}"
            long: Value = "x" * (a.max_length + 1) if a.type is AttributeType.STRING else b"x" * (a.max_length + 1)
            subject.refused(
                InvalidValue,
                f"{a.name}: one more than its max_length of {a.max_length}",
                subject.update,
                created,
                AttributeChange(a.name, replace=(long,)),
            )

    def test_huge_value_is_kept_or_refused(self, subject: Subject) -> None:
        created = subject.create()
        for a in free(subject, AttributeType.STRING, AttributeType.BINARY):
            value: Value = "häuge-" * (HUGE // 6) if a.type is AttributeType.STRING else b"\x00huge\xff" * (HUGE // 6)
            problem = round_trip(subject, created, a, value)
            assert not problem, problem

    def test_create_keeps_values_as_update_does(self, subject: Subject) -> None:
        definition = text(subject)
        for value in (
            " leading and trailing ",
            "two  blanks",
            "tab\tinside",
            "line\nfeed",
            "MiXeD",
            "e\u0301",
            "x" * 5000,
        ):
            _made(subject, definition.name, (value,))

    def test_text_that_identifies_is_kept_or_refused(self, subject: Subject) -> None:
        """A cut or rewritten anchor, or unique value, is that of somebody else."""
        texts = [a for a in writable(subject.object_type) if a.type is AttributeType.STRING and not a.choices]
        anchor = set(subject.object_type.anchor)
        identifying = [a for a in texts if (a.unique or a.name in anchor) and a.name not in self.reserved]
        if not identifying:
            subject.lacks("has no text that identifies and is the caller's to choose")
        for a in identifying:
            longest = a.max_length or 3000
            for length in {64, 65, 255, 256, longest, longest + 1}:
                start = str(subject.attributes()[a.name][0])
                _made(subject, a.name, (start + "x" * (length - len(start)),))

    def test_multivalued_text_is_kept_or_refused(self, subject: Subject) -> None:
        """Several values in one text, however they are joined, come apart somewhere else."""
        candidates = free(subject, AttributeType.STRING, multivalued=True)
        if not candidates:
            subject.lacks("has no multi-valued text")
        for a in candidates:
            created = subject.create()
            for value in HOSTILE:
                sent = (value, "another")
                try:
                    subject.update(created, AttributeChange(a.name, replace=sent))
                except InvalidValue:
                    continue
                got = subject.read_there(created, (a.name,)).attributes[a.name]
                assert same(got, sent), f"{a.name}: sent {sent!r}, read {got!r}; neither exact nor refused"

    def test_value_of_another_type_is_refused(self, subject: Subject) -> None:
        created = subject.create()
        for a in free(subject):
            for value in WRONG.get(a.type, ()):
                change = AttributeChange(a.name, replace=(value,))
                try:
                    with subject.watched(f"update of {a.name}"):
                        subject.update(created, change)
                except InvalidValue:
                    continue
                got = subject.read_there(created, (a.name,)).attributes[a.name]
                raise AssertionError(f"{a.name} ({a.type}) took {value!r} and reads {got!r}; expected InvalidValue")

    def test_moments_are_kept_across_zones(self, subject: Subject) -> None:
        """A moment written with any offset is the same moment when it is read; it never shifts silently."""
        candidates = free(subject, AttributeType.DATETIME)
        if not candidates:
            subject.lacks("has no datetime attribute")
        for a in candidates:
            for zone in (UTC, *(timezone(timedelta(minutes=m)) for m in (-570, 60, 330, 840))):
                moment = datetime(2024, 3, 31, 1, 30, tzinfo=UTC).astimezone(zone)
                created = subject.create(subject.attributes(**{a.name: (moment,)}))
                got = subject.read_there(created, (a.name,)).attributes[a.name]
                assert same(got, (moment,)), f"{a.name}: sent {moment!r}, read {got!r}"

    def test_multivalued_values_round_trip(self, subject: Subject) -> None:
        candidates = free(subject, multivalued=True)
        if not candidates:
            subject.lacks("has no multi-valued attribute")
        for a in candidates:
            values = tuple(dict.fromkeys(sample(a, n) for n in range(800_000, 800_020)))
            created = subject.create(subject.attributes(**{a.name: values}))
            assert same(subject.read_there(created).attributes[a.name], values)


def _made(subject: Subject, name: str, values: tuple[Value, ...]) -> None:
    """Create an object with these values, which come back exactly or are refused with `InvalidValue`."""
    try:
        created = subject.create(subject.attributes(**{name: values}))
    except InvalidValue:
        return
    for what, found in (("create() returned", created), ("a read returns", subject.read_there(created, (name,)))):
        got = found.attributes[name]
        assert same(got, values), f"{name}: created with {values!r:.90}, {what} {got!r:.90}; neither exact nor refused"


def round_trip(subject: Subject, created: ConnectorObject, definition: AttributeDefinition, value: Value) -> str | None:
    """Write and read a value; return what is wrong, None if it came back exactly or was refused with `InvalidValue`."""
    before = subject.read_there(created, (definition.name,)).attributes[definition.name]
    shown = f"{value!r:.80}"
    try:
        updated = subject.update(created, AttributeChange(definition.name, replace=(value,)))
    except InvalidValue:
        after = subject.read_there(created, (definition.name,)).attributes[definition.name]
        return None if after == before else f"{definition.name}: {shown} was refused and yet written as {after!r:.80}"
    got = subject.read_there(created, (definition.name,)).attributes[definition.name]
    if not same(got, (value,)):
        return f"{definition.name}: sent {shown}, read {got!r:.80}; neither exact nor refused"
    if not same(updated.attributes[definition.name], got):
        return f"{definition.name}: update returned {updated.attributes[definition.name]!r:.80}, a read {got!r:.80}"
    return None
