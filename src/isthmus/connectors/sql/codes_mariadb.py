"""MariaDB and MySQL: from error number, else SQLSTATE, to what it means."""

from __future__ import annotations

import re

import pymysql
from pymysql.constants import CR, ER

from isthmus.connectors.sql.errors import Failure, Kind

NUMBERS: dict[int, Kind] = {
    ER.DUP_ENTRY: Kind.DUPLICATE,
    ER.DUP_KEY: Kind.DUPLICATE,
    ER.DUP_UNIQUE: Kind.DUPLICATE,
    1586: Kind.DUPLICATE,  # ER_DUP_ENTRY_WITH_KEY_NAME
    1761: Kind.DUPLICATE,  # ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO
    1762: Kind.DUPLICATE,
    ER.BAD_NULL_ERROR: Kind.BAD_VALUE,
    1364: Kind.BAD_VALUE,  # ER_NO_DEFAULT_FOR_FIELD
    1263: Kind.BAD_VALUE,  # ER_WARN_NULL_TO_NOTNULL
    1264: Kind.BAD_VALUE,  # ER_WARN_DATA_OUT_OF_RANGE
    1265: Kind.BAD_VALUE,  # WARN_DATA_TRUNCATED
    1292: Kind.BAD_VALUE,  # ER_TRUNCATED_WRONG_VALUE
    1366: Kind.BAD_VALUE,  # ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
    1367: Kind.BAD_VALUE,
    1406: Kind.BAD_VALUE,  # ER_DATA_TOO_LONG
    1441: Kind.BAD_VALUE,
    1690: Kind.BAD_VALUE,  # ER_DATA_OUT_OF_RANGE
    1906: Kind.BAD_VALUE,  # ER_WARNING_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN
    3105: Kind.BAD_VALUE,  # MySQL's number for the same
    3819: Kind.BAD_VALUE,  # ER_CHECK_CONSTRAINT_VIOLATED (MySQL)
    4025: Kind.BAD_VALUE,  # ER_CONSTRAINT_FAILED (MariaDB)
    1369: Kind.BAD_VALUE,  # WITH CHECK OPTION
    1118: Kind.BAD_VALUE,  # ER_TOO_BIG_ROWSIZE
    1153: Kind.BAD_VALUE,  # ER_NET_PACKET_TOO_LARGE
    1267: Kind.BAD_VALUE,  # characters that the column's character set does not have
    ER.NO_REFERENCED_ROW: Kind.NO_PARENT,
    ER.NO_REFERENCED_ROW_2: Kind.NO_PARENT,
    ER.ROW_IS_REFERENCED: Kind.HAS_CHILDREN,
    ER.ROW_IS_REFERENCED_2: Kind.HAS_CHILDREN,
    ER.TABLEACCESS_DENIED_ERROR: Kind.DENIED,
    ER.COLUMNACCESS_DENIED_ERROR: Kind.DENIED,
    1370: Kind.DENIED,  # ER_PROCACCESS_DENIED_ERROR
    1227: Kind.DENIED,  # ER_SPECIFIC_ACCESS_DENIED_ERROR
    1095: Kind.DENIED,  # ER_KILL_DENIED_ERROR
    ER.ACCESS_DENIED_ERROR: Kind.LOGIN,
    ER.DBACCESS_DENIED_ERROR: Kind.LOGIN,
    ER.BAD_DB_ERROR: Kind.LOGIN,
    ER.HOST_NOT_PRIVILEGED: Kind.LOGIN,
    1251: Kind.LOGIN,  # ER_NOT_SUPPORTED_AUTH_MODE
    1698: Kind.LOGIN,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    1820: Kind.LOGIN,  # ER_MUST_CHANGE_PASSWORD
    1862: Kind.LOGIN,
    3118: Kind.LOGIN,  # account locked (MySQL)
    4151: Kind.LOGIN,  # account locked (MariaDB)
    1044: Kind.LOGIN,
    CR.CR_SSL_CONNECTION_ERROR: Kind.LOGIN,
    1129: Kind.EXHAUSTED,  # ER_HOST_IS_BLOCKED
    ER.CON_COUNT_ERROR: Kind.EXHAUSTED,
    1203: Kind.EXHAUSTED,  # ER_TOO_MANY_USER_CONNECTIONS
    1226: Kind.EXHAUSTED,  # ER_USER_LIMIT_REACHED
    1021: Kind.EXHAUSTED,  # ER_DISK_FULL
    1037: Kind.EXHAUSTED,
    1038: Kind.EXHAUSTED,
    1041: Kind.EXHAUSTED,
    3: Kind.EXHAUSTED,  # EE_WRITE: mostly no room
    1026: Kind.EXHAUSTED,  # ER_ERROR_ON_WRITE
    1030: Kind.EXHAUSTED,  # ER_GET_ERRNO: "Got error 28 'No space left on device' from storage engine"
    1467: Kind.EXHAUSTED,  # ER_AUTOINC_READ_FAILED
    167: Kind.EXHAUSTED,  # HA_ERR_AUTOINC_ERANGE: no number is left for AUTO_INCREMENT
    1114: Kind.EXHAUSTED,  # ER_RECORD_FILE_FULL
    1461: Kind.EXHAUSTED,
    ER.NO_SUCH_TABLE: Kind.SCHEMA,
    1051: Kind.SCHEMA,
    ER.BAD_FIELD_ERROR: Kind.SCHEMA,
    1109: Kind.SCHEMA,
    1136: Kind.SCHEMA,
    1356: Kind.SCHEMA,  # ER_VIEW_INVALID
    1412: Kind.CONFLICT,  # ER_TABLE_DEF_CHANGED
    1932: Kind.SCHEMA,
    ER.LOCK_DEADLOCK: Kind.CONFLICT,
    1020: Kind.CONFLICT,  # ER_CHECKREAD: record has changed since last read
    ER.LOCK_WAIT_TIMEOUT: Kind.BUSY,
    1317: Kind.BUSY,  # ER_QUERY_INTERRUPTED
    1969: Kind.BUSY,  # ER_STATEMENT_TIMEOUT (MariaDB)
    3024: Kind.BUSY,  # ER_QUERY_TIMEOUT (MySQL)
    ER.SERVER_SHUTDOWN: Kind.LOST,
    1927: Kind.LOST,  # ER_CONNECTION_KILLED
    1080: Kind.LOST,
    1152: Kind.LOST,
    1184: Kind.LOST,
    1158: Kind.LOST,
    1159: Kind.LOST,
    1160: Kind.LOST,
    1161: Kind.LOST,
    1180: Kind.LOST,  # ER_ERROR_DURING_COMMIT: what became of it is not known
    4031: Kind.LOST,  # idle for too long (MySQL)
    1290: Kind.STANDBY,  # --read-only
    1792: Kind.STANDBY,
    1836: Kind.STANDBY,
    1047: Kind.STANDBY,  # "WSREP has not yet prepared node for application use": Galera has refused the statement
    1288: Kind.NOT_POSSIBLE,  # the target of the UPDATE is not updatable
    1347: Kind.NOT_POSSIBLE,
    1348: Kind.NOT_POSSIBLE,
    1393: Kind.NOT_POSSIBLE,
    1394: Kind.NOT_POSSIBLE,
    1395: Kind.NOT_POSSIBLE,
    1471: Kind.NOT_POSSIBLE,  # ER_NON_INSERTABLE_TABLE
    1644: Kind.REFUSED,  # SIGNAL in a trigger
}

STATES: dict[str, Kind] = {
    "08": Kind.LOST,
    "0A": Kind.NOT_POSSIBLE,
    "21": Kind.SCHEMA,
    "22": Kind.BAD_VALUE,
    "23": Kind.BAD_VALUE,
    "25": Kind.REFUSED,
    "28": Kind.LOGIN,
    "3D": Kind.LOGIN,
    "40": Kind.CONFLICT,
    "42": Kind.SCHEMA,
    "44": Kind.BAD_VALUE,
    "45": Kind.REFUSED,
    "70": Kind.BUSY,
    "HY": Kind.REFUSED,  # "general error": all that has no state of its own
    "XA": Kind.REFUSED,
}

_COLLATIONS = 1267
"""ER_CANT_AGGREGATE_2COLLATIONS"""

_CLIENT = range(2000, 3000)
"""Error numbers of the client library: connecting, sending, receiving."""

_KEY = re.compile(r"^.*for key '(.*)'$", re.DOTALL)
_COLUMN = re.compile(r"(?:[Cc]olumn|[Ff]ield) '([^']+)'")
_LAST_COLUMN = re.compile(r"for column .*?`?([^`'.]+)`?'? at row \d+$", re.DOTALL)
_FOREIGN_KEY = re.compile(r"CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY")
_CHECK = re.compile(r"CONSTRAINT `((?:[^`]|``)+)` failed")
_WORDS = {number: name.lower().replace("_", " ") for name, number in vars(ER).items() if isinstance(number, int)}
_DATA = {Kind.BAD_VALUE, Kind.DUPLICATE, Kind.NO_PARENT, Kind.HAS_CHILDREN}


def kind_of(number: int, state: str | None = None) -> Kind:
    if number in NUMBERS:
        return NUMBERS[number]
    if number in _CLIENT and number != CR.CR_SSL_CONNECTION_ERROR:
        return Kind.LOST
    return STATES.get((state or "HY")[:2], Kind.REFUSED)


def failure(error: pymysql.err.Error) -> Failure:
    """Return what an error of the driver means, after a statement was sent."""
    number, message = _parts(error)
    if number == 0:
        return Failure(Kind.LOST, "", message)
    if number < 0:
        return Failure(Kind.BROKEN, type(error).__name__, message)
    kind = kind_of(number, error.sqlstate)
    if number == _COLLATIONS and "COERCIBLE" not in message:
        kind = Kind.SCHEMA  # two columns, not a column and a value
    # The message of a data error quotes the value.
    text = _WORDS.get(number, "") if kind in _DATA else message[:300]
    constraint, columns = _names(kind, message)
    return Failure(kind, str(number), text, constraint, columns)


def connecting(error: pymysql.err.Error) -> Failure:
    """Return what an error while connecting means: nothing was sent yet."""
    number, message = _parts(error)
    kind = kind_of(number, error.sqlstate) if number > 0 else Kind.UNREACHABLE
    if "certificate verify failed" in message or "SSL is required" in message:
        kind = Kind.LOGIN
    if kind not in {Kind.LOGIN, Kind.EXHAUSTED, Kind.DENIED}:
        kind = Kind.UNREACHABLE
    return Failure(kind, str(max(number, 0) or ""), " ".join(message.split())[:300], nothing_sent=True)


def _parts(error: pymysql.err.Error) -> tuple[int, str]:
    match error.args:
        case (int(number), str(message)):
            return number & 0xFFFF, message or "the connection was closed"
        case _:
            return -1, "the driver refused the statement"


def _names(kind: Kind, message: str) -> tuple[str | None, tuple[str, ...]]:
    if kind is Kind.DUPLICATE and (found := _KEY.search(message)):
        return found[1].rpartition(".")[2], ()  # MySQL writes table.key
    if kind is Kind.BAD_VALUE:
        if found := _CHECK.search(message):
            return found[1].replace("``", "`"), ()
        if found := _LAST_COLUMN.search(message) or _COLUMN.search(message):
            return None, (found[1],)
    if kind in {Kind.NO_PARENT, Kind.HAS_CHILDREN} and (found := _FOREIGN_KEY.search(message)):
        return found[1].replace("``", "`"), ()
    return None, ()
