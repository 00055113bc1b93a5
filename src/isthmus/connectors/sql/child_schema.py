"""Child tables: what the settings leave out is read from foreign keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from isthmus.connectors.sql.child import Child
from isthmus.connectors.sql.column_schema import column_of
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.facts import ColumnFacts, ForeignKey, TableFacts
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.pointing import missing_key
from isthmus.connectors.sql.settings import ChildTable
from isthmus.spi import AttributeDefinition, AttributeType, MisconfiguredConnector


def child_of(declared: ChildTable, owner: Layout, facts: TableFacts, layouts: Mapping[str, Layout]) -> Child:
    """Return the layout of one child table of an object type.

    Raises:
        MisconfiguredConnector: the settings name what is not there, or leave open what foreign keys do not tell.
    """
    known = {column.name: column for column in facts.columns}
    _check_names(declared, owner, known)
    owned = _owner_columns(declared, owner, facts)
    target = _target(declared, owner, facts, owned, layouts)
    names = _value_columns(declared, owner, facts, owned, target)
    obstacle = _obstacle(declared, facts, {*owned, *names})
    columns = {name: _column(known[name], declared, facts, writable=not obstacle) for name in (*owned, *names)}
    order = None
    if declared.order_column is not None:
        order = _column(known[declared.order_column], declared, facts, writable=not obstacle)
    values = tuple(columns[name] for name in names)
    if target is not None:
        # the text of a reference follows the case rule of the anchor that it points at
        values = tuple(c.pointing_at(anchor) for c, anchor in zip(values, target.anchor, strict=True))
    parts = declared.names or names
    return Child(
        definition=_definition(declared, values, parts, target, facts, obstacle),
        schema=facts.schema,
        table=facts.name,
        owner=tuple(columns[name].pointing_at(anchor) for name, anchor in zip(owned, owner.anchor, strict=True)),
        values=values,
        names=tuple(parts),
        order=order,
        counted=order is not None and _is_counted(known[order.name]),
        obstacle=obstacle,
    )


def _problem(declared: ChildTable, owner: Layout, text: str) -> MisconfiguredConnector:
    return MisconfiguredConnector(
        f"object type {owner.object_type.name}, child table {declared.table} ({declared.attribute}): {text}"
    )


def _check_names(declared: ChildTable, owner: Layout, known: Mapping[str, ColumnFacts]) -> None:
    named = {
        "owner_columns": declared.owner_columns,
        "columns": declared.columns,
        "order_column": (declared.order_column,) if declared.order_column is not None else (),
        "boolean_columns": tuple(c.column for c in declared.boolean_columns),
        "text_columns": declared.text_columns,
    }
    for setting, names in named.items():
        for name in names:
            if name not in known:
                raise _problem(
                    declared, owner, f"{setting} names {name}, which is not among its columns ({', '.join(known)})"
                )
    if declared.names and len(declared.names) != len(declared.columns):
        raise _problem(declared, owner, "names gives each of the columns a name; name as many as there are columns")
    if len(set(declared.names)) != len(declared.names):
        raise _problem(declared, owner, "two parts have the same name")


def _owner_columns(declared: ChildTable, owner: Layout, facts: TableFacts) -> tuple[str, ...]:
    anchor = owner.object_type.anchor
    if declared.owner_columns:
        if len(declared.owner_columns) != len(anchor):
            raise _problem(
                declared, owner, f"owner_columns must be as many as the anchor's columns ({', '.join(anchor)})"
            )
        return declared.owner_columns
    found = _pointing(facts, owner)
    if len(found) != 1:
        reason = "several foreign keys point" if found else "no foreign key points"
        raise _problem(
            declared, owner, f"{reason} at the anchor {', '.join(anchor)} of {owner.target}; name owner_columns"
        )
    return found[0].in_order_of(anchor)


def _pointing(facts: TableFacts, layout: Layout) -> list[ForeignKey]:
    return [key for key in facts.keys.foreign if key.points_at(layout.schema, layout.table, layout.object_type.anchor)]


def _target(
    declared: ChildTable, owner: Layout, facts: TableFacts, owned: Sequence[str], layouts: Mapping[str, Layout]
) -> Layout | None:
    """Return the object type that the values refer to, if they do."""
    if declared.reference_to:
        target = layouts.get(declared.reference_to)
        if target is None:
            raise _problem(declared, owner, f"reference_to names {declared.reference_to}, which is no object type")
        return target
    if declared.reference_to is not None:
        return None
    found = {}
    for name, layout in layouts.items():
        for key in _pointing(facts, layout):
            columns = key.in_order_of(layout.object_type.anchor)
            if set(columns) <= set(owned) or (declared.columns and declared.columns != columns):
                continue
            if not declared.columns and _others(declared, facts, {*owned, *columns}):
                continue  # more than a membership
            found[columns] = name
    if len(found) > 1:
        raise _problem(declared, owner, f"several foreign keys point at {', '.join(found.values())}; name columns")
    return layouts[next(iter(found.values()))] if found else None


def _others(declared: ChildTable, facts: TableFacts, used: set[str]) -> list[str]:
    """Return the further columns that would be parts of a value: not what the database makes by itself."""
    keys = set(facts.keys.primary)
    return [
        column.name
        for column in facts.columns
        if column.name not in used
        and column.name != declared.order_column
        and not column.computed
        and not (column.generated and (column.name in keys or column.codec.type is AttributeType.DATETIME))
    ]


def _value_columns(
    declared: ChildTable, owner: Layout, facts: TableFacts, owned: Sequence[str], target: Layout | None
) -> tuple[str, ...]:
    columns = declared.columns
    if target is not None:
        anchor = target.object_type.anchor
        if not columns:
            keys = [key.in_order_of(anchor) for key in _pointing(facts, target)]
            keys = [each for each in keys if not set(each) <= set(owned)]
            if len(keys) != 1:
                reason = "several foreign keys point" if keys else "no foreign key points"
                raise _problem(declared, owner, f"{reason} at {target.object_type.name}; name columns")
            columns = keys[0]
        if problem := missing_key(facts.keys.foreign, columns, target):
            raise _problem(
                declared, owner, f"{', '.join(columns)} refers to {target.object_type.name}, which {problem}"
            )
        if len(columns) != len(anchor):
            raise _problem(
                declared,
                owner,
                f"columns must be as many as {target.object_type.name} has in its anchor: {len(anchor)}",
            )
    columns = columns or tuple(_others(declared, facts, set(owned)))
    if not columns:
        raise _problem(declared, owner, "no column is left for the value; name columns")
    if len(set(columns)) != len(columns):
        raise _problem(declared, owner, "columns names a column twice")
    if target is None and (twice := set(columns) & set(owned)):
        raise _problem(declared, owner, f"{', '.join(sorted(twice))} cannot hold both owner and value")
    return columns


def _obstacle(declared: ChildTable, facts: TableFacts, used: set[str]) -> str:
    """Return why rows cannot be written; "" if they can."""
    if declared.read_only:
        return "read_only is set"
    if not (facts.insertable and facts.updatable):
        return "it is a view that takes no writes"
    for column in facts.columns:
        filled = column.name in used or column.generated or column.computed or column.nullable
        if not filled and not (column.name == declared.order_column and _is_counted(column)):
            return f"column {column.name} needs a value and is not among its columns"
    return ""


def _is_counted(column: ColumnFacts) -> bool:
    return column.codec.type is AttributeType.INTEGER and not column.generated and not column.computed


def _column(column: ColumnFacts, declared: ChildTable, table: TableFacts, *, writable: bool) -> Column:
    return column_of(
        column,
        booleans=declared.boolean_columns,
        as_text=column.name in declared.text_columns,
        writable=writable,
        unique=(column.name,) in table.keys.unique,
    )


def _definition(
    declared: ChildTable,
    values: Sequence[Column],
    parts: Sequence[str],
    target: Layout | None,
    facts: TableFacts,
    obstacle: str,
) -> AttributeDefinition:
    first = values[0].definition
    shared = AttributeDefinition(
        name=declared.attribute,
        multivalued=True,
        readonly=bool(obstacle),
        native_type=f"table {facts.name}",
        description=obstacle,
    )
    if target is not None:
        exact = all(column.definition.case_exact for column in target.anchor)
        return replace(shared, type=AttributeType.REFERENCE, reference_to=target.object_type.name, case_exact=exact)
    if len(values) > 1:
        of_parts = tuple(
            replace(column.definition, name=name, unique=False) for column, name in zip(values, parts, strict=True)
        )
        return replace(shared, type=AttributeType.COMPLEX, sub_attributes=of_parts)
    return replace(
        shared,
        type=first.type,
        readonly=bool(obstacle) or first.readonly,
        unique=first.unique,
        case_exact=first.case_exact,
        case_folding=first.case_folding,
        max_length=first.max_length,
        choices=first.choices,
    )
