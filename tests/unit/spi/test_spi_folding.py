"""Text folded letter by letter."""

from __future__ import annotations

import pytest

from isthmus.spi import folding


@pytest.mark.parametrize("text", ["ANN", "ÄÖÜß", "ΓΙΩΡΓΟΣ", "Ж", "\U00010400", "名前 Ab"])
def test_capitals_are_their_small_letters(text: str) -> None:
    assert folding.fold_letters(text) == "".join(letter.lower() for letter in text)


@pytest.mark.parametrize(
    ("one", "other"), [("ß", "ss"), ("\u212a", "k"), ("İ", "i"), ("\u0131", "i"), ("ﬁ", "fi"), ("é", "e")]
)
def test_nothing_else_becomes_alike(one: str, other: str) -> None:
    assert folding.fold_letters(one) != folding.fold_letters(other)


def test_what_is_remembered_is_bounded() -> None:
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    once = folding.fold_letters(every)
    assert folding.fold_letters(once) == once
    assert len(folding._LETTERS) < 15_000
