"""References within tables, and everything that holds the anchor of an object type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from isthmus.connectors.sql.child import Dependent
from isthmus.connectors.sql.column_schema import column_of
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.facts import ForeignKey, TableFacts
from isthmus.connectors.sql.layout import CompositeReference, Layout
from isthmus.connectors.sql.settings import ReferenceColumn, SqlObjectType
from isthmus.spi import AttributeDefinition, AttributeType, MisconfiguredConnector


def missing_key(foreign: Sequence[ForeignKey], columns: Sequence[str], target: Layout) -> str:
    """Return why columns never hold the anchor of an object type: their foreign key means another key of its table."""
    anchor = target.object_type.anchor
    held = [
        key.referred
        for key in foreign
        if set(key.columns) == set(columns) and key.points_at(target.schema, target.table, key.referred)
    ]
    if not held or any(set(referred) == set(anchor) for referred in held):
        return ""
    return (
        f"has the anchor {', '.join(anchor)}, while the foreign key holds {', '.join(held[0])}; make that its anchor, "
        "or leave the reference out"
    )


def columns_of(reference: ReferenceColumn) -> tuple[str, ...]:
    """Return the columns of a reference, one or several."""
    return reference.columns or ((reference.column,) if reference.column else ())


def referring(
    declared: SqlObjectType, layout: Layout, layouts: Mapping[str, Layout], foreign: Sequence[ForeignKey]
) -> Layout:
    """Return the layout with its references; their text follows the case rule of the anchor they point at."""
    if not declared.reference_columns:
        return layout
    columns = dict(layout.columns)
    composites: dict[str, CompositeReference] = {}
    for reference in declared.reference_columns:
        names = columns_of(reference)
        target = layouts.get(reference.object_type)
        problem = None
        if bool(reference.column) == bool(reference.columns):
            raise MisconfiguredConnector(f"object type {declared.name}: a reference names either column or columns")
        if target is None:
            problem = "is not an object type"
        elif len(target.anchor) != len(names):
            problem = f"has an anchor of {len(target.anchor)} columns"
        elif key := missing_key(foreign, names, target):
            problem = key
        if target is None or problem:
            raise MisconfiguredConnector(
                f"object type {declared.name}: {', '.join(names)} refers to {reference.object_type}, which {problem}"
            )
        if len(names) == 1:
            columns[names[0]] = _single(columns[names[0]], target)
        else:
            composite = _composite(reference, [columns[name] for name in names], target, layout.object_type.anchor)
            composites[composite.definition.name] = composite
    in_anchor = set(layout.object_type.anchor)
    hidden = frozenset(c.name for each in composites.values() for c in each.columns) - in_anchor
    for name in hidden:  # the reference itself says whether a value is needed
        columns[name] = replace(columns[name], definition=replace(columns[name].definition, required=False))
    no_attributes = hidden | {declared.password_column}
    attributes = [column.definition for name, column in columns.items() if name not in no_attributes]
    if twice := {a.name for a in attributes} & composites.keys():
        raise MisconfiguredConnector(f"object type {declared.name} has two attributes {', '.join(sorted(twice))}")
    attributes += [each.definition for each in composites.values()]
    return replace(
        layout,
        columns=columns,
        composites=composites,
        hidden=hidden,
        object_type=replace(layout.object_type, attributes=tuple(attributes)),
        anchor=tuple(columns[c.name] for c in layout.anchor),
    )


def _single(column: Column, target: Layout) -> Column:
    definition = replace(
        column.definition,
        type=AttributeType.REFERENCE,
        reference_to=target.object_type.name,
        case_exact=target.anchor[0].definition.case_exact,
        max_length=None,
        choices=(),
    )
    return replace(column.pointing_at(target.anchor[0]), definition=definition)


def _composite(
    reference: ReferenceColumn, columns: Sequence[Column], target: Layout, anchor: Sequence[str]
) -> CompositeReference:
    names = [column.name for column in columns]
    return CompositeReference(
        AttributeDefinition(
            name=reference.attribute or "_".join(names),
            type=AttributeType.REFERENCE,
            required=any(c.definition.required for c in columns if c.name not in anchor),
            readonly=any(c.definition.readonly for c in columns if c.name not in anchor),
            case_exact=all(c.definition.case_exact for c in target.anchor),
            reference_to=reference.object_type,
            native_type=", ".join(c.definition.native_type for c in columns),
        ),
        tuple(c.pointing_at(anchor) for c, anchor in zip(columns, target.anchor, strict=True)),
    )


def dependents_of(
    layout: Layout,
    wanted: Iterable[SqlObjectType],
    layouts: Mapping[str, Layout],
    facts: Mapping[tuple[str | None, str], TableFacts],
) -> tuple[Dependent, ...]:
    """Return all columns of this connector's tables that hold an anchor of the object type, each set of them once."""
    found: dict[tuple[str | None, str, tuple[str, ...]], Dependent] = {}
    for holder, columns, owned in _holding(layout, wanted, layouts):
        names = tuple(column.name for column in columns)
        key = next(
            (
                each
                for each in facts[holder].keys.foreign
                if set(each.columns) == set(names)
                and each.points_at(layout.schema, layout.table, layout.object_type.anchor)
            ),
            None,
        )
        dependent = Dependent(
            schema=holder[0],
            table=holder[1],
            columns=tuple(columns),
            moved=key is None or not key.update_cascades,
            removed=owned and (key is None or not key.delete_cascades),
            enforced=key is not None,
            whole=_whole(facts[holder]) if owned else (),
        )
        if dependent.moved or dependent.removed:
            found.setdefault((*holder, names), dependent)
    return tuple(found.values())


def _whole(facts: TableFacts) -> tuple[Column, ...]:
    """Return the columns that make up a row; none if another table refers to it, or a column is not fully known."""
    if facts.keys.referred or any(c.computed and c.codec.type is AttributeType.BINARY for c in facts.columns):
        return ()
    return tuple(
        column_of(column, booleans=(), as_text=False, writable=True) for column in facts.columns if not column.computed
    )


def _holding(
    layout: Layout, wanted: Iterable[SqlObjectType], layouts: Mapping[str, Layout]
) -> Iterator[tuple[tuple[str | None, str], Sequence[Column], bool]]:
    """Yield the table, the columns, and whether its rows go with the object."""
    name = layout.object_type.name
    for each in wanted:
        other = layouts[each.name]
        for child in other.children.values():
            if child.obstacle:
                continue
            if other is layout:
                yield (child.schema, child.table), child.owner, True
            if child.definition.reference_to == name:
                yield (child.schema, child.table), child.values, True
        for reference in each.reference_columns:
            columns = [other.columns[column] for column in columns_of(reference)]
            if reference.object_type == name and not any(c.definition.readonly for c in columns):
                yield (other.schema, other.table), columns, False
