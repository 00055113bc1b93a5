"""What every command needs: the configuration, the host, the operator's name."""

from __future__ import annotations

import getpass
import logging
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # loading these takes longer than showing help does
    from isthmus.config.documents import Configuration
    from isthmus.engine.host import Host


def complete(context: typer.Context, incomplete: str) -> list[str]:
    """Return the connector names that begin so, for shell completion; nothing where there is no configuration."""
    from isthmus.config.errors import ConfigError
    from isthmus.config.loading import connector_files, find_configuration, load_host

    try:
        path = find_configuration(context.find_root().params.get("config"))
        files = connector_files(path.parent / load_host(path).connectors_dir)
    except ConfigError:
        return []
    names = [file.name.removesuffix(".toml") for file in files]
    return sorted(name for name in names if name.casefold().startswith(incomplete.casefold()))


Json = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]
Name = Annotated[str, typer.Argument(help="The connector.", autocompletion=complete, show_default=False)]
OptionalName = Annotated[
    str | None, typer.Argument(help="Only this connector.", autocompletion=complete, show_default=False)
]


@dataclass(slots=True)
class Session:
    """One invocation of the command; `config` is what `--config` or ISTHMUS_CONFIG named."""

    config: Path | None = None
    verbose: bool = False

    @property
    def path(self) -> Path:
        """Return the path of isthmus.toml."""
        from isthmus.config.loading import find_configuration

        return find_configuration(self.config)

    @property
    def command(self) -> str:
        """Return how the next command begins: with `--config` where this one did."""
        named = self.config is not None and os.environ.get("ISTHMUS_CONFIG") != str(self.config)
        return f"isthmus --config {shlex.quote(str(self.config))}" if named else "isthmus"

    def configuration(self) -> Configuration:
        """Read the whole configuration."""
        from isthmus.config.loading import load

        self._prepare_log()
        return load(self.path)

    @contextmanager
    def host(self, configuration: Configuration | None = None) -> Iterator[Host]:
        """Open the host beside a server that may be running on the same store."""
        from isthmus.engine.host import opened

        with opened(configuration or self.configuration()) as host:
            yield host

    def _prepare_log(self) -> None:
        """Keep the log off standard output, which belongs to the answer; `--verbose` shows it on standard error."""
        if self.verbose:
            from isthmus.config.documents import LogSettings
            from isthmus.web.logs import configure

            configure(LogSettings(level="debug", format="console"))
            return
        import structlog

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        logging.getLogger().handlers[:] = [logging.NullHandler()]
        warnings.simplefilter("ignore")  # libraries' advice to programmers


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
