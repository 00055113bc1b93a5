from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from isthmus.store import Store, StoreError, errors
from isthmus.store.owners import Owner
from isthmus.store.write_lock import WriteLock


def test_an_owner_lives_until_it_closes(tmp_path: Path) -> None:
    first, second = Owner(tmp_path), Owner(tmp_path)
    assert first.is_alive(first.id)
    assert first.is_alive(second.id)
    assert second.is_alive(first.id)
    second.close()
    assert not first.is_alive(second.id)
    assert not second.is_alive(second.id)
    first.close()
    assert list(tmp_path.iterdir()) == []


def test_asking_never_looks_like_living(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    left = tmp_path / "00000000000000aa.lock"
    left.touch()
    with left.open() as asked:
        import fcntl

        fcntl.flock(asked, fcntl.LOCK_SH)
        assert not owner.is_alive("00000000000000aa"), "another asker's shared lock is no owner"
    owner.close()


def test_files_of_dead_owners_are_swept(tmp_path: Path) -> None:
    living = Owner(tmp_path)
    dead = tmp_path / "00000000000000aa.lock"
    dead.touch()
    newcomer = Owner(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {living.id, newcomer.id}
    assert newcomer.is_alive(living.id)
    newcomer.close()
    living.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for other accounts")
def test_what_root_makes_belongs_to_the_account_of_the_folder(tmp_path: Path) -> None:
    """A command that root runs must not keep the service from opening its own store and starting its processes."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with Store.open(folder):
        made = list(folder.rglob("*"))
        assert folder / "owners" in made
        assert [file for file in made if file.stat().st_uid != 65534] == []


def test_the_file_of_an_account_that_cannot_be_looked_at_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "00000000000000aa.lock"
    closed.touch()
    opening = os.open

    def refusing(path: Path, flags: int, *more: int) -> int:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opening(path, flags, *more)

    monkeypatch.setattr("isthmus.store.owners.os.open", refusing)
    owner = Owner(tmp_path)
    assert closed.exists()
    assert owner.is_alive("00000000000000aa"), "whoever it is, what it works on is not taken from it"
    owner.close()


def test_a_file_that_is_swept_before_its_owner_has_locked_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes start at once: one looks at the file of the other between its `open` and its `flock`."""
    import fcntl

    flock = fcntl.flock
    newcomer = Owner.__new__(Owner)
    newcomer._folder, newcomer.id = tmp_path, "00000000000000aa"
    file = tmp_path / f"{newcomer.id}.lock"
    file.touch()
    unlink = Path.unlink
    threads = [threading.Thread(target=lambda: setattr(newcomer, "_file", newcomer._lock()))]
    waits = threading.Event()

    def told(number: int, operation: int) -> None:
        if threading.current_thread() is threads[0]:
            waits.set()
        flock(number, operation)

    def late(path: Path, missing_ok: bool = False) -> None:
        threads[0].start()  # now it asks for the lock
        assert waits.wait(20)
        threads[0].join(0.1)  # would have its lock by then, did we not hold it
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(fcntl, "flock", told)
    monkeypatch.setattr(Path, "unlink", late)
    other = Owner(tmp_path)
    threads[0].join(20)
    monkeypatch.undo()
    assert other.is_alive(newcomer.id)
    newcomer.close()
    assert not other.is_alive(newcomer.id)
    other.close()


@pytest.mark.parametrize("name", ["", "..", "../x", "zz", "00000000000000AA", "0" * 17, "/etc/passwd"])
def test_what_is_no_owner_id_is_dead(tmp_path: Path, name: str) -> None:
    owner = Owner(tmp_path)
    assert not owner.is_alive(name)
    owner.close()


def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path: Path) -> None:
    owner, watcher = Owner(tmp_path), Owner(tmp_path)
    read, write = os.pipe()
    running, runs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.write(runs, b"x")
        os.read(read, 1)  # until the parent lets go
        os._exit(0)
    os.close(read)
    os.read(running, 1)
    try:
        assert watcher.is_alive(owner.id)
        owner.forget()  # what the end of the process does: the file is closed, not unlocked
        assert not watcher.is_alive(owner.id)
    finally:
        for file in (write, running, runs):
            os.close(file)
        os.waitpid(child, 0)
        watcher.close()


def test_whoever_wrote_comes_second_to_who_waits(tmp_path: Path) -> None:
    first, second = WriteLock(tmp_path), WriteLock(tmp_path)
    first.take(1)
    assert not first.is_wanted()
    with pytest.raises(errors.StoreBusy):
        second.take(0.01)
    assert not first.is_wanted()
    first.give_up()
    second.take(1)
    second.give_up()
    first.close()
    second.close()


@pytest.mark.parametrize("code", sorted(errors.FROM_SQLITE))
def test_sqlites_errors_are_translated(code: int) -> None:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code | 0x100  # an extended code
    kind, text = errors.FROM_SQLITE[code]
    translated = errors.translate(error)
    assert type(translated) is kind
    assert text in str(translated)


def test_every_error_is_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    assert {kind.__name__ for kind in StoreError.__subclasses__()} == {
        line.split()[1] for line in tree.splitlines() if line.startswith(("├", "└"))
    }
    unknown = errors.translate(sqlite3.ProgrammingError("odd"))
    assert type(unknown) is StoreError
    assert "odd" in str(unknown)
