"""Every kind of condition, against the same condition worked out in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawing import examples
from isthmus.store import (
    All,
    AnyOf,
    Constant,
    KeyEquals,
    LinkTo,
    Negated,
    Predicate,
    Present,
    Pseudo,
    SomeElement,
    Space,
    State,
    Store,
    StoredObject,
)
from isthmus.store import Test as Comparison
from isthmus.store.predicates import MAX_DEPTH, Condition
from unit.store.store_objects import NOW, a_write, add

TEXTS = [
    "",
    "a",
    "A",
    "Ab",
    "aB",
    "straße",
    "STRASSE",
    "İstanbul",
    "ﬁn",
    "fin",
    "%",
    "_",
    "a%b",
    "'",
    '"',
    "\\",
    "😀",
    "z😀",
    "é",
]
NAMES = ["plain", 'qu"ote', "dot.ted", "br[0]ack", "back\\slash", "ümlaut", "blank name", "$", "", "#odd"]
NUMBERS: list[Any] = [0, 1, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -2.25, 1e300, "12.50", "-3", "x1", 10**30]
MOMENTS = [
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.500Z",
    "2026-01-02T04:04:05+01:00",
    "1969-12-31",
    "never",
    "2026-01-02T03:04:05",
]
VALUES: list[Any] = [*TEXTS, *NUMBERS, True, False, *MOMENTS]


@dataclass
class Row:
    stored: StoredObject
    attributes: dict[str, list[Any]]
    keys: set[tuple[str, str]]
    links: set[tuple[str, str]]


class Shelf:
    """Not a dataclass: Hypothesis would print it whole."""

    def __init__(self, store: Store, space: Space, rows: list[Row]) -> None:
        self.store, self.space, self.rows = store, space, rows


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder: Path = tmp_path_factory.mktemp("predicates")
    with Store.open(folder) as store:
        space = store.space.ensure("hr", "Person")
        other = store.space.ensure("other", "Person")
        rows = []
        for n in range(80):
            attributes: dict[str, list[Any]] = {}
            for i, name in enumerate(NAMES):
                size = (n + i) % 4
                if size < 3:
                    attributes[name] = [VALUES[(n * 7 + i * 5 + k * 3) % len(VALUES)] for k in range(size)]
            size = n % 4
            attributes["parts"] = [
                {
                    name: VALUES[(n * 3 + i * 7 + k * 11) % len(VALUES)]
                    for i, name in enumerate(NAMES)
                    if (n + i + k) % 3
                }
                for k in range(size)
            ]
            keys = {("mail", f"m{n % 9}"), ("login", f"p{n}")}
            links = {("boss", f'["p{n % 5}"]')} if n % 3 else set()
            write = a_write(
                f"p{n}",
                attributes=json.dumps(attributes, ensure_ascii=bool(n % 2)).encode(),
                keys=sorted(keys),
                links=sorted(links),
                dn=None if n % 4 else f"cn=P{n}",
            )
            [done] = store.space.apply(space, [write], noted=None, now=f"2026-01-02T03:04:{n % 60:02}Z")
            add(store, other, [write])
            if n % 6 == 0:
                store.space.set_external_id(space, done.row, f"Ext{n}")
                keys.add(("#externalId", f"Ext{n}"))
            if n % 11 == 0:
                store.space.set_state(space, done.row, State.HIDDEN)
                continue
            found = store.space.by_id(space, done.id)
            assert found is not None
            rows.append(Row(found, attributes, keys, links))
        yield Shelf(store, space, rows)


def _values(row: Row, attribute: str) -> list[Any]:
    pseudo = {
        "#id": row.stored.id,
        "#externalId": row.stored.external_id,
        "#created": row.stored.created,
        "#modified": row.stored.modified,
        "#version": row.stored.number,
        "#dn": row.stored.dn,
    }
    if attribute in pseudo:
        return [] if pseudo[attribute] is None else [pseudo[attribute]]
    return row.attributes.get(attribute, [])


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, bool):
        return None
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value  # type: ignore[no-any-return]


def _instant(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _compared(test: Comparison, value: Any) -> Any:
    if test.operator in ("co", "sw", "ew") or test.kind in ("text", "binary"):
        if test.attribute == Pseudo.VERSION:
            return str(value)
        if not isinstance(value, str):
            return None
        return value.casefold() if test.kind == "text" and not test.case_exact else value
    match test.kind:
        case "number":
            return _number(value)
        case "boolean":
            return int(value) if isinstance(value, bool) else None
        case _:
            return _instant(value)


def _meets(test: Comparison, value: Any) -> bool:
    left = _compared(test, value)
    right: Any
    textual = test.operator in ("co", "sw", "ew") or test.kind in ("text", "binary")
    if textual:
        folded = test.kind == "text" and not test.case_exact and test.attribute != Pseudo.VERSION
        right = str(test.value).casefold() if folded else str(test.value)
    elif test.kind == "boolean":
        right = int(bool(test.value))
    elif test.kind == "number":
        right = _number(int(test.value) if isinstance(test.value, bool) else test.value)
    else:
        right = _instant(test.value)
    if left is None or right is None:
        return False
    match test.operator:
        case "co":
            return right in left
        case "sw":
            return bool(left.startswith(right))
        case "ew":
            return bool(left.endswith(right))
        case "eq":
            return bool(left == right)
        case "gt":
            return bool(left > right)
        case "ge":
            return bool(left >= right)
        case "lt":
            return bool(left < right)
        case "le":
            return bool(left <= right)
        case _:
            raise AssertionError(test.operator)


def holds(predicate: Predicate, row: Row) -> bool:
    match predicate:
        case Constant(value=value):
            return value
        case All(parts=parts):
            return all(holds(part, row) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, row) for part in parts)
        case Negated(part=part):
            return not holds(part, row)
        case KeyEquals(attribute=attribute, value=value):
            return (attribute, value) in row.keys
        case LinkTo(attribute=attribute, key=key):
            return any(name == attribute and key in (None, to) for name, to in row.links)
        case SomeElement(attribute=attribute, part=part):
            elements = [
                Row(row.stored, {name: [value] for name, value in element.items()}, set(), set())
                for element in _values(row, attribute)
                if isinstance(element, dict)
            ]
            return any(holds(part, element) for element in elements)
        case Present(attribute=attribute):
            return any(value is not None and value != "" for value in _values(row, attribute))
        case Comparison(operator="ne"):
            equal = Comparison(predicate.attribute, "eq", predicate.value, predicate.kind, predicate.case_exact)
            return not holds(equal, row)
        case Comparison():
            return any(_meets(predicate, value) for value in _values(row, predicate.attribute))


members = st.sampled_from([*NAMES, "absent"])
attributes = members | st.sampled_from([*Pseudo])
operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
any_text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=3)
texts = st.sampled_from(TEXTS) | any_text


def comparisons(names: st.SearchStrategy[str]) -> st.SearchStrategy[Comparison]:
    return st.one_of(
        st.builds(Comparison, names, operators, texts, st.sampled_from(["text", "binary"]), st.booleans()),
        st.builds(Comparison, names, operators, st.sampled_from([*NUMBERS, "1", 3.5]), st.just("number")),
        st.builds(Comparison, names, operators, st.booleans(), st.just("boolean")),
        st.builds(Comparison, names, operators, st.sampled_from(MOMENTS), st.just("datetime")),
    )


tests = st.one_of(
    comparisons(attributes),
    st.builds(Comparison, st.just(Pseudo.ID), st.just("eq"), st.just("ID OF 3"), st.just("text"), st.booleans()),
)  # fmt: skip
values = st.sampled_from(["m1", "m2", "p3", "p11", "Ext6", "none"])


def nested(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(All, st.lists(part, max_size=4).map(tuple)),
        st.builds(AnyOf, st.lists(part, max_size=4).map(tuple)),
        st.builds(Negated, part),
    )


inner = st.recursive(st.one_of(comparisons(members), st.builds(Present, members)), nested, max_leaves=4)
leaves = st.one_of(
    tests,
    st.builds(SomeElement, st.sampled_from(["parts", "plain", "absent"]), inner),
    st.builds(Present, attributes),
    st.builds(KeyEquals, st.sampled_from(["mail", "login", "#externalId"]), values),
    st.builds(LinkTo, st.sampled_from(["boss", "peer"]), st.sampled_from([None, '["p1"]', '["p2"]', '["nobody"]'])),
    st.builds(Constant, st.booleans()),
)  # fmt: skip
predicates = st.recursive(leaves, nested, max_leaves=8)


@settings(
    max_examples=examples(250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(predicate=predicates, start=st.integers(1, 5), count=st.integers(0, 90))
def test_the_store_finds_what_python_finds(shelf: Shelf, predicate: Predicate, start: int, count: int) -> None:
    store, space, rows = shelf.store, shelf.space, shelf.rows
    if isinstance(predicate, Comparison) and predicate.value == "ID OF 3":
        predicate = Comparison(Pseudo.ID, "eq", rows[3].stored.id, "text", predicate.case_exact)
    expected = [row.stored.id for row in rows if holds(predicate, row)]
    page = store.space.page(space, predicate, start=start, count=count)
    assert page.total == len(expected)
    assert [one.id for one in page.objects] == expected[start - 1 : start - 1 + count]
    assert store.space.count(space, predicate) == len(expected)


def test_the_model_is_not_trivial(shelf: Shelf) -> None:
    assert 60 < len(shelf.rows) < 80
    assert 0 < sum(holds(Comparison("plain", "co", "a"), row) for row in shelf.rows) < len(shelf.rows)


def test_values_are_bound_and_never_read_as_patterns_or_sql(store: Store, people: Space) -> None:
    hostile = ["%", "_", "*", "?", "' OR 1=1 --", '"); DROP TABLE objects; --', "\\", "[a-z]"]
    add(store, people, [a_write(text, attributes=json.dumps({"v": [text]}).encode()) for text in [*hostile, "plain"]])
    for text in hostile:
        for operator in ("eq", "co", "sw", "ew"):
            page = store.space.page(people, Comparison("v", operator, text), start=1, count=20)  # type: ignore[arg-type]
            contained = [one for one in hostile if text in one] if operator == "co" else [text]
            assert [one.anchor[0] for one in page.objects] == contained, (operator, text)
        assert store.space.count(people, Comparison(text, "eq", "x")) == 0
        assert store.space.count(people, KeyEquals(text, text)) == 0
    assert store.space.count(people) == len(hostile) + 1


def test_long_conditions_run_and_too_deep_ones_are_refused(store: Store, people: Space) -> None:
    done = add(store, people, [a_write(f"p{n}") for n in range(20)])
    many = AnyOf(tuple(KeyEquals("login", f"p{n}") for n in range(3000)))
    assert store.space.count(people, many) == 20
    tests = AnyOf(tuple(Comparison("login", "eq", f"P{n}") for n in range(1500)))
    assert store.space.count(people, tests) == 20
    deep: Predicate = Comparison(Pseudo.ID, "eq", done[3].id, case_exact=True)
    for n in range(MAX_DEPTH):
        deep = [AnyOf((deep, Constant(False))), All((deep, Constant(True))), Negated(Negated(deep))][n % 2]  # type: ignore[list-item]
    assert store.space.count(people, deep) == 1
    with pytest.raises(ValueError, match="deep"):
        store.space.count(people, Negated(deep))


def test_deep_conditions_on_elements_run(store: Store, people: Space) -> None:
    add(store, people, [a_write("jo", attributes=b'{"emails":[{"value":"a"},{"value":"b"}]}')])
    for outside in (0, 10, MAX_DEPTH - 2):
        part: Predicate = Comparison("value", "eq", "B")
        for n in range(MAX_DEPTH - 2 - outside):
            part = [AnyOf((part, Constant(False))), All((part, Present("value")))][n % 2]  # type: ignore[list-item]
        whole: Predicate = SomeElement("emails", part)
        for n in range(outside):
            whole = [AnyOf((whole, Constant(False))), All((whole, Constant(True)))][n % 2]  # type: ignore[list-item]
        assert store.space.count(people, whole) == 1
        with pytest.raises(ValueError, match="deep"):
            store.space.count(people, Negated(whole))


def test_members_of_an_element_are_not_what_the_host_keeps(store: Store, people: Space) -> None:
    [done] = add(store, people, [a_write("jo", attributes=b'{"emails":[{"#id":"x","#version":"7"}]}')])
    assert store.space.count(people, SomeElement("emails", Comparison(Pseudo.ID, "eq", "x"))) == 1
    assert store.space.count(people, SomeElement("emails", Comparison(Pseudo.ID, "eq", done.id))) == 0
    assert store.space.count(people, SomeElement("emails", Comparison(Pseudo.VERSION, "eq", "7"))) == 1
    for part in (KeyEquals("login", "jo"), LinkTo("boss", None), SomeElement("a", Present("b"))):
        with pytest.raises(ValueError, match="element"):
            store.space.count(people, SomeElement("emails", part))


def test_equalities_are_answered_by_an_index(store: Store, people: Space) -> None:
    key = KeyEquals("login", "p1")
    scan = Comparison("login", "co", "p")
    assert Condition(key, people.number).candidates is not None
    assert Condition(All((scan, key)), people.number).candidates is not None
    assert Condition(AnyOf((key, All((scan, LinkTo("boss", "x"))))), people.number).candidates is not None
    assert Condition(Comparison(Pseudo.ID, "eq", "x", case_exact=True), people.number).candidates is not None
    assert Condition(AnyOf((scan, key)), people.number).candidates is None
    assert Condition(Negated(key), people.number).candidates is None
    assert Condition(LinkTo("boss", None), people.number).candidates is None


def test_datetimes_compare_as_moments(store: Store, people: Space) -> None:
    add(store, people, [a_write("jo", attributes=b'{"hired":["2026-01-02T03:04:05Z"]}')])
    for value, operator, found in [
        ("2026-01-02T04:04:05+01:00", "eq", 1), ("2026-01-02T03:04:05.000Z", "eq", 1),
        ("2026-01-02T03:04:05.5Z", "lt", 1),
        ("2026-01-02T03:04:04Z", "gt", 1), ("2026-01-02T03:04:05Z", "gt", 0), ("2026-01-02T03:04:05Z", "ge", 1),
    ]:  # fmt: skip
        assert store.space.count(people, Comparison("hired", operator, value, "datetime")) == found, (value, operator)  # type: ignore[arg-type]
    assert store.space.count(people, Comparison(Pseudo.CREATED, "eq", NOW, "datetime")) == 1


def test_integers_of_any_length_compare_as_numbers(store: Store, people: Space) -> None:
    huge = "1" + "0" * 400
    add(store, people, [a_write("jo", attributes=b'{"pay":["%s"]}' % huge.encode())])
    add(store, people, [a_write("al", attributes=b'{"pay":[5]}')])
    for value, operator, found in [(5, "gt", 1), (5, "ge", 2), (10**500, "lt", 1), (-(10**500), "gt", 2)]:
        assert store.space.count(people, Comparison("pay", operator, value, "number")) == found, operator  # type: ignore[arg-type]
