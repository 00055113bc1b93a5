"""Errors, classed by what the host does next.

    ConnectorError                 a bug in the connector                503
    ├── TargetUnavailable          try again later                       503 + Retry-After
    │   └── Throttled              .retry_after                          429 + Retry-After
    ├── MisconfiguredConnector     an operator must act                  503 + Retry-After
    ├── TargetRejected             do not try again                      400 invalidValue
    │   ├── NotFound                                                     404
    │   ├── AlreadyExists                                                409 uniqueness
    │   ├── InvalidValue           .attribute                            400 invalidValue
    │   └── NotPermitted                                                 403
    ├── WatermarkExpired           run a full import                     never leaves the engine
    ├── Cancelled                                                        503
    └── Unsupported                                                      501

The message says what happened and what to do, in the operator's words, and never holds a secret.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Something a connector could not do.

    `outcome_unknown` is True when a write may have reached the target although no answer came: the host then
    keeps the journal entry open and finds out by reading. A connector must set it whenever it cannot exclude
    that the target has applied, or will still apply, the change.
    """

    message: str = ""
    outcome_unknown: bool = False

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        # Answers, journal and audit are UTF-8: what is not (half of a surrogate pair) is shown as "?".
        self.message = str(message).encode("utf-8", "replace").decode()
        self.outcome_unknown = outcome_unknown
        super().__init__(self.message)


class TargetUnavailable(ConnectorError):
    """The target cannot be reached or did not answer in time; the same request may succeed later."""


class Throttled(TargetUnavailable):
    """The target asks for fewer requests; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float, outcome_unknown: bool = False) -> None:
        super().__init__(message, outcome_unknown=outcome_unknown)
        self.retry_after = retry_after


class MisconfiguredConnector(ConnectorError):
    """Settings, credentials or the target's schema do not fit; nothing helps until an operator acts."""


class TargetRejected(ConnectorError):
    """The target understood and refused; the same request will be refused again."""


class NotFound(TargetRejected):
    """The target has no such object."""


class AlreadyExists(TargetRejected):
    """The target already has an object with this anchor or another unique value."""

    def __init__(self, message: str, *, attribute: str | None = None) -> None:
        super().__init__(message)
        self.attribute = attribute


class InvalidValue(TargetRejected):
    """A value does not fit the target; `attribute` names it where the target tells."""

    def __init__(self, message: str, *, attribute: str | None = None) -> None:
        super().__init__(message)
        self.attribute = attribute


class NotPermitted(TargetRejected):
    """The connector's account may not do this."""


class WatermarkExpired(ConnectorError):
    """A delta import cannot go on from this watermark; a full import is needed."""


class Cancelled(ConnectorError):
    """The caller gave up or an operator cancelled the run."""


class Unsupported(ConnectorError):
    """This connector cannot do what was asked, whatever the values."""
