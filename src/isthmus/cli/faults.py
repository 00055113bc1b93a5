"""Which exceptions are answers for a person, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

_Usage: Any = typer.BadParameter.__mro__[1]
"""Typer names its base class of usage errors only inside."""


class Refused(Exception):
    """A command cannot do what was asked; the text says why and how to mend it."""


def expected(exc: BaseException) -> str | None:
    """Return the line to print for an error that an operator can act on, or None for a bug."""
    if isinstance(exc, Refused):
        return str(exc)
    from isthmus.config.errors import ConfigError
    from isthmus.engine.operations import NoSuch, TooLate
    from isthmus.engine.tokens import TokenRefused
    from isthmus.scim.errors import ScimError
    from isthmus.spi import ConnectorError
    from isthmus.store import StoreError
    from isthmus.web.errors import CannotServe

    if isinstance(exc, ScimError):
        return exc.detail
    if isinstance(exc, ConnectorError):
        return exc.message
    if isinstance(exc, NoSuch | TooLate | TokenRefused):
        return str(exc.args[0])
    if isinstance(exc, ConfigError | StoreError | CannotServe):
        return str(exc)
    if isinstance(exc, OSError) and exc.strerror is not None:
        return exc.strerror if exc.filename is None else f"{exc.filename}: {exc.strerror}"
    return None


def called_alone(exc: BaseException) -> bool:
    """Tell whether a group was called without a command: its help has been shown."""
    return type(exc).__name__ == "NoArgsIsHelpError"


def usage(exc: BaseException) -> str | None:
    """Return the line for a command that was called wrongly, or None."""
    if not isinstance(exc, _Usage):
        return None
    text = " ".join(str(exc.format_message()).split()).replace("Value error, ", "").removeprefix("Invalid value: ")
    context = getattr(exc, "ctx", None)
    path = "isthmus" if context is None else context.command_path
    return f"{text.rstrip('.')}; see '{path} --help'"


def bug(exc: BaseException) -> str:
    """Return the line for anything else: the class and place only, since the text may hold values."""
    traceback, place = exc.__traceback__, ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if "/isthmus/" in code.co_filename:
            place = f" in {Path(code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return f"bug in Isthmus: {type(exc).__name__}{place}; 'isthmus --verbose ...' shows more; please report it"
