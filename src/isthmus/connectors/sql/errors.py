"""From what a database says to what the host does next.

Drivers' exceptions become one `Failure` by the table of their database (`codes_*.py`); `reported` turns a `Failure`
into an error of the SPI by the table below. Messages carry names and codes, never values: a value may be secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from isthmus.spi import (
    AlreadyExists,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    NotPermitted,
    TargetRejected,
    TargetUnavailable,
    Unsupported,
)


class Kind(Enum):
    """What a database's answer means."""

    DUPLICATE = auto()
    BAD_VALUE = auto()
    NO_PARENT = auto()
    """A foreign key that points at nothing."""
    HAS_CHILDREN = auto()
    """Other rows point at this one."""
    FOREIGN_KEY = auto()
    """One of the two, and the database does not say which."""
    DENIED = auto()
    LOGIN = auto()
    SCHEMA = auto()
    """A table or column is not there, or has changed."""
    CONFLICT = auto()
    """Rolled back because of another transaction; may be sent again at once."""
    BUSY = auto()
    """Gave up waiting; rolled back."""
    EXHAUSTED = auto()
    """No connection, memory or disk left."""
    UNREACHABLE = auto()
    """Nothing was sent: no connection could be made."""
    LOST = auto()
    """The connection ended, or our patience did, and no answer came."""
    REFUSED = auto()
    NOT_POSSIBLE = auto()
    STANDBY = auto()
    """The server takes no writes, perhaps because another one has taken over."""
    BROKEN = auto()
    """The database is damaged, or says that it has a bug."""


@dataclass(slots=True)
class Failure(Exception):
    """What a database answered, in our words."""

    kind: Kind
    code: str
    text: str = ""
    constraint: str | None = None
    columns: tuple[str, ...] = ()
    nothing_sent: bool = False
    again: bool = False
    """Whether the same may succeed at once when it is tried again."""

    def __str__(self) -> str:
        return f"{self.text or self.kind.name.lower()} ({self.code})" if self.code else self.text


@dataclass(frozen=True, slots=True)
class Where:
    """On what a statement worked: for messages, and to find the column behind a constraint."""

    target: str = ""
    constraints: Mapping[str, tuple[str, ...]] | None = None
    writing: bool = False
    deleting: bool = False

    def columns(self, failure: Failure) -> tuple[str, ...]:
        if failure.columns:
            return failure.columns
        if failure.constraint is None or self.constraints is None:
            return ()
        return self.constraints.get(failure.constraint.casefold(), ())


def _named(columns: tuple[str, ...]) -> str:
    return f" in {', '.join(columns)}" if columns else ""


def _single(columns: tuple[str, ...]) -> str | None:
    return columns[0] if len(columns) == 1 else None


def _duplicate(f: Failure, w: Where) -> ConnectorError:
    columns = w.columns(f)
    text = f"{w.target}: a row with this value{_named(columns)} exists already ({f.code})"
    return AlreadyExists(text, attribute=_single(columns))


def _bad_value(f: Failure, w: Where) -> ConnectorError:
    if not w.writing:
        return MisconfiguredConnector(f"{w.target}: the database cannot read what it holds: {f}")
    columns = w.columns(f)
    rule = f" because of the constraint {f.constraint}" if f.constraint and not columns else ""
    text = f"{w.target}: the database refuses a value{_named(columns)}{rule}: {f}"
    return InvalidValue(text, attribute=_single(columns))


def _no_parent(f: Failure, w: Where) -> ConnectorError:
    columns = w.columns(f)
    text = f"{w.target}: the value{_named(columns)} refers to a row that does not exist ({f.code})"
    return InvalidValue(text, attribute=_single(columns))


def _has_children(f: Failure, w: Where) -> ConnectorError:
    by = f" by the foreign key {f.constraint}" if f.constraint else ""
    return TargetRejected(f"{w.target}: other rows refer to this row{by} ({f.code})")


def _foreign_key(f: Failure, w: Where) -> ConnectorError:
    theirs = f.constraint is not None and not w.columns(f)  # the constraint is none of this table
    return _has_children(f, w) if w.deleting or theirs else _no_parent(f, w)


def _denied(f: Failure, w: Where) -> ConnectorError:
    if w.writing:
        return NotPermitted(f"{w.target}: the connector's account may not write this: {f}")
    return MisconfiguredConnector(f"{w.target}: the connector's account may not read this: {f}; grant it SELECT")


def _conflict(f: Failure, w: Where) -> ConnectorError:
    return TargetUnavailable(f"{w.target}: rolled back because of another transaction ({f.code}); try again")


def _lost(f: Failure, w: Where) -> ConnectorError:
    return TargetUnavailable(f"the database did not answer: {f}", outcome_unknown=w.writing and not f.nothing_sent)


ANSWERS: dict[Kind, Callable[[Failure, Where], ConnectorError]] = {
    Kind.DUPLICATE: _duplicate,
    Kind.BAD_VALUE: _bad_value,
    Kind.NO_PARENT: _no_parent,
    Kind.HAS_CHILDREN: _has_children,
    Kind.FOREIGN_KEY: _foreign_key,
    Kind.DENIED: _denied,
    Kind.LOGIN: lambda f, _: MisconfiguredConnector(f"the database refuses the connection: {f}"),
    Kind.SCHEMA: lambda f, w: MisconfiguredConnector(f"{w.target}: table or columns are not as expected: {f}"),
    Kind.CONFLICT: _conflict,
    Kind.BUSY: lambda f, w: TargetUnavailable(f"{w.target}: the database gave up waiting: {f}"),
    Kind.EXHAUSTED: lambda f, _: TargetUnavailable(f"the database is at its limits: {f}"),
    Kind.UNREACHABLE: lambda f, _: TargetUnavailable(f"the database cannot be reached: {f}"),
    Kind.LOST: _lost,
    Kind.REFUSED: lambda f, w: TargetRejected(f"{w.target}: the database refuses this: {f}"),
    Kind.NOT_POSSIBLE: lambda f, w: Unsupported(f"{w.target}: the database cannot do this: {f}"),
    Kind.STANDBY: lambda f, w: TargetUnavailable(f"{w.target}: the server takes no writes at the moment: {f}"),
    Kind.BROKEN: lambda f, w: MisconfiguredConnector(f"{w.target}: the database reports a fault of its own: {f}"),
}


class reported:  # noqa: N801 - a context like those of contextlib, and entered by every request
    """Raise what the host understands instead of a `Failure`."""

    __slots__ = ("_where",)

    def __init__(self, where: Where) -> None:
        self._where = where

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Failure):
            raise ANSWERS[error.kind](error, self._where) from error
