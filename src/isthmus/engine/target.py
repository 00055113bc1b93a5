"""One connector as the engine uses it: opened on demand, with its discovered schema and compiled resource types."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

import msgspec
import structlog

from isthmus import __version__
from isthmus.config.documents import Configuration, ConnectorDocument
from isthmus.config.errors import ConfigError
from isthmus.config.registry import connector_type
from isthmus.config.settings import open_connector
from isthmus.engine.admission import Admission
from isthmus.engine.answers import answer_for, connector_edge, unavailable
from isthmus.engine.caller import Caller
from isthmus.engine.drift import drift
from isthmus.engine.glance import Glance
from isthmus.engine.sessions import Sessions
from isthmus.engine.turns import Turns
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.problems import MappingProblem
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.spi import Call, Connector, ConnectorError, ConnectorType, MisconfiguredConnector, ObjectType, Schema
from isthmus.store import Store
from isthmus.store.records import Space

log = structlog.get_logger("isthmus.engine")
T = TypeVar("T")

RETRY_SECONDS = 10.0


class Target:
    """A connector of the configuration, in this process.

    The schema is kept in the store, so that a restart answers although the target is down. `resource_types` raises a
    SCIM error only if the target was never reached.
    """

    def __init__(
        self,
        name: str,
        configuration: Configuration,
        store: Store,
        *,
        admission: Admission,
        sessions: Sessions,
        turns: Turns | None = None,
    ) -> None:
        self.name = name
        self.key = name.casefold()
        self.document: ConnectorDocument = configuration.connectors[self.key]
        self.store = store
        self.sessions = sessions
        self._configuration = configuration
        self._admission = admission
        self.turns = turns or Turns()
        self._lock = threading.RLock()
        self._serial = threading.RLock()
        self.default_count = configuration.host.scim.default_count
        self.max_count = configuration.host.scim.max_count
        self._connector: Connector | None = None
        self._compiled: tuple[str, dict[str, ResourceType]] | None = None
        self._asked_at = float("-inf")
        self._schema_key = f"schema:{self.key}"
        self._attention_key = f"attention:{self.key}"
        self._schema_text = Glance(store, self._schema_key)
        self._attention_text = Glance(store, self._attention_key)

    # -- the connector itself

    @cached_property  # looking entry points up reads the metadata of every installed package: 4 ms
    def type(self) -> ConnectorType[object]:
        return connector_type(self.document.type)

    @property
    def connector(self) -> Connector:
        """Return the open connector; opening does not talk to the target."""
        if (connector := self._connector) is not None:
            return connector
        with self._lock:
            if self._connector is None:
                with connector_edge(self.name, "open"):
                    try:
                        self._connector = open_connector(self._configuration, self.key)
                    except ConfigError as exc:  # such as a secret that is not stored
                        raise MisconfiguredConnector(str(exc)) from exc
            return self._connector

    def close(self) -> None:
        """Release the connector; the caller sees to it that nothing uses it any more."""
        with self._lock:
            connector, self._connector = self._connector, None
        if connector is not None:
            with connector_edge(self.name, "close"):
                connector.close()

    @contextmanager
    def using(self, operation: str) -> Iterator[Connector]:
        """Lend the connector for one call within a request: admission, one at a time where it wants that, bug edge."""
        with self._admission.target(self.key), self.using_unbounded(operation) as connector:
            yield connector

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count this thread as one that waits for the target."""
        with self._admission.target(self.key), self.turns.lent():
            yield

    def enter(self) -> None:
        """Let this thread in before it asks the target, so that it need not be refused later; `leave` ends it.

        Raises:
            ScimError: 503, too many wait for the target already.
        """
        self._admission.enter(self.key)

    def leave(self) -> None:
        """Make room for others; nothing happens if this thread is not in."""
        self._admission.leave(self.key)

    @contextmanager
    def waiting_for_lock(self) -> Iterator[None]:
        """Count this thread as one that waits for another request."""
        with self._admission.lock(self.key):
            yield

    @contextmanager
    def using_unbounded(self, operation: str) -> Iterator[Connector]:
        """Lend the connector outside requests: imports, repair, commands."""
        with self.turns.lent(), connector_edge(self.name, operation):
            connector = self.connector
            if self.type.concurrency == "serial":
                if not self._serial.acquire(timeout=self.document.timeout):
                    raise unavailable(f"connector {self.name!r} is busy with another call")
                try:
                    yield connector
                finally:
                    self._serial.release()
            else:
                yield connector

    def call(
        self,
        caller: Caller | None = None,
        *,
        entry: str | None = None,
        sent: Callable[[str], None] | None = None,
        wanted: Sequence[str] = (),
    ) -> Call:
        """Return the call context of one connector call within a request."""
        timeout = (
            self.document.timeout if caller is None else min(self.document.timeout, max(0.05, caller.remaining() - 0.5))
        )
        return Call(
            timeout=timeout,
            correlation="" if caller is None else caller.correlation,
            session=self.sessions.current(),
            entry=entry,
            on_sent=sent,
            wanted=wanted,
        )

    # -- schema and resource types

    def space(self, rt: ResourceType) -> Space:
        """Return the connector space of a resource type."""
        return self.store.space.ensure(self.key, rt.definition.object_type, id_form=self.document.id_form)

    def resource_types(self) -> dict[str, ResourceType]:
        """Return the compiled resource types by casefolded endpoint name.

        Raises:
            ScimError: 503, the schema was never read and cannot be read now, or the document does not fit it.
        """
        raw = self._schema_text.get()
        if not raw:
            raw = self._first_schema()
        compiled = self._compiled
        if compiled is None or compiled[0] is not raw:
            try:
                with self._lock:
                    compiled = self._compiled = self._compile_kept(raw)
            except ConnectorError as exc:
                raise answer_for(exc) from exc
        return compiled[1]

    def _compile_kept(self, raw: str) -> tuple[str, dict[str, ResourceType]]:
        """Compile the schema in the store; where the document does not fit, ask whether the target has a newer one."""
        try:
            return raw, self._compile(msgspec.json.decode(raw.encode(), type=Schema))
        except MisconfiguredConnector:
            now = time.monotonic()
            if now - self._asked_at < RETRY_SECONDS:
                raise
            self._asked_at = now
            schema = self.discover()
            return self._schema_text.fresh(), self._compile(schema)

    def _first_schema(self) -> str:
        # One question for all who wait for the first answer. Who waits here must not keep the place from who asks.
        with self.turns.lent(), self._lock:
            raw = self._schema_text.fresh()
            if not raw:
                try:
                    self.discover()
                except ConnectorError as exc:
                    raise answer_for(exc) from exc
                raw = self._schema_text.fresh()
            return raw

    def resource_type_of(self, object_type: str) -> ResourceType:
        """Return the resource type that publishes an object type."""
        for rt in self.resource_types().values():
            if rt.definition.object_type == object_type:
                return rt
        raise MisconfiguredConnector(f"connector {self.name!r} no longer publishes object type {object_type!r}")

    def schema(self) -> Schema | None:
        """Return the schema as last discovered, or None."""
        raw = self.store.settings.get(self._schema_key)
        return None if not raw else msgspec.json.decode(raw.encode(), type=Schema)

    def discover(self) -> Schema:
        """Read the target's schema, keep it, and note or clear that an operator is needed.

        A selected attribute that vanished or changed its type keeps the old schema in force and stops imports and
        writes: it never means that values were cleared.
        """
        with self.using_unbounded("read_schema") as connector:
            schema = connector.read_schema(call=self.call())
        problems = drift(self.schema(), schema, self.document.resource_types)
        if problems:
            self.note_attention("; ".join(problems))
            raise MisconfiguredConnector("; ".join(problems))
        encoded = encode_schema(schema)
        if self.store.settings.get(self._schema_key) != encoded:
            self._compile(schema)
            self._schema_text.set(encoded)
            log.info("schema_discovered", connector=self.name, object_types=sorted(schema.object_types))
        self.note_attention("")
        return schema

    def forget_schema(self) -> None:
        """Let the next discovery take the target's schema as it is (`connector rebuild`, or a changed definition)."""
        self._schema_text.set("")

    def _compile(self, schema: Schema) -> dict[str, ResourceType]:
        endpoints = {d.object_type: d.endpoint for d in self.document.resource_types}
        result: dict[str, ResourceType] = {}
        for definition in self.document.resource_types:
            object_type = schema.object_types.get(definition.object_type)
            if object_type is None:
                raise MisconfiguredConnector(
                    f"the target has no object type {definition.object_type!r}; "
                    f"it has {', '.join(sorted(schema.object_types)) or 'none'}"
                )
            try:
                result[definition.endpoint.casefold()] = compile_resource_type(
                    definition,
                    object_type,
                    shape=shape_of(definition, object_type),
                    strict=self.document.strict,
                    others=endpoints,
                )
            except MappingProblem as exc:
                raise MisconfiguredConnector(
                    f"resource type {definition.name!r} does not fit the target: {exc}"
                ) from exc
        return result

    # -- attention

    @property
    def attention(self) -> str:
        """Return why an operator is needed, or an empty string."""
        return self._attention_text.get()

    def note_attention(self, message: str) -> None:
        """Remember, for every process, why an operator is needed; an empty message clears it."""
        if message != self.attention:
            self._attention_text.set(message)
            if message:
                log.error("connector_needs_attention", connector=self.name, reason=message)

    def require_writable(self) -> None:
        """Raise the SCIM error for a write while an operator is needed or the connector is paused."""
        if self.document.paused:
            raise unavailable(
                f"connector {self.name!r} is paused; 'isthmus connector resume {self.name}' ends that", 300
            )
        if attention := self.attention:
            raise unavailable(f"connector {self.name!r} needs an operator: {attention}", 300)


def encode_schema(schema: Schema) -> str:
    """Return the schema as JSON text that is equal for equal schemas."""
    builtins = msgspec.to_builtins(schema, order="sorted")
    for object_type in builtins["object_types"].values():
        object_type["operations"] = sorted(object_type["operations"])
    return msgspec.json.encode(builtins, order="sorted").decode()


def shape_of(definition: ResourceTypeDefinition, object_type: ObjectType) -> int:
    """Return a number that changes whenever ready-made SCIM text or stored digests of this type would."""
    parts = [msgspec.json.encode(definition, order="sorted").decode(), encode_schema(Schema({"": object_type}))]
    text = "\n".join([__version__, *parts])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def now_text(seconds: float | None = None) -> str:
    """Return a moment as RFC 7643 dateTime in UTC, to the millisecond."""
    seconds = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"
