"""PostgreSQL's catalogue: types, collations, generated columns, triggers, views that can be written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DBAPIError

from isthmus.connectors.sql import values
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts
from isthmus.connectors.sql.keys import reflected_keys
from isthmus.connectors.sql.values import Codec
from isthmus.spi import AttributeType, Value

_COLUMNS = sa.text("""
WITH RECURSIVE wanted AS (
  SELECT c.relname, c.relkind, a.*, n.nspname FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY(:tables)
    AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
), base AS (
  SELECT attrelid, attnum, atttypid AS type, atttypmod AS modifier, false AS strict, false AS filled FROM wanted
  UNION ALL
  SELECT attrelid, attnum, t.typbasetype, CASE WHEN t.typtypmod = -1 THEN modifier ELSE t.typtypmod END,
         strict OR t.typnotnull, filled OR t.typdefault IS NOT NULL
  FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
)
SELECT w.relname, w.attname, format_type(w.atttypid, w.atttypmod) AS native,
       format_type(b.type, b.modifier) AS base, t.typname, w.attnotnull OR b.strict AS required,
       w.atthasdef AND w.attgenerated = '' OR b.filled AS has_default, w.attidentity,
       EXISTS (SELECT 1 FROM pg_attrdef d WHERE d.adrelid = w.attrelid AND d.adnum = w.attnum
               AND split_part(pg_get_expr(d.adbin, d.adrelid), '::', 1) = '''''') AS empty_default,
       w.attgenerated <> '' OR w.relkind = 'v' AND NOT pg_column_is_updatable(w.attrelid, w.attnum, true) AS computed,
       ARRAY(SELECT CAST(enumlabel AS text) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) AS words,
       CASE WHEN t.typname = 'citext' THEN '::' || quote_ident(tn.nspname) || '.citext'
            WHEN NOT l.collisdeterministic
            THEN ' COLLATE ' || quote_ident(ln.nspname) || '.' || quote_ident(l.collname) END AS compared
FROM wanted w JOIN base b USING (attrelid, attnum) JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_collation l ON l.oid = w.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
ORDER BY w.attrelid, w.attnum
""")

# A view may stand on tables with triggers, and rows of a table may lie in its partitions and heirs.
_TRIGGERS = sa.text("""
WITH RECURSIVE family AS (
  SELECT oid AS first, oid AS member FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'f')
  UNION
  SELECT first, i.inhrelid FROM family JOIN pg_inherits i ON i.inhparent = member
)
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'v' OR EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1')
       OR EXISTS (SELECT 1 FROM pg_trigger g JOIN family ON member = g.tgrelid
                  WHERE first = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'))
  AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
""")

_TABLES = sa.text("""
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'pg_catalog'
  AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
""")

_APART = """
SELECT capital FROM unnest(CAST(:capitals AS text[]), CAST(:small AS text[])) AS pairs (capital, small)
WHERE capital{how} <> small{how}
"""

_HEIRS = sa.text("""
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid)
  AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
""")

_VIEWS = sa.text("""
SELECT c.relname, pg_relation_is_updatable(c.oid, true) AS events
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
""")

_INSERT, _UPDATE = 8, 4  # bits of pg_relation_is_updatable: 1 << CmdType

_RANGES = {"int2": 15, "int4": 31, "int8": 63}
_WITHOUT_EQUALITY = {"json", "xml", "point", "box", "path", "polygon", "line", "circle"}
_ARGUMENTS = re.compile(r"\((\d+)(?:,(-?\d+))?\)")


def _decode_boolean(text: str) -> bool:
    if text not in {"t", "f"}:
        raise values.Unreadable("it is not a boolean")
    return text == "t"


def _encode_boolean(value: Value) -> str:
    return "true" if values.check_boolean(value) else "false"


def _decode_binary(text: str) -> bytes:
    return bytes.fromhex(text[2:])  # \x...


def _encode_binary(value: Value) -> str:
    return "\\x" + values.check_binary(value).hex()


def _encode_uuid(value: Value) -> str:
    try:
        return str(uuid.UUID(values.check_text(value)))
    except ValueError:
        raise values.Unfit("it is not a UUID") from None


def _decode_datetime(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise values.Unreadable("it is infinite or outside the years 1 to 9999") from None


def _as_text(check: Callable[[Value], Any]) -> Callable[[Value], str]:
    """Bind as text of no declared type: the server gives it the column's type."""
    return lambda value: str(check(value))


def _number(check: Callable[[Value], Decimal]) -> Callable[[Value], str]:
    return lambda value: format(check(value), "f")


STRING = Codec(AttributeType.STRING, str, values.check_text, values.parse_text)
PADDED = Codec(AttributeType.STRING, lambda text: text.rstrip(" "), values.check_text, values.parse_text)
UUID = Codec(AttributeType.STRING, str, _encode_uuid, values.parse_text)
BOOLEAN = Codec(AttributeType.BOOLEAN, _decode_boolean, _encode_boolean, values.parse_boolean)
BINARY = Codec(AttributeType.BINARY, _decode_binary, _encode_binary, values.parse_binary)


def _datetime(*, aware: bool) -> Codec:
    check = values.check_datetime(aware=aware)
    return Codec(
        AttributeType.DATETIME, _decode_datetime, lambda value: check(value).isoformat(sep=" "), values.parse_datetime
    )


def _decimal(check: Callable[[Value], Decimal]) -> Codec:
    return Codec(AttributeType.DECIMAL, Decimal, _number(check), values.parse_decimal)


def codec(typname: str, arguments: tuple[int | None, int | None]) -> Codec:
    """Return how values of a type travel; one that has no counterpart travels as text."""
    if typname in _RANGES:
        bits = _RANGES[typname]
        check = values.check_integer(-(2**bits), 2**bits - 1)
        return Codec(AttributeType.INTEGER, int, _as_text(check), values.parse_integer)
    match typname:
        case "numeric":
            return _decimal(values.check_decimal(*arguments))
        case "float8":
            return _decimal(values.check_float(15))
        case "float4":
            return _decimal(values.check_float(6))
        case "bool":
            return BOOLEAN
        case "timestamptz":
            return _datetime(aware=True)
        case "timestamp":
            return _datetime(aware=False)
        case "bytea":
            return BINARY
        case "uuid":
            return UUID
        case "bpchar":
            return PADDED
        case _:
            return STRING


def tables(inspector: Inspector, schema: str | None) -> Sequence[str]:
    with inspector.engine.connect() as connection:
        return connection.scalars(_TABLES, {"schema": schema}).all()


def columns(inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, tuple[ColumnFacts, ...]]:
    found: dict[str, list[ColumnFacts]] = {}
    with inspector.engine.connect() as connection:
        rows = connection.execute(_COLUMNS, {"tables": list(tables), "schema": schema}).mappings().all()
        folds = {how: _fold(connection, how) for how in {row["compared"] for row in rows} - {None}}
    for row in rows:
        typname, fold = row["typname"], folds.get(row["compared"], values.exact)
        arguments = _arguments(row["base"])
        found.setdefault(row["relname"], []).append(
            ColumnFacts(
                name=row["attname"],
                native=row["native"],
                codec=codec(typname, arguments if typname == "numeric" else (None, None)),
                text_codec=STRING,
                nullable=not row["required"],
                generated=bool(row["has_default"] or row["attidentity"]),
                computed=bool(row["computed"] or row["attidentity"] == "a"),
                empty_default=bool(row["empty_default"]),
                fold=fold,
                case_exact=fold is values.exact,
                max_length=arguments[0] if typname in {"varchar", "bpchar"} else None,
                comparable=typname not in _WITHOUT_EQUALITY,
                choices=tuple(row["words"]),
            )
        )
    return {table: tuple(each) for table, each in found.items()}


def _fold(connection: Connection, how: str) -> Callable[[str], str]:
    """Return how text is folded that is compared in a way; `how` stands after a literal, quoted by the server itself.

    The server is asked: where citext lies in a schema that is not searched, its text has the equality of any text. That
    is so too where the account may not use the schema. A collation there cannot be asked about.
    """
    statement = sa.text(_APART.format(how=how.replace(":", r"\:")))
    every = values.capitals()
    latin = [letter for letter in every if letter.isascii()]

    def apart(capitals: Sequence[str]) -> set[str]:
        pairs = {"capitals": list(capitals), "small": [every[letter] for letter in capitals]}
        return set(connection.scalars(statement, pairs))

    try:
        if len(apart(latin)) == len(latin):
            return values.exact
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        return values.exact
    try:
        return values.folding(frozenset(apart([*every])))
    except DBAPIError:  # the database's encoding does not have them all: only Latin letters are folded
        return values.folding(frozenset(every) - frozenset(latin) | frozenset(apart(latin)))


def _arguments(base: str) -> tuple[int | None, int | None]:
    if not (found := _ARGUMENTS.search(base)):
        return (1, None) if base == "character" else (None, None)
    return int(found[1]), int(found[2] or 0)


def keys(inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
    found = reflected_keys(inspector, schema, tables)
    with inspector.engine.connect() as connection:
        heirs = set(connection.scalars(_HEIRS, {"schema": schema}))
    # A key does not reach the rows of tables that inherit (manual, "Inheritance", Caveats).
    return {table: replace(each, unique=()) if table in heirs else each for table, each in found.items()}


def changing(inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
    with inspector.engine.connect() as connection:
        triggers = set(connection.scalars(_TRIGGERS, {"schema": schema}))
        views = connection.execute(_VIEWS, {"schema": schema}).all()
    return triggers, {n for n, events in views if events & _INSERT}, {n for n, events in views if events & _UPDATE}
