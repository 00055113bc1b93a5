"""One table from connector errors to SCIM errors (docs/reference/errors.md), most special class first."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from isthmus.scim.errors import Failed, NotUnique, ScimError
from isthmus.spi import (
    AlreadyExists,
    Cancelled,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    NotPermitted,
    TargetRejected,
    TargetUnavailable,
    Throttled,
    Unsupported,
    WatermarkExpired,
)
from isthmus.store import (
    AlreadyUsed,
    EntryClosed,
    EntryUnknown,
    IdentityChanged,
    StoreBusy,
    StoreError,
)

log = structlog.get_logger("isthmus.engine")

RETRY_SECONDS = 30
_BUSY_SECONDS = 2
_DAY = 86_400
_NEVER = (AlreadyUsed, IdentityChanged, EntryClosed, EntryUnknown)
"""What the store says of a mistake of the engine, and not of itself."""


class Held(Exception):
    """The guard holds a run back."""


class Stopped(SystemExit):
    """This process was told to end: what a connector is doing ends with it, and is no fault of the connector."""


class Unkept(Exception):
    """A connector did something that the SPI rules out; the text goes on after its name and the operation's."""


def unavailable(detail: str, retry_after: float = RETRY_SECONDS) -> ScimError:
    """Return the answer for "later, perhaps": 503 with Retry-After."""
    return ScimError(503, detail, headers={"Retry-After": str(max(1, round(retry_after)))})


def _throttled(error: ConnectorError) -> ScimError:
    seconds = error.retry_after if isinstance(error, Throttled) else RETRY_SECONDS
    try:
        whole = min(max(1, round(seconds)), _DAY)
    except (ArithmeticError, TypeError, ValueError):  # what a connector made of a header that it did not understand
        whole = RETRY_SECONDS
    return ScimError(429, error.message, headers={"Retry-After": str(whole)})


ANSWERS: tuple[tuple[type[ConnectorError], Callable[[ConnectorError], ScimError]], ...] = (
    (Throttled, _throttled),
    (TargetUnavailable, lambda error: unavailable(error.message)),
    (MisconfiguredConnector, lambda error: unavailable(f"the connector needs an operator: {error.message}")),
    (NotFound, lambda error: ScimError(404, error.message)),
    (AlreadyExists, lambda error: NotUnique(error.message)),
    (InvalidValue, lambda error: ScimError(400, error.message, scim_type="invalidValue")),
    (NotPermitted, lambda error: ScimError(403, error.message)),
    (TargetRejected, lambda error: ScimError(400, error.message, scim_type="invalidValue")),
    (WatermarkExpired, lambda error: unavailable(error.message)),
    (Cancelled, lambda error: unavailable(error.message)),
    (Unsupported, lambda error: ScimError(501, error.message)),
    (ConnectorError, lambda error: unavailable(error.message)),
)


def answer_for(error: ConnectorError) -> ScimError:
    """Return the SCIM error that tells a client what a connector error means for it."""
    for kind, make in ANSWERS:
        if isinstance(error, kind):
            return make(error)
    raise AssertionError("the table ends with the root class")


def fault(problem: Exception, correlation: str, **where: object) -> ScimError:
    """Return what a client is told of what is neither its doing nor the target's, and log it.

    A store that is full, locked or damaged: 503, for it may be mended. Anything else is a fault of ours: 500.
    """
    if isinstance(problem, StoreError) and not isinstance(problem, _NEVER):
        log.error("store_failed", correlation=correlation, reason=str(problem), **where)
        return unavailable(
            f"the host's own store failed: {problem}",
            _BUSY_SECONDS if isinstance(problem, StoreBusy) else RETRY_SECONDS,
        )
    log.error("bug", correlation=correlation, exc_info=problem, **where)
    return Failed(f"an unexpected error; the host's log has it under correlation id {correlation}")


class connector_edge:  # noqa: N801 - a context like those of contextlib, and called by every request
    """Let only `ConnectorError` out of a connector: anything else is reported once as a bug of that connector.

    What the host itself raises while a connector is lent passes as it is.

    The outcome of a write that ended so is not known. The text of a foreign exception may hold values, so only its
    class is shown; the traceback goes to the log without local variables. `SystemExit` and a cancelled task of asyncio
    would end the thread that serves, so they are bugs like any other.
    """

    __slots__ = ("_connector", "_operation")

    def __init__(self, connector: str, operation: str) -> None:
        self._connector = connector
        self._operation = operation

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, _KNOWN):
            return
        what = str(error) if isinstance(error, Unkept) else f"raised {type(error).__name__}"
        log.error(
            "bug_in_connector",
            connector=self._connector,
            operation=self._operation,
            error=what,
            where=_innermost(error),
        )
        raise ConnectorError(
            f"bug in connector {self._connector!r}: {self._operation} {what}; see the log and tell its author",
            outcome_unknown=True,
        ) from error


_KNOWN = (ConnectorError, ScimError, StoreError, Held, Stopped, KeyboardInterrupt, GeneratorExit)


def _innermost(exc: BaseException) -> str:
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
