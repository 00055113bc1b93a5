"""Small durable things by name: discovered schemas, watermarks."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from isthmus.store.connections import Readers
from isthmus.store.errors import translated
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_GET = statement("setting_get")
_SET = statement("setting_set")
_ADD = statement("setting_add")
_REMOVE = statement("setting_remove")
_LIST = statement("settings_list")


def put(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Keep texts inside the caller's transaction."""
    connection.executemany(_SET, list(values.items()))


class KeyValues:
    """Texts by name."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def get(self, name: str) -> str | None:
        """Return the text kept under a name."""
        with translated():
            row = self._readers.connection().execute(_GET, (name,)).fetchone()
        return None if row is None else row[0]

    def set(self, name: str, value: str) -> None:
        """Keep a text under a name; the same text again writes nothing."""
        self._writer.run(lambda c: put(c, {name: value}))

    def settle(self, name: str, value: str) -> str:
        """Keep a text unless there is one under that name; return what is kept: the same for all who ask at once."""

        def add(connection: sqlite3.Connection) -> str:
            connection.execute(_ADD, (name, value))
            kept: str = connection.execute(_GET, (name,)).fetchone()[0]
            return kept

        return self._writer.run(add)

    def remove(self, name: str) -> None:
        """Forget the text kept under a name."""
        self._writer.run(lambda c: c.execute(_REMOVE, (name,)).rowcount)

    def list(self, prefix: str = "") -> dict[str, str]:
        """Return the texts whose name begins so, by name."""
        with translated():
            return dict(self._readers.connection().execute(_LIST, (prefix,)).fetchall())
