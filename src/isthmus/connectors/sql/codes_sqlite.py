"""SQLite: from result code (https://sqlite.org/rescode.html) to what it means; extended codes go first."""

from __future__ import annotations

import re
import sqlite3

from isthmus.connectors.sql.errors import Failure, Kind

CODES: dict[int, Kind] = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Kind.DUPLICATE,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Kind.DUPLICATE,
    sqlite3.SQLITE_CONSTRAINT_ROWID: Kind.DUPLICATE,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: Kind.FOREIGN_KEY,
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: Kind.REFUSED,  # RAISE(ABORT) in a trigger
    sqlite3.SQLITE_ERROR: Kind.SCHEMA,
    sqlite3.SQLITE_INTERNAL: Kind.BROKEN,
    sqlite3.SQLITE_PERM: Kind.DENIED,
    sqlite3.SQLITE_ABORT: Kind.CONFLICT,
    sqlite3.SQLITE_BUSY: Kind.BUSY,
    sqlite3.SQLITE_LOCKED: Kind.BUSY,
    sqlite3.SQLITE_NOMEM: Kind.EXHAUSTED,
    sqlite3.SQLITE_READONLY: Kind.DENIED,
    sqlite3.SQLITE_INTERRUPT: Kind.BUSY,
    sqlite3.SQLITE_IOERR: Kind.LOST,  # whether a commit reached the disk is not known
    sqlite3.SQLITE_CORRUPT: Kind.BROKEN,
    sqlite3.SQLITE_NOTFOUND: Kind.BROKEN,
    sqlite3.SQLITE_FULL: Kind.EXHAUSTED,
    sqlite3.SQLITE_CANTOPEN: Kind.LOGIN,
    sqlite3.SQLITE_PROTOCOL: Kind.BUSY,
    sqlite3.SQLITE_EMPTY: Kind.BROKEN,
    sqlite3.SQLITE_SCHEMA: Kind.SCHEMA,
    sqlite3.SQLITE_TOOBIG: Kind.BAD_VALUE,
    sqlite3.SQLITE_CONSTRAINT: Kind.BAD_VALUE,
    sqlite3.SQLITE_MISMATCH: Kind.BAD_VALUE,
    sqlite3.SQLITE_MISUSE: Kind.BROKEN,
    sqlite3.SQLITE_NOLFS: Kind.EXHAUSTED,
    sqlite3.SQLITE_AUTH: Kind.DENIED,
    sqlite3.SQLITE_FORMAT: Kind.BROKEN,
    sqlite3.SQLITE_RANGE: Kind.BROKEN,
    sqlite3.SQLITE_NOTADB: Kind.LOGIN,
    sqlite3.SQLITE_NOTICE: Kind.BROKEN,
    sqlite3.SQLITE_WARNING: Kind.BROKEN,
}

_COLUMNS = re.compile(r"^(?:UNIQUE|NOT NULL) constraint failed: (?!index)(.+)$", re.DOTALL)
_NOT_UTF8 = re.compile(r"column '(.*?)' with text '", re.DOTALL)
_CONSTRAINT = re.compile(r"^(?:CHECK constraint failed: |UNIQUE constraint failed: index ')(.+?)'?$", re.DOTALL)


def kind_of(code: int) -> Kind:
    return CODES.get(code) or CODES.get(code & 0xFF, Kind.REFUSED)


def failure(error: sqlite3.Error, *, table: str = "") -> Failure:
    """Return what an error of the driver means."""
    message = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module itself
        if "decode to UTF-8" in message:
            found = _NOT_UTF8.search(message)  # behind the name stands the value
            of = f" of column {found[1]}" if found else ""
            text = f"a text value{of} is not UTF-8; leave the column out or make it a BLOB"
            return Failure(Kind.BROKEN, "UTF-8", text)
        return Failure(Kind.BROKEN, type(error).__name__, message[:300])
    kind = kind_of(code)
    columns: tuple[str, ...] = ()
    constraint = None
    if found := _COLUMNS.match(message):
        # "table.column, table.column"; names may hold dots and commas, so the known table name is the separator
        prefix = f"{table}."
        columns = tuple(part.removesuffix(", ") for part in found[1].split(prefix)[1:]) if table else ()
    elif found := _CONSTRAINT.match(message):
        constraint = found[1]
    return Failure(kind, error.sqlite_errorname, message[:300], constraint, columns)
