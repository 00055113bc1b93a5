"""What every command needs: the configuration, the host, the operator's name."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # loading these takes longer than showing help does
    from isthmus.config.documents import Configuration
    from isthmus.engine.host import Host


def complete(incomplete: str) -> list[str]:
    """Return the connector names that begin so, for shell completion; nothing where there is no configuration."""
    from isthmus.config.errors import ConfigError

    try:
        names = Session(None).configuration().names.values()
    except ConfigError:
        return []
    return sorted(name for name in names if name.casefold().startswith(incomplete.casefold()))


Json = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]
Name = Annotated[str, typer.Argument(help="The connector.", autocompletion=complete)]


class Session:
    """One invocation of the command."""

    def __init__(self, config: Path | None) -> None:
        self._config = config

    @property
    def path(self) -> Path:
        """Return the path of isthmus.toml."""
        from isthmus.config.loading import find_configuration

        return find_configuration(self._config)

    @property
    def given(self) -> Path | None:
        """Return what `--config` or ISTHMUS_CONFIG named."""
        return self._config

    def configuration(self) -> Configuration:
        """Read the whole configuration."""
        from isthmus.config.loading import load

        return load(self.path)

    @contextmanager
    def host(self) -> Iterator[Host]:
        """Open the host beside a server that may be running on the same store."""
        from isthmus.engine.host import opened

        with opened(self.configuration()) as host:
            yield host


def session(context: typer.Context) -> Session:
    """Return the session of a command."""
    found = context.find_object(Session)
    assert found is not None
    return found


def operator() -> str:
    """Return who runs the command, for the audit."""
    try:
        return f"operator {getpass.getuser()}"
    except (KeyError, OSError):
        return "operator"


def existing(configuration: Configuration, name: str) -> str:
    """Return the connector's name as written, or raise the error that names the nearest one."""
    from isthmus.config.editing import connector_path

    connector_path(configuration, name)
    return configuration.names[name.casefold()]
