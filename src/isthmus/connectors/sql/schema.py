"""Object types from tables and views: what the catalogue says, joined with what the settings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.engine.reflection import Inspector, ObjectKind

from isthmus.connectors.sql.booleans import boolean_codec
from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts, TableFacts
from isthmus.connectors.sql.layout import Column, Layout
from isthmus.connectors.sql.settings import SqlObjectType, SqlSettings
from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    MisconfiguredConnector,
    ObjectType,
    Operation,
)

_ALL = frozenset({Operation.IMPORT, Operation.LOOKUP})


def read_layouts(inspector: Inspector, database: Database) -> dict[str, Layout]:
    """Return every object type's layout, by name.

    Raises:
        MisconfiguredConnector: a table, column or primary key that the settings count on is not there.
    """
    settings = database.settings
    wanted = settings.object_types or _discovered(inspector, settings)
    by_schema: dict[str | None, list[SqlObjectType]] = {}
    for each in wanted:
        by_schema.setdefault(each.schema or settings.schema, []).append(each)
    layouts: dict[str, Layout] = {}
    for schema, types in by_schema.items():
        facts = _tables(inspector, database, schema, [t.table or t.name for t in types])
        for each in types:
            layouts[each.name] = _layout(each, facts[each.table or each.name], database)
    return {each.name: _referring(each, layouts[each.name], layouts) for each in wanted}


def _discovered(inspector: Inspector, settings: SqlSettings) -> tuple[SqlObjectType, ...]:
    keys = inspector.get_multi_pk_constraint(settings.schema, kind=ObjectKind.ANY)
    names = sorted(name for (_, name), key in keys.items() if key["constrained_columns"])
    return tuple(SqlObjectType(name=name) for name in names)


def _tables(
    inspector: Inspector, database: Database, schema: str | None, names: Sequence[str]
) -> dict[str, TableFacts]:
    columns = database.column_facts(inspector, schema, names)
    for name in names:
        if not columns.get(name):
            where = f" in schema {schema}" if schema else ""
            raise MisconfiguredConnector(
                f"there is no table or view {name}{where}, or the connector's account may not see it"
            )
    triggers, insertable, updatable = database.changing(inspector, schema)
    keys = database.keys(inspector, schema, names)
    views = {*inspector.get_view_names(schema)}
    if hasattr(inspector, "get_materialized_view_names") and inspector.dialect.name == "postgresql":
        views |= {*inspector.get_materialized_view_names(schema)}
    found = {}
    for name in names:
        found[name] = TableFacts(
            schema=schema,
            name=name,
            columns=columns[name],
            keys=keys.get(name, KeyFacts()),
            triggers=name in triggers,
            insertable=name not in views or name in insertable,
            updatable=name not in views or name in updatable,
        )
    return found


def _layout(declared: SqlObjectType, facts: TableFacts, database: Database) -> Layout:
    excluded = set(declared.excluded_columns)
    known = {column.name: column for column in facts.columns if column.name not in excluded}
    anchor = declared.anchor or facts.keys.primary
    if not anchor:
        raise MisconfiguredConnector(
            f"{facts.name} has no primary key; name the columns that identify a row in 'anchor' of {declared.name}"
        )
    _check_names(declared, known, anchor)
    columns = {
        name: _column(column, declared, facts, unique=(name,) in facts.keys.unique, in_anchor=name in anchor)
        for name, column in known.items()
    }
    operations = set(_ALL)
    if facts.insertable:
        operations.add(Operation.CREATE)
    if facts.updatable:
        operations |= {Operation.UPDATE, Operation.DELETE}
        if not any(known[name].computed for name in anchor):
            operations.add(Operation.RENAME)
    sure = any(set(key) <= set(anchor) for key in facts.keys.unique)
    return Layout(
        object_type=ObjectType(
            name=declared.name,
            anchor=tuple(anchor),
            attributes=tuple(column.definition for column in columns.values()),
            operations=frozenset(operations),
            correlation_attribute=declared.correlation_attribute,
        ),
        schema=facts.schema,
        table=facts.name,
        columns=columns,
        anchor=tuple(columns[name] for name in anchor),
        sure=sure,
        triggers=facts.triggers,
        # MariaDB names the check of a column after table and column.
        constraints={**facts.keys.constraints, **{f"{facts.name}.{name}".casefold(): (name,) for name in columns}},
        returns_inserted=database.returns_inserted,
        returns_updated=database.returns_updated,
        auto_increment=next((c.name for c in facts.columns if c.auto_increment), None),
    )


def _check_names(declared: SqlObjectType, known: Mapping[str, ColumnFacts], anchor: Sequence[str]) -> None:
    named = {
        "anchor": tuple(anchor),
        "boolean_columns": tuple(c.column for c in declared.boolean_columns),
        "reference_columns": tuple(c.column for c in declared.reference_columns),
        "secret_columns": declared.secret_columns,
        "text_columns": declared.text_columns,
        "correlation_attribute": (declared.correlation_attribute,) if declared.correlation_attribute else (),
    }
    for setting, names in named.items():
        for name in names:
            if name not in known:
                columns = ", ".join(known)
                raise MisconfiguredConnector(
                    f"object type {declared.name}: {setting} names {name}, which is not among its columns ({columns})"
                )
    if secret := set(anchor) & set(declared.secret_columns):
        raise MisconfiguredConnector(f"object type {declared.name}: the anchor {', '.join(secret)} cannot be secret")


def _column(facts: ColumnFacts, declared: SqlObjectType, table: TableFacts, *, unique: bool, in_anchor: bool) -> Column:
    codec, length = facts.codec, facts.max_length
    form = next((c for c in declared.boolean_columns if c.column == facts.name), None)
    if facts.name in declared.text_columns:
        codec = facts.text_codec
    elif form is not None:
        codec, length = boolean_codec(codec, form), None
    generated = (facts.generated and not facts.computed) or (facts.computed and in_anchor)
    readonly = facts.computed or not (table.insertable or table.updatable)
    definition = AttributeDefinition(
        name=facts.name,
        type=codec.type,
        required=not readonly and not generated and (not facts.nullable or in_anchor),
        readonly=readonly,
        generated=generated,
        unique=unique,
        case_exact=facts.case_exact,
        secret=facts.name in declared.secret_columns,
        max_length=length if codec.type in {AttributeType.STRING, AttributeType.BINARY} else None,
        native_type=facts.native,
    )
    return Column(
        definition=definition,
        codec=codec,
        fold=facts.fold,
        nullable=facts.nullable,
        has_default=facts.generated,
        comparable=facts.comparable,
        read_as=None if facts.name in declared.text_columns else facts.read_as,
    )


def _referring(declared: SqlObjectType, layout: Layout, layouts: Mapping[str, Layout]) -> Layout:
    """Return the layout with its references; their text follows the case rule of the anchor they point at."""
    if not declared.reference_columns:
        return layout
    columns = dict(layout.columns)
    for reference in declared.reference_columns:
        target = layouts.get(reference.object_type)
        if target is None or len(target.anchor) != 1:
            problem = "is not an object type" if target is None else "has an anchor of several columns"
            raise MisconfiguredConnector(
                f"object type {declared.name}: {reference.column} refers to {reference.object_type}, which {problem}"
            )
        column = columns[reference.column]
        definition = replace(
            column.definition,
            type=AttributeType.REFERENCE,
            reference_to=reference.object_type,
            case_exact=target.anchor[0].definition.case_exact,
            max_length=None,
        )
        columns[reference.column] = replace(column, definition=definition, fold=target.anchor[0].fold)
    object_type = replace(layout.object_type, attributes=tuple(c.definition for c in columns.values()))
    return replace(
        layout, columns=columns, object_type=object_type, anchor=tuple(columns[c.name] for c in layout.anchor)
    )
