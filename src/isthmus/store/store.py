"""The one interface to everything durable."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from isthmus.store import folder as folders
from isthmus.store.audit import AuditLog
from isthmus.store.connections import Readers
from isthmus.store.errors import StoreRefused, translated
from isthmus.store.guard import Guard
from isthmus.store.journal import Journal
from isthmus.store.links import LinkTable
from isthmus.store.migrating import check, migrate
from isthmus.store.owners import OWNERS, Owner
from isthmus.store.runs import Runs
from isthmus.store.schedules import Schedules
from isthmus.store.settings import KeyValues
from isthmus.store.space import SpaceTable
from isthmus.store.statements import statement
from isthmus.store.tokens import Tokens
from isthmus.store.writing import Place, Writer

FILE = "isthmus.db"

_COUNTER = statement("counter_value")


class Store:
    """The store of one folder. Thread-safe; one per process; opened after any fork, never used across one.

    Several processes, and several Stores, may have the same folder open: each sees what the others committed at once.
    """

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Store:
        """Open the store of a folder, made and migrated as needed.

        Before a migration the database is copied beside itself.

        Raises:
            StoreTooNew: a newer program wrote it.
            StoreRefused: the folder cannot hold a store, or with `create` off there is none.
            StoreFull: the disk is full.
        """
        folders.prepare(folder, create=create)
        path = folder / FILE
        if not create and not path.exists():
            raise StoreRefused(f"there is no store in {folder}: run 'isthmus init'")
        with translated():
            migrate(path)
            folders.keep_private(path)
            return cls(path)

    @staticmethod
    def check(folder: Path) -> None:
        """Raise what `open` would raise of this folder, as far as that can be told without opening the store."""
        folders.prepare(folder, create=True)
        path = folder / FILE
        if path.exists():
            with translated():
                folders.check_writable(path)
                check(path)

    def __init__(self, path: Path) -> None:
        """Open the database at that path, which exists and is migrated. Use `open`."""
        self.path = path
        self._readers = Readers(path)
        self._writer = Writer(path)
        try:
            self._owner = Owner(path.with_name(OWNERS))
        except BaseException:
            self._writer.close()
            raise
        self.owner = self._owner.id
        """This process's owner id: it lives as long as the process and the open store do."""
        self.space = SpaceTable(self._readers, self._writer)
        self.links = LinkTable(self._readers)
        self.journal = Journal(self._readers, self._writer, self._owner)
        self.runs = Runs(self._readers, self._writer, self._owner)
        self.schedules = Schedules(self._readers, self._writer)
        self.guard = Guard(self._readers, self._writer)
        self.audit = AuditLog(self._readers, self._writer)
        self.tokens = Tokens(self._readers, self._writer)
        self.settings = KeyValues(self._readers, self._writer)

    def take_place(self, place: Place) -> None:
        """Have the threads that write run with this place, and lend it while they wait."""
        self._writer.place = place

    def number(self) -> int:
        """Return the change counter: to be read before the target is, see `SpaceTable.apply`."""
        with translated():
            value: int = self._readers.connection().execute(_COUNTER).fetchone()[0]
        return value

    def owner_is_alive(self, owner: str) -> bool:
        """Tell whether the process with that owner id still has the store open."""
        return self._owner.is_alive(owner)

    def close(self) -> None:
        """Finish writes under way, close everything, and give this process's ownership up. Can be repeated."""
        self._writer.close()
        self._readers.close()
        self._writer.release()
        self._owner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
