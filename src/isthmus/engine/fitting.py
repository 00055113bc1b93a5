"""Tell whether a connector's file goes with its target, before the file comes into force."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from typing import Literal

from isthmus.config.documents import Configuration, ConnectorDocument
from isthmus.config.errors import ConfigError
from isthmus.config.settings import open_connector
from isthmus.config.source import Source
from isthmus.engine.answers import connector_edge
from isthmus.engine.host import Host
from isthmus.engine.target import compiled, told
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.problems import MappingProblem
from isthmus.spi import Call, ConnectorError, MisconfiguredConnector, Schema, TargetUnavailable

Ask = Literal["never", "misfit", "always"]
"""When the target itself is asked: never; where the file does not fit what is known of it; in any case."""

_MARGIN = 1.0

LONGEST_SECONDS = 10.0
"""How long a target may take to tell its schema here; one that is slower counts as one that cannot be reached."""


def misfits(host: Host, name: str, *, ask: Ask) -> list[ConfigError]:
    """Return what keeps the connector from working as its file stands, each with file, line and key.

    The file is compared with the schema that the store has. A target that cannot be reached is no fault of the file;
    then, and with `ask="never"`, what is known of it decides. So it does with `ask="misfit"` where the target cannot be
    read for any reason.
    """
    target, configuration = host.target(name), host.configuration
    definitions = target.definitions()
    if wrong := unopened(configuration, name):
        return wrong
    known = target.schema()
    found = [] if known is None else _compared(configuration, name, definitions, known)
    if ask == "always" or (ask == "misfit" and found):
        try:
            schema = _read(configuration, name, target.document)
        except MisconfiguredConnector as exc:
            if ask == "misfit":
                return found
            return [ConfigError(exc.message, _source(configuration, name).where(("settings",)))]
        except ConnectorError:
            return found
        return _compared(configuration, name, definitions, schema)
    return found


def unopened(configuration: Configuration, name: str) -> list[ConfigError]:
    """Return what keeps the connector from being opened; its target is not asked."""
    try:
        with connector_edge(name, "open"):
            try:
                opened = open_connector(configuration, name)
            except ConfigError as exc:
                return [exc]
            opened.close()
    except ConnectorError as exc:  # a bug of the connector: it keeps nobody else's file from being taken over
        return [ConfigError(exc.message, _source(configuration, name).where(("type",)))]
    return []


def _read(configuration: Configuration, name: str, document: ConnectorDocument) -> Schema:
    """Ask the target with the settings of the file, apart from the connector that may be in use.

    In a thread that is left behind, should the connector look at no deadline.
    """
    seconds = min(document.timeout, LONGEST_SECONDS)
    answer: Future[Schema] = Future()

    def ask() -> None:
        try:
            with connector_edge(name, "read_schema"), closing(open_connector(configuration, name)) as connector:
                answer.set_result(told(connector.read_schema(call=Call(timeout=seconds))))
        except BaseException as exc:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(exc)

    threading.Thread(target=ask, name=f"schema of {name}", daemon=True).start()
    try:
        return answer.result(seconds + _MARGIN)
    except TimeoutError:
        raise TargetUnavailable("the target did not tell its schema in time") from None


def _compared(
    configuration: Configuration, name: str, definitions: Sequence[ResourceTypeDefinition], schema: Schema
) -> list[ConfigError]:
    document, source = configuration.connectors[name.casefold()], _source(configuration, name)
    found = []
    for index, definition in enumerate(definitions):
        place = ("resource_types", index)
        object_type = schema.object_types.get(definition.object_type)
        if object_type is None:
            known = ", ".join(sorted(schema.object_types)) or "none"
            text = f"the target has no object type {definition.object_type!r}; it has {known}"
            found.append(source.error((*place, "object_type"), text))
            continue
        try:
            compiled(document, definition, object_type)
        except MappingProblem as exc:
            found += [source.error((*place, *where), message) for where, message in exc.problems]
    return found


def _source(configuration: Configuration, name: str) -> Source:
    return Source.read(configuration.connectors_dir / f"{configuration.names[name.casefold()]}.toml")
