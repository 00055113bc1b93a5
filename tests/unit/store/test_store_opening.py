from __future__ import annotations

import errno
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from isthmus.store import Store, StoreClosed, StoreFull, StoreRefused, StoreTooNew, folder, migrating
from isthmus.store.records import Space
from unit.store.store_objects import a_write, add

SECOND = "ALTER TABLE settings ADD COLUMN note TEXT NOT NULL DEFAULT ''; UPDATE settings SET note = 'seen';"


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a" / "store") as store:
        store.settings.set("x", "1")
        assert stat.S_IMODE((tmp_path / "a" / "store").stat().st_mode) == 0o700
        files = [path for path in (tmp_path / "a" / "store").rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"isthmus.db", "isthmus.db-wal", "isthmus.db-shm"}
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_world_readable_file_is_made_private(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    (tmp_path / "isthmus.db").chmod(0o644)
    Store.open(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "isthmus.db").stat().st_mode) == 0o600


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        space = store.space.ensure("hr", "Person")
        [applied] = add(store, space, [a_write("jo")])
        number = store.number()
    with Store.open(tmp_path, create=False) as store:
        assert store.space.ensure("hr", "Person") == space
        found = store.space.by_id(space, applied.id)
        assert found is not None
        assert found.anchor == ("jo",)
        assert store.number() == number


def test_writes_are_durable_and_logged_ahead(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        pragmas = store._writer.run(
            lambda c: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        )
    assert pragmas == ["wal", 1]  # 1: NORMAL, and `durable.Log` syncs after each commit


def test_without_create_a_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="isthmus init"):
        Store.open(tmp_path / "none", create=False)
    with pytest.raises(StoreRefused, match="isthmus init"):
        Store.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "isthmus.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = (tmp_path / "isthmus.db").read_bytes()
    with pytest.raises(StoreTooNew, match="schema 99"):
        Store.open(tmp_path)
    assert (tmp_path / "isthmus.db").read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "isthmus.db")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreRefused, match="another program"):
        Store.open(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "isthmus.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(StoreRefused, match="not a database"):
        Store.open(tmp_path)


def test_an_upgrade_copies_the_database_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path) as store:
        store.settings.set("kept", "yes")
    known = migrating.migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: (*known, (len(known) + 1, "9999_x.sql", SECOND)))
    with Store.open(tmp_path) as store:
        assert store.settings.get("kept") == "yes"
        assert store._writer.run(lambda c: c.execute("SELECT note FROM settings").fetchall()) == [("seen",)]
    [copy] = tmp_path.glob(f"isthmus-schema{len(known)}-*.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(known),)
        assert connection.execute("SELECT name, value FROM settings").fetchall() == [("kept", "yes")]
    Store.open(tmp_path).close()
    assert len(list(tmp_path.glob("isthmus-schema*"))) == 1, "opening again must not copy again"


def test_a_store_of_the_first_schema_keeps_its_objects_and_finds_them(tmp_path: Path) -> None:
    _, _, first = migrating.migrations()[0]
    own_id = "3f2504e0-4f89-5d3a-9a0c-0305e82c3301"
    with closing(sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrating._apply(connection, 1, first)
        connection.execute("INSERT INTO spaces (number, connector, object_type) VALUES (1, 'hr', 'person')")
        for row, one in ((1, own_id), (2, "an.anchor")):
            connection.execute(
                "INSERT INTO objects VALUES (?, 'live', 1, 1, 1, 1, ?, ?, NULL, NULL, '', '', '[]', x'7b7d', x'7b7d')",
                ((1 << 40) + row, one, f'["{row}"]'),
            )
    with Store.open(tmp_path) as store:
        space = Space(1, "hr", "person")
        for one in (own_id, "an.anchor"):
            found = store.space.by_id(space, one)
            assert found is not None
            assert found.id == one
        assert store.space.by_id(Space(2, "hr", "group"), own_id) is None
        assert store.space.by_id(space, own_id[:8]) is None


def test_a_failed_upgrade_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path) as store:
        store.settings.set("kept", "yes")
    known = migrating.migrations()
    with monkeypatch.context() as patch:
        broken = SECOND + "INSERT INTO nowhere VALUES (1);"
        patch.setattr(migrating, "migrations", lambda: (*known, (len(known) + 1, "9999_x.sql", broken)))
        with pytest.raises(Exception, match="nowhere"):
            Store.open(tmp_path)
    with Store.open(tmp_path) as store:
        assert store.settings.get("kept") == "yes"


def test_a_store_that_an_older_program_has_open_is_not_changed_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrating.migrations()
    with Store.open(tmp_path) as older:
        older.settings.set("kept", "yes")
        monkeypatch.setattr(migrating, "migrations", lambda: (*known, (len(known) + 1, "9999_x.sql", SECOND)))
        for attempt in (Store.open, Store.check):
            with pytest.raises(StoreRefused, match="stop it"):
                attempt(tmp_path)
        assert older._writer.run(lambda c: c.execute("PRAGMA user_version").fetchone()) == (len(known),)
    assert not list(tmp_path.glob("isthmus-schema*"))
    with Store.open(tmp_path) as store:
        assert store.settings.get("kept") == "yes"


def test_upgrades_that_fail_leave_no_copies_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is started again and again would fill the disk with them."""
    with Store.open(tmp_path) as store:
        store.settings.set("kept", "yes")
    known = migrating.migrations()
    before = sorted(tmp_path.iterdir())
    broken = SECOND + "INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(migrating, "migrations", lambda: (*known, (len(known) + 1, "9999_x.sql", broken)))

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for fails in (None, full):
        if fails is not None:
            monkeypatch.setattr(migrating.os, "fsync", fails)
        with pytest.raises(Exception, match=r"nowhere|No space left"):
            Store.open(tmp_path)
        assert [path for path in sorted(tmp_path.iterdir()) if path not in before] == []


def test_what_a_killed_upgrade_left_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path) as store:
        store.settings.set("kept", "yes")
    known = migrating.migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: (*known, (len(known) + 1, "9999_x.sql", SECOND)))

    class Killed(BaseException):
        pass

    def kill(_file: int) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(migrating.os, "fsync", kill)
        patch.setattr(migrating.time, "gmtime", lambda gmtime=time.gmtime: gmtime(0))  # not in the same second
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            Store.open(tmp_path)
    assert list(tmp_path.glob("*.partial"))
    Store.open(tmp_path).close()
    assert not list(tmp_path.glob("*.partial*"))
    assert len(list(tmp_path.glob("isthmus-schema*.db"))) == 1


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = ["/dev/vda / ext4 rw 0 0", f"server:/x {tmp_path.resolve()} nfs4 rw 0 0"]
    monkeypatch.setattr(folder, "_mounts", lambda: mounts)
    with pytest.raises(StoreRefused, match="nfs4"):
        Store.open(tmp_path / "store")


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("nfs", True), ("nfs4", True), ("cifs", True), ("smb3", True), ("fuse.sshfs", True), ("9p", False),
        ("ext4", False), ("overlay", False), ("tmpfs", False), ("fuse.mergerfs", False),
    ],
)  # fmt: skip
def test_which_file_systems_are_shared(kind: str, network: bool) -> None:
    assert folder.is_network(kind) is network


def test_the_innermost_mount_counts() -> None:
    mounts = ["a / ext4 rw", "b /mnt nfs rw", "c /mnt/local\\040disk xfs rw", "d /mnt/localhost cifs rw"]
    assert folder.file_system(Path("/mnt/local disk/store"), mounts) == "xfs"
    assert folder.file_system(Path("/mnt/other"), mounts) == "nfs"
    assert folder.file_system(Path("/srv"), mounts) == "ext4"


def test_mounts_with_names_in_any_script_and_in_none() -> None:
    mounts = ["a / ext4 rw", "b /srv/übergabe nfs4 rw", "c /mnt/\udcff\udcfe cifs rw", "d /mnt/a\\134b\\011c xfs rw"]
    assert folder.file_system(Path("/srv/übergabe/isthmus"), mounts) == "nfs4"
    assert folder.file_system(Path("/mnt/\udcff\udcfe/isthmus"), mounts) == "cifs"
    assert folder.file_system(Path("/mnt/a\\b\tc"), mounts) == "xfs"
    assert folder.file_system(Path("/var/lib"), mounts) == "ext4"


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_ROOM", 1 << 62)
    with pytest.raises(StoreFull, match="free disk space"):
        Store.open(tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreClosed):
        store.number()
    with pytest.raises(StoreClosed):
        store.settings.set("a", "b")
    assert not store.owner_is_alive(store.owner)


def test_a_backup_made_while_the_store_is_written_is_a_store(store: Store, tmp_path: Path) -> None:
    """As the documentation has it: `VACUUM INTO` reads one state, but its copy has another journal mode."""
    restored = tmp_path / "restored"
    restored.mkdir()
    store.settings.set("kept", "before")
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"VACUUM INTO '{restored / 'isthmus.db'}'")
    store.settings.set("kept", "after")
    for _ in range(2):
        with Store.open(restored) as opened:
            assert opened.settings.get("kept") == "before"
            assert opened._writer.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
