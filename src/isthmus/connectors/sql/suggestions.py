"""What the wizard can offer: tables and views with a primary key, and the references between them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.engine.reflection import ObjectKind

from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.reflecting import inspected
from isthmus.connectors.sql.settings import ReferenceColumn, SqlObjectType
from isthmus.spi import Call, Suggestion


def suggest(database: Database, call: Call) -> Mapping[str, Suggestion]:
    schema = database.settings.schema
    with inspected(database, call) as inspector:
        schemas = sorted(name for name in inspector.get_schema_names() if name not in _SYSTEM)
        keys = inspector.get_multi_pk_constraint(schema, kind=ObjectKind.ANY)
        foreign = inspector.get_multi_foreign_keys(schema, kind=ObjectKind.ANY)
    anchors = {name: tuple(key["constrained_columns"]) for (_, name), key in keys.items() if key["constrained_columns"]}
    types = []
    for name in sorted(anchors):
        references = tuple(
            ReferenceColumn(column=key["constrained_columns"][0], object_type=key["referred_table"])
            for key in foreign.get((schema, name), ())
            if tuple(key["referred_columns"]) == anchors.get(key["referred_table"])
            and len(key["constrained_columns"]) == 1
            and key["constrained_columns"][0] not in anchors[name]
        )
        types.append(SqlObjectType(name=name, reference_columns=references))
    # The table that looks most like people first, then by name.
    types.sort(key=lambda each: not any(word in each.name.casefold() for word in _PEOPLE))
    return {
        "object_types": Suggestion(tuple(types), "tables that have a primary key"),
        "schema": Suggestion(tuple(schemas), "schemas that the account may see"),
    }


_SYSTEM = {"information_schema", "pg_catalog", "mysql", "performance_schema", "sys"}
_PEOPLE = ("person", "people", "user", "employee", "account", "staff", "member")
