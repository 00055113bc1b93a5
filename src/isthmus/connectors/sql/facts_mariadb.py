"""MariaDB's and MySQL's catalogue: types, collations, generated columns, triggers, views that can be written."""

from __future__ import annotations

import re
import string
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector

from isthmus.connectors.sql import values
from isthmus.connectors.sql.choices import words_of
from isthmus.connectors.sql.facts import ColumnFacts, ForeignKey, KeyFacts
from isthmus.connectors.sql.values import Codec
from isthmus.spi import AttributeType, Value

_COLUMNS = sa.text("""
SELECT table_name AS table_name, column_name AS column_name, data_type AS data_type, column_type AS column_type,
       is_nullable AS is_nullable, column_default AS column_default, extra AS extra, collation_name AS collation_name,
       character_set_name AS character_set, character_maximum_length AS length, numeric_precision AS digits,
       numeric_scale AS scale
FROM information_schema.columns WHERE table_schema = :schema AND table_name IN :tables
ORDER BY table_name, ordinal_position
""").bindparams(sa.bindparam("tables", expanding=True))

# SQLAlchemy reads keys from SHOW CREATE TABLE, where names with backticks come out wrong.
_UNIQUE = sa.text("""
SELECT table_name AS t, index_name AS k, column_name AS c FROM information_schema.statistics
WHERE table_schema = :schema AND table_name IN :tables AND non_unique = 0
ORDER BY table_name, index_name, seq_in_index
""").bindparams(sa.bindparam("tables", expanding=True))
# MariaDB shows the rules only to accounts that may alter a table of the database; others read them in its definition.
_FOREIGN = sa.text("""
SELECT k.table_name AS t, k.constraint_name AS k, k.column_name AS c, k.referenced_table_schema AS referred_schema,
       k.referenced_table_name AS referred_table, k.referenced_column_name AS referred_column,
       r.update_rule AS on_update, r.delete_rule AS on_delete
FROM information_schema.key_column_usage k LEFT JOIN information_schema.referential_constraints r
  ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
WHERE k.table_schema = :schema AND k.table_name IN :tables AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_name, k.constraint_name, k.ordinal_position
""").bindparams(sa.bindparam("tables", expanding=True))
_REFERRED = sa.text("""
SELECT DISTINCT referenced_table_name FROM information_schema.key_column_usage
WHERE referenced_table_schema = :schema AND referenced_table_name IN :tables
""").bindparams(sa.bindparam("tables", expanding=True))
# MariaDB names a column's own CHECK after the column, so names say nothing there; MySQL has no table beside the clause.
_CHECKS = "SELECT table_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = :schema"
_CHECKS_MYSQL = """
SELECT t.table_name, c.check_clause FROM information_schema.check_constraints c
JOIN information_schema.table_constraints t USING (constraint_schema, constraint_name)
WHERE constraint_schema = :schema AND t.constraint_type = 'CHECK'
"""
_TRIGGERS = sa.text(
    "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE event_object_schema = :schema"
)
_VIEWS = sa.text(
    "SELECT table_name FROM information_schema.views WHERE table_schema = :schema AND is_updatable = 'YES'"
)

_TOLD_APART: dict[tuple[Any, str], tuple[frozenset[str], frozenset[str], bool]] = {}
"""By server version and collation, the capitals, and pairs such as "cH", that are not equal to their small letters; and
whether letters are equal beyond that, as by Unicode's full case folding."""

_BEYOND = {"ß": "ss"}

_RULES = re.compile(
    r"^ *CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY .*?\)((?: ON (?:DELETE|UPDATE) [A-Z ]+)*),?$", re.MULTILINE
)

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_NUMBERS = {*_BITS, "decimal", "float", "double", "year"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LIMITED = {"char", "varchar", "binary", "varbinary"}
_BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_GEOMETRY = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}

_AS_TEXT = {"date", "time"}
"""Compared as text: the server would take any text for the zero date."""


def _decode_boolean(raw: str) -> bool:
    if raw not in {"0", "1"}:
        raise values.Unreadable("it is neither 0 nor 1")
    return raw == "1"


def _decode_bit(raw: bytes) -> bool:
    return _decode_boolean(str(int.from_bytes(raw)))


def _decode_text(raw: str | bytes) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _decode_naive(raw: str) -> Value | None:
    return None if raw.startswith("0000-00-00") else values.parse_datetime(raw)


def _decode_aware(raw: str) -> Value | None:
    return None if raw.startswith("0000-00-00") else values.parse_datetime(raw + "+00:00")  # session time_zone


_DOUBLE = values.check_float(15)


def _encode_double(value: Value) -> float:
    return float(_DOUBLE(value))  # written as 1e300: a decimal literal of so many digits would be cut


def _encode_single(value: Value) -> float:
    """Bind a single-precision number as the double it equals, or "=" would not find it."""
    number = values.check_float(6)(value)
    try:
        single: float = struct.unpack("<f", struct.pack("<f", float(number)))[0]
    except OverflowError:
        raise values.Unfit("it is too large for this column") from None
    return single


def _check_year(value: Value) -> int:
    """Refuse years of two digits, which the server would place in a century."""
    year = values.check_integer(0, 2155)(value)
    if 0 < year < 1901:
        raise values.Unfit("it is neither 0 nor between 1901 and 2155")
    return year


def _encode_bit(value: Value) -> int:
    return int(values.check_boolean(value))


def _number_text(value: Value) -> str:
    """Refuse text that is no number: compared with a number, the server takes "abc" for 0 and "7abc" for 7."""
    text = values.check_text(value)
    if not _NUMBER.fullmatch(text):
        raise values.Unfit("it is not a number")
    return text


STRING = Codec(AttributeType.STRING, _decode_text, values.check_text, values.parse_text)
NUMBER_TEXT = Codec(AttributeType.STRING, _decode_text, _number_text, values.parse_text)
BOOLEAN = Codec(AttributeType.BOOLEAN, _decode_boolean, _encode_bit, values.parse_boolean)
BIT = Codec(AttributeType.BOOLEAN, _decode_bit, _encode_bit, values.parse_boolean)
BINARY = Codec(AttributeType.BINARY, bytes, values.check_binary, values.parse_binary)
SINGLE = Codec(AttributeType.DECIMAL, values.single_float, _encode_single, values.parse_decimal)
DOUBLE = Codec(AttributeType.DECIMAL, Decimal, _encode_double, values.parse_decimal)


def _integer(low: int, high: int, decode: Callable[[Any], int] = int) -> Codec:
    return Codec(AttributeType.INTEGER, decode, values.check_integer(low, high), values.parse_integer)


def _datetime(decode: Callable[[str], Value | None]) -> Codec:
    # Bound without a zone: the session's is UTC, and older servers take no other notation.
    check = values.check_datetime(aware=False)
    return Codec(AttributeType.DATETIME, decode, lambda value: check(value).isoformat(sep=" "), values.parse_datetime)


def _listed(declared: str, fold: Callable[[str], str]) -> Codec:
    """Return the codec of an ENUM or SET. Any other text that is a number would be taken for the number of a word."""
    words = {fold(word) for word in words_of(declared)}
    several = declared.lower().startswith("set")

    def encode(value: Value) -> str:
        text = values.check_text(value)
        given = [word for word in text.split(",") if word] if several else [text]
        if words and not words.issuperset(map(fold, given)):
            raise values.Unfit("it is none of the words that the column takes")
        return text

    return Codec(AttributeType.STRING, _decode_text, encode, values.parse_text)


def codec(
    kind: str, declared: str, digits: int | None, scale: int | None, fold: Callable[[str], str] = values.exact
) -> Codec:
    """Return how values of a type travel; one that has no counterpart travels as text."""
    full = declared.lower()
    if full.startswith("tinyint(1)") and "unsigned" not in full:
        return BOOLEAN  # what BOOLEAN is another word for
    if kind in _BITS:
        bits = _BITS[kind]
        return _integer(0, 2**bits - 1) if "unsigned" in full else _integer(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    match kind:
        case "bit" if full == "bit(1)":
            return BIT
        case "bit":
            return _integer(0, 2 ** int(re.sub(r"\D", "", full)) - 1, int.from_bytes)
        case "year":
            return Codec(AttributeType.INTEGER, int, _check_year, values.parse_integer)
        case "enum" | "set":
            return _listed(declared, fold)
        case "decimal":
            check = values.check_decimal(digits, scale)
            return Codec(AttributeType.DECIMAL, Decimal, check, values.parse_decimal)
        case "float":
            return SINGLE
        case "double":
            return DOUBLE
        case "datetime":
            return _datetime(_decode_naive)
        case "timestamp":
            return _datetime(_decode_aware)
        case _ if kind in _BINARY or kind in _GEOMETRY:
            return BINARY
        case _:
            return STRING


def columns(inspector: Inspector, schema: str, tables: Sequence[str]) -> dict[str, tuple[ColumnFacts, ...]]:
    found: dict[str, list[ColumnFacts]] = {}
    with inspector.engine.connect() as connection:
        rows = connection.execute(_COLUMNS, {"tables": list(tables), "schema": schema}).mappings().all()
        insensitive = {
            (row["character_set"], row["collation_name"]) for row in rows if _any_case(row["collation_name"])
        }
        folds = {collation: _fold(connection, charset, collation) for charset, collation in insensitive}
    for row in rows:
        kind, extra = row["data_type"].lower(), row["extra"].lower()
        collation = row["collation_name"]
        fold, fully = folds.get(collation, (values.exact, False))
        if collation is not None and not ("nopad" in collation or "_0900_" in collation or collation == "binary"):
            fold = values.trimmed(fold)
        found.setdefault(row["table_name"], []).append(
            ColumnFacts(
                name=row["column_name"],
                native=row["column_type"],
                codec=codec(kind, row["column_type"], row["digits"], row["scale"], fold),
                text_codec=NUMBER_TEXT if kind in _NUMBERS else STRING,
                nullable=row["is_nullable"] == "YES",
                generated=row["column_default"] not in {None, "NULL"} or "auto_increment" in extra,
                empty_default=row["column_default"] in {"''", ""},  # the second as MySQL writes it
                computed="virtual generated" in extra or "stored generated" in extra or kind in _GEOMETRY,
                auto_increment="auto_increment" in extra,
                fold=fold,
                case_exact=not _any_case(row["collation_name"]),
                case_folding="full" if fully else "letters",
                max_length=row["length"] if kind in _LIMITED else None,
                comparable=kind not in _AS_TEXT,
                choices=words_of(row["column_type"]) if kind == "enum" else (),
                read_as="1e0" if kind == "float" else None,  # shown with six digits otherwise
            )
        )
    return {table: tuple(each) for table, each in found.items()}


def _any_case(collation: str | None) -> bool:
    return collation is not None and "_ci" in collation


def _fold(connection: Connection, charset: str, collation: str) -> tuple[Callable[[str], str], bool]:
    """Return how text of a collation is folded, and whether it is fully; the server is asked once about each letter."""
    key = (connection.dialect.server_version_info, collation)
    if key not in _TOLD_APART:
        asked = values.capitals()
        small = string.ascii_lowercase
        pairs = {first + second.upper(): first + second for first in small for second in (*small, "ž")}
        differing = _differing(connection, charset, collation, {**asked, **pairs, **_BEYOND})
        letters = differing & asked.keys()
        kept = frozenset(pair for pair in differing & pairs.keys() if pair[1] not in letters)
        _TOLD_APART[key] = frozenset(letters), kept, differing.isdisjoint(_BEYOND)
    apart, mixed, fully = _TOLD_APART[key]
    return values.folding(apart, mixed), fully


def _differing(connection: Connection, charset: str, collation: str, pairs: Mapping[str, str]) -> set[str]:
    """Return the texts that are not equal to the others beside them."""
    asked = [
        " = ".join(f"CONVERT(_utf8mb4'{text}' USING {charset}) COLLATE {collation}" for text in pair)
        for pair in pairs.items()
    ]
    same = connection.exec_driver_sql(f"SELECT {', '.join(asked)}").one()
    return {text for text, is_same in zip(pairs, same, strict=True) if str(is_same) == "0"}


def keys(inspector: Inspector, schema: str, tables: Sequence[str]) -> dict[str, KeyFacts]:
    wanted = {"tables": list(tables), "schema": schema}
    with inspector.engine.connect() as connection:
        unique = _grouped(connection.execute(_UNIQUE, wanted).all())
        pointing = connection.execute(_FOREIGN, wanted).all()
        hidden = {str(row[0]) for row in pointing if row.on_update is None}
        rules = {table: _rules(connection, schema, table) for table in hidden}
        referred = set(connection.scalars(_REFERRED, wanted))
    foreign = _grouped(row[:3] for row in pointing)
    return {
        table: KeyFacts(
            primary=unique.get(table, {}).get("PRIMARY", ()),
            unique=tuple(columns for columns in unique.get(table, {}).values() if None not in columns),
            constraints={
                name.casefold(): columns
                for name, columns in {**foreign.get(table, {}), **unique.get(table, {})}.items()
            },
            foreign=_foreign([row for row in pointing if row[0] == table], rules.get(table, {})),
            referred=table in referred,
        )
        for table in tables
    }


def checks(inspector: Inspector, schema: str, tables: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {table: [] for table in tables}
    dialect: Any = inspector.dialect
    if dialect.server_version_info < ((10, 2, 22) if dialect.is_mariadb else (8, 0, 16)):
        return found  # CHECK was parsed and forgotten, or is in no catalogue
    with inspector.engine.connect() as connection:
        for table, clause in connection.execute(
            sa.text(_CHECKS if dialect.is_mariadb else _CHECKS_MYSQL), {"schema": schema}
        ):
            if table in found:
                found[table].append(str(clause))
    return found


def _grouped(rows: Iterable[Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return columns by table and key."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for table, key, column in rows:
        named = found.setdefault(table, {})
        named[key] = (*named.get(key, ()), column)
    return found


def _rules(connection: Connection, schema: str, table: str) -> dict[str, tuple[str, str]]:
    """Return what foreign keys do on update and on delete, by name."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    statement = f"SHOW CREATE TABLE {quote(schema)}.{quote(table)}".replace("%", "%%")
    definition = str(connection.exec_driver_sql(statement).one()[1])
    return {
        name.replace("``", "`"): (
            "CASCADE" if "ON UPDATE CASCADE" in rules else "",
            "CASCADE" if "ON DELETE CASCADE" in rules else "",
        )
        for name, rules in _RULES.findall(definition)
    }


def _foreign(rows: Iterable[Any], rules: Mapping[str, tuple[str, str]]) -> tuple[ForeignKey, ...]:
    found: dict[str, ForeignKey] = {}
    for row in rows:
        before = found.get(row.k)
        on_update, on_delete = rules.get(row.k, (row.on_update, row.on_delete))
        found[row.k] = ForeignKey(
            columns=(*(before.columns if before else ()), row.c),
            schema=row.referred_schema,
            table=row.referred_table,
            referred=(*(before.referred if before else ()), row.referred_column),
            update_cascades=on_update == "CASCADE",
            delete_cascades=on_delete == "CASCADE",
        )
    return tuple(found.values())


def changing(inspector: Inspector, schema: str) -> tuple[set[str], set[str], set[str]]:
    with inspector.engine.connect() as connection:
        triggers = set(connection.scalars(_TRIGGERS, {"schema": schema}))
        views = set(connection.scalars(_VIEWS, {"schema": schema}))
    return triggers, views, views
