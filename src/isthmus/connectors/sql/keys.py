"""Primary, unique and foreign keys, as SQLAlchemy reflects them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint, ReflectedIndex
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from isthmus.connectors.sql.facts import ForeignKey, KeyFacts


def reflected_keys(inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
    primary = inspector.get_multi_pk_constraint(schema, tables, kind=ObjectKind.ANY)
    constraints = inspector.get_multi_unique_constraints(schema, tables, kind=ObjectKind.ANY)
    indexes = inspector.get_multi_indexes(schema, tables, kind=ObjectKind.ANY)
    foreign = inspector.get_multi_foreign_keys(schema, tables, kind=ObjectKind.ANY)
    found = {}
    for table in tables:
        at = (schema, table)
        key = primary.get(at)
        named: list[tuple[str | None, tuple[str, ...]]] = []
        if key is not None and key["constrained_columns"]:
            named.append((key["name"], tuple(key["constrained_columns"])))
        named += [(each["name"], tuple(each["column_names"])) for each in constraints.get(at, ())]
        named += [(index["name"], columns) for index in indexes.get(at, ()) if (columns := _unique_columns(index))]
        pointing = [(each["name"], tuple(each["constrained_columns"])) for each in foreign.get(at, ())]
        found[table] = KeyFacts(
            primary=tuple(key["constrained_columns"]) if key is not None else (),
            unique=tuple(columns for _, columns in named),
            constraints={name.casefold(): columns for name, columns in [*named, *pointing] if name},
            foreign=tuple(_foreign(each) for each in foreign.get(at, ())),
        )
    return found


def _foreign(found: ReflectedForeignKeyConstraint) -> ForeignKey:
    options = found.get("options", {})
    return ForeignKey(
        columns=tuple(found["constrained_columns"]),
        schema=found["referred_schema"],
        table=found["referred_table"],
        referred=tuple(found["referred_columns"]),
        update_cascades=options.get("onupdate") == "CASCADE",
        delete_cascades=options.get("ondelete") == "CASCADE",
    )


def _unique_columns(index: ReflectedIndex) -> tuple[str, ...]:
    """Return the columns of an index that keeps all rows unique; () if it does not, or only some of them."""
    options = index.get("dialect_options", {})
    partial = any(name.endswith("_where") and value is not None for name, value in options.items())
    names = index["column_names"]
    if not index["unique"] or partial or None in names:
        return ()
    return tuple(name for name in names if name is not None)
