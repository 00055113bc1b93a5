"""The connector to an in-memory target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from isthmus.connectors.memory.errors import translated
from isthmus.connectors.memory.rows import Key, Row, TargetTrouble, Trouble, attribute_of
from isthmus.connectors.memory.schema import GROUP, OBJECT_TYPES
from isthmus.connectors.memory.settings import MemorySettings
from isthmus.connectors.memory.target import MemoryTarget
from isthmus.connectors.memory.wire import wire_form
from isthmus.spi import (
    WATCH_PULSE,
    Anchor,
    AttributeChange,
    Attributes,
    AttributeType,
    Call,
    Connector,
    ConnectorObject,
    DeletedObject,
    Identity,
    ImportPage,
    ImportScope,
    Schema,
    Secret,
    SupportsCreate,
    SupportsDelete,
    SupportsDeltaImport,
    SupportsFindMany,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsSettling,
    SupportsUpdate,
    SupportsWatch,
    Unsupported,
    Value,
    Watermark,
)

_FIND_LIMIT = 100


class MemoryConnector(
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
    SupportsSettling,
):
    """Users, groups, assignments and devices of a `MemoryTarget`."""

    def __init__(self, settings: MemorySettings) -> None:
        self._settings = settings
        self._target = MemoryTarget.named(settings.name)
        self._types = tuple(t.name for t in OBJECT_TYPES if settings.groups or t is not GROUP)

    def __repr__(self) -> str:
        return f"<MemoryConnector {self._settings.name!r}>"

    def test(self, *, call: Call) -> None:
        with self._request(call):
            pass

    def read_schema(self, *, call: Call) -> Schema:
        with self._request(call):
            found = self._target.schema().object_types
            return Schema({name: found[name] for name in self._types})

    def scopes(self) -> Sequence[ImportScope]:
        return (ImportScope("all", self._types),)

    def close(self) -> None:
        """Nothing is held open."""

    # reading

    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        with self._request(call):
            row = self._target.row(self._key(object_type, identity))
            self._check_readable(object_type, attributes)
            return None if row is None else _object(row, attributes)

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        with self._request(call):
            return self._found(object_type, attribute, value, attributes)

    def find_many(
        self, object_type: str, attribute: str, values: Sequence[Value], *, attributes: Sequence[str], call: Call
    ) -> Sequence[Sequence[ConnectorObject]]:
        with self._request(call):
            return [self._found(object_type, attribute, value, attributes) for value in values]

    def _found(
        self, object_type: str, attribute: str, value: Value, attributes: Sequence[str]
    ) -> Sequence[ConnectorObject]:
        self._check_readable(object_type, [attribute, *attributes])
        return [_object(row, attributes) for row in self._target.matching(object_type, attribute, value, _FIND_LIMIT)]

    # writing

    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        if dn is not None:
            raise Unsupported("objects of an in-memory target have no DN")
        self._check_type(object_type)
        with self._write(f"create {object_type} ({', '.join(attributes)})", call):
            row = self._target.insert(object_type, attributes, password, call)
        return _object(row, _readable(row))

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
        if new_dn is not None:
            raise Unsupported("objects of an in-memory target have no DN")
        key = self._key(object_type, identity)
        with self._write(f"update {object_type} ({', '.join(c.name for c in changes)})", call):
            row = self._target.modify(key, changes, password, call)
        return _object(row, _returned(row, changes, call.wanted))

    def delete(self, object_type: str, identity: Identity, *, call: Call) -> None:
        key = self._key(object_type, identity)
        with self._write(f"delete {object_type}", call):
            self._target.erase(key, call)

    def set_password(self, object_type: str, identity: Identity, password: Secret, *, call: Call) -> None:
        key = self._key(object_type, identity)
        with self._write(f"set the password of {object_type}", call):
            self._target.modify(key, (), password, call)

    def settle(self, session: str, *, call: Call) -> None:  # noqa: ARG002  the target settles all sessions at once
        call.check()
        with translated():
            self._target.weather.settle(call)

    # importing

    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        names = self._asked(scope, attributes)
        for name in scope.object_types:
            with self._request(call):
                self._check_readable(name, names[name])
                anchors = self._target.anchors(name)
            for start in range(0, len(anchors), page_size):
                with self._request(call):
                    rows = self._target.rows([(name, anchor) for anchor in anchors[start : start + page_size]])
                yield _page(rows, names)

    def current_watermark(self, scope: ImportScope, *, call: Call) -> Watermark:
        self._check_scope(scope)
        with self._request(call):
            return Watermark(self._target.current_token())

    def import_delta(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        yield from self._changes(self._asked(scope, attributes), since, page_size, call)

    def _changes(
        self, names: Mapping[str, Sequence[str]], since: Watermark, page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        with self._request(call):
            for name in names:
                self._check_readable(name, names[name])
            changed, end = self._target.changed_since(since.token)
        for start in range(0, len(changed), page_size):
            part = changed[start : start + page_size]
            with self._request(call):
                wanted = [key for key, _ in part if key[0] in names]
                rows = self._target.rows(wanted)
                token = self._target.token_at(since.token, part[-1][1])
            there = {row.key for row in rows}
            deleted = [DeletedObject(key[0], Anchor(key[1])) for key in wanted if key not in there]
            yield _page(rows, names, deleted=deleted, watermark=Watermark(token))
        yield ImportPage(watermark=Watermark(end))

    def begin_watch(self, scope: ImportScope, *, call: Call) -> Watermark:
        self._check_scope(scope)
        with self._request(call):
            return Watermark(self._target.current_token())

    def watch(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        names, mark = self._asked(scope, attributes), since
        while True:
            for page in self._changes(names, mark, page_size, call):
                mark = page.watermark or mark
                yield page
            with translated():
                self._target.wait_for_change(mark.token, WATCH_PULSE / 2)

    # what every request needs

    @contextmanager
    def _request(self, call: Call) -> Iterator[None]:
        call.check()
        with translated():
            self._target.login(self._settings.password, call, self._settings.latency)
            self._target.weather.wait(call)
            yield

    @contextmanager
    def _write(self, sent: str, call: Call) -> Iterator[None]:
        call.check()
        with translated():
            self._target.login(self._settings.password, call, self._settings.latency)
            call.sent(sent)
            yield

    def _check_type(self, object_type: str) -> None:
        if object_type not in self._types:
            with translated():
                raise TargetTrouble(Trouble.NO_TYPE, f"the target has no object type {object_type!r}")

    def _key(self, object_type: str, identity: Identity) -> Key:
        self._check_type(object_type)
        return object_type, identity.anchor.values

    def _check_scope(self, scope: ImportScope) -> None:
        for name in scope.object_types:
            self._check_type(name)

    def _asked(self, scope: ImportScope, attributes: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        self._check_scope(scope)
        return {name: attributes.get(name, ()) for name in scope.object_types}

    def _check_readable(self, object_type: str, attributes: Sequence[str]) -> None:
        self._check_type(object_type)
        found = self._target.type_named(object_type)
        for name in attributes:
            if attribute_of(found, name).secret:
                raise TargetTrouble(Trouble.NO_ATTRIBUTE, f"{name} is secret and cannot be read", attribute=name)


def _readable(row: Row) -> list[str]:
    return [a.name for a in row.object_type.attributes if not a.secret]


def _returned(row: Row, changes: Sequence[AttributeChange], wanted: Sequence[str]) -> list[str]:
    """Return what an update returns: not what was added to or removed from, nor lists of references nobody wants.

    Who adds one member to a group of 100,000 does not want to see the others.
    """
    left_out = {change.name for change in changes if change.replace is None}
    replaced = {change.name for change in changes if change.replace is not None}
    if wanted:
        lists = (a.name for a in row.object_type.attributes if a.multivalued and a.type is AttributeType.REFERENCE)
        left_out |= {name for name in lists if name not in wanted and name not in replaced}
    return [name for name in _readable(row) if name not in left_out]


def _object(row: Row, attributes: Sequence[str]) -> ConnectorObject:
    return ConnectorObject(
        object_type=row.object_type.name,
        identity=Identity(Anchor(row.anchor)),
        attributes={name: row.values[name] for name in attributes},
    )


def _page(
    rows: Sequence[Row],
    names: Mapping[str, Sequence[str]],
    *,
    deleted: Sequence[DeletedObject] = (),
    watermark: Watermark | None = None,
) -> ImportPage:
    objects = [_object(row, names[row.object_type.name]) for row in rows]
    return ImportPage(objects=objects, deleted=deleted, watermark=watermark, wire=[wire_form(each) for each in objects])
