"""Which exceptions are answers for a person, and what they say."""

from __future__ import annotations


def expected(exc: BaseException) -> str | None:
    """Return the line to print for an error that an operator can act on, or None for a bug."""
    from isthmus.config.errors import ConfigError
    from isthmus.engine.operations import NoSuch
    from isthmus.engine.tokens import TokenRefused
    from isthmus.scim.errors import ScimError
    from isthmus.spi import ConnectorError
    from isthmus.store import StoreError

    if isinstance(exc, ScimError):
        return exc.detail
    if isinstance(exc, ConnectorError):
        return exc.message
    if isinstance(exc, NoSuch | TokenRefused):
        return str(exc.args[0])
    if isinstance(exc, ConfigError | StoreError):
        return str(exc)
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.filename}: {exc.strerror}"
    return None
