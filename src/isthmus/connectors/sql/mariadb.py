"""MariaDB and MySQL through PyMySQL."""

from __future__ import annotations

import contextlib
import hashlib
import select
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
from pymysql.constants import CLIENT, SERVER_STATUS
from pymysql.converters import encoders
from pymysql.cursors import SSCursor
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.engine.url import make_url

from isthmus.connectors.sql import codes_mariadb, facts_mariadb
from isthmus.connectors.sql.database import Database, KeyChecks, Link, Result, Row, RowPage, Statement, packed
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import Call

SESSION_LOCKS = 32
"""Connections that may work for one session at once; GET_LOCK has no shared mode, so each takes a lock of its own."""

_SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
"""Strict, or values that are too long would be cut silently."""


class MariadbLink(Link):
    key_checks = KeyChecks.ROW

    def __init__(self, raw: pymysql.Connection[Any]) -> None:
        self.raw = raw
        self._lock = ""
        self._cursor = raw.cursor()
        self._poll = select.poll()
        self._poll.register(raw._sock, select.POLLIN)  # type: ignore[attr-defined]

    def execute(self, statement: Statement, values: Sequence[Any], *, seconds: float) -> Result:
        return self._run(statement.text, values, seconds)

    def _run(self, text: str, values: Sequence[Any], seconds: float) -> Result:
        limit(self.raw, seconds)
        cursor = self._cursor
        try:
            cursor.execute(text, tuple(values))
            rows = cursor.fetchall() if cursor.description else ()
        except pymysql.err.Error as error:
            failure = codes_mariadb.failure(error)
            if not self.raw.open and failure.kind is not Kind.LOST:
                failure = Failure(Kind.LOST, failure.code, failure.text)
            raise failure from None  # the driver's text quotes values
        except UnicodeDecodeError:
            raise Failure(Kind.BROKEN, "UTF8", "a text value is not UTF-8") from None
        return Result(rows, cursor.rowcount, cursor.lastrowid)

    def begin(self, *, seconds: float) -> None:
        self._run("START TRANSACTION", (), seconds)

    def begin_reading(self, *, seconds: float) -> None:
        self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", (), seconds)
        self._run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", (), seconds)

    def commit(self, *, seconds: float) -> None:
        self._run("COMMIT", (), seconds)

    def rollback(self, *, seconds: float) -> None:
        self._run("ROLLBACK", (), seconds)

    def quiet(self) -> bool:
        within = self.raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS  # type: ignore[attr-defined]
        return bool(self.raw.open) and not within and not self._poll.poll(0)

    def ping(self, *, seconds: float) -> None:
        limit(self.raw, seconds)
        try:
            self.raw.ping(reconnect=False)
        except pymysql.err.Error as error:
            raise codes_mariadb.failure(error) from error

    def take_session(self, session: str, *, seconds: float) -> None:
        if self.session:
            self._run("DO RELEASE_LOCK(%s)", (self._lock,), seconds)
            self.session = ""
        for name in lock_names(session):
            if str(self._run("SELECT GET_LOCK(%s, 0)", (name,), seconds).rows[0][0]) == "1":
                self.session, self._lock = session, name
                return
        raise Failure(Kind.BUSY, "", f"this session has {SESSION_LOCKS} connections, or is being settled")

    def close(self) -> None:
        with contextlib.suppress(OSError, pymysql.err.Error):  # it is of no use any more, whatever it says
            limit(self.raw, 0.5)
            if self.raw.open and not self._poll.poll(0):
                self.raw.close()
                return
        self.raw._force_close()  # type: ignore[attr-defined]


def abandon(raw: pymysql.Connection[Any]) -> None:
    """Close a connection in the middle of a result; else the driver would read the rest of it first."""
    result = raw._result  # type: ignore[attr-defined]
    if result is not None:
        result.unbuffered_active = False
    raw._force_close()  # type: ignore[attr-defined]


def limit(raw: pymysql.Connection[Any], seconds: float) -> None:
    """Wait at most so long for each packet."""
    raw._read_timeout = raw._write_timeout = max(0.001, seconds)  # type: ignore[attr-defined]


class MariadbDatabase(Database):
    dialect: Any
    plain: Any
    url = "mariadb+pymysql://"

    def __init__(self, settings: SqlSettings) -> None:
        super().__init__(settings)
        dialect_class = make_url(self.url).get_dialect()
        assert issubclass(dialect_class, MariaDBDialect | MySQLDialect_pymysql)
        self.dialect = self.plain = dialect_class(paramstyle="format")
        self.returns_updated = False
        self._mariadb = settings.dialect != "mysql"

    def connect(self, *, seconds: float) -> MariadbLink:
        return MariadbLink(self._open(seconds, encoders))

    def _open(self, seconds: float, conversions: dict[Any, Any] | None) -> pymysql.Connection[Any]:
        s = self.settings
        host: dict[str, Any] = {"unix_socket": s.host} if s.host.startswith("/") else {"host": s.host or "127.0.0.1"}
        try:
            raw: pymysql.Connection[Any] = pymysql.connect(
                **host,
                port=s.port or 3306,
                user=s.user or None,
                password=s.password.reveal().encode() if s.password is not None else b"",
                database=s.database,
                charset="utf8mb4",
                conv=conversions,
                client_flag=CLIENT.FOUND_ROWS,  # rows matched, not rows changed: an update to the same value is one
                connect_timeout=max(0.01, seconds),
                read_timeout=max(0.01, seconds),
                write_timeout=max(0.01, seconds),
                autocommit=True,
                program_name="isthmus",
                **self._tls(),
            )
            with raw.cursor() as cursor:
                cursor.execute("SELECT VERSION()")
                version = str(cursor.fetchone()[0])
                self._mariadb = "mariadb" in version.lower()
                self.returns_inserted = self._mariadb and _numbers(version) >= (10, 5)
                cursor.execute(self._prepare())
        except pymysql.err.Error as error:
            raise codes_mariadb.connecting(error) from error
        except (OSError, ssl.SSLError) as error:
            raise Failure(Kind.LOGIN, "", f"{type(error).__name__}: {error}", nothing_sent=True) from error
        return raw

    def _prepare(self) -> str:
        s = self.settings
        seconds = max(1, round(s.lock_timeout))  # whole seconds only
        chosen = {
            "time_zone": "'+00:00'",
            "sql_mode": f"'{_SQL_MODE}'",
            "innodb_lock_wait_timeout": seconds,
            "lock_wait_timeout": seconds,
            # What an administrator may set for all sessions, and what would leave out rows or refuse statements.
            "sql_select_limit": 2**64 - 1,
            "sql_safe_updates": 0,
            "sql_big_selects": 1,
        }
        if self._mariadb:
            chosen["max_statement_time"] = f"{s.statement_timeout:f}"
        else:
            chosen["max_execution_time"] = round(s.statement_timeout * 1000)
        return "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in chosen.items())

    def _tls(self) -> dict[str, Any]:
        s = self.settings
        if s.tls == "disable":
            return {"ssl_disabled": True}
        if s.tls == "prefer" and not (s.tls_ca or s.tls_certificate):
            return {}
        context = ssl.create_default_context(cafile=s.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = s.tls == "verify-full"
        if s.tls != "verify-full" and not s.tls_ca:
            context.verify_mode = ssl.CERT_NONE
        if s.tls_certificate:
            context.load_cert_chain(s.tls_certificate, s.tls_key)
        return {"ssl": context}

    def catalogue(self, *, seconds: float) -> pymysql.Connection[Any]:
        raw = self._open(min(seconds, self.settings.connect_timeout), None)
        limit(raw, seconds)
        return raw

    def failure(self, error: BaseException) -> Failure:
        if isinstance(error, pymysql.err.Error):
            return codes_mariadb.failure(error)
        return Failure(Kind.LOST, "", str(error))

    def column_facts(
        self, inspector: Inspector, schema: str | None, tables: Sequence[str]
    ) -> dict[str, tuple[ColumnFacts, ...]]:
        return facts_mariadb.columns(inspector, schema or self.settings.database, tables)

    def keys(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
        return facts_mariadb.keys(inspector, schema or self.settings.database, tables)

    def checks(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, list[str]]:
        return facts_mariadb.checks(inspector, schema or self.settings.database, tables)

    def changing(self, inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
        return facts_mariadb.changing(inspector, schema or self.settings.database)

    def begin_import(self, *, link: Link, call: Call) -> None:
        assert isinstance(link, MariadbLink)
        limited = "max_statement_time" if self._mariadb else "max_execution_time"
        link._run(f"SET SESSION net_write_timeout = 3600, SESSION {limited} = 0", (), call.remaining())
        link.begin_reading(seconds=call.remaining())

    def import_rows(
        self,
        text: str,
        *,
        page_size: int,
        link: Link,
        call: Call,
        last: bool = True,
    ) -> Iterator[RowPage]:
        assert isinstance(link, MariadbLink)
        idle = self.settings.import_idle_timeout
        raw = link.raw
        complete = False
        cursor: SSCursor = raw.cursor(SSCursor)
        try:
            limit(raw, min(idle, call.remaining()))
            cursor.execute(text, ())
            while True:
                call.check()
                limit(raw, min(idle, call.remaining()))
                rows = cursor.fetchmany(page_size)
                if not rows:
                    complete = True
                    return
                yield RowPage(rows, packed(rows) if last else ())
        except pymysql.err.Error as error:
            call.check()
            raise codes_mariadb.failure(error) from error
        except UnicodeDecodeError:
            raise Failure(Kind.BROKEN, "UTF8", "a text value is not UTF-8") from None
        finally:
            if not complete:
                abandon(raw)

    def cut(self, packed: Any, fields: int) -> tuple[Any, Any]:
        return packed[:fields], packed[fields:]

    def unpack(self, packed: Any) -> Row:
        return packed  # type: ignore[no-any-return]

    def settle(self, session: str, *, link: Link, call: Call) -> None:
        assert isinstance(link, MariadbLink)
        waiting = list(lock_names(session))
        while waiting:
            call.check()
            if str(link._run("SELECT GET_LOCK(%s, 0.25)", (waiting[0],), call.remaining()).rows[0][0]) == "1":
                link._run("DO RELEASE_LOCK(%s)", (waiting.pop(0),), call.remaining())
                continue
            holder = link._run("SELECT IS_USED_LOCK(%s)", (waiting[0],), call.remaining()).rows[0][0]
            if holder is not None:
                try:
                    link._run("KILL %s", (int(holder),), call.remaining())
                except Failure as failure:
                    if failure.code != "1094":  # ER_NO_SUCH_THREAD: it has just ended
                        raise


def lock_names(session: str) -> Iterator[str]:
    digest = hashlib.blake2b(session.encode(), digest_size=16, person=b"isthmus").hexdigest()
    return (f"isthmus:{digest}:{n}" for n in range(SESSION_LOCKS))


def _numbers(version: str) -> tuple[int, ...]:
    plain = version.removeprefix("5.5.5-")  # what old MariaDB put before its version for old replicas
    return tuple(int(part) for part in plain.split("-")[0].split(".")[:2])
