"""The LDAP connector."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from isthmus.connectors.ldap import deltas, importing, reading, suggestions, watching
from isthmus.connectors.ldap.connecting import servers
from isthmus.connectors.ldap.connections import Connections
from isthmus.connectors.ldap.directory import Directory, read_directory
from isthmus.connectors.ldap.errors import Failure, Kind, Where, reported
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.reading import Known
from isthmus.connectors.ldap.schema import read_layouts
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.ldap.strategy import Session
from isthmus.connectors.ldap.writing import Writer
from isthmus.spi import (
    AttributeChange,
    Attributes,
    Call,
    Connector,
    ConnectorObject,
    Identity,
    ImportPage,
    ImportScope,
    MisconfiguredConnector,
    Operation,
    Schema,
    Secret,
    Suggestion,
    SupportsCreate,
    SupportsDelete,
    SupportsDeltaImport,
    SupportsFindMany,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsSuggestions,
    SupportsUpdate,
    SupportsWatch,
    Unsupported,
    Value,
    Watermark,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Discovered:
    directory: Directory
    layouts: dict[str, Layout]


class LdapConnector(
    Connector,
    SupportsFullImport,
    SupportsDeltaImport,
    SupportsWatch,
    SupportsLookup,
    SupportsFindMany,
    SupportsCreate,
    SupportsUpdate,
    SupportsDelete,
    SupportsPassword,
    SupportsSuggestions,
):
    """Entries of one directory as object types.

    Root DSE and schema are read when they are first needed, again for each import and `read_schema`, and again when the
    server says that an attribute is unknown.
    """

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._discovered: _Discovered | None = None
        self._reading = threading.Lock()

    def test(self, *, call: Call) -> None:
        servers(self._settings)
        found = self._discover(call)
        for layout in found.layouts.values():
            for base in layout.bases:  # paged searches on one connection disturb one another
                with reported(layout.where()), self._connections.apart(call) as link:
                    importing.begin(self._known(found, layout), link, call, base)

    def read_schema(self, *, call: Call) -> Schema:
        return Schema({name: layout.object_type for name, layout in self._discover(call).layouts.items()})

    def scopes(self) -> Sequence[ImportScope]:
        names = [each.name for each in self._settings.object_types]
        if not names and self._discovered is not None:
            names = list(self._discovered.layouts)
        if not names:
            raise MisconfiguredConnector("no object types are named yet; name them, or read the schema first")
        return [ImportScope(name, (name,)) for name in names]

    def close(self) -> None:
        self._connections.close()

    # -- imports

    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        found = self._discover(call)
        for name in scope.object_types:
            known = self._known(found, self._named(found, name))
            with reported(known.layout.where()), self._connections.apart(call) as link:
                yield from importing.import_pages(known, link, call, attributes.get(name, ()), page_size=page_size)

    def current_watermark(self, scope: ImportScope, *, call: Call) -> Watermark:
        known = self._of_scope(scope, call)
        with reported(known.layout.where()), self._connections.apart(call) as link:
            return deltas.current_watermark(Session(known, link, call))

    def import_delta(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        known = self._of_scope(scope, call)
        with reported(known.layout.where()), self._connections.apart(call) as link:
            names = attributes.get(known.layout.name, ())
            yield from deltas.import_delta(Session(known, link, call), since=since, names=names, page_size=page_size)

    def begin_watch(self, scope: ImportScope, *, call: Call) -> Watermark:
        known = self._of_scope(scope, call)
        with reported(known.layout.where()), self._connections.apart(call) as link:
            return watching.begin_watch(Session(known, link, call))

    def watch(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        known = self._of_scope(scope, call)
        names = attributes.get(known.layout.name, ())
        with reported(known.layout.where()):
            yield from watching.watch(known, call, since=since, names=names, page_size=page_size)

    def _of_scope(self, scope: ImportScope, call: Call) -> Known:
        found = self._discover(call)
        (name,) = scope.object_types
        return self._known(found, self._named(found, name))

    # -- lookup

    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        return self._look(object_type, call, lambda known, link: reading.read(known, link, call, identity, attributes))

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        return self._look(
            object_type, call, lambda known, link: reading.find(known, link, call, attribute, value, attributes)
        )

    def find_many(
        self, object_type: str, attribute: str, values: Sequence[Value], *, attributes: Sequence[str], call: Call
    ) -> Sequence[Sequence[ConnectorObject]]:
        return self._look(
            object_type, call, lambda known, link: reading.find_many(known, link, call, attribute, values, attributes)
        )

    # -- writes

    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        return self._write(object_type, Operation.CREATE, call, lambda writer: writer.create(attributes, dn, password))

    def update(
        self,
        object_type: str,
        identity: Identity,
        changes: Sequence[AttributeChange],
        *,
        new_dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        return self._write(
            object_type, Operation.UPDATE, call, lambda writer: writer.update(identity, changes, new_dn, password)
        )

    def delete(self, object_type: str, identity: Identity, *, call: Call) -> None:
        self._write(object_type, Operation.DELETE, call, lambda writer: writer.delete(identity))

    def set_password(self, object_type: str, identity: Identity, password: Secret, *, call: Call) -> None:
        self._write(object_type, Operation.PASSWORD, call, lambda writer: writer.set_password(identity, password))

    def suggest(self, *, call: Call) -> Mapping[str, Suggestion]:
        with reported(Where()), self._connections.use(call) as link:
            directory = read_directory(link, self._settings, lambda: self._connections.seconds(call))
            return suggestions.suggest(directory, self._settings, link, lambda: self._connections.seconds(call))

    # -- what they share

    def _look(self, object_type: str, call: Call, run: Callable[[Known, Link], T]) -> T:
        known = self._ready(object_type, call)
        with reported(known.layout.where()):
            return self._connections.read(call, lambda link: run(known, link))

    def _write(self, object_type: str, operation: Operation, call: Call, run: Callable[[Writer], T]) -> T:
        known = self._ready(object_type, call)
        if operation not in known.layout.object_type.operations:
            raise Unsupported(f"object type {object_type} does not support {operation.value} here")
        with reported(known.layout.where(writing=True)):
            try:
                with self._connections.use(call) as link:
                    return run(Writer(known, link, call))
            except Failure as failure:
                if failure.code.startswith("UNDEFINED_TYPE"):
                    self._discovered = None  # the schema has changed; it is read again next time
                other = self._referred(failure)
                if other is None:
                    raise
            with self._connections.apart(call, only=other) as link:
                return run(Writer(known, link, call))

    def _referred(self, failure: Failure) -> str | None:
        """Return the server of ours that a refused write is referred to, where referrals are followed.

        Only servers that the settings name are asked: a referral must not make us log in to an unknown one.
        """
        if failure.kind is not Kind.REFERRAL or not self._settings.follow_referrals:
            return None
        named = {(s.host.casefold(), s.port): s.url for s in servers(self._settings)}
        for url in failure.referrals:
            host, _, port = url.partition("://")[2].partition("/")[0].rpartition(":")
            if not host:
                host, port = port, "636" if url.startswith("ldaps") else "389"
            found = named.get((host.casefold(), int(port) if port.isdigit() else 0))
            if found is not None:
                return found
        return None

    def _ready(self, object_type: str, call: Call) -> Known:
        call.check()
        found = self._discovered
        if found is None:
            with self._reading:
                found = self._discovered
                if found is None:
                    found = self._discover(call)
        return self._known(found, self._named(found, object_type))

    def _known(self, found: _Discovered, layout: Layout) -> Known:
        return Known(self._settings, found.directory, self._connections, layout, found.layouts)

    def _named(self, found: _Discovered, name: str) -> Layout:
        layout = found.layouts.get(name)
        if layout is None:
            raise MisconfiguredConnector(f"there is no object type {name}; known are {', '.join(found.layouts) or '-'}")
        return layout

    def _discover(self, call: Call) -> _Discovered:
        call.check()
        with reported(Where()):
            return self._connections.read(call, lambda link: self._read_all(link, call))

    def _read_all(self, link: Link, call: Call) -> _Discovered:
        def seconds() -> float:
            return self._connections.seconds(call)

        directory = read_directory(link, self._settings, seconds)
        declared = self._settings.object_types or suggestions.types_in_use(directory, self._settings, link, seconds)
        found = _Discovered(directory, read_layouts(directory, self._settings, declared))
        self._discovered = found
        return found
