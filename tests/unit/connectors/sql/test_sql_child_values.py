"""Values of child tables as their columns take them, and rows set aside during an import."""

from __future__ import annotations

import pytest

from isthmus.connectors.sql import values
from isthmus.connectors.sql.child import Bound, Child, Part
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.spool import Spool
from isthmus.connectors.sql.values import Codec
from isthmus.spi import AttributeDefinition, AttributeType, Complex, InvalidValue, Reference

TEXT = Codec(AttributeType.STRING, str, values.check_text, values.parse_text)
NUMBER = Codec(AttributeType.INTEGER, int, values.check_integer(-9, 9), values.parse_integer)


def column(name: str, codec: Codec = TEXT, *, has_default: bool = False, **definition: bool) -> Column:
    return Column(
        definition=AttributeDefinition(name=name, type=codec.type, **definition),
        codec=codec,
        fold=values.fold_letters,
        has_default=has_default,
    )


def child(kind: AttributeType, *columns: Column, names: tuple[str, ...] = ()) -> Child:
    return Child(
        definition=AttributeDefinition(name="a", type=kind, multivalued=True, reference_to="person"),
        schema=None,
        table="t",
        owner=(column("owner"),),
        values=columns,
        names=names or tuple(c.name for c in columns),
    )


MAILS = child(
    AttributeType.COMPLEX,
    column("address", required=True),
    column("kind"),
    column("rank", NUMBER, has_default=True),
    column("id", NUMBER, readonly=True),
    names=("value", "type", "rank", "id"),
)


def test_a_new_value_leaves_to_the_database_what_it_makes() -> None:
    bound = MAILS.bound(Complex({"value": "a@x", "id": 5}))
    assert bound == Bound((Part.GIVEN, Part.NOTHING, Part.LEFT_OUT, Part.LEFT_OUT), ("a@x", None, None, None))


def test_a_stored_value_is_known_by_all_it_has() -> None:
    bound = MAILS.located(Complex({"value": "a@x", "id": 5}))
    assert bound == Bound((Part.GIVEN, Part.NOTHING, Part.NOTHING, Part.GIVEN), ("a@x", None, None, 5))
    assert MAILS.located(Complex({"value": 7})) is None
    assert MAILS.located("a@x") is None


@pytest.mark.parametrize(
    "value", ["a@x", Complex({}), Complex({"type": "work"}), Complex({"value": "a", "no": "b"}), Reference(("a",))]
)
def test_a_value_that_does_not_fit_names_the_attribute(value: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        MAILS.bound(value)
    assert caught.value.attribute == "a"


def test_rows_become_values_without_the_parts_they_lack_and_each_once() -> None:
    rows = [("a@x", None, "1", "2"), (None, None, None, None), ("a@x", None, "1", "2")]
    assert MAILS.decoded(rows) == (Complex({"value": "a@x", "rank": 1, "id": 2}),)


def test_a_reference_is_the_key_by_the_case_rule_of_what_it_points_at() -> None:
    members = child(AttributeType.REFERENCE, column("login"), column("n", NUMBER))
    assert members.decoded([("Ann", "1"), ("ANN", "1"), (None, "1")]) == (Reference(("ann", "1"), "person"),)
    assert members.bound(Reference(("ann", "1"))).values == ("ann", 1)
    for wrong in (Reference(("ann",)), Reference(("ann", "x")), "ann", Complex({"login": "ann"})):
        assert members.located(wrong) is None


@pytest.mark.parametrize("size", [0, 1, 50_000])
def test_rows_set_aside_come_back_in_their_order(size: int) -> None:
    rows = [(f"ä{n}" * 20, None, n, b"\x00") for n in range(size)]
    with Spool() as spool:
        for start in range(0, size, 999):
            spool.write(rows[start : start + 999])
        assert list(spool.rows()) == rows
