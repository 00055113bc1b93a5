"""From the operating system's errors to those of the SPI, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.spi import ConnectorError, MisconfiguredConnector, TargetUnavailable

ERRORS: tuple[tuple[type[Exception], type[ConnectorError], str], ...] = (
    (PermissionError, MisconfiguredConnector, "the file may not be read or written; correct its permissions"),
    (IsADirectoryError, MisconfiguredConnector, "the setting `path` names a folder, not a file"),
    (OSError, TargetUnavailable, "the file cannot be reached; is its file system mounted?"),
    (ValueError, MisconfiguredConnector, "a line of the file is not a JSON object; mend the file"),
)


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for foreign, ours, text in ERRORS:
            if isinstance(error, foreign):
                raise ours(text) from error
        raise
