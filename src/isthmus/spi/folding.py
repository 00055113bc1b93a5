"""Text in which case does not count, letter by letter."""

from __future__ import annotations


def fold_letter(letter: str) -> str:
    """Return what `fold_letters` makes of one letter."""
    lower = letter.lower()
    return lower if len(lower) == 1 and lower.upper() == letter else letter


_KEPT = 0x3000
"""Below are alphabets; what lies above has hardly any capitals, and all of it would take 200 MB."""


class _Letters(dict[int, str]):
    """What letters fold to, found out when they are met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        folded = fold_letter(letter)
        if code < _KEPT or folded != letter:
            self[code] = folded
        return folded


_LETTERS = _Letters()


def fold_letters(text: str) -> str:
    """Fold every letter that has one lower and one upper form, as citext and the *_ci collations do.

    Nothing else becomes alike: "ß" is not "ss", nor the Kelvin sign "k", as they are by Unicode's full case folding.
    """
    return text.lower() if text.isascii() else text.translate(_LETTERS)
