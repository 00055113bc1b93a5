"""The connector: its bases say what it can do."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from isthmus.spi import (
    AlreadyExists,
    Anchor,
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
    Schema,
    Secret,
    SupportsCreate,
    SupportsDelete,
    SupportsFullImport,
    SupportsLookup,
    SupportsUpdate,
    Unsupported,
    Value,
)
from isthmus_notebook.errors import translated
from isthmus_notebook.schema import PERSON, check, definition
from isthmus_notebook.settings import NotebookSettings

Record = dict[str, list[Value]]
ALL = tuple(attribute.name for attribute in PERSON.attributes)
FIND_LIMIT = 100


class NotebookConnector(Connector, SupportsFullImport, SupportsLookup, SupportsCreate, SupportsUpdate, SupportsDelete):
    """People in a file. Every write puts a new file in the place of the old, so that readers see one or the other."""

    def __init__(self, settings: NotebookSettings) -> None:
        self._path = Path(settings.path)

    def test(self, *, call: Call) -> None:
        for _ in self._records(call):
            break

    def read_schema(self, *, call: Call) -> Schema:
        self.test(call=call)
        return Schema({PERSON.name: PERSON})

    def scopes(self) -> Sequence[ImportScope]:
        return (ImportScope("people", (PERSON.name,)),)

    def close(self) -> None:
        pass  # no file stays open between two calls

    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        for object_type in scope.object_types:
            _check_type(object_type)
        page: list[ConnectorObject] = []
        for record in self._records(call):
            page.append(_object(record, attributes[PERSON.name]))
            if len(page) == page_size:
                yield ImportPage(objects=page)
                call.check()
                page = []
        yield ImportPage(objects=page)

    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        (login,) = identity.anchor.values
        found = self.find(object_type, "login", login, attributes=attributes, call=call)
        return found[0] if found else None

    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        _check_type(object_type)
        definition(attribute)
        found = (_object(r, attributes) for r in self._records(call) if value in r.get(attribute, ()))
        return [each for each, _ in zip(found, range(FIND_LIMIT), strict=False)]

    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        _check_type(object_type)
        for name in {*attributes, "login"}:
            check(name, attributes.get(name, ()))
        with self._rewriting(call) as records:
            if any(record["login"] == [*attributes["login"]] for record in records):
                raise AlreadyExists("a person with this login exists", attribute="login")
            records.append({name: [*values] for name, values in attributes.items()})
            call.sent("add a person")
            return _object(records[-1], ALL)

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
        _check_type(object_type)
        with self._rewriting(call) as records:
            record = _existing(records, identity)
            changed = {name: [*values] for name, values in record.items()}
            for change in changes:
                if change.name == "login" and change.replace != (*record["login"],):
                    raise Unsupported("people in a notebook cannot be renamed")
                kept = [v for v in record.get(change.name, ()) if v not in change.remove]
                values = [*kept, *change.add] if change.replace is None else [*change.replace]
                changed[change.name] = list(dict.fromkeys(values))
                check(change.name, tuple(values))
            record.update(changed)
            call.sent(f"change {', '.join(change.name for change in changes)} of a person")
            return _object(record, ALL)

    def delete(self, object_type: str, identity: Identity, *, call: Call) -> None:
        _check_type(object_type)
        with self._rewriting(call) as records:
            records.remove(_existing(records, identity))
            call.sent("remove a person")

    def _records(self, call: Call) -> Iterator[Record]:
        """Read the file line by line, so that memory stays the same however long it is."""
        call.check()
        with translated(), self._path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)

    @contextmanager
    def _rewriting(self, call: Call) -> Iterator[list[Record]]:
        """Give all records to be changed; write them only if the block succeeds."""
        with translated(), self._path.with_suffix(".lock").open("w") as lock:
            self._take(lock.fileno(), call)
            records = list(self._records(call))
            yield records
            beside = self._path.with_suffix(".new")
            with beside.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)

    def _take(self, lock: int, call: Call) -> None:
        """Wait for other writers, but not longer than the call may take."""
        while True:
            call.check()
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)


def _check_type(object_type: str) -> None:
    if object_type != PERSON.name:
        raise MisconfiguredConnector(f"a notebook has no object type {object_type!r}")


def _existing(records: list[Record], identity: Identity) -> Record:
    for record in records:
        if record["login"] == [*identity.anchor.values]:
            return record
    raise NotFound("the notebook has no person with this login")


def _object(record: Record, attributes: Sequence[str]) -> ConnectorObject:
    for name in attributes:
        definition(name)
    return ConnectorObject(
        object_type=PERSON.name,
        identity=Identity(Anchor((str(record["login"][0]),))),
        attributes={name: tuple(record.get(name, ())) for name in attributes},
    )
