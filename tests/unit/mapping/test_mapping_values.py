"""Values both ways: JSON to the target's types, and to the store without loss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import EMPLOYEE, T, attribute, employees

from isthmus.mapping.codec import Codec
from isthmus.mapping.index import normaliser
from isthmus.mapping.values import Unfit, acceptor, decimal_text, moment_key, moment_text, show_datetime
from isthmus.spi import Anchor, AttributeDefinition, ConnectorObject, Identity, ObjectType, Reference

EVERY = ObjectType(
    name="Every",
    anchor=("text",),
    attributes=(*(attribute(kind.value, kind, multivalued=True) for kind in T), attribute("text")),
)
CODEC = Codec(EVERY, [a.name for a in EVERY.attributes])

texts = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.one_of(st.datetimes(), st.datetimes(timezones=offsets))
numbers = st.decimals(allow_nan=False, allow_infinity=False)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "string": st.lists(texts).map(tuple),
            "integer": st.lists(st.integers(-(2**70), 2**70)).map(tuple),
            "decimal": st.lists(numbers).map(tuple),
            "boolean": st.lists(st.booleans()).map(tuple),
            "datetime": st.lists(moments).map(tuple),
            "binary": st.lists(st.binary()).map(tuple),
        },
    )
)
def test_the_store_keeps_every_value(attributes: dict[str, tuple[Any, ...]]) -> None:
    restored = CODEC.decode(CODEC.encode(attributes))
    assert restored == attributes
    for name, values in attributes.items():
        for before, after in zip(values, restored[name], strict=True):
            assert type(before) is type(after)
            if isinstance(before, Decimal):
                assert before.as_tuple() == after.as_tuple()
            if isinstance(before, datetime):
                assert (before.tzinfo is None) == (after.tzinfo is None)


def test_absent_and_empty_stay_different() -> None:
    assert CODEC.decode(CODEC.encode({"string": ()})) == {"string": ()}
    assert CODEC.decode(CODEC.encode({})) == {}


def test_references_and_unpublished_attributes_are_left_out() -> None:
    assert CODEC.encode({"reference": (Reference(("a",)),), "string": ("x",), "other": ("y",)}) == b'{"string":["x"]}'


def test_names_are_sorted() -> None:
    assert CODEC.encode({"text": ("x",), "binary": ()}) == CODEC.encode({"binary": (), "text": ("x",)})


def test_half_a_surrogate_pair_does_not_stop_an_import() -> None:
    assert CODEC.decode(CODEC.encode({"string": ("a\ud800b",)})) == {"string": ("a?b",)}


@given(moments, moments)
def test_stored_moments_sort_as_moments_do(one: datetime, other: datetime) -> None:
    def instant(moment: datetime) -> datetime:
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    if all(datetime(2, 1, 1, tzinfo=UTC) < instant(m) < datetime(9998, 1, 1, tzinfo=UTC) for m in (one, other)):
        assert (moment_key(one) < moment_key(other)) == (instant(one) < instant(other))
        assert moment_text(one)[:26] == moment_key(one)


@given(moments)
def test_what_is_shown_of_a_moment_is_taken_back(moment: datetime) -> None:
    accept = acceptor(attribute("d", T.DATETIME), tolerant=False)
    assert accept(show_datetime(moment)) == moment


@given(numbers)
def test_equal_decimals_have_equal_text(number: Decimal) -> None:
    assert Decimal(decimal_text(number)) == number
    assert decimal_text(number) == decimal_text(Decimal(decimal_text(number)))


@pytest.mark.parametrize(("a", "b"), [("1.50", "1.5"), ("0.00", "-0"), ("1E+2", "100"), ("100", "1.00E2")])
def test_canonical_decimals(a: str, b: str) -> None:
    assert decimal_text(Decimal(a)) == decimal_text(Decimal(b))


GOOD: list[tuple[AttributeDefinition, Any, Any]] = [
    (attribute("s"), "tab\tline\nend", "tab\tline\nend"),
    (attribute("s"), "日本 🎉 é", "日本 🎉 é"),
    (attribute("s"), 4711, "4711"),
    (attribute("i", T.INTEGER), 9223372036854775807, 9223372036854775807),
    (attribute("i", T.INTEGER), -9223372036854775808, -9223372036854775808),
    (attribute("i", T.INTEGER), " 12 ", 12),
    (attribute("i", T.INTEGER), 5.0, 5),
    (attribute("d", T.DECIMAL), 0.1, Decimal("0.1")),
    (
        attribute("d", T.DECIMAL),
        "123456789012345678901234567890.123456789",
        Decimal("123456789012345678901234567890.123456789"),
    ),
    (attribute("d", T.DECIMAL), 7, Decimal(7)),
    (attribute("b", T.BOOLEAN), True, True),
    (attribute("b", T.BOOLEAN), "False", False),
    (attribute("b", T.BOOLEAN), "TRUE", True),
    (attribute("t", T.DATETIME), "2025-01-31T08:00:00.123456Z", datetime(2025, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)),
    (attribute("t", T.DATETIME), "2025-01-31T08:00:00", datetime(2025, 1, 31, 8)),
    (attribute("t", T.DATETIME), "2025-01-31", datetime(2025, 1, 31)),
    (attribute("x", T.BINARY), "AAEC", b"\x00\x01\x02"),
    (attribute("x", T.BINARY), "AA", b"\x00"),
]


@pytest.mark.parametrize(("definition", "sent", "taken"), GOOD)
def test_what_is_taken(definition: AttributeDefinition, sent: Any, taken: Any) -> None:
    value = acceptor(definition)(sent)
    assert value == taken
    assert type(value) is type(taken)


BAD: list[tuple[AttributeDefinition, Any]] = [
    (attribute("s"), "nul\x00"),
    (attribute("s"), "del\x7f"),
    (attribute("s"), "esc\x1b"),
    (attribute("s"), "half \ud83d pair"),
    (attribute("s"), True),
    (attribute("s"), 1.5),
    (attribute("s"), {"value": 1}),
    (attribute("s", max_length=3), "four"),
    (attribute("i", T.INTEGER), "1.5"),
    (attribute("i", T.INTEGER), "9" * 5000),
    (attribute("i", T.INTEGER), True),
    (attribute("i", T.INTEGER), 1.5),
    (attribute("i", T.INTEGER), 2**64),
    (attribute("d", T.DECIMAL), "NaN"),
    (attribute("d", T.DECIMAL), "Infinity"),
    (attribute("d", T.DECIMAL), "x"),
    (attribute("d", T.DECIMAL), True),
    (attribute("d", T.DECIMAL), 0.30000000000000004),
    (attribute("b", T.BOOLEAN), 1),
    (attribute("b", T.BOOLEAN), "yes"),
    (attribute("t", T.DATETIME), "yesterday"),
    (attribute("t", T.DATETIME), 5),
    (attribute("x", T.BINARY), "!!!"),
    (attribute("x", T.BINARY, max_length=2), "AAEC"),
    (attribute("x", T.BINARY), 7),
]


@pytest.mark.parametrize(("definition", "sent"), BAD)
def test_what_is_refused(definition: AttributeDefinition, sent: Any) -> None:
    with pytest.raises(Unfit):
        acceptor(definition)(sent)


@pytest.mark.parametrize(
    ("type", "sent"), [(T.STRING, 5), (T.INTEGER, "5"), (T.BOOLEAN, "True"), (T.DATETIME, "2025-01-31")]
)
def test_strict_takes_json_types_only(type: T, sent: Any) -> None:
    acceptor(attribute("a", type))(sent)
    with pytest.raises(Unfit):
        acceptor(attribute("a", type), tolerant=False)(sent)


def test_line_breaks_do_not_identify_anybody() -> None:
    with pytest.raises(Unfit):
        acceptor(attribute("s"), key=True)("a\nb")


@pytest.mark.parametrize(
    ("definition", "one", "other"),
    [
        (attribute("s"), "STRASSE", "straße"),
        (attribute("s", case_folding="letters"), "ÄRMEL-ß", "ärmel-ß"),
        (attribute("i", T.INTEGER), 7, "7"),
        (attribute("d", T.DECIMAL), Decimal("1.50"), "1.5"),
        (attribute("d", T.DECIMAL), 0.5, Decimal("0.50")),
        (attribute("b", T.BOOLEAN), True, "True"),
        (
            attribute("t", T.DATETIME),
            datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            "2025-01-01T00:00:00Z",
        ),
        (attribute("x", T.BINARY), b"\x00", "AA=="),
        (attribute("r", T.REFERENCE), Reference(("a", "b")), '["a","b"]'),
    ],
)
def test_equal_values_have_equal_keys(definition: AttributeDefinition, one: Any, other: Any) -> None:
    normalise = normaliser(definition)
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize("other", ["strasse", "STRASSE"])
def test_texts_that_are_two_to_a_target_that_folds_letters(other: str) -> None:
    normalise = normaliser(attribute("s", case_folding="letters"))
    assert normalise("straße") != normalise(other)


def test_case_counts_where_the_target_says_so() -> None:
    rt = employees()
    assert rt.normalise("Email", "A@B") == "a@b"
    assert rt.normalise("Code", "Ab") == "Ab"
    assert rt.normalise("#externalId", "Ab") == "Ab"


def person(**attributes: Any) -> ConnectorObject:
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in attributes.items()}
    return ConnectorObject(object_type="Employees", identity=Identity(Anchor(("jdoe",))), attributes=values)


def test_keys_and_links() -> None:
    rt = employees()
    obj = person(Login="JDoe", Email="J@X", Title="t", Manager=Reference(("boss",)))
    assert rt.keys(obj) == [("Login", "jdoe"), ("Email", "j@x")]
    assert rt.links(obj) == [("Manager", '["boss"]')]
    assert rt.keys(person(Email="")) == [("Login", "jdoe")]
    assert orjson.loads(rt.links(obj)[0][1]) == ["boss"]


def test_the_digest_changes_with_everything_shown_and_with_nothing_else() -> None:
    rt = employees()
    base = person(Login="a", Title="x", Tags=("1", "2"), Manager=Reference(("b",)))
    same = person(Title="x", Login="a", Tags=("2", "1"), Manager=Reference(("b",)), Pin="1", FirstUnknown="z")
    assert rt.canonical(base) == rt.canonical(same)
    assert -(2**63) <= rt.canonical(base) < 2**63
    others = [
        person(Login="a", Title="y", Tags=("1", "2"), Manager=Reference(("b",))),
        person(Login="a", Title="x", Tags=("1",), Manager=Reference(("b",))),
        person(Login="a", Title="x", Tags=("1", "2"), Manager=Reference(("c",))),
        person(Login="a", Title="x", Tags=("1", "2"), Manager=()),
        person(Login="a", Title="x", Tags=("1", "2")),
        ConnectorObject(
            object_type="Employees", identity=Identity(Anchor(("a",)), dn="cn=a"), attributes=base.attributes
        ),
    ]
    assert len({rt.canonical(obj) for obj in [base, *others]}) == len(others) + 1


def test_every_attribute_type_has_a_place_in_these_tests() -> None:
    assert {a.type for a in EMPLOYEE.attributes} == set(T) - {T.COMPLEX}  # test_mapping_composites has those
