"""What a write will do, worked out before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.sql.child_writing import ChildChange, plan_change, plan_new
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.composites import spread, spread_changes
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.passwords import PasswordColumn
from isthmus.connectors.sql.statements import Change, ClearIfAll, Statements
from isthmus.spi import (
    AttributeChange,
    Attributes,
    AttributeType,
    Call,
    Identity,
    InvalidValue,
    NotFound,
    Secret,
    Unsupported,
    Value,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A write, ready to be sent.

    `changes` is empty for an insert; `returned` begins with the anchor. `children` are written after the object's own
    row, those of `shown` are read back. `renamed` holds new values of the anchor, by their place in it.
    """

    given: tuple[str, ...]
    changes: tuple[tuple[str, Change | ClearIfAll], ...]
    bound: Mapping[str, Any]
    returned: tuple[Column, ...]
    key: Mapping[str, Any]
    children: tuple[ChildChange, ...] = ()
    shown: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    renamed: Mapping[int, Value] | None = None

    @property
    def single(self) -> bool:
        """Whether it is about the object's own row and nothing else."""
        return not (self.children or self.shown)


def plan_create(
    layout: Layout, statements: Statements, attributes: Attributes, password: Secret | None, call: Call
) -> Plan:
    correlation = layout.object_type.correlation_attribute
    if correlation is not None and call.entry is not None and correlation not in attributes:
        attributes = {**attributes, correlation: (call.entry,)}
    children = tuple(
        plan_new(layout.children[name], values)
        for name, values in attributes.items()
        if values and name in layout.children
    )
    bound: dict[str, Any] = {}
    given = []
    own = spread(layout, {name: values for name, values in attributes.items() if name not in layout.children})
    for name, values in own.items():
        column = _writable(layout, name, values)
        if not values and column.definition.generated:
            continue  # no value given: the database makes one
        given.append(name)
        bound[statements.parameter(name)] = column.for_writing(values[0]) if values else None
    written = {name for name, values in own.items() if values}
    if password is not None:
        name = _password_column(layout).name
        given.append(name)
        written.add(name)
        bound[statements.parameter(name)] = _password_column(layout).for_writing(password)
    missing = [
        "password" if layout.password is not None and name == layout.password.name else name
        for name, column in layout.columns.items()
        if column.definition.required and name not in written
    ]
    if missing:
        raise InvalidValue(f"{layout.target} needs a value for {', '.join(missing)}", attribute=missing[0])
    given.sort()  # the same statement for the same attributes, whatever their order
    key = {f"k{n}": bound.get(statements.parameter(c.name)) for n, c in enumerate(layout.anchor)}
    # A new object has few values, if any: all that the host would like to see can be read.
    named = {change.child.name for change in children}
    shown = tuple(name for name in layout.children if name in named or name in call.wanted)
    return Plan(
        tuple(given),
        (),
        bound,
        _returned(layout, statements, [*given, *(name for name in attributes if name in layout.composites)], call),
        key,
        children,
        shown,
        tuple(name for name in attributes if name in layout.children and name not in shown),
    )


def plan_update(
    layout: Layout,
    statements: Statements,
    identity: Identity,
    changes: Sequence[AttributeChange],
    password: Secret | None,
    call: Call,
) -> Plan:
    located = layout.located(identity)
    if located is None:
        raise NotFound(f"{layout.target} has no such row")
    children = tuple(plan_change(layout.children[c.name], c) for c in changes if c.name in layout.children)
    kinds: dict[str, Change | ClearIfAll] = {}
    bound: dict[str, Any] = {f"k{n}": value for n, value in enumerate(located)}
    key = dict(bound)
    renamed: dict[int, Value] = {}
    positions = {column.name: n for n, column in enumerate(layout.anchor)}
    own, conditions = spread_changes(layout, identity, [c for c in changes if c.name not in layout.children])
    compared = {name for names in conditions.values() for name in names}
    for change in own:
        values = change.add if change.replace is None else change.replace
        column = _writable(layout, change.name, values)
        parameter = statements.parameter(change.name)
        if values:
            kinds[change.name] = Change.SET
            bound[parameter] = column.for_writing(values[0])
            if change.name in positions:
                key[f"k{positions[change.name]}"] = bound[parameter]
                renamed[positions[change.name]] = values[0]
            continue
        if column.definition.required:
            raise InvalidValue(f"{change.name} of {layout.target} needs a value", attribute=change.name)
        if change.replace is not None:
            kinds[change.name] = Change.CLEAR
        elif change.remove:
            bound[parameter] = column.for_writing(change.remove[0])
            if change.name in conditions:
                kinds[change.name] = ClearIfAll(conditions[change.name])
            elif change.name not in compared:
                kinds[change.name] = Change.CLEAR_IF
    if password is not None:
        name = _password_column(layout).name
        kinds[name] = Change.SET
        bound[statements.parameter(name)] = _password_column(layout).for_writing(password)
    named = sorted(kinds.items())
    touched = {change.child.name for change in children}
    replaced = {change.child.name for change in children if change.replace is not None}
    # References are many and are what was sent. Values are few, and the database trims, defaults and computes.
    shown = tuple(
        name
        for name, child in layout.children.items()
        if name in replaced or (child.type is not AttributeType.REFERENCE and (name in touched or name in call.wanted))
    )
    returned = _returned(layout, statements, [*kinds, *(c.name for c in changes if c.name in layout.composites)], call)
    return Plan((), tuple(named), bound, returned, key, children, shown, (), renamed)


def _password_column(layout: Layout) -> PasswordColumn:
    if layout.password is None:
        raise Unsupported(f"{layout.target} has no password column; name it in password_column")
    return layout.password


def _returned(layout: Layout, statements: Statements, named: Sequence[str], call: Call) -> tuple[Column, ...]:
    """Return the columns to read back: what was given, and what the host would like to see.

    Where it does not say, that is what the database makes. Another column may hold what cannot be read ('infinity'),
    or be kept from this account.
    """

    def choose() -> tuple[Column, ...]:
        wanted = sorted(name for name in call.wanted if name in layout.columns or name in layout.composites)
        return layout.readable([*_public(layout, named), *(_public(layout, wanted) or layout.made_by_target())])

    return statements.kept(("returned", tuple(named), tuple(call.wanted)), choose)


def _public(layout: Layout, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in layout.composites or not layout.column(name).definition.secret]


def _writable(layout: Layout, name: str, values: Sequence[Value]) -> Column:
    column = layout.column(name)
    if column.definition.readonly:
        raise InvalidValue(f"{name} of {layout.target} is computed by the database", attribute=name)
    if len(values) > 1:
        raise InvalidValue(f"{name} of {layout.target} takes one value, not {len(values)}", attribute=name)
    return column
