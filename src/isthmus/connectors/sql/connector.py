"""The SQL connector."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from isthmus.connectors.sql import planning, suggestions, writing
from isthmus.connectors.sql.choosing import open_database
from isthmus.connectors.sql.connections import Connections
from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.errors import Failure, Kind, Where, reported
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.reading import Reader, import_pages
from isthmus.connectors.sql.reflecting import reflect
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.connectors.sql.statements import Statements
from isthmus.connectors.sql.streaming import import_with_children
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
    NotFound,
    Operation,
    Schema,
    Secret,
    Suggestion,
    SupportsCreate,
    SupportsDelete,
    SupportsFullImport,
    SupportsLookup,
    SupportsPassword,
    SupportsSettling,
    SupportsSuggestions,
    SupportsUpdate,
    Unsupported,
    Value,
)

T = TypeVar("T")


class SqlConnector(
    Connector,
    SupportsFullImport,
    SupportsLookup,
    SupportsCreate,
    SupportsUpdate,
    SupportsDelete,
    SupportsPassword,
    SupportsSuggestions,
):
    """Tables and views of one database as object types.

    The layout of tables is read when it is first needed, again for each import and `read_schema`, and again when a
    statement fails because a table or column is not as it was.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settings = database.settings
        self._connections = Connections(database)
        self._known: dict[str, tuple[Layout, Statements]] | None = None
        self._reading = threading.Lock()

    def test(self, *, call: Call) -> None:
        for layout, statements in self._read_layouts(call).values():
            columns = layout.readable(name for name, c in layout.columns.items() if not c.definition.secret)
            probes = [(layout.where(), statements.probe(columns))]
            probes += [(Where(child.target), statements.child(name).probe()) for name, child in layout.children.items()]
            for where, statement in probes:
                call.sent(statement.text)
                with reported(where), self._connections.use(call) as link:
                    link.execute(statement, (), seconds=call.remaining())

    def read_schema(self, *, call: Call) -> Schema:
        return Schema({name: layout.object_type for name, (layout, _) in self._read_layouts(call).items()})

    def scopes(self) -> Sequence[ImportScope]:
        names = [each.name for each in self._settings.object_types] or list(self._known or ())
        if not names:
            raise MisconfiguredConnector("no object types are named yet; name them, or read the schema first")
        return [ImportScope(name, (name,)) for name in names]

    def close(self) -> None:
        self._connections.close()

    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        known = self._read_layouts(call)
        for name in scope.object_types:
            if name not in known:
                raise self._unknown(name)
            layout, statements = known[name]
            with reported(layout.where()), self._connections.apart(call) as link:
                names = attributes.get(name, ())
                columns = layout.readable(names)
                children = [layout.children[each] for each in dict.fromkeys(names) if each in layout.children]
                if children:
                    yield from import_with_children(
                        self._database,
                        layout,
                        statements,
                        columns,
                        children,
                        page_size=page_size,
                        link=link,
                        call=call,
                    )
                    continue
                yield from import_pages(
                    self._database,
                    layout,
                    statements.everything(columns),
                    columns,
                    page_size=page_size,
                    link=link,
                    call=call,
                )

    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        return self._run(
            object_type,
            call,
            Where(),
            lambda layout, sql: Reader(self._connections, layout, sql, call).read(identity, attributes),
        )

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        return self._run(
            object_type,
            call,
            Where(),
            lambda layout, sql: Reader(self._connections, layout, sql, call).find(attribute, value, attributes),
        )

    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        def run(layout: Layout, sql: Statements) -> ConnectorObject:
            _allowed(layout, Operation.CREATE, dn)
            plan = planning.plan_create(layout, sql, attributes, password, call)
            with self._connections.use(call) as link:
                return writing.Writer(layout, sql, link, call).create(plan)

        return self._run(object_type, call, Where(writing=True), run)

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
        def run(layout: Layout, sql: Statements) -> ConnectorObject:
            _allowed(layout, Operation.UPDATE, new_dn)
            plan = planning.plan_update(layout, sql, identity, changes, password, call)
            with self._connections.use(call) as link:
                return writing.Writer(layout, sql, link, call).update(plan)

        return self._run(object_type, call, Where(writing=True), run)

    def delete(self, object_type: str, identity: Identity, *, call: Call) -> None:
        def run(layout: Layout, sql: Statements) -> None:
            _allowed(layout, Operation.DELETE, None)
            key = layout.located(identity)
            if key is None:
                raise NotFound(f"{layout.target} has no such row")
            with self._connections.use(call) as link:
                writing.Writer(layout, sql, link, call).delete(key)

        self._run(object_type, call, Where(writing=True, deleting=True), run)

    def set_password(self, object_type: str, identity: Identity, password: Secret, *, call: Call) -> None:
        self.update(object_type, identity, (), password=password, call=call)

    def suggest(self, *, call: Call) -> Mapping[str, Suggestion]:
        with reported(Where()):
            return suggestions.suggest(self._database, call)

    def _run(self, object_type: str, call: Call, where: Where, run: Callable[[Layout, Statements], T]) -> T:
        """Run with the layout as known; again when the table has changed, or another transaction was in the way.

        Both are definite answers: nothing of the failed attempt has taken effect.
        """
        layout, statements = self._layout(object_type, call)
        changed = False
        for attempt in range(_ATTEMPTS):
            with reported(layout.where(writing=where.writing, deleting=where.deleting)):
                try:
                    return run(layout, statements)
                except Failure as failure:
                    if attempt == _ATTEMPTS - 1 or not call.remaining():
                        raise
                    if failure.kind is Kind.SCHEMA and not changed:
                        changed = True
                    elif failure.kind is not Kind.CONFLICT and not (failure.again and attempt == 0):
                        raise
            if changed:
                self._forget()
                layout, statements = self._layout(object_type, call)
        raise AssertionError("the last attempt returns or raises")

    def _layout(self, object_type: str, call: Call) -> tuple[Layout, Statements]:
        known = self._known
        if known is None:
            with self._reading:
                known = self._known
                if known is None:
                    known = self._read_layouts(call)
        if object_type not in known:
            raise self._unknown(object_type)
        return known[object_type]

    def _read_layouts(self, call: Call) -> dict[str, tuple[Layout, Statements]]:
        with reported(Where()):
            layouts = reflect(self._database, call)
        before = self._known or {}
        found = {
            name: before[name]
            if name in before and before[name][0] == layout
            else (layout, Statements(layout, self._database))
            for name, layout in layouts.items()
        }
        self._known = found
        return found

    def _forget(self) -> None:
        self._known = None

    def _unknown(self, object_type: str) -> MisconfiguredConnector:
        return MisconfiguredConnector(f"this connector has no object type {object_type}")


class SettlingSqlConnector(SqlConnector, SupportsSettling):
    """A connector whose connections hold a named lock for their session, so that its end can be awaited."""

    def settle(self, session: str, *, call: Call) -> None:
        with reported(Where()), self._connections.apart(call) as link:
            self._database.settle(session, link=link, call=call)


_ATTEMPTS = 3


def _allowed(layout: Layout, operation: Operation, dn: str | None) -> None:
    if operation not in layout.object_type.operations:
        raise Unsupported(f"{layout.target} is a view that does not take this operation: {operation}")
    if dn is not None:
        raise Unsupported(f"{layout.target}: rows have no DN")


def open_connector(settings: SqlSettings) -> SqlConnector:
    """Return a connector; it settles unless a pooler hides which server connection does the work."""
    database = open_database(settings)
    return SettlingSqlConnector(database) if settings.session_locks else SqlConnector(database)
