"""PostgreSQL: from SQLSTATE (appendix A of its manual) to what it means. An exact code goes before its class."""

from __future__ import annotations

import re

import psycopg

from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.spi import Secret

STATES: dict[str, Kind] = {
    "23505": Kind.DUPLICATE,
    "23P01": Kind.DUPLICATE,  # exclusion constraint
    "23503": Kind.FOREIGN_KEY,
    "23001": Kind.HAS_CHILDREN,
    "22012": Kind.REFUSED,  # division by zero, in somebody's trigger
    "25006": Kind.STANDBY,  # read-only transaction
    "25P03": Kind.LOST,
    "40003": Kind.LOST,  # statement completion unknown: not to be sent again as the rest of class 40
    "28000": Kind.LOGIN,
    "28P01": Kind.LOGIN,
    "42501": Kind.DENIED,
    "42804": Kind.BAD_VALUE,  # datatype mismatch
    "42846": Kind.BAD_VALUE,
    "42883": Kind.NOT_POSSIBLE,  # no such operator: a type without "="
    "428C9": Kind.BAD_VALUE,  # GENERATED ALWAYS
    "53300": Kind.EXHAUSTED,
    "55000": Kind.NOT_POSSIBLE,  # a view that cannot be written
    "55006": Kind.BUSY,
    "55P03": Kind.BUSY,
    "57014": Kind.BUSY,  # statement_timeout, or cancelled by an administrator
}

CLASSES: dict[str, Kind] = {
    "00": Kind.BROKEN,  # not errors; never raised
    "01": Kind.BROKEN,
    "02": Kind.BROKEN,
    "03": Kind.BROKEN,
    "08": Kind.LOST,
    "09": Kind.REFUSED,  # triggered action
    "0A": Kind.SCHEMA,  # "cached plan must not change result type": the table was altered
    "0B": Kind.BROKEN,
    "0F": Kind.BROKEN,
    "0L": Kind.DENIED,
    "0P": Kind.LOGIN,
    "0Z": Kind.REFUSED,
    "10": Kind.BAD_VALUE,  # XQuery
    "20": Kind.REFUSED,
    "21": Kind.REFUSED,
    "22": Kind.BAD_VALUE,
    "23": Kind.BAD_VALUE,
    "24": Kind.BROKEN,
    "25": Kind.REFUSED,
    "26": Kind.SCHEMA,  # a prepared statement vanished: a pooler in between
    "27": Kind.REFUSED,
    "28": Kind.LOGIN,
    "2B": Kind.REFUSED,
    "2D": Kind.REFUSED,
    "2F": Kind.REFUSED,
    "34": Kind.BROKEN,
    "38": Kind.REFUSED,  # external routine
    "39": Kind.REFUSED,
    "3B": Kind.BROKEN,
    "3D": Kind.LOGIN,
    "3F": Kind.SCHEMA,
    "40": Kind.CONFLICT,
    "42": Kind.SCHEMA,
    "44": Kind.BAD_VALUE,  # WITH CHECK OPTION
    "53": Kind.EXHAUSTED,
    "54": Kind.BAD_VALUE,  # program limit: a row or index entry too large
    "55": Kind.BUSY,
    "57": Kind.LOST,  # shut down: whether it committed before is not known
    "58": Kind.EXHAUSTED,  # system error: disk
    "72": Kind.CONFLICT,
    "F0": Kind.BROKEN,
    "HV": Kind.REFUSED,  # foreign data wrapper
    "P0": Kind.REFUSED,  # RAISE in a trigger
    "XX": Kind.BROKEN,
}

# What a server says while connecting comes without SQLSTATE, only as text of libpq.
_LOGIN = re.compile(
    r"authentication failed|no password supplied|role \".*\" (does not exist|is not permitted)"
    r"|database \".*\" does not exist|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|certificate verify failed|does not support SSL"
    r"|server certificate for|not permitted to log in|root certificate file|could not load .*(certificate|key)"
    r"|certificate authentication|permission denied for database",
    re.DOTALL,
)
_EXHAUSTED = re.compile(r"too many (clients|connections)|remaining connection slots")
_DATA = {Kind.BAD_VALUE, Kind.DUPLICATE, Kind.NO_PARENT, Kind.FOREIGN_KEY}


def kind_of(state: str) -> Kind:
    return STATES.get(state) or CLASSES.get(state[:2], Kind.REFUSED)


def failure(error: psycopg.Error, *, secret: Secret | None = None) -> Failure:
    """Return what an error of the driver means, after a statement was sent."""
    state = error.sqlstate
    if state is None:
        return Failure(Kind.LOST, "", _shown(str(error), secret))
    kind, diag = kind_of(state), error.diag
    # The primary message of a data error quotes the value.
    text = type(error).__name__ if kind in _DATA else (diag.message_primary or "")
    columns = (diag.column_name,) if diag.column_name else ()
    return Failure(kind, state, text, diag.constraint_name, columns)


def connecting(error: psycopg.Error, *, secret: Secret | None = None) -> Failure:
    """Return what an error while connecting means: nothing was sent yet."""
    text = _shown(str(error), secret)
    kind = Kind.UNREACHABLE
    if _LOGIN.search(text):
        kind = Kind.LOGIN
    elif _EXHAUSTED.search(text):
        kind = Kind.EXHAUSTED
    return Failure(kind, error.sqlstate or "", text, nothing_sent=True)


def _shown(text: str, secret: Secret | None) -> str:
    # libpq tries with and without TLS, and says twice what is wrong with both
    said = dict.fromkeys(" ".join(line.split()) for line in text.splitlines())
    line = " ".join(said).strip()[:300]
    return line.replace(secret.reveal(), "***") if secret else line
