"""What is wrong with a resource type's definition, and the nearest name that would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

Where = tuple[str | int, ...]
"""Keys from the resource type's own table down to the wrong one, for example `("flows", "userName", "attribute")`."""


class MappingProblem(Exception):
    """A definition that does not fit the target's object type or SCIM.

    `problems` holds every one that was found, `where` and `message` the first. The configuration loader adds file and
    line.
    """

    def __init__(self, problems: Iterable[tuple[Where, str]]) -> None:
        self.problems = tuple(problems)
        self.where, self.message = self.problems[0]
        super().__init__("; ".join(f"{'.'.join(map(str, where))}: {message}" for where, message in self.problems))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name most like this one, ignoring case, or None if none is alike."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    folded = name.casefold()
    if folded in by_folded:
        return by_folded[folded]
    # 0.55 finds "mail" for "emails" and "department" for "departmnet", and nothing for "PLACEHOLDER"
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.55)
    if close:
        return by_folded[close[0]]
    return next((by_folded[c] for c in by_folded if len(c) > 3 and (c in folded or folded in c)), None)


def nearest_hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing if no name is alike."""
    found = nearest(name, names)
    return "" if found is None else f"; did you mean {found!r}?"
