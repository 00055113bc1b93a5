"""Writing the rows of a child table within the transaction that holds the owner's row.

Whoever adds a value holds the lock of the owner's row, so that two requests that add the same value come one after the
other, and the second finds it: also without a unique constraint. Values are compared by the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from isthmus.connectors.sql.child import Bound, Child, Part
from isthmus.connectors.sql.child_statements import ChildStatements
from isthmus.connectors.sql.database import Result, Statement
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.spi import AttributeChange, InvalidValue, MisconfiguredConnector, TargetRejected, Value

T = TypeVar("T")

BATCHES = (100, 10, 1)
"""Rows of one statement; few sizes, so that the statements are compiled once."""


@dataclass(frozen=True, slots=True)
class ChildChange:
    """What is to be done to the values of one object; `replace` None: only these are added and removed."""

    child: Child
    replace: tuple[Bound, ...] | None = None
    add: tuple[Bound, ...] = ()
    remove: tuple[Bound, ...] = ()


def plan_new(child: Child, values: Sequence[Value]) -> ChildChange:
    """Return the values of an object that is to be created."""
    _check_writable(child)
    return ChildChange(child, add=tuple(child.bound(value) for value in child.distinct(values)))


def plan_change(child: Child, change: AttributeChange) -> ChildChange:
    _check_writable(child)
    if change.replace is not None:
        return ChildChange(child, replace=tuple(child.bound(value) for value in child.distinct(change.replace)))
    remove = [child.located(value) for value in dict.fromkeys(change.remove)]
    return ChildChange(
        child,
        add=tuple(child.bound(value) for value in child.distinct(change.add)),
        remove=tuple(each for each in remove if each is not None),
    )


def _check_writable(child: Child) -> None:
    if child.definition.readonly:
        reason = child.obstacle or "the database computes it"
        raise InvalidValue(f"{child.name} of {child.target} cannot be written: {reason}", attribute=child.name)


Run = Callable[[Statement, Mapping[str, Any], str | None], Result]
"""Sends a statement; the text is added to what the audit shows of it, None: nothing is shown."""


class ChildWriter:
    """Writes the rows of one child table that belong to one object. Its errors name the attribute."""

    def __init__(self, statements: ChildStatements, child: Child, key: Sequence[Value], run: Run) -> None:
        self._statements = statements
        self._child = child
        self._run = run
        self._owner = child.owned_by(key)
        self._held = {f"h{n}": value for n, value in enumerate(self._owner)}
        self._given = {f"o{n}": value for n, value in enumerate(self._owner)}
        names = [column.name for column in child.owner]
        self._shared = [(n, names.index(c.name)) for n, c in enumerate(child.values) if c.name in names]

    def apply(self, change: ChildChange) -> None:
        with self._reported():
            if change.replace is not None:
                self._replace(change.replace)
                return
            if change.remove:
                self._remove([each for each in change.remove if self._fits(each)])
            for each in change.add:
                self._add(each)

    def insert(self, change: ChildChange) -> None:
        """Insert the values of an object that was just created."""
        with self._reported():
            self._insert(change.add, after=-1)

    def _add(self, value: Bound) -> None:
        self._check_fits(value)
        bound = {**self._given, **self._held, **_named("v", value), **_named("w", value)}
        if not self._run(self._statements.add(value.parts), bound, "").count:
            self._check_there([value])

    def _replace(self, wanted: Sequence[Bound]) -> None:
        if not wanted:
            self._run(self._statements.clear(), self._held, "")
            if self._stored():
                raise self._left_alone()
            return
        stored = self._stored()
        kept: list[Bound] = []
        new: list[Bound] = []
        for value in wanted:
            same = self._comparing(value.parts)
            if Part.LEFT_OUT in value.parts:
                found = next((key for key in stored if _project(key, same) == _project(value.values, same)), None)
            else:
                found = value.values if value.values in stored else None
            if found is None:
                self._check_fits(value)
                new.append(value)
            else:
                stored.pop(found)
                kept.append(value)
        if self._remove(list(stored.values())):
            # It took more than was meant: for the database some of them are equal to others.
            for value in wanted:
                self._add(value)
            return
        last = -1
        if self._child.counted and kept:
            number = self._run(self._statements.last_number(), self._held, "").rows[0][0]
            last = -1 if number is None else int(number)
        self._insert(new, after=last)

    def _stored(self) -> dict[tuple[Any, ...], Bound]:
        """Return what is there, by its values as columns take them; computed parts do not count."""
        decode = self._child.decoder()
        found: dict[tuple[Any, ...], Bound] = {}
        for row in self._run(self._statements.stored(), self._held, "").rows:
            value = decode(row)
            if value is None:
                continue
            located = self._child.located(value)
            if located is None:
                raise MisconfiguredConnector(
                    f"{self._child.target} holds a value of {self._child.name} that it would not take now; "
                    "correct the row"
                )
            key = tuple(
                None if column.definition.readonly else part
                for column, part in zip(self._child.values, located.values, strict=True)
            )
            found[key] = located
        return found

    def _comparing(self, parts: Sequence[Part]) -> list[int]:
        return [n for n, part in enumerate(parts) if part is not Part.LEFT_OUT]

    def _remove(self, values: Sequence[Bound]) -> bool:
        """Delete values; return whether more rows went than there were values."""
        more = False
        for n, batch in enumerate(batches(values, one_by_one=any(map(_is_large, values)))):
            bound = dict(self._held)
            for number, value in enumerate(batch):
                bound.update(_named(f"w{number}_", value))
            statement = self._statements.remove([value.parts for value in batch])
            count = self._run(statement, bound, beside_batch(n, len(values))).count
            if count < len(batch) and self._has_any(batch):
                raise self._left_alone()
            more |= count > len(batch)
        return more

    def _has_any(self, values: Sequence[Bound]) -> bool:
        bound = dict(self._held)
        for number, value in enumerate(values):
            bound.update(_named(f"w{number}_", value))
        return bool(self._run(self._statements.any_of([value.parts for value in values]), bound, "").rows)

    def _check_there(self, values: Sequence[Bound]) -> None:
        """Refuse values of which the database has inserted no row, and that are not there for another reason."""
        for value in values:
            if not self._has_any([value]):
                raise self._left_alone()

    def _left_alone(self) -> TargetRejected:
        return TargetRejected(
            f"{self._child.name} of {self._child.target}: the database leaves rows as they are and does not say why; a "
            "trigger, a rule or a policy for rows does that"
        )

    def _insert(self, values: Sequence[Bound], *, after: int) -> None:
        for value in values:
            self._check_fits(value)
        numbered = list(enumerate(values, start=after + 1))
        if len({value.parts for value in values}) > 1:
            numbered.sort(key=lambda each: [part.value for part in each[1].parts])  # fewer different statements
        for n, batch in enumerate(batches(numbered, one_by_one=any(map(_is_large, values)))):
            bound = dict(self._given)
            for row, (number, value) in enumerate(batch):
                bound[f"n{row}"] = number
                bound.update(_named(f"v{row}_", value))
            statement = self._statements.insert([value.parts for _, value in batch])
            if self._run(statement, bound, beside_batch(n, len(values))).count < len(batch):
                self._check_there([value for _, value in batch])

    def _fits(self, value: Bound) -> bool:
        """Whether columns that belong to both owner and value say the same in both."""
        return all(str(value.values[n]) == str(self._owner[at]) for n, at in self._shared)

    def _check_fits(self, value: Bound) -> None:
        if not self._fits(value):
            raise InvalidValue(
                f"{self._child.name} of {self._child.target}: owner and value share a column, and differ in it",
                attribute=self._child.name,
            )

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            failure.columns = (self._child.name,)
            # Somebody past this connector may have inserted the same row in between; then it is there when we look.
            failure.again = failure.kind is Kind.DUPLICATE
            raise


def _named(letter: str, value: Bound) -> dict[str, Any]:
    return {f"{letter}{n}": part for n, part in enumerate(value.values)}


def _project(values: Sequence[Any], at: Sequence[int]) -> list[Any]:
    return [values[n] for n in at]


def _is_large(value: Bound) -> bool:
    """Whether many such values could be more than a database takes at once (MariaDB's default is 16 MB)."""
    return any(isinstance(part, str | bytes) and len(part) > 10_000 for part in value.values)


def batches(values: Sequence[T], *, one_by_one: bool = False) -> Iterator[list[T]]:
    """Yield values in as many as one statement takes."""
    remaining = iter(values)
    left = len(values)
    for size in (1,) if one_by_one else BATCHES:
        for _ in range(left // size):
            yield list(islice(remaining, size))
        left %= size


def beside_batch(batch: int, values: int) -> str | None:
    """Return what the audit shows beside the first statement of several; None for the others."""
    if batch:
        return None
    return f" -- {values} values" if values > 1 else ""
