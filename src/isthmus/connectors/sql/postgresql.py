"""PostgreSQL through psycopg 3."""

from __future__ import annotations

import hashlib
import select
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.reflection import Inspector

from isthmus.connectors.sql import codes_postgresql, facts_postgresql
from isthmus.connectors.sql.copying import copy_rows, split, split_columns
from isthmus.connectors.sql.database import Database, KeyChecks, Link, Result, Row, RowPage, Statement
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts
from isthmus.connectors.sql.prepared import Prepared
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import Call, Secret

_POLLED = {pq.PollingStatus.READING: select.POLLIN, pq.PollingStatus.WRITING: select.POLLOUT}

# The text forms of values are made the same on every server; timeouts are the server's own.
_SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "idle_in_transaction_session_timeout": "60s",
}


class _Connection(psycopg.Connection[Any]):
    """A connection whose every wait ends at `until` (monotonic)."""

    until: float

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        left = max(0.001, self.until - time.monotonic())
        try:
            return super().wait(gen, interval, left if timeout is None else min(left, timeout))
        except psycopg.errors._WaitTimeout as expired:
            self.pgconn.finish()
            raise TimeoutError("no answer within the time allowed") from expired


class PostgresLink(Link):
    key_checks = KeyChecks.STATEMENT

    def __init__(self, raw: _Connection, password: Secret | None, *, prepares: bool) -> None:
        self.raw = raw
        self._prepared = Prepared(raw) if prepares else None
        self._cursor = psycopg.RawCursor(raw)
        self._password = password
        self._poll = select.poll()
        self._poll.register(raw.pgconn.socket, select.POLLIN)

    def execute(self, statement: Statement, values: Sequence[Any], *, seconds: float) -> Result:
        return self._run(statement.text, values, seconds, prepared=self._prepared)

    def _run(self, text: str, values: Sequence[Any], seconds: float, prepared: Prepared | None = None) -> Result:
        until = self.raw.until = time.monotonic() + seconds
        try:
            result = None if prepared is None else prepared.run(text, values, until=until)
            if result is None:
                result = self._cursor.execute(text, values).pgresult
        except TimeoutError as expired:
            raise Failure(Kind.LOST, "", str(expired)) from None
        except psycopg.Error as error:
            raise self._failure(error) from None  # the driver's text quotes values
        if result is None:
            return Result((), -1)
        count = result.command_tuples
        if result.status != pq.ExecStatus.TUPLES_OK:
            return Result((), -1 if count is None else count)
        get, width = result.get_value, range(result.nfields)
        try:
            rows = [
                [None if (raw := get(i, j)) is None else raw.decode() for j in width] for i in range(result.ntuples)
            ]
        except UnicodeDecodeError:
            raise Failure(Kind.BROKEN, "UTF8", "a text value is not UTF-8") from None
        return Result(rows, len(rows) if count is None else count)

    def _failure(self, error: psycopg.Error) -> Failure:
        failure = codes_postgresql.failure(error, secret=self._password)
        if failure.kind is not Kind.LOST and self.raw.closed:
            return Failure(Kind.LOST, failure.code, failure.text)
        return failure

    def begin(self, *, seconds: float) -> None:
        # Read committed: who waited for a lock then sees what the other has written.
        self._run("BEGIN ISOLATION LEVEL READ COMMITTED", (), seconds)

    def begin_reading(self, *, seconds: float) -> None:
        self._run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", (), seconds)

    def commit(self, *, seconds: float) -> None:
        self._run("COMMIT", (), seconds)

    def rollback(self, *, seconds: float) -> None:
        self._run("ROLLBACK", (), seconds)

    def quiet(self) -> bool:
        return self.raw.pgconn.transaction_status == pq.TransactionStatus.IDLE and not self._poll.poll(0)

    def ping(self, *, seconds: float) -> None:
        self._run("SELECT", (), seconds)

    def take_session(self, session: str, *, seconds: float) -> None:
        # Shared: several connections may work for one session; settling takes it exclusively and so waits for all.
        key = session_key(session)
        release = "pg_advisory_unlock_all(), " if self.session else ""
        result = self._run(f"SELECT {release}pg_try_advisory_lock_shared($1)", (str(key),), seconds)
        if result.rows[0][-1] != "t":
            raise Failure(Kind.BUSY, "", "this session is being settled", nothing_sent=True)
        self.session = session

    def close(self) -> None:
        self.raw.pgconn.finish()
        self.raw.close()


class PostgresDatabase(Database):
    dialect: Any = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    plain: Any = dialect
    url = "postgresql+psycopg://"

    def __init__(self, settings: SqlSettings) -> None:
        super().__init__(settings)
        milliseconds = {"statement_timeout": settings.statement_timeout, "lock_timeout": settings.lock_timeout}
        chosen = {**_SETTINGS, **{name: str(int(value * 1000)) for name, value in milliseconds.items()}}
        calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in chosen.items())
        self._prepare = f"SELECT {calls}"

    def _conninfo(self) -> str:
        s = self.settings
        sslmode = {"prefer": "prefer", "require": "verify-ca" if s.tls_ca else "require"}.get(s.tls, s.tls)
        options: dict[str, Any] = {
            "host": s.host or None,
            "port": s.port,
            "dbname": s.database,
            "user": s.user or None,
            "password": s.password.reveal() if s.password is not None else None,
            "sslmode": sslmode,
            "sslrootcert": s.tls_ca or ("system" if s.tls == "verify-full" else None),
            "sslcert": s.tls_certificate,
            "sslkey": s.tls_key,
            "application_name": "isthmus",
            "client_encoding": "UTF8",
            "gssencmode": "disable",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        return make_conninfo("", **{name: value for name, value in options.items() if value is not None})

    def connect(self, *, seconds: float) -> PostgresLink:
        # A pooler that hands out another server connection for each transaction does not know our prepared statements.
        link = PostgresLink(self._open(seconds), self.settings.password, prepares=self.settings.session_locks)
        try:
            link._run(self._prepare, (), seconds)
        except Failure as failure:
            link.close()
            failure.nothing_sent = True
            raise
        return link

    def _open(self, seconds: float) -> _Connection:
        until = time.monotonic() + seconds
        try:
            pgconn = pq.PGconn.connect_start(self._conninfo().encode())
            while (status := pq.PollingStatus(pgconn.connect_poll())) != pq.PollingStatus.OK:
                if status not in _POLLED or pgconn.status == pq.ConnStatus.BAD:
                    text = pgconn.get_error_message()
                    pgconn.finish()
                    raise psycopg.OperationalError(text)
                poll = select.poll()
                poll.register(pgconn.socket, _POLLED[status])
                if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                    pgconn.finish()
                    raise psycopg.OperationalError(f"no connection within {seconds:.1f} seconds")
        except psycopg.Error as error:
            raise codes_postgresql.connecting(error, secret=self.settings.password) from error
        pgconn.nonblocking = 1
        connection = _Connection(pgconn)
        connection.until = until
        connection.autocommit = True
        connection.prepare_threshold = None
        return connection

    def catalogue(self, *, seconds: float) -> _Connection:
        raw = self.connect(seconds=min(seconds, self.settings.connect_timeout)).raw
        raw.until = time.monotonic() + seconds
        return raw

    def failure(self, error: BaseException) -> Failure:
        if isinstance(error, psycopg.Error):
            return codes_postgresql.failure(error, secret=self.settings.password)
        return Failure(Kind.LOST, "", str(error))

    def tables(self, inspector: Inspector, schema: str | None) -> Sequence[str]:
        return facts_postgresql.tables(inspector, schema)

    def column_facts(
        self, inspector: Inspector, schema: str | None, tables: Sequence[str]
    ) -> dict[str, tuple[ColumnFacts, ...]]:
        return facts_postgresql.columns(inspector, schema, tables)

    def keys(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
        return facts_postgresql.keys(inspector, schema, tables)

    def changing(self, inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
        return facts_postgresql.changing(inspector, schema)

    def begin_import(self, *, link: Link, call: Call) -> None:
        assert isinstance(link, PostgresLink)
        link.begin_reading(seconds=call.remaining())
        link._run("SET LOCAL statement_timeout = 0", (), call.remaining())

    def import_rows(
        self,
        text: str,
        *,
        page_size: int,
        link: Link,
        call: Call,
        last: bool = True,  # noqa: ARG002
    ) -> Iterator[RowPage]:
        assert isinstance(link, PostgresLink)
        return copy_rows(link.raw.pgconn, text, page_size=page_size, idle=self.settings.import_idle_timeout, call=call)

    def cut(self, packed: Any, fields: int) -> tuple[Any, Any]:
        parts = packed.split(b"\t", fields)
        return b"\t".join(parts[:fields]).removesuffix(b"\n"), parts[fields] if len(parts) > fields else b""

    def unpack(self, packed: Any) -> Row:
        return split(packed)

    def unpack_columns(self, packed: Sequence[Any], width: int) -> Sequence[Sequence[Any]]:
        return split_columns(packed, width)

    def settle(self, session: str, *, link: Link, call: Call) -> None:
        assert isinstance(link, PostgresLink)
        key = session_key(session)
        link._run("SET lock_timeout = '250ms'", (), call.remaining())
        while True:
            call.check()
            try:
                link._run("SELECT pg_advisory_lock($1)", (str(key),), call.remaining())
            except Failure as failure:
                if failure.code != "55P03":
                    raise
            else:
                link._run("SELECT pg_advisory_unlock($1)", (str(key),), call.remaining())
                return
            link._run(_TERMINATE, (str(key),), call.remaining())


_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND objsubid = 1 AND classid::bigint = (($1::bigint >> 32) & 4294967295) AND objid::bigint = ($1::bigint & 4294967295)
"""


def session_key(session: str) -> int:
    """Return the number of a session's advisory lock."""
    digest = hashlib.blake2b(session.encode(), digest_size=8, person=b"isthmus").digest()
    return int.from_bytes(digest, signed=True)
