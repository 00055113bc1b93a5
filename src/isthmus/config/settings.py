"""Turn the `settings` table of a connector's file into the typed settings that its connector type declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError, KeyPath, Where, dotted, nearest
from isthmus.config.registry import connector_type
from isthmus.config.secrets import Secrets
from isthmus.config.source import Source
from isthmus.config.values import Reader
from isthmus.spi import Connector, ConnectorError, ConnectorType


def build_settings(
    connector_type: ConnectorType[Any], raw: Mapping[str, Any], secrets: Secrets, where: Path | None = None
) -> Any:
    """Return the connector type's settings dataclass, its secrets resolved.

    `where` is the connector's file; it gives messages their file and line.

    Raises:
        ConfigError: the first problem; `settings_problems` returns all.
    """
    settings, found = _build(connector_type, raw, secrets, where)
    if found:
        raise found[0]
    return settings


def settings_problems(
    connector_type: ConnectorType[Any], raw: Mapping[str, Any], secrets: Secrets, where: Path | None = None
) -> list[ConfigError]:
    """Return everything that keeps these settings from being built; empty: `build_settings` succeeds."""
    return _build(connector_type, raw, secrets, where)[1]


def connector_settings(configuration: Configuration, name: str) -> tuple[ConnectorType[Any], Any]:
    """Return a configured connector's type and built settings; two results are equal if nothing needs reopening.

    Raises:
        ConfigError: there is no such connector, its type cannot be used, or a setting is wrong.
    """
    key = name.casefold()
    if key not in configuration.connectors:
        hint = nearest(name, configuration.names.values(), what="connectors")
        raise ConfigError(f"there is no connector {name}; {hint}", Where(configuration.connectors_dir))
    file = configuration.connectors_dir / f"{configuration.names[key]}.toml"
    document = configuration.connectors[key]
    try:
        found = connector_type(document.type)
    except ConfigError as exc:
        raise ConfigError(exc.problem, _place(file, ("type",))) from exc
    return found, build_settings(found, document.settings, Secrets(configuration), file)


def open_connector(configuration: Configuration, name: str) -> Connector:
    """Return a connector, opened from its settings; the target is not asked.

    Raises:
        ConfigError: as `connector_settings`, or the connector type refuses the settings.
    """
    found, settings = connector_settings(configuration, name)
    try:
        return found.open(settings)
    except ConnectorError as exc:
        file = configuration.connectors_dir / f"{configuration.names[name.casefold()]}.toml"
        raise ConfigError(exc.message, _place(file, ("settings",))) from exc


def _build(
    kind: ConnectorType[Any], raw: Mapping[str, Any], secrets: Secrets, file: Path | None
) -> tuple[Any, list[ConfigError]]:
    found: list[ConfigError] = []

    def report(path: KeyPath, problem: str, cls: type[ConfigError] = ConfigError) -> None:
        found.append(cls(problem, _place(file, path)))

    if not dataclasses.is_dataclass(kind.settings):
        report(
            ("type",), f'the connector type "{kind.id}" declares no settings dataclass; this is a bug in its package'
        )
        return None, found
    settings = Reader(secrets, report, file).table(dict(raw), kind.settings, ("settings",))
    found.sort(key=lambda error: error.where.line or 0)
    return settings, found


def _place(file: Path | None, path: KeyPath) -> Where:
    """Find a key's line in the file as it is now; if it no longer has the key, or is no TOML any more, tell less."""
    if file is None:
        return Where(key=dotted(path))
    try:
        source = Source.read(file)
        source.tables  # noqa: B018  lines can be told only of valid TOML
        return source.where(path)
    except ConfigError:
        return Where(file, None, dotted(path))
