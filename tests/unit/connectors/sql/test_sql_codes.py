"""The tables of errors are complete: no code of a driver is without a meaning, no meaning without an answer."""

from __future__ import annotations

import sqlite3

import psycopg
import pymysql
import pytest
from psycopg.errors import _sqlcodes
from pymysql.constants import CR, ER

from isthmus.connectors.sql import codes_mariadb, codes_postgresql, codes_sqlite
from isthmus.connectors.sql.errors import ANSWERS, Failure, Kind, Where, reported
from isthmus.spi import (
    AlreadyExists,
    ConnectorError,
    InvalidValue,
    NotPermitted,
    Secret,
    TargetRejected,
    TargetUnavailable,
)


def test_every_kind_has_an_answer() -> None:
    assert set(ANSWERS) == set(Kind)
    for kind in Kind:
        for where in (Where("t"), Where("t", writing=True), Where("t", writing=True, deleting=True)):
            with pytest.raises(ConnectorError) as caught, reported(where):
                raise Failure(kind, "42")
            assert type(caught.value) is not ConnectorError
            assert isinstance(caught.value.__cause__, Failure)


def test_only_what_was_sent_without_an_answer_is_unknown() -> None:
    for kind in Kind:
        for nothing_sent in (True, False):
            with pytest.raises(ConnectorError) as caught, reported(Where("t", writing=True)):
                raise Failure(kind, "42", nothing_sent=nothing_sent)
            assert caught.value.outcome_unknown is (kind is Kind.LOST and not nothing_sent)
    with pytest.raises(ConnectorError) as caught, reported(Where("t")):
        raise Failure(Kind.LOST, "42")
    assert not caught.value.outcome_unknown


def test_every_sqlstate_class_of_the_driver_is_known() -> None:
    states = {error.sqlstate for error in _sqlcodes.values()}
    assert len(states) > 200
    assert {state[:2] for state in states} <= set(codes_postgresql.CLASSES)
    assert set(codes_postgresql.STATES) <= states


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("23505", Kind.DUPLICATE),
        ("23502", Kind.BAD_VALUE),
        ("23514", Kind.BAD_VALUE),
        ("22001", Kind.BAD_VALUE),
        ("22P02", Kind.BAD_VALUE),
        ("42P01", Kind.SCHEMA),
        ("42703", Kind.SCHEMA),
        ("42501", Kind.DENIED),
        ("40001", Kind.CONFLICT),
        ("40P01", Kind.CONFLICT),
        ("57014", Kind.BUSY),
        ("57P01", Kind.LOST),
        ("53300", Kind.EXHAUSTED),
        ("28P01", Kind.LOGIN),
        ("25006", Kind.STANDBY),
        ("P0001", Kind.REFUSED),
        ("ZZ999", Kind.REFUSED),
    ],
)
def test_sqlstates(state: str, kind: Kind) -> None:
    assert codes_postgresql.kind_of(state) is kind


def test_every_error_number_of_the_driver_is_known() -> None:
    numbers = [value for value in {**vars(ER), **vars(CR)}.values() if isinstance(value, int)]
    assert len(numbers) > 400
    assert all(codes_mariadb.kind_of(number) in Kind for number in numbers)
    for number, error in pymysql.err.error_map.items():
        kind = codes_mariadb.kind_of(number)
        if error is pymysql.err.IntegrityError and number != ER.CANNOT_ADD_FOREIGN:
            assert kind in {Kind.DUPLICATE, Kind.NO_PARENT, Kind.HAS_CHILDREN, Kind.BAD_VALUE}, number
    assert codes_mariadb.kind_of(CR.CR_SERVER_LOST) is Kind.LOST
    assert codes_mariadb.kind_of(CR.CR_SERVER_GONE_ERROR) is Kind.LOST
    assert codes_mariadb.kind_of(1030, "HY000") is Kind.EXHAUSTED, "a full disk is no fault of the request"
    assert codes_mariadb.kind_of(1047, "08S01") is Kind.STANDBY, "a node of Galera without the others"
    assert codes_mariadb.kind_of(1180, "HY000") is Kind.LOST, "an error while it commits"
    assert codes_mariadb.kind_of(9999, "23000") is Kind.BAD_VALUE
    assert codes_mariadb.kind_of(9999, "QQ000") is Kind.REFUSED


@pytest.mark.parametrize(
    ("number", "message", "kind", "constraint", "columns"),
    [
        (1062, "Duplicate entry 'it''s for key 'x'' for key 'uq_login'", Kind.DUPLICATE, "uq_login", ()),
        (1062, "Duplicate entry 'a' for key 't.uq'", Kind.DUPLICATE, "uq", ()),
        (1048, "Column 'login' cannot be null", Kind.BAD_VALUE, None, ("login",)),
        (1406, "Data too long for column 'name' at row 1", Kind.BAD_VALUE, None, ("name",)),
        (1292, "Incorrect datetime value: 'x' for column `d`.`t`.`hired` at row 1", Kind.BAD_VALUE, None, ("hired",)),
        (4025, "CONSTRAINT `no_bad` failed for `d`.`t`", Kind.BAD_VALUE, "no_bad", ()),
        (
            1452,
            "a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` FOREIGN KEY (`m`) REFERENCES `t` (`id`))",
            Kind.NO_PARENT,
            "fk",
            (),
        ),
    ],
)
def test_names_in_messages(number: int, message: str, kind: Kind, constraint: str, columns: tuple[str, ...]) -> None:
    failure = codes_mariadb.failure(pymysql.err.OperationalError(number, message))
    assert (failure.kind, failure.constraint, failure.columns) == (kind, constraint, columns)
    assert "'a'" not in str(failure)
    assert "it''s" not in str(failure)


def test_every_result_code_of_sqlite_is_known() -> None:
    fine = {"SQLITE_OK", "SQLITE_OK_LOAD_PERMANENTLY", "SQLITE_OK_SYMLINK", "SQLITE_DENY", "SQLITE_IGNORE"}
    codes = {
        name: value
        for name, value in vars(sqlite3).items()
        if name.startswith("SQLITE_") and not name.startswith("SQLITE_LIMIT_") and name not in fine
    }
    errors = {name: value for name, value in codes.items() if _is_result_code(name)}
    assert len(errors) > 60
    missing = [name for name, value in errors.items() if value & 0xFF not in codes_sqlite.CODES]
    assert not missing


def _is_result_code(name: str) -> bool:
    actions = ("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER", "SQLITE_ANALYZE", "SQLITE_ATTACH", "SQLITE_DETACH")
    others = {"SQLITE_DELETE", "SQLITE_DONE", "SQLITE_FUNCTION", "SQLITE_INSERT", "SQLITE_PRAGMA", "SQLITE_READ",
              "SQLITE_RECURSIVE", "SQLITE_REINDEX", "SQLITE_ROW", "SQLITE_SAVEPOINT", "SQLITE_SELECT",
              "SQLITE_TRANSACTION", "SQLITE_UPDATE"}  # fmt: skip
    return not name.startswith(actions) and name not in others


def test_columns_in_messages_of_sqlite() -> None:
    error = sqlite3.IntegrityError("UNIQUE constraint failed: a.b, c.x, a.b, c.y")
    error.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_UNIQUE
    error.sqlite_errorname = "SQLITE_CONSTRAINT_UNIQUE"
    assert codes_sqlite.failure(error, table="a.b, c").columns == ("x", "y")
    assert codes_sqlite.failure(error).columns == ()


def test_answers_name_columns_and_no_values() -> None:
    where = Where("people", {"uq": ("login",)}, writing=True)
    with pytest.raises(AlreadyExists) as duplicate, reported(where):
        raise Failure(Kind.DUPLICATE, "23505", constraint="UQ")
    assert duplicate.value.attribute == "login"
    with pytest.raises(InvalidValue) as parent, reported(where):
        raise Failure(Kind.FOREIGN_KEY, "23503")
    assert parent.value.attribute is None
    with pytest.raises(TargetRejected), reported(Where("people", deleting=True)):
        raise Failure(Kind.FOREIGN_KEY, "23503")
    with pytest.raises(NotPermitted), reported(where):
        raise Failure(Kind.DENIED, "42501")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "x"', Kind.LOGIN),
        ('FATAL:  database "hr" does not exist', Kind.LOGIN),
        ('FATAL:  role "x" does not exist', Kind.LOGIN),
        ("FATAL:  sorry, too many clients already", Kind.EXHAUSTED),
        ("FATAL:  remaining connection slots are reserved for roles", Kind.EXHAUSTED),
        ("FATAL:  the database system is starting up", Kind.UNREACHABLE),
        ("Connection refused", Kind.UNREACHABLE),
    ],
)
def test_refused_connections(message: str, kind: Kind) -> None:
    failure = codes_postgresql.connecting(psycopg.OperationalError(message))
    assert failure.kind is kind
    assert failure.nothing_sent


def test_a_password_in_a_message_is_masked() -> None:
    failure = codes_postgresql.connecting(psycopg.OperationalError("bad option hunter22"), secret=Secret("hunter22"))
    assert "hunter22" not in str(failure)
    with pytest.raises(TargetUnavailable) as caught, reported(Where()):
        raise failure
    assert "hunter22" not in str(caught.value)
