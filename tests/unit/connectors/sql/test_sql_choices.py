"""What a column's ENUM or CHECK says about the only values that it takes."""

from __future__ import annotations

import pytest

from isthmus.connectors.sql.choices import checked, choices_by_column, words_of


@pytest.mark.parametrize(
    ("constraint", "column", "words"),
    [
        ("status IN ('new', 'left')", "status", ("new", "left")),
        ("(\"My Status\" in ('it''s','a, b'))", "My Status", ("it's", "a, b")),
        ("`status` in ('a','b')", "status", ("a", "b")),
        ("(`status` in (_utf8mb4'a',_utf8mb4'b'))", "status", ("a", "b")),
        ("status IN ('a') OR status IS NULL", "status", ("a",)),
        ("status = ANY (ARRAY['a'::text, 'b'::text])", "status", ("a", "b")),
        (
            "status::text = ANY (ARRAY['a'::character varying, 'b'::character varying(10)]::text[])",
            "status",
            ("a", "b"),
        ),
        ("((kind)::text = ANY ((ARRAY['x::text'::character varying])::text[]))", "kind", ("x::text",)),
    ],
)
def test_a_list_of_words(constraint: str, column: str, words: tuple[str, ...]) -> None:
    assert checked(constraint) == (column, words)


@pytest.mark.parametrize(
    "constraint",
    [
        "",
        "status NOT IN ('a', 'b')",
        "status <> 'a'",
        "length(status) IN ('a', 'b')",
        "status IN ('a') AND kind IN ('b')",
        "status IN ('a') OR kind = 'x'",
        "age IN (1, 2)",
        "lower(status) in ('a')",
        "json_valid(`status`)",
        "status <> ALL (ARRAY['a'::text])",
        r"status in ('a\'b')",
        "status in ('a",
        "\x000 in (\x000)",
    ],
)
def test_anything_else_says_nothing(constraint: str) -> None:
    assert checked(constraint) is None


def test_an_enum() -> None:
    assert words_of("enum('small','it''s','')") == ("small", "it's", "")
    assert words_of(r"enum('a\\b','c')") == ()


def test_several_constraints_allow_what_each_of_them_does() -> None:
    found = choices_by_column(["A in ('x', 'y', 'z')", "a in ('y', 'z')", "b <> 'x'", "c in ('q')"])
    assert found == {"a": ("y", "z"), "c": ("q",)}
