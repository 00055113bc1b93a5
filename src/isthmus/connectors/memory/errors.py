"""From the target's troubles to the errors of `isthmus.spi`, by one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isthmus.connectors.memory.rows import TargetTrouble, Trouble
from isthmus.spi import (
    AlreadyExists,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    NotPermitted,
    TargetUnavailable,
    Throttled,
    WatermarkExpired,
)

ERRORS: dict[Trouble, Callable[[TargetTrouble], ConnectorError]] = {
    Trouble.DOWN: lambda t: TargetUnavailable(t.text, outcome_unknown=t.sent),
    Trouble.SILENT: lambda t: TargetUnavailable(t.text, outcome_unknown=t.sent),
    Trouble.BUSY: lambda t: Throttled(t.text, retry_after=7.0),
    Trouble.LOGIN: lambda t: MisconfiguredConnector(f"{t.text}; correct the setting `password`"),
    Trouble.NO_TYPE: lambda t: MisconfiguredConnector(t.text),
    Trouble.NO_ATTRIBUTE: lambda t: MisconfiguredConnector(t.text),
    Trouble.NO_OBJECT: lambda t: NotFound(t.text),
    Trouble.TAKEN: lambda t: AlreadyExists(t.text, attribute=t.attribute),
    Trouble.BAD_VALUE: lambda t: InvalidValue(t.text, attribute=t.attribute),
    Trouble.FORBIDDEN: lambda t: NotPermitted(t.text),
    Trouble.FORGOTTEN: lambda t: WatermarkExpired(t.text),
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the target's troubles as errors of `isthmus.spi`."""
    try:
        yield
    except TargetTrouble as trouble:
        raise ERRORS[trouble.trouble](trouble) from trouble
