"""Generated people are the same every time, and unique."""

from __future__ import annotations

import re
from uuid import UUID

from isthmus.demo.people import generate


def test_the_same_seed_gives_the_same_people_and_more_people_begin_with_them() -> None:
    assert generate(50) == generate(50)
    assert generate(80)[:50] == generate(50)
    assert generate(50) != generate(50, seed=9)


def test_logins_are_unique_and_fit_everywhere() -> None:
    people = generate(5000)
    assert len({person.login for person in people}) == 5000
    assert all(re.fullmatch(r"[a-z]+[0-9]*", person.login) for person in people)
    assert any(not (person.first + person.last).isascii() for person in people)


def test_rows_have_the_tutorial_columns() -> None:
    row = generate(1)[0].row()
    expected = ["ContosoLogin", "FirstName", "LastName", "Email", "InternalGUID", "AzureID", "textID", "Disabled"]
    assert list(row) == expected
    assert UUID(str(row["AzureID"])).version == 4


def test_addresses_belong_to_nobody() -> None:
    # RFC 2606: names under .example are never given out.
    assert all(person.email.endswith(".example") for person in generate(100))
