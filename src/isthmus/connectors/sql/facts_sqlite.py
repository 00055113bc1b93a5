"""SQLite's catalogue: declared types and their affinity (https://sqlite.org/datatype3.html), collations, triggers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector

from isthmus.connectors.sql import values
from isthmus.connectors.sql.facts import ColumnFacts, ForeignKey, KeyFacts
from isthmus.connectors.sql.values import Codec
from isthmus.spi import AttributeType, Value

_LENGTH = re.compile(r"(?:CHAR|CLOB|TEXT|BINARY|STRING)\w*\s*\(\s*(\d+)")
_INTEGER = values.check_integer(-(2**63), 2**63 - 1)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # comes back as it was


def _decode_integer(raw: Any) -> int:
    if not isinstance(raw, int):
        raise values.Unreadable("it is not an integer")
    return raw


def _decode_decimal(raw: Any) -> Decimal:
    if isinstance(raw, float):
        return Decimal(repr(raw))
    if isinstance(raw, bytes):
        raise values.Unreadable("it is binary")
    return Decimal(raw)


def _decode_boolean(raw: Any) -> bool:
    if raw not in (0, 1):
        raise values.Unreadable("it is neither 0 nor 1")
    return bool(raw)


def _decode_datetime(raw: Any) -> datetime:
    if not isinstance(raw, str):
        raise values.Unreadable("it is not a date and time in ISO 8601 notation")
    return values.parse_datetime(raw)


def _decode_text(raw: Any) -> str:
    if isinstance(raw, bytes):
        raise values.Unreadable("it is binary")
    return raw if isinstance(raw, str) else repr(raw)


def _decode_binary(raw: Any) -> bytes:
    return raw if isinstance(raw, bytes) else str(raw).encode()


def _numeric_text(value: Value) -> str:
    """Refuse text that a column of numeric affinity would turn into another text: "007" becomes 7."""
    text = values.check_text(value)
    if _NUMBER.fullmatch(text) and not _PLAIN_INTEGER.fullmatch(text):
        raise values.Unfit("the column's declared type would store it as a number; declare the column TEXT")
    return text


def _encode_datetime(value: Value) -> str:
    # Without a zone, in UTC: as CURRENT_TIMESTAMP writes it, so that equal moments are equal text.
    return values.check_datetime(aware=False)(value).isoformat(sep=" ")


STRING = Codec(AttributeType.STRING, _decode_text, values.check_text, values.parse_text)
NUMERIC_TEXT = Codec(AttributeType.STRING, _decode_text, _numeric_text, values.parse_text)
BINARY = Codec(AttributeType.BINARY, _decode_binary, values.check_binary, values.parse_binary)
INTEGER = Codec(AttributeType.INTEGER, _decode_integer, _INTEGER, values.parse_integer)
BOOLEAN = Codec(
    AttributeType.BOOLEAN, _decode_boolean, lambda value: int(values.check_boolean(value)), values.parse_boolean
)
DATETIME = Codec(AttributeType.DATETIME, _decode_datetime, _encode_datetime, values.parse_datetime)


_FLOAT = values.check_float(15)


def _encode_float(value: Value) -> str:
    return format(_FLOAT(value), "f")


def _encode_decimal(value: Value) -> str:
    """Bind a number for a column of numeric affinity, which keeps integers of 64 bits with all their digits."""
    if (
        isinstance(value, Decimal)
        and value.is_finite()
        and value == value.to_integral_value()
        and -(2**63) <= value < 2**63
    ):
        return format(value, "f")
    return _encode_float(value)


FLOAT = Codec(AttributeType.DECIMAL, _decode_decimal, _encode_float, values.parse_decimal)
DECIMAL = Codec(AttributeType.DECIMAL, _decode_decimal, _encode_decimal, values.parse_decimal)


def codec(declared: str) -> Codec:
    """Return how values of a declared type travel. What we know by its word goes before SQLite's rules of affinity."""
    word = declared.upper()
    if "BOOL" in word:
        return BOOLEAN
    if "TIMESTAMP" in word or "DATETIME" in word:
        return DATETIME
    if "INT" in word and "POINT" not in word and "INTERVAL" not in word:
        return INTEGER
    if any(part in word for part in ("CHAR", "CLOB", "TEXT")):
        return STRING
    if "BLOB" in word or "BINARY" in word:
        return BINARY
    if any(part in word for part in ("REAL", "FLOA", "DOUB")):
        return FLOAT
    if "DEC" in word or "NUM" in word:
        return DECIMAL
    return STRING if not word else NUMERIC_TEXT  # DATE, UUID, STRING...: numeric affinity


def columns(inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, tuple[ColumnFacts, ...]]:
    quote = inspector.dialect.identifier_preparer.quote_identifier
    prefix = f"{quote(schema)}." if schema else ""
    with inspector.engine.connect() as connection:
        return {table: _columns(connection, prefix, table, quote) for table in tables}


def _columns(connection: Connection, prefix: str, table: str, quote: Callable[[str], str]) -> tuple[ColumnFacts, ...]:
    run = connection.exec_driver_sql
    rows = run(f"PRAGMA {prefix}table_xinfo({quote(table)})").all()
    keys = [row for row in rows if row[5]]
    found = []
    for _, name, declared, not_null, default, key, hidden in rows:
        if hidden == 1:  # a column of a virtual table that is not one
            continue
        collation = _collation(connection, f"{prefix}{quote(table)}", quote(name))
        chosen = codec(declared or "")
        rowid = bool(key) and len(keys) == 1 and (declared or "").upper() == "INTEGER"
        length = _LENGTH.search((declared or "").upper())
        found.append(
            ColumnFacts(
                name=name,
                native=declared or "",
                codec=chosen,
                text_codec=STRING if chosen in (STRING, BINARY) else NUMERIC_TEXT,
                nullable=not (not_null or rowid),
                generated=default is not None or rowid,
                computed=hidden in (2, 3),
                empty_default=default in {"''", '""'},
                auto_increment=rowid,
                fold={"NOCASE": values.fold_ascii, "RTRIM": values.trimmed(values.exact)}.get(collation, values.exact),
                case_exact=collation != "NOCASE",
                max_length=int(length[1]) if length else None,
                # Without a type 7 is not '7', and whoever wrote the row decided which of them it is.
                comparable=(declared or "").upper() not in {"", "ANY"},
            )
        )
    return tuple(found)


def keys(inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
    """Return the keys; SQLAlchemy reads unique columns from the table's SQL and misses some."""
    quote = inspector.dialect.identifier_preparer.quote_identifier
    prefix = f"{quote(schema)}." if schema else ""
    with inspector.engine.connect() as connection:
        return {table: _keys(connection, prefix, quote(table), quote) for table in tables}


def _keys(connection: Connection, prefix: str, table: str, quote: Callable[[str], str]) -> KeyFacts:
    run = connection.exec_driver_sql
    columns = sorted((row[5], row[1]) for row in run(f"PRAGMA {prefix}table_xinfo({table})") if row[5])
    primary = tuple(name for _, name in columns)
    named: dict[str, tuple[str | None, ...]] = {}
    for _, name, unique, _, partial in run(f"PRAGMA {prefix}index_list({table})").all():
        if unique and not partial:
            named[name] = tuple(row[2] for row in run(f"PRAGMA {prefix}index_info({quote(name)})"))
    whole = {name: tuple(map(str, each)) for name, each in named.items() if None not in each}  # None: an expression
    return KeyFacts(
        primary=primary,
        unique=((primary,) if primary else ()) + tuple(each for each in whole.values() if each != primary),
        constraints={name.casefold(): each for name, each in whole.items()},
        foreign=_foreign(connection, prefix, table, quote),
    )


def _foreign(connection: Connection, prefix: str, table: str, quote: Callable[[str], str]) -> tuple[ForeignKey, ...]:
    run = connection.exec_driver_sql
    by_id: dict[int, list[Any]] = {}
    for row in sorted(run(f"PRAGMA {prefix}foreign_key_list({table})").all(), key=lambda row: (row[0], row[1])):
        by_id.setdefault(row[0], []).append(row)
    if not by_id:
        return ()
    # Names stand here as the foreign key spells them, whatever the table is called.
    tables = {row[0].upper(): row[0] for row in run(f"SELECT name FROM {prefix}sqlite_master WHERE type = 'table'")}  # noqa: S608
    found = []
    for rows in by_id.values():
        name = tables.get(rows[0][2].upper(), rows[0][2])
        columns = run(f"PRAGMA {prefix}table_info({quote(name)})").all()
        spelled = {row[1].upper(): row[1] for row in columns}
        referred = [row[4] for row in rows]
        if None in referred:  # the primary key is meant
            referred = [key for _, key in sorted((row[5], row[1]) for row in columns if row[5])]
        if len(referred) == len(rows):
            found.append(
                ForeignKey(
                    columns=tuple(row[3] for row in rows),
                    schema=None,
                    table=name,
                    referred=tuple(spelled.get(each.upper(), each) for each in referred),
                    update_cascades=rows[0][5] == "CASCADE",
                    delete_cascades=rows[0][6] == "CASCADE",
                )
            )
    return tuple(found)


def _collation(connection: Connection, table: str, column: str) -> str:
    """Return the collation by which a column compares, read from the program of a comparison; no pragma tells it."""
    statement = f"EXPLAIN SELECT 1 FROM {table} WHERE +{column} = 'x'"  # noqa: S608  quoted names; never run
    for row in connection.exec_driver_sql(statement):
        if row[1] in {"Eq", "Ne"} and row[5]:
            return str(row[5]).rpartition("-")[0].upper()
    return "BINARY"


def changing(inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
    prefix = f"{inspector.dialect.identifier_preparer.quote_identifier(schema)}." if schema else ""
    with inspector.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT tbl_name FROM {prefix}sqlite_master WHERE type = 'trigger'")  # noqa: S608
        return {row[0] for row in rows}, set(), set()
