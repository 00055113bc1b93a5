"""Filters on attributes made of parts: what they are bound to, and the same answer in Python as in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from composite_samples import c, persons
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mapping_samples import OWN, bind

from drawing import examples
from isthmus.engine.filtering import predicate_of
from isthmus.mapping.bound import (
    FALSE,
    BoundAnd,
    BoundComparison,
    BoundElement,
    BoundFilter,
    BoundNot,
    BoundOr,
    BoundPresence,
)
from isthmus.mapping.judging import holds
from isthmus.scim.errors import InvalidFilter, ScimError
from isthmus.spi import Complex
from isthmus.store import ObjectWrite, Store

RT = persons()


def text(part: str, operator: Any, value: str) -> BoundComparison:
    return BoundComparison(part, operator, value, "text", False, False, value)


WORK, X = text("type", "eq", "work"), text("value", "eq", "x")


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('emails[type eq "work" and value sw "x"]', BoundAnd((WORK, text("value", "sw", "x")))),
        ('EMAILS[Type EQ "work" and not (value eq "x")]', BoundAnd((WORK, BoundNot(X)))),
        ('emails[type eq "work"].value eq "x"', BoundAnd((WORK, X))),
        ('emails.value eq "x"', X),
        ('emails eq "x"', X),
        ("emails.value pr", BoundPresence("value")),
        ("emails[value pr]", BoundPresence("value")),
        ("emails[primary eq true]", BoundComparison("primary", "eq", True, "boolean", native=True)),
        (f'{OWN}:emails.value eq "x"', X),
        (f'{OWN}:emails[value eq "x"]', X),
    ],
)
def test_binding(filter: str, expected: BoundFilter) -> None:
    assert bind(RT, filter) == BoundElement("emails", expected)


def test_more_binding() -> None:
    assert bind(RT, 'emails.value ne "x"') == BoundNot(BoundElement("emails", X))
    assert bind(RT, "emails.value eq null") == BoundNot(BoundElement("emails", BoundPresence("value")))
    assert bind(RT, 'emails[value ne "x"]') == BoundElement("emails", text("value", "ne", "x"))
    assert bind(RT, 'emails[value eq ""]') == FALSE
    assert bind(RT, 'addresses.locality eq "x"') == BoundElement("addresses", text("locality", "eq", "x"))
    assert bind(RT, 'name.givenName sw "x"') == BoundElement("FullName", text("givenName", "sw", "x"))
    assert bind(RT, 'phoneNumbers[type eq "x"]') == BoundElement("Telephones", text("kind", "eq", "x"))
    assert bind(RT, f'{OWN}:Telephones.row eq "no number"') == FALSE
    found = bind(RT, "name pr")
    assert isinstance(found, BoundElement)
    assert isinstance(found.part, BoundOr)


@pytest.mark.parametrize(
    ("filter", "says"),
    [
        ('emails.colour eq "x"', "not in the schema"),
        ('emails[valeu eq "x"]', "did you mean 'value'"),
        ('roles[type eq "x"]', "not mapped"),
        ('roles.display eq "x"', "not mapped"),
        ('addresses eq "x"', "parts"),
        ('name[givenName eq "x"]', "one value"),
        ('name eq "x"', "parts"),
        ('emails[primary gt "x"]', "eq and ne"),
        (f"{OWN}:Facts[seal co 1]", "cannot be compared"),
        (f"{OWN}:Facts[colour pr]", "not in the schema"),
    ],
)
def test_what_cannot_be_filtered_by(filter: str, says: str) -> None:
    with pytest.raises(ScimError) as caught:
        bind(RT, filter)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    assert says in caught.value.detail


# -- in the store as in Python

_EAST = timezone(timedelta(hours=2))
FACTS = [
    c(text="a", whole=1, share=Decimal("1.5"), on=True, since=datetime(2025, 1, 2, 3, tzinfo=UTC), seal=b"\0\1"),
    c(text="A", whole=-1, share=Decimal(1), on=False, since=datetime(2025, 1, 2, 5, tzinfo=_EAST)),
    c(text="straße", share=Decimal("12345678901234567890.5")),
    c(text="STRASSE", whole=2**63, since=datetime(2025, 1, 2, 3)),
    c(text='qu"ote\\', whole=2**53 + 1, share=Decimal(9007199254740993)),
    c(whole=0, share=Decimal("0.00"), on=True),
    c(text="😀x", seal=b""),
    c(text=""),
    c(seal=b"\xff" * 9),
]
LITERALS = {
    "text": ['"a"', '"A"', '"strasse"', '""', '"ß"', '"\\""', '"x"', "null"],
    "whole": ["0", "1", "-1", '"2"', str(2**53 + 1), str(2**63), "null", '"abc"'],
    "share": ["1.5", "1", '"9007199254740993"', '"12345678901234567890.5"', "0"],
    "on": ["true", "false", '"True"'],
    "since": ['"2025-01-02T03:00:00Z"', '"2025-01-02T04:00:00+01:00"', '"2025-01-02T03:00:00.5Z"', '"2024-01-01"'],
    "seal": ['"AAE="', '"AAE"', '""'],
}
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


class Shelf:
    """Not a dataclass: Hypothesis would print it whole."""

    def __init__(self, store: Store, people: list[tuple[Complex, ...]]) -> None:
        self.store, self.people = store, people
        self.space = store.space.ensure("hr", "Persons")
        writes = [
            ObjectWrite(
                anchor=(f"p{n}",),
                dn=None,
                attributes=RT.encode({"Facts": facts}),
                scim=b"{}",
                shape=1,
                canonical=n,
                keys=[],
                links=[],
            )
            for n, facts in enumerate(people)
        ]
        store.space.apply(self.space, writes, noted=None, now="2026-01-02T03:04:05.000Z")

    def found(self, condition: BoundFilter) -> set[int]:
        page = self.store.space.page(
            self.space, predicate_of(condition, RT, lambda _: None), start=1, count=len(self.people)
        )
        return {int(one.anchor[0][1:]) for one in page.objects}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder: Path = tmp_path_factory.mktemp("composites")
    people: list[tuple[Complex, ...]] = [()]
    people += [(one,) for one in FACTS]
    people += [(FACTS[n], FACTS[(n * 3 + 1) % len(FACTS)]) for n in range(len(FACTS))]
    with Store.open(folder) as store:
        yield Shelf(store, people)


def judged(condition: BoundFilter, facts: tuple[Complex, ...]) -> bool:
    """Work out a filter over one object in Python."""
    match condition:
        case BoundElement(part=part):
            return any(holds(part, one) for one in facts)
        case BoundAnd(parts=parts):
            return all(judged(part, facts) for part in parts)
        case BoundOr(parts=parts):
            return any(judged(part, facts) for part in parts)
        case BoundNot(part=part):
            return not judged(part, facts)
        case _:
            assert condition == FALSE or condition.value is True  # type: ignore[union-attr]
            return condition != FALSE


comparisons = st.sampled_from(list(LITERALS)).flatmap(
    lambda part: st.one_of(
        st.builds("{} {} {}".format, st.just(part), st.sampled_from(OPERATORS), st.sampled_from(LITERALS[part])),
        st.just(f"{part} pr"),
    )
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    )


within = st.recursive(comparisons, nested, max_leaves=4)
filters = st.recursive(
    st.one_of(
        st.builds(f"{OWN}:Facts[{{}}]".format, within),
        st.builds(f"{OWN}:Facts.{{}}".format, comparisons),
        st.just(f"{OWN}:Facts pr"),
    ),
    nested,
    max_leaves=3,
)


@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(filter=filters)
def test_the_store_finds_what_python_finds(shelf: Shelf, filter: str) -> None:
    try:
        condition = bind(RT, filter)
    except InvalidFilter:
        return
    assert shelf.found(condition) == {n for n, facts in enumerate(shelf.people) if judged(condition, facts)}


def test_one_element_must_fulfil_the_whole_filter(shelf: Shelf) -> None:
    def people(*texts: str) -> set[int]:
        [found] = {frozenset(shelf.found(bind(RT, text))) for text in texts}
        return set(found)

    both = people(f'{OWN}:Facts[text eq "a" and whole eq 1]')
    assert both == {n for n, facts in enumerate(shelf.people) if FACTS[0] in facts}
    assert people(f'{OWN}:Facts.text eq "strasse" and {OWN}:Facts.whole eq -1')
    assert not people(f'{OWN}:Facts[text eq "strasse" and whole eq -1]')
    assert 0 not in people(f"{OWN}:Facts pr")
