"""Object types from tables and views: what the catalogue says, joined with what the settings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.engine.reflection import Inspector, ObjectKind

from isthmus.connectors.sql.child import Child
from isthmus.connectors.sql.child_schema import child_of
from isthmus.connectors.sql.choices import choices_by_column
from isthmus.connectors.sql.column_schema import column_of
from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts, TableFacts
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.passwords import password_column
from isthmus.connectors.sql.pointing import columns_of, dependents_of, referring
from isthmus.connectors.sql.settings import SqlObjectType, SqlSettings
from isthmus.spi import (
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
    places = {each.name: (each.schema or settings.schema, each.table or each.name) for each in wanted}
    children = {
        each.name: [(child.schema or places[each.name][0], child.table) for child in each.child_tables]
        for each in wanted
    }
    by_schema: dict[str | None, dict[str, None]] = {}
    for schema, table in [*places.values(), *(place for each in children.values() for place in each)]:
        by_schema.setdefault(schema, {})[table] = None
    facts = {
        (schema, name): found
        for schema, names in by_schema.items()
        for name, found in _tables(inspector, database, schema, list(names)).items()
    }
    layouts = {each.name: _layout(each, facts[places[each.name]], database) for each in wanted}
    layouts = {
        each.name: referring(each, layouts[each.name], layouts, facts[places[each.name]].keys.foreign)
        for each in wanted
    }
    layouts = {
        each.name: _with_children(
            layouts[each.name],
            [
                child_of(child, layouts[each.name], facts[place], layouts)
                for child, place in zip(each.child_tables, children[each.name], strict=True)
            ],
        )
        for each in wanted
    }
    return {
        name: replace(layout, dependents=dependents_of(layout, wanted, layouts, facts))
        for name, layout in layouts.items()
    }


def _with_children(layout: Layout, children: Sequence[Child]) -> Layout:
    taken = {a.name for a in layout.object_type.attributes}
    for child in children:
        if child.name in taken:
            raise MisconfiguredConnector(
                f"object type {layout.object_type.name} has two attributes {child.name}; call the one of the child "
                f"table {child.table} something else"
            )
        taken.add(child.name)
    attributes = (*layout.object_type.attributes, *(child.definition for child in children))
    return replace(
        layout,
        object_type=replace(layout.object_type, attributes=attributes),
        children={child.name: child for child in children},
    )


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
    checks = database.checks(inspector, schema, names)
    choices = {name: choices_by_column(found) for name, found in checks.items()}
    views = {*inspector.get_view_names(schema)}
    if hasattr(inspector, "get_materialized_view_names") and inspector.dialect.name == "postgresql":
        views |= {*inspector.get_materialized_view_names(schema)}
    found = {}
    for name in names:
        found[name] = TableFacts(
            schema=schema,
            name=name,
            columns=tuple(_with_choices(each, choices.get(name, {})) for each in columns[name]),
            keys=keys.get(name, KeyFacts()),
            triggers=name in triggers,
            insertable=name not in views or name in insertable,
            updatable=name not in views or name in updatable,
        )
    return found


def _with_choices(column: ColumnFacts, checked: Mapping[str, tuple[str, ...]]) -> ColumnFacts:
    found = checked.get(column.name.casefold())
    return column if found is None or column.choices else replace(column, choices=found)


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
        name: column_of(
            column,
            booleans=declared.boolean_columns,
            as_text=name in declared.text_columns,
            writable=facts.insertable or facts.updatable,
            secret=name in declared.secret_columns or name == declared.password_column,
            unique=(name,) in facts.keys.unique,
            in_anchor=name in anchor,
        )
        for name, column in known.items()
    }
    operations = set(_ALL)
    if facts.insertable:
        operations.add(Operation.CREATE)
    if facts.updatable:
        operations |= {Operation.UPDATE, Operation.DELETE}
        if not any(known[name].computed for name in anchor):
            operations.add(Operation.RENAME)
    password = None
    if declared.password_column:
        password = password_column(columns[declared.password_column], declared.password_hash, facts.name)
        operations.add(Operation.PASSWORD)
    sure = any(set(key) <= set(anchor) for key in facts.keys.unique)
    return Layout(
        object_type=ObjectType(
            name=declared.name,
            anchor=tuple(anchor),
            attributes=tuple(
                column.definition for column in columns.values() if column.name != declared.password_column
            ),
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
        password=password,
    )


def _check_names(declared: SqlObjectType, known: Mapping[str, ColumnFacts], anchor: Sequence[str]) -> None:
    named = {
        "anchor": tuple(anchor),
        "boolean_columns": tuple(c.column for c in declared.boolean_columns),
        "reference_columns": tuple(name for c in declared.reference_columns for name in columns_of(c)),
        "secret_columns": declared.secret_columns,
        "password_column": (declared.password_column,) if declared.password_column else (),
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
    if secret := set(anchor) & {*declared.secret_columns, declared.password_column}:
        raise MisconfiguredConnector(f"object type {declared.name}: the anchor {', '.join(secret)} cannot be secret")
