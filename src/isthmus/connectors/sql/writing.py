"""Writing: first a plan, which needs no database, then its statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.sql.database import Link, Result, Row, Statement
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.layout import Column, Layout
from isthmus.connectors.sql.reading import not_unique, one
from isthmus.connectors.sql.statements import Change, Statements
from isthmus.spi import (
    AttributeChange,
    Attributes,
    Call,
    ConnectorError,
    ConnectorObject,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Value,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A write, ready to be sent. `changes` is empty for an insert; `returned` begins with the anchor."""

    given: tuple[str, ...]
    changes: tuple[tuple[str, Change], ...]
    bound: Mapping[str, Any]
    returned: tuple[Column, ...]
    key: Mapping[str, Any]


def plan_create(layout: Layout, statements: Statements, attributes: Attributes, call: Call) -> Plan:
    correlation = layout.object_type.correlation_attribute
    if correlation is not None and call.entry is not None and correlation not in attributes:
        attributes = {**attributes, correlation: (call.entry,)}
    bound: dict[str, Any] = {}
    given = []
    for name, values in attributes.items():
        column = _writable(layout, name, values)
        if not values and column.definition.generated:
            continue  # no value given: the database makes one
        given.append(name)
        bound[statements.parameter(name)] = column.for_writing(values[0]) if values else None
    missing = [c.name for c in layout.columns.values() if c.definition.required and not attributes.get(c.name)]
    if missing:
        raise InvalidValue(f"{layout.target} needs a value for {', '.join(missing)}", attribute=missing[0])
    given.sort()  # the same statement for the same attributes, whatever their order
    key = {f"k{n}": bound.get(statements.parameter(c.name)) for n, c in enumerate(layout.anchor)}
    returned = _returned(layout, statements, given, call)
    return Plan(tuple(given), (), bound, returned, key)


def plan_update(
    layout: Layout, statements: Statements, identity: Identity, changes: Sequence[AttributeChange], call: Call
) -> Plan:
    located = layout.located(identity)
    if located is None:
        raise NotFound(f"{layout.target} has no such row")
    kinds: dict[str, Change] = {}
    bound: dict[str, Any] = {f"k{n}": value for n, value in enumerate(located)}
    key = dict(bound)
    positions = {column.name: n for n, column in enumerate(layout.anchor)}
    for change in changes:
        values = change.add if change.replace is None else change.replace
        column = _writable(layout, change.name, values)
        if values:
            kinds[change.name] = Change.SET
            bound[statements.parameter(change.name)] = column.for_writing(values[0])
            if change.name in positions:
                key[f"k{positions[change.name]}"] = bound[statements.parameter(change.name)]
            continue
        if column.definition.required:
            raise InvalidValue(f"{change.name} of {layout.target} needs a value", attribute=change.name)
        if change.replace is not None:
            kinds[change.name] = Change.CLEAR
        elif change.remove:
            kinds[change.name] = Change.CLEAR_IF
            bound[statements.parameter(change.name)] = column.for_writing(change.remove[0])
    named = sorted(kinds.items())
    returned = _returned(layout, statements, kinds, call)
    return Plan((), tuple(named), bound, returned, key)


def _returned(layout: Layout, statements: Statements, named: Iterable[str], call: Call) -> tuple[Column, ...]:
    """Return the columns to read back: what was given, what the database makes, what the host would like to see."""

    def choose() -> tuple[Column, ...]:
        wanted = sorted(name for name in call.wanted if name in layout.columns)
        return layout.readable([*_public(layout, named), *layout.made_by_target(), *_public(layout, wanted)])

    return statements.kept(("returned", tuple(named), tuple(call.wanted)), choose)


def _public(layout: Layout, names: Iterable[str]) -> list[str]:
    return [name for name in names if not layout.column(name).definition.secret]


def _writable(layout: Layout, name: str, values: Sequence[Value]) -> Column:
    column = layout.column(name)
    if column.definition.readonly:
        raise InvalidValue(f"{name} of {layout.target} is computed by the database", attribute=name)
    if len(values) > 1:
        raise InvalidValue(f"{name} of {layout.target} takes one value, not {len(values)}", attribute=name)
    return column


@contextmanager
def _done() -> Iterator[None]:
    """Mark errors of a write that has taken effect, though its result cannot be shown."""
    try:
        yield
    except NotFound:
        raise
    except ConnectorError as error:
        error.outcome_unknown = True
        raise


@dataclass(frozen=True, slots=True)
class Writer:
    """Sends plans over one connection. One statement by itself where that is enough, else a transaction."""

    layout: Layout
    statements: Statements
    link: Link
    call: Call

    def create(self, plan: Plan) -> ConnectorObject:
        layout = self.layout
        if layout.returns_inserted and not layout.triggers:
            result = self._run(self.statements.insert(plan.given, plan.returned), plan.bound)
            with _done():
                return self._written(self._one(plan.returned, result.rows))
        anchor = layout.anchor if layout.returns_inserted else ()
        self.link.begin(seconds=self._left())
        result = self._run(self.statements.insert(plan.given, anchor), plan.bound)
        if anchor:
            made = layout.object(anchor, result.rows[0])
            located = layout.located(made.identity) or []
            key = {f"k{n}": value for n, value in enumerate(located)}
        else:
            key = self._generated(plan, result)
        return self._finish(plan, key)

    def update(self, plan: Plan) -> ConnectorObject:
        layout = self.layout
        if not plan.changes:
            result = self._run(self.statements.read(plan.returned), plan.key)
            return self._existing(self._one(plan.returned, result.rows))
        if layout.returns_updated and layout.sure and not layout.triggers:
            result = self._run(self.statements.update(plan.changes, plan.returned), plan.bound)
            with _done():
                return self._existing(self._one(plan.returned, result.rows))
        self.link.begin(seconds=self._left())
        result = self._run(self.statements.update(plan.changes, ()), plan.bound)
        self._only_one(result)
        return self._finish(plan, plan.key)

    def delete(self, key: Sequence[Any]) -> None:
        bound = {f"k{n}": value for n, value in enumerate(key)}
        statement = self.statements.delete()
        if self.layout.sure:
            try:
                count = self._run(statement, bound).count
            except Failure as failure:
                if failure.kind is not Kind.BAD_VALUE:
                    raise
                count = 0  # no row can have such an anchor
            if count == 0:
                raise NotFound(f"{self.layout.target} has no such row")
            return
        self.link.begin(seconds=self._left())
        self._only_one(self._run(statement, bound))
        self.link.commit(seconds=self._left())

    def _one(self, columns: Sequence[Column], rows: Sequence[Row]) -> ConnectorObject | None:
        return one(self.layout, rows, self.statements.decoder(columns))

    def _run(self, statement: Statement, bound: Mapping[str, Any]) -> Result:
        self.call.sent(statement.text)
        return self.link.execute(statement, [bound[name] for name in statement.order], seconds=self._left())

    def _left(self) -> float:
        self.call.check()
        return self.call.remaining()

    def _finish(self, plan: Plan, key: Mapping[str, Any]) -> ConnectorObject:
        """Read what is there now, in the same transaction, and commit."""
        rows = self._run(self.statements.read(plan.returned), key).rows
        written = self._written(self._one(plan.returned, rows))
        self.link.commit(seconds=self._left())
        return written

    def _only_one(self, result: Result) -> None:
        if result.count == 1:
            return
        self.link.rollback(seconds=self._left())
        if result.count == 0:
            raise NotFound(f"{self.layout.target} has no such row")
        raise not_unique(self.layout)

    def _generated(self, plan: Plan, result: Result) -> dict[str, Any]:
        """Return the anchor where the database does not: MySQL tells the number of AUTO_INCREMENT, and nothing else."""
        key = dict(plan.key)
        for n, column in enumerate(self.layout.anchor):
            if key[f"k{n}"] is None:
                if column.name != self.layout.auto_increment or not result.generated:
                    raise MisconfiguredConnector(
                        f"{self.layout.target}: this server does not tell which value it made for {column.name}"
                    )
                key[f"k{n}"] = result.generated
        return key

    def _written(self, written: ConnectorObject | None) -> ConnectorObject:
        if written is None:
            raise MisconfiguredConnector(
                f"{self.layout.target}: the row cannot be read after it was written; a trigger, rule or policy hides it"
            )
        return written

    def _existing(self, updated: ConnectorObject | None) -> ConnectorObject:
        if updated is None:
            raise NotFound(f"{self.layout.target} has no such row")
        return updated
