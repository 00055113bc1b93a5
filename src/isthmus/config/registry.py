"""Connector types: what installed packages name in the entry point group `isthmus.connectors`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from isthmus.config.errors import ConfigError, nearest
from isthmus.spi import ConnectorType

GROUP = "isthmus.connectors"


def connector_type_ids() -> tuple[str, ...]:
    """Return the ids of the installed connector types, sorted; imports none of them."""
    return tuple(sorted(_installed()))


def connector_type(id: str) -> ConnectorType[Any]:
    """Return the connector type of this id, importing its package now.

    Raises:
        ConfigError: no such type is installed, two packages claim the id, or its package cannot be used.
    """
    installed = _installed()
    points = installed.get(id)
    if points is None:
        hint = nearest(id, installed, what="connector types")
        raise ConfigError(f'no connector type "{id}" is installed; {hint}')
    if len({point.value for point in points}) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise ConfigError(f'the connector type "{id}" is claimed by {packages}; uninstall one of them')
    return _load(points[0])


def connector_types() -> dict[str, ConnectorType[Any]]:
    """Return every connector type that can be used, by id; `broken_connector_types` has the others."""
    return {name: loaded for name, loaded in _all().items() if isinstance(loaded, ConnectorType)}


def broken_connector_types() -> dict[str, ConfigError]:
    """Return what is wrong with each installed connector type that cannot be used."""
    return {name: loaded for name, loaded in _all().items() if isinstance(loaded, ConfigError)}


def _all() -> dict[str, ConnectorType[Any] | ConfigError]:
    found: dict[str, ConnectorType[Any] | ConfigError] = {}
    for name in connector_type_ids():
        try:
            found[name] = connector_type(name)
        except ConfigError as exc:
            found[name] = exc
    return found


def _installed() -> dict[str, list[EntryPoint]]:
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        points.setdefault(point.name, []).append(point)
    return points


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _load(point: EntryPoint) -> ConnectorType[Any]:
    package = _package(point)
    try:
        loaded = point.load()
    except Exception as exc:  # a foreign package may fail in any way while it is imported
        reason = " ".join(f"{type(exc).__name__}: {exc}".split())
        raise ConfigError(
            f'the connector type "{point.name}" of the package {package} cannot be loaded: {reason}; '
            f"install what it needs, or uninstall it"
        ) from exc
    if not isinstance(loaded, ConnectorType):
        raise ConfigError(f'the entry point "{point.name}" of the package {package} names no ConnectorType')
    if loaded.id != point.name:
        raise ConfigError(f'the entry point "{point.name}" of the package {package} names the type "{loaded.id}"')
    return loaded
