"""One connector as the engine uses it: opened on demand, with its discovered schema and compiled resource types."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
from isthmus.engine.answers import Unkept, answer_for, connector_edge, unavailable
from isthmus.engine.asking import Asking
from isthmus.engine.attention import Attention
from isthmus.engine.caller import Caller
from isthmus.engine.drift import appeared, drift, unreadable
from isthmus.engine.glance import Glance
from isthmus.engine.sessions import Sessions
from isthmus.engine.single_flight import SingleFlight
from isthmus.engine.turns import Turns
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.problems import MappingProblem
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.spi import Call, Connector, ConnectorError, ConnectorType, MisconfiguredConnector, ObjectType, Schema
from isthmus.store import Store
from isthmus.store.records import Space

log = structlog.get_logger("isthmus.engine")
T = TypeVar("T")
V = TypeVar("V", bound=Hashable)
OnCall = Callable[[str, str, str, float], None]
"""Told of each call of a target: the connector's name, the operation, "ok" or the error's class, seconds."""

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
        on_call: OnCall | None = None,
    ) -> None:
        self.name = name
        self.key = name.casefold()
        self.document: ConnectorDocument = configuration.connectors[self.key]
        self.store = store
        self.sessions = sessions
        self._configuration = configuration
        self._admission = admission
        self.turns = turns or Turns()
        self._on_call = on_call
        self._lock = threading.RLock()
        self._serial = threading.RLock()
        self.default_count = configuration.host.scim.default_count
        self.max_count = configuration.host.scim.max_count
        self.cursor_timeout = configuration.host.scim.cursor_timeout
        self._connector: Connector | None = None
        self._compiled: tuple[str, dict[str, ResourceType]] | None = None
        self._asked_at = float("-inf")
        self._questions: SingleFlight[str] = SingleFlight()
        self._schema_key = f"schema:{self.key}"
        self._added_key = f"added:{self.key}"
        self._schema_text = Glance(store, self._schema_key)
        self.attention = Attention(name, store)

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
            with suppress(ConnectorError), connector_edge(self.name, "close"):  # the log has it; the others close too
                connector.close()

    @contextmanager
    def using(self, operation: str) -> Iterator[Connector]:
        """Lend the connector for one call within a request: admission, one at a time where it wants that, bug edge."""
        # The place is taken back last: whoever has its answer and waits for the place does not ask the target any more,
        # and must not make it look slow.
        with self.turns.lent(), self._admission.target(self.key), self.using_unbounded(operation) as connector:
            yield connector

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count this thread as one that waits for the target."""
        with self.turns.lent(), self._admission.target(self.key):
            yield

    def asking(self, put: Callable[[Sequence[V], Caller], Sequence[T]]) -> Asking[V, T]:
        """Return what puts the questions of many threads to the target together; see `Asking`."""
        return Asking(self.key, self._admission, self.turns, put)

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
        began, outcome = time.perf_counter(), "ok"
        try:
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
            self.attention.succeeded()
        except BaseException as exc:
            outcome = type(exc).__name__
            if isinstance(exc, MisconfiguredConnector):
                self.attention.failed(exc.message)
            raise
        finally:
            if self._on_call is not None:
                self._on_call(self.name, operation, outcome, time.perf_counter() - began)

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

    def resource_types(self, *, now: bool = False) -> dict[str, ResourceType]:
        """Return the compiled resource types by casefolded endpoint name: the same dict while nothing changes.

        What another process has found counts within a second, or with `now` at once.

        Raises:
            ScimError: 503, the schema was never read and cannot be read now, or the document does not fit it.
        """
        raw = self._schema_text.fresh() if now else self._schema_text.get()
        if not raw:
            raw = self._asked_schema(first=True)
        compiled = self._compiled
        if compiled is None or compiled[0] is not raw:
            compiled = self._compiled_anew(raw)
        return compiled[1]

    def _compiled_anew(self, raw: str) -> tuple[str, dict[str, ResourceType]]:
        """Compile the schema in the store; where the document does not fit, ask whether the target has a newer one."""
        try:
            return self._compiled_kept(raw)
        except MisconfiguredConnector as exc:
            if time.monotonic() - self._asked_at >= RETRY_SECONDS:
                raw = self._asked_schema(first=False)
            elif self._schema_text.get() is raw:  # else it was just asked for another request
                raise answer_for(exc) from exc
        try:
            return self._compiled_kept(raw)
        except MisconfiguredConnector as exc:
            raise answer_for(exc) from exc

    def _compiled_kept(self, raw: str) -> tuple[str, dict[str, ResourceType]]:
        # Who waits here must not keep the place from who compiles, and takes what that one has made.
        with self.turns.lent(), self._lock:
            raw = self._schema_text.get() or raw
            compiled = self._compiled
            if compiled is None or compiled[0] is not raw:
                compiled = self._compiled = raw, self._compile(msgspec.json.decode(raw.encode(), type=Schema))
            return compiled

    def _asked_schema(self, *, first: bool) -> str:
        """Return the schema as the target tells it now; `first`: only if nobody has kept one meanwhile.

        One question for all who want to know. They wait for the target like any others: one that hangs must not hold
        every thread.
        """
        try:
            with self.waiting():
                return self._questions.run(first, lambda: self._ask_for_schema(first=first), self.document.timeout)
        except TimeoutError as exc:
            raise unavailable("the target did not tell its schema in time") from exc
        except ConnectorError as exc:
            raise answer_for(exc) from exc

    def _ask_for_schema(self, *, first: bool) -> str:
        raw = self._schema_text.fresh()
        if not (first and raw):
            try:
                self.discover()
            finally:
                self._asked_at = time.monotonic()
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

    def discover(self, *, anew: bool = False) -> Schema:
        """Read the target's schema, keep it, and note or clear that an operator is needed.

        A selected attribute that vanished or changed its type keeps the old schema in force and stops imports and
        writes: it never means that values were cleared. `anew`: an operator takes it as it is (`connector rebuild`).
        """
        with self.using_unbounded("read_schema") as connector:
            schema = told(connector.read_schema(call=self.call()))
        before = None if anew else self.schema()
        if anew:
            self._leave_gone(schema)
        definitions = self.definitions()
        problems = drift(before, schema, definitions)
        if problems:
            self.attention.block("; ".join(problems), unreadable(before, schema, definitions))
            raise MisconfiguredConnector("; ".join(problems))
        encoded = encode_schema(schema)
        self._meet_new(before, schema)
        if self.store.settings.get(self._schema_key) != encoded:
            self._compile(schema)
            self._schema_text.set(encoded)
            log.info("schema_discovered", connector=self.name, object_types=sorted(schema.object_types))
        self.attention.unblock()
        return schema

    def _meet_new(self, before: Schema | None, now: Schema) -> None:
        """Report attributes that are new in the target and, with `publish_new`, select them from now on."""
        new = appeared(before, now, self.definitions())
        if not new:
            return
        log.warning("new_attributes", connector=self.name, attributes=new, published=self.document.publish_new)
        if self.document.publish_new:
            added = self._added()
            merged = {name: [*added.get(name, ()), *new.get(name, ())] for name in {**added, **new}}
            self.store.settings.set(self._added_key, msgspec.json.encode(merged).decode())

    def _leave_gone(self, now: Schema) -> None:
        """Select no longer what `publish_new` has selected and the target no longer has: no document could."""
        added = self._added()
        left = {
            name: [each for each in names if name in now.object_types and now.object_types[name].attribute(each)]
            for name, names in added.items()
        }
        if left != added:
            self.store.settings.set(self._added_key, msgspec.json.encode(left).decode())

    def _added(self) -> dict[str, list[str]]:
        raw = self.store.settings.get(self._added_key)
        return {} if not raw else msgspec.json.decode(raw, type=dict[str, list[str]])

    def definitions(self) -> Sequence[ResourceTypeDefinition]:
        """Return what is published: what the document selects and, with `publish_new`, what came since."""
        definitions = self.document.resource_types
        if not self.document.publish_new or not (added := self._added()):
            return definitions
        return [
            msgspec.structs.replace(
                definition,
                attributes=tuple(dict.fromkeys([*definition.attributes, *added.get(definition.object_type, ())])),
            )
            for definition in definitions
        ]

    def forget(self) -> None:
        """Forget everything that is kept of this connector by its name: another one may be given the same name."""
        self._schema_text.set("")
        self.store.settings.remove(self._added_key)
        for marks in ("watermark", "watch"):
            for name in self.store.settings.list(f"{marks}:{self.key}:"):
                self.store.settings.remove(name)
        self.attention.unblock()
        self.attention.succeeded()

    def _compile(self, schema: Schema) -> dict[str, ResourceType]:
        result: dict[str, ResourceType] = {}
        for definition in self.definitions():
            object_type = schema.object_types.get(definition.object_type)
            if object_type is None:
                raise MisconfiguredConnector(
                    f"the target has no object type {definition.object_type!r}; "
                    f"it has {', '.join(sorted(schema.object_types)) or 'none'}"
                )
            try:
                result[definition.endpoint.casefold()] = compiled(self.document, definition, object_type)
            except MappingProblem as exc:
                raise MisconfiguredConnector(
                    f"resource type {definition.name!r} does not fit the target: {exc}"
                ) from exc
        return result

    # -- attention

    def require_writable(self) -> None:
        """Raise the SCIM error for a write while an operator is needed or the connector is paused."""
        if self.document.paused:
            raise unavailable(
                f"connector {self.name!r} is paused; 'isthmus connector resume {self.name}' ends that", 300
            )
        if reason := self.attention.blocking:
            raise unavailable(f"connector {self.name!r} needs an operator: {reason}", 300)


def compiled(document: ConnectorDocument, definition: ResourceTypeDefinition, object_type: ObjectType) -> ResourceType:
    """Return one of the document's definitions, compiled for an object type of the target.

    Raises:
        MappingProblem: it does not fit.
    """
    return compile_resource_type(
        definition,
        object_type,
        shape=shape_of(definition, object_type),
        strict=document.strict,
        groups=any(each.has_members for each in document.resource_types),
        names={each.object_type: each.name for each in document.resource_types},
    )


def told(schema: object) -> Schema:
    """Return what a connector told of its target; call it where `connector_edge` holds.

    Raises:
        Unkept: it is no schema.
    """
    if not isinstance(schema, Schema):
        raise Unkept(f"returned {type(schema).__name__} in place of a schema")
    for name, object_type in schema.object_types.items():
        if not isinstance(object_type, ObjectType) or object_type.name != name:
            raise Unkept(f"returned something else than an object type of the name {name!r}")
        for anchor in object_type.anchor or ("",):
            if object_type.attribute(anchor) is None:
                raise Unkept(f"returned the object type {name!r} without the attribute {anchor!r} of its anchor")
    encode_schema(schema)  # what cannot be kept, such as an attribute of no known type, is no schema either
    return schema


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
