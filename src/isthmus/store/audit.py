"""The audit log: who did what to whom, with what outcome."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.records import AuditRecord
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_COLUMNS = (
    "id, at, connector, actor, address, operation, object_type, object_id, name, outcome, status, duration, "
    "correlation, message, sent, old, new"
)
_INSERT = statement("audit_insert")
_QUERY = statement("audit_query")
_PRUNE_RECORDS = statement("audit_prune_records")
_PRUNE_VALUES = statement("audit_prune_values")


def insert(connection: sqlite3.Connection, record: AuditRecord) -> None:
    """Write a record inside the caller's transaction."""
    connection.execute(_INSERT, values(record, record.object_id))


def values(record: AuditRecord, object_id: str) -> tuple[Any, ...]:
    """Return what a record's row holds; its object may be known later than the record."""
    return (
        record.at,
        record.connector,
        record.actor,
        record.address,
        record.operation,
        record.object_type,
        object_id,
        record.name,
        record.name.casefold(),
        record.outcome,
        record.status,
        record.duration,
        record.correlation,
        record.message,
        orjson.dumps(list(record.sent)).decode(),
        orjson.dumps(dict(record.old)).decode(),
        orjson.dumps(dict(record.new)).decode(),
    )


class AuditLog:
    """Records in the order they were written."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def write(self, record: AuditRecord) -> None:
        """Write a record, durably."""
        self._writer.run(lambda c: insert(c, record))

    def query(
        self,
        *,
        connector: str | None = None,
        name: str | None = None,
        object_id: str | None = None,
        outcome: str | None = None,
        operation: str | None = None,
        actor: str | None = None,
        since: float | None = None,
        until: float | None = None,
        correlation: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[tuple[int, AuditRecord]]:
        """Return (id, record), newest first, that meet every condition given.

        `name` is the beginning of a name, whatever its case; the whole name therefore too. `since` is included, `until`
        is not. `before`: only records with a lower id, for the next page.
        """
        conditions: list[str] = []
        values: dict[str, Any] = {"limit": limit}
        for column, value in (
            ("connector", connector),
            ("object_id", object_id),
            ("outcome", outcome),
            ("operation", operation),
            ("actor", actor),
            ("correlation", correlation),
        ):
            if value is not None:
                conditions.append(f"{column} = :{column}")
                values[column] = value
        for name_of, condition, bound in (
            ("since", "at >= :since", since),
            ("until", "at < :until", until),
            ("before", "id < :before", before),
        ):
            if bound is not None:
                conditions.append(condition)
                values[name_of] = bound
        if since is not None or until is not None:
            conditions.append("blanked IN (0, 1)")  # the index of times begins with it
        if name is not None:
            folded = name.casefold()
            # No character sorts after U+10FFFF: the index answers the range.
            conditions.append(
                "name_folded >= :name AND name_folded <= :name_end AND substr(name_folded, 1, :length) = :name"
            )
            values |= {"name": folded, "name_end": folded + "\U0010ffff" * 4, "length": len(folded)}
        sql = _QUERY.format(columns=_COLUMNS, where=" AND ".join(conditions) or "1")
        with translated():
            return [(row[0], _record(row)) for row in self._readers.connection().execute(sql, values)]

    def prune(self, *, records_before: float, values_before: float, slice: int = 2_000) -> int:
        """Drop a slice of records past their retention and blank a slice of values past theirs; return how many.

        Call again until it returns 0.
        """

        def prune(connection: sqlite3.Connection) -> int:
            dropped = connection.execute(_PRUNE_RECORDS, (records_before, slice)).rowcount
            blanked = connection.execute(_PRUNE_VALUES, (values_before, records_before, slice)).fetchall()
            return int(dropped) + len(blanked)

        return self._writer.run(prune)


def _record(row: tuple[Any, ...]) -> AuditRecord:
    return AuditRecord(
        at=row[1],
        connector=row[2],
        actor=row[3],
        address=row[4],
        operation=row[5],
        object_type=row[6],
        object_id=row[7],
        name=row[8],
        outcome=row[9],
        status=row[10],
        duration=row[11],
        correlation=row[12],
        message=row[13],
        sent=tuple(orjson.loads(row[14])),
        old=orjson.loads(row[15]),
        new=orjson.loads(row[16]),
    )
