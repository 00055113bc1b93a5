"""What a demo stands on: one table, or the dozen of the full demo. Each knows its connector and its walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import sqlalchemy as sa
from rich.console import Console

from isthmus.demo import folder
from isthmus.demo.client import ScimClient
from isthmus.demo.full import document as full_document
from isthmus.demo.full.database import FullDatabase
from isthmus.demo.full.filling import fill
from isthmus.demo.full.walk import FullWalk
from isthmus.demo.people import Person
from isthmus.demo.table import OWN_NAME, SQLITE_NAME, PeopleTable
from isthmus.demo.walk import Walk


class Scene(Protocol):
    """`open` comes first, `close` last; `drop` removes only what `create` made."""

    connector: str

    def open(self, url: sa.URL) -> None: ...

    def create(self, people: Sequence[Person], *, own: bool) -> None:
        """Make the tables and fill them. `own`: the database is the demo's own, so names need no prefix."""

    def document(self, connection: str) -> str: ...

    def summary(self) -> str: ...

    def walk(self, console: Console, client: ScimClient, *, base: str, existing: Person) -> int:
        """Walk, and return how many things were not as they should be."""

    def drop(self) -> None: ...

    def close(self) -> None: ...


class OneTable:
    """Microsoft's tutorial table, and Entra's requests."""

    connector = folder.CONNECTOR

    def open(self, url: sa.URL) -> None:
        self._table = PeopleTable(url)

    def create(self, people: Sequence[Person], *, own: bool) -> None:
        self._table.create(people, name=SQLITE_NAME if own else OWN_NAME)

    def document(self, connection: str) -> str:
        return folder.employees_document(connection, table=self._table.name)

    def summary(self) -> str:
        return f"{self._table.count():,} generated people in table [bold]{self._table.name}[/]"

    def walk(self, console: Console, client: ScimClient, *, base: str, existing: Person) -> int:
        walk = Walk(console, client, self._table, base=base, existing=existing)
        walk.run()
        return walk.differences

    def drop(self) -> None:
        self._table.drop()

    def close(self) -> None:
        self._table.close()


class FullScene:
    """People with child tables, teams and devices."""

    connector = full_document.CONNECTOR

    def open(self, url: sa.URL) -> None:
        self._database = FullDatabase(url)

    def create(self, people: Sequence[Person], *, own: bool) -> None:
        self._database.create(fill(people), own=own)

    def document(self, connection: str) -> str:
        return full_document.document(connection, prefix=self._database.prefix)

    def summary(self) -> str:
        counts = self._database.counts()
        return (
            f"{counts['people']:,} generated people, {counts['teams']:,} teams and {counts['devices']:,} devices "
            f"in {len(counts)} tables"
        )

    def walk(self, console: Console, client: ScimClient, *, base: str, existing: Person) -> int:
        walk = FullWalk(console, client, self._database, base=base, existing=existing)
        walk.run()
        return walk.differences

    def drop(self) -> None:
        self._database.drop()

    def close(self) -> None:
        self._database.close()
