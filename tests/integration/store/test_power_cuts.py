"""A power cut at any moment loses nothing that was acknowledged, whatever of the unsynced writes the disk has kept.

Two processes write to one store while `strace` records their system calls. For many moments the files are then made as
a disk may have them after a cut: everything that was synced, and of the rest any sectors in any order. The store must
open, be sound, and have every text that was acknowledged before that moment.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import folder_in_memory
from isthmus.store import Store

CHILD = Path(__file__).with_name("power_cut_child.py")
PROCESSES = ("one", "two")
ROUNDS = 60
MOMENTS = int(os.environ.get("ISTHMUS_TEST_CUTS", "60"))
SECTOR = 512
CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync"

_BEGUN = re.compile(r"(\d+) +(\w+)\((.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
_FILE = re.compile(r"\d+<((?:\\x[0-9a-f]{2})+)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Change:
    """A write or, with `data` None, a new length, which the disk may or may not have made yet."""

    offset: int
    data: bytes | None
    complete: bool = False


@dataclass
class File:
    """What of a file survives a cut for certain, and what is still under way."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)
    named: bool = True
    """Whether its folder was synced since it was made."""

    def after_a_cut(self, chance: random.Random) -> bytes | None:
        """Return the file as it may be; None if it may be gone."""
        if not self.named and chance.random() < 0.5:
            return None
        content = bytearray(self.durable)
        kept = [change for change in self.pending if chance.random() < 0.5]
        chance.shuffle(kept)
        for change in kept:
            _apply(content, change, None if chance.random() < 0.7 else chance)
        return bytes(content)


def _apply(content: bytearray, change: Change, torn: random.Random | None = None) -> None:
    if change.data is None:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    for at in range(0, len(change.data), SECTOR):
        if torn is None or torn.random() < 0.5:
            part = change.data[at : at + SECTOR]
            start = change.offset + at
            content.extend(bytes(max(0, start + len(part) - len(content))))
            content[start : start + len(part)] = part


@dataclass
class Disk:
    """The files of a folder, as recorded calls change them."""

    folder: Path
    """Where the recorded processes had it."""
    before: Path
    """A copy made before they began."""
    files: dict[str, File] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    """Processes that have written all they wanted."""
    begun_anew: int = 0
    """How often the log was copied back and written from its beginning again."""

    def __post_init__(self) -> None:
        for path in self.before.iterdir():
            if path.is_file():
                self.files[path.name] = File(bytearray(path.read_bytes()))

    def play(self, recording: Path) -> Iterator[None]:
        """Go through the calls; each yield is a moment at which the power may fail."""
        under_way: dict[str, tuple[str, object]] = {}
        with recording.open() as lines:
            for line in lines:
                if begun := _BEGUN.match(line):
                    thread, call, rest = begun.groups()
                    what = self._begin(call, rest)
                    if "<unfinished ...>" in rest:
                        under_way[thread] = call, what
                        yield
                        continue
                elif resumed := _RESUMED.match(line):
                    thread, _, rest = resumed.groups()
                    call, what = under_way.pop(thread)
                    if call == "openat":
                        what = self._begin(call, rest)
                else:
                    continue
                yield
                self._end(what)
                if self.ended == len(PROCESSES):
                    return
                yield

    def _begin(self, call: str, rest: str) -> object:
        file = self._file(rest)
        match call:
            case "write" if rest.startswith("1<"):
                for line in _decoded(_TEXT.search(rest)[1]).decode().split():  # type: ignore[index]
                    if line == "end":
                        self.ended += 1
                    else:
                        name, _, number = line.partition("=")
                        self.told[name] = int(number)
            case "pwrite64" if file is not None:
                data, offset = _TEXT.search(rest), re.search(r", (\d+)(?:\) = \d+| <unfinished)", rest)
                assert data is not None
                assert offset is not None, rest[-80:]
                file.pending.append(change := Change(int(offset[1]), _decoded(data[1])))
                if _path(rest) == self.folder / "isthmus.db-wal" and change.offset == 0:
                    self.begun_anew += 1
                return change
            case "ftruncate" if file is not None:
                length = re.search(r", (\d+)", rest)
                assert length is not None
                file.pending.append(change := Change(int(length[1]), None))
                return change
            case "write" if file is not None:
                raise AssertionError("a write without a place is not expected of SQLite")
            case "fsync" | "fdatasync" if file is not None:
                return file, [change for change in file.pending if change.complete]
            case "fsync" | "fdatasync" if _path(rest) == self.folder:
                return list(self.files.values())
            case "openat" if "O_CREAT" in rest and (path := _path(rest.rsplit("=", 1)[-1])) is not None:
                if path.parent == self.folder and path.name not in self.files:
                    self.files[path.name] = File(named=False)
        return None

    def _end(self, what: object) -> None:
        match what:
            case Change():
                what.complete = True
            case (File() as file, list() as covered):
                for change in covered:
                    if any(change is one for one in file.pending):
                        _apply(file.durable, change)
                file.pending = [one for one in file.pending if not any(one is change for change in covered)]
            case list():
                for file in what:
                    file.named = True

    def _file(self, rest: str) -> File | None:
        path = _path(rest)
        if path is None or path.parent != self.folder or not path.name.startswith("isthmus.db"):
            return None
        if path.name.endswith("-shm"):
            return None  # made anew after a cut
        return self.files.get(path.name)

    def cut(self, into: Path, chance: random.Random) -> None:
        """Write the files as they may be after a cut."""
        for name, file in self.files.items():
            content = None if name.endswith("-shm") else file.after_a_cut(chance)
            if content is not None:
                (into / name).write_bytes(content)


def _path(rest: str) -> Path | None:
    found = _FILE.search(rest)
    return None if found is None else Path(_decoded(found[1]).decode())


def _record(folder: Path, recording: Path, *more: str) -> None:
    command = [sys.executable, str(CHILD), str(folder)]
    both = " & ".join(" ".join([*command, name, str(ROUNDS), *more]) for name in PROCESSES)
    subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "100000", "-e", f"trace={CALLS}", "-o", str(recording), "sh", "-c",
         f"{both} & wait"],
        check=True,
        stdout=subprocess.PIPE,
        timeout=100,
    )  # fmt: skip


def _problems(tmp_path: Path, *more: str) -> tuple[list[str], Disk]:
    """Record, cut at many moments; return what was wrong after each, and the disk as it was at the end."""
    problems: list[str] = []
    with folder_in_memory("isthmus-cuts-") as memory:
        folder = memory / "store"
        with Store.open(folder):
            pass
        before = memory / "before"
        shutil.copytree(folder, before)
        recording = tmp_path / "recording"
        _record(folder, recording, *more)
        moments = sum(1 for _ in Disk(folder, before).play(recording))
        chance = random.Random(moments)
        chosen = set(chance.sample(range(moments), MOMENTS))
        disk = Disk(folder, before)
        for moment, _ in enumerate(disk.play(recording)):
            if moment in chosen:
                place = memory / "cut"
                place.mkdir()
                disk.cut(place, chance)
                problems += [f"moment {moment}: {one}" for one in _wrong(place, disk.told)]
                shutil.rmtree(place)
    return problems, disk


def _wrong(folder: Path, told: dict[str, int]) -> Iterator[str]:
    try:
        with Store.open(folder) as store:
            kept = store.settings.list()
        with closing(sqlite3.connect(folder / "isthmus.db")) as connection:
            for (sound,) in connection.execute("PRAGMA integrity_check"):
                if sound != "ok":
                    yield str(sound)
    except Exception as exc:
        yield f"{type(exc).__name__}: {exc}"
        return
    for name, number in told.items():
        found, _, text = kept.get(name, "0 ").partition(" ")
        if int(found) < number:
            yield f"{name} was told to be at {number} and is at {found}"
        elif text != f"{int(found) % 10}" * (int(found) * 997 % 9000):
            yield f"{name} at {found} is torn"


@pytest.fixture(autouse=True)
def strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, timeout=20).returncode:
        pytest.skip("strace may not trace here")


@pytest.mark.slow
def test_what_was_acknowledged_survives(tmp_path: Path) -> None:
    problems, disk = _problems(tmp_path)
    assert not problems
    assert sum(disk.told.values()) == len(PROCESSES) * 3 * ROUNDS
    assert disk.begun_anew > 3


@pytest.mark.slow
def test_a_store_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    problems, _ = _problems(tmp_path, "careless")
    assert any("was told to be at" in one for one in problems)
