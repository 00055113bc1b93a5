"""SQLite through Python's own module."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.reflection import Inspector

from isthmus.connectors.sql import codes_sqlite, facts_sqlite
from isthmus.connectors.sql.database import Database, KeyChecks, Link, Result, Row, RowPage, Statement, packed
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.connectors.sql.write_queue import LONGEST_PAUSE, WriteQueue, patiently
from isthmus.spi import Call, MisconfiguredConnector

_STEPS = 20_000
"""Virtual machine steps between two looks at the clock: about a millisecond."""

_READS = ("SELECT", "PRAGMA")
_PRAGMA = re.compile(r"[a-z_]+\s*=\s*[\w.+-]+", re.IGNORECASE)


class SqliteLink(Link):
    key_checks = KeyChecks.DEFERRED

    def __init__(self, raw: sqlite3.Connection, lock_timeout: float, queue: WriteQueue) -> None:
        self.raw = raw
        self._queue = queue
        self._writing = False
        self._until = float("inf")
        self._lock_timeout = lock_timeout
        self._open = True
        raw.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS)

    def execute(self, statement: Statement, values: Sequence[Any], *, seconds: float) -> Result:
        if self._writing or statement.text.startswith(_READS):
            return self.run(statement.text, values, seconds, table=statement.table)
        until = time.monotonic() + seconds
        self.begin(seconds=seconds)
        result = self.run(statement.text, values, until - time.monotonic(), table=statement.table)
        self.commit(seconds=until - time.monotonic())
        return result

    def run(self, text: str, values: Sequence[Any], seconds: float, *, table: str = "") -> Result:
        try:
            self._until = time.monotonic() + seconds
            cursor = patiently(min(seconds, self._lock_timeout), lambda: self.raw.execute(text, values))
            rows = cursor.fetchall()  # to the end: only then is a RETURNING statement done
        except (sqlite3.Error, OverflowError) as error:
            raise _failure(error, table) from None  # a message may quote values
        finally:
            self._until = float("inf")
            self._leave_queue()
        return Result(rows, len(rows) if rows else cursor.rowcount, cursor.lastrowid)

    def begin(self, *, seconds: float) -> None:
        patience = min(seconds, self._lock_timeout)
        until = time.monotonic() + patience
        if not self._queue.enter(patience):
            text = f"other writes of this connector kept the database for {patience:.1f} s"
            raise Failure(Kind.BUSY, "SQLITE_BUSY", text, nothing_sent=True)
        self._writing = True
        try:
            if self._queue.make_room():
                time.sleep(2 * LONGEST_PAUSE)
            patiently(
                until - time.monotonic(), lambda: self.raw.execute("BEGIN IMMEDIATE"), meeting=self._queue.met_others
            )
        except sqlite3.Error as error:
            raise _failure(error, "") from None
        finally:
            self._leave_queue()

    def _leave_queue(self) -> None:
        """Let the next one write if no transaction is open any more, however it ended."""
        if self._writing and not (self._open and self.raw.in_transaction):
            self._writing = False
            self._queue.leave()

    def begin_reading(self, *, seconds: float) -> None:
        self.run("BEGIN", (), seconds)

    def commit(self, *, seconds: float) -> None:
        self.run("COMMIT", (), seconds)

    def rollback(self, *, seconds: float) -> None:
        if self.raw.in_transaction:
            self.run("ROLLBACK", (), seconds)

    def quiet(self) -> bool:
        return self._open and not self.raw.in_transaction

    def ping(self, *, seconds: float) -> None:
        self.run("SELECT 1", (), seconds)

    def take_session(self, session: str, *, seconds: float) -> None:  # noqa: ARG002
        self.session = session  # a write ends with the process or thread that made it: there is nothing to mark

    def close(self) -> None:
        self._open = False
        self.raw.close()
        self._leave_queue()  # its transaction ended with it


def _failure(error: Exception, table: str) -> Failure:
    if isinstance(error, sqlite3.Error):
        return codes_sqlite.failure(error, table=table)
    return Failure(Kind.BAD_VALUE, "", "a number of more than 64 bits")


class SqliteDatabase(Database):
    dialect: Any = SQLiteDialect_pysqlite(paramstyle="qmark")
    plain: Any = dialect
    url = "sqlite://"

    def __init__(self, settings: SqlSettings) -> None:
        super().__init__(settings)
        self._queue = WriteQueue()
        if sqlite3.sqlite_version_info < (3, 35):
            raise MisconfiguredConnector(f"SQLite {sqlite3.sqlite_version} is too old; RETURNING needs 3.35")
        if settings.database in {"", ":memory:"}:
            raise MisconfiguredConnector("an SQLite database is a file; name its path in 'database'")
        for pragma in settings.sqlite_pragmas:
            if not _PRAGMA.fullmatch(pragma):
                raise MisconfiguredConnector(f"{pragma!r} is not a pragma; write name=value")
        # mode=rw: a missing file is an error, not a new empty database
        self._uri = f"file:{quote(str(Path(settings.database).absolute()))}?mode=rw"

    def connect(self, *, seconds: float) -> SqliteLink:
        return SqliteLink(self._opened(seconds), self.settings.lock_timeout, self._queue)

    def _opened(self, seconds: float) -> sqlite3.Connection:
        try:
            raw = sqlite3.connect(self._uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                patiently(seconds, lambda: self._prepare(raw))
            except sqlite3.Error:
                raw.close()
                raise
        except sqlite3.Error as error:
            failure = codes_sqlite.failure(error)
            failure.nothing_sent = True
            if failure.kind is Kind.LOGIN:
                there = Path(self.settings.database).exists()
                failure.text = f"{self.settings.database}: {failure.text if there else 'there is no such file'}"
            raise failure from error
        return raw

    def _prepare(self, raw: sqlite3.Connection) -> None:
        raw.execute("PRAGMA foreign_keys=ON")
        for pragma in self.settings.sqlite_pragmas:
            raw.execute(f"PRAGMA {pragma}").fetchall()
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opening alone reads nothing

    def catalogue(self, *, seconds: float) -> sqlite3.Connection:
        raw = self._opened(seconds)
        raw.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")  # its statements are SQLAlchemy's
        return raw

    def failure(self, error: BaseException) -> Failure:
        if isinstance(error, sqlite3.Error):
            return codes_sqlite.failure(error)
        return Failure(Kind.BROKEN, type(error).__name__, str(error))

    def column_facts(
        self, inspector: Inspector, schema: str | None, tables: Sequence[str]
    ) -> dict[str, tuple[ColumnFacts, ...]]:
        return facts_sqlite.columns(inspector, schema, tables)

    def keys(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
        return facts_sqlite.keys(inspector, schema, tables)

    def changing(self, inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
        return facts_sqlite.changing(inspector, schema)

    def begin_import(self, *, link: Link, call: Call) -> None:
        assert isinstance(link, SqliteLink)
        link.run("PRAGMA temp_store=FILE", (), call.remaining())
        link.begin_reading(seconds=call.remaining())

    def import_rows(self, text: str, *, page_size: int, link: Link, call: Call, last: bool = True) -> Iterator[RowPage]:
        assert isinstance(link, SqliteLink)
        if last and link.run("PRAGMA journal_mode", (), call.remaining()).rows[0][0] != "wal":
            # A reader would keep every writer out until the import is done; a copy takes a second for a million rows.
            link.run(f"CREATE TEMP TABLE isthmus_import AS {text}", (), call.remaining())
            link.commit(seconds=call.remaining())
            text = "SELECT * FROM temp.isthmus_import ORDER BY rowid"
        try:
            cursor = patiently(call.remaining(), lambda: link.raw.execute(text))
            while rows := cursor.fetchmany(page_size):
                call.check()
                yield RowPage(rows, packed(rows) if last else ())
        except sqlite3.Error as error:
            raise codes_sqlite.failure(error) from error

    def cut(self, packed: Any, fields: int) -> tuple[Any, Any]:
        return packed[:fields], packed[fields:]

    def unpack(self, packed: Any) -> Row:
        return packed  # type: ignore[no-any-return]

    def settle(self, session: str, *, link: Link, call: Call) -> None:  # noqa: ARG002
        """Take and give back the write lock: whoever held it has committed, rolled back or died."""
        link.begin(seconds=call.remaining())
        link.rollback(seconds=call.remaining())
