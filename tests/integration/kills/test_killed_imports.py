"""A first import that is killed: what it wrote is whole, and the next one brings the rest."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from harness import new_folder
from isthmus.config.loading import load
from isthmus.engine import scheduling
from isthmus.engine.host import Host, opened
from isthmus.store.records import Space

ROWS = 30_000
DOCUMENT = """type = "sql"
page_size = 7000
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "people"
[[resource_types]]
object_type = "people"
attributes = ["login", "mail", "note"]
matching = ["login", "mail"]
delete = {{ action = "delete" }}
[resource_types.flows]
"userName" = {{ attribute = "login" }}
"title" = {{ attribute = "note" }}
"""
IMPORT = """
import sys
from pathlib import Path
from isthmus.config.loading import load
from isthmus.engine import scheduling
from isthmus.engine.host import opened
with opened(load(Path(sys.argv[1]))) as host:
    scheduling.request_import(host, "hr", requested_by="test")
    scheduling.execute_next(host)
"""


def _objects(store: Path) -> int:
    if not store.exists():
        return 0
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as connection:
        try:
            found: int = connection.execute("SELECT coalesce(sum(live), 0) FROM blocks").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
        return found


@pytest.mark.parametrize("after", [1, 6_000, 20_000])
def test_what_a_killed_import_wrote_is_whole(tmp_path: Path, after: int) -> None:
    table = tmp_path / "people.db"
    with closing(sqlite3.connect(table)) as connection:
        connection.execute("CREATE TABLE people (login varchar(40) PRIMARY KEY, mail varchar(80), note varchar(80))")
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?)",
            ((f"u{n}", None if n % 7 == 0 else f"u{n}@example.com", "x" * (n % 50)) for n in range(ROWS)),
        )
        connection.commit()
    folder = new_folder(tmp_path / "host", {"hr": DOCUMENT.format(path=table)})
    store = load(folder).state_dir / "isthmus.db"
    process = subprocess.Popen([sys.executable, "-c", IMPORT, str(folder)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while _objects(store) < after and process.poll() is None:
            assert time.monotonic() < deadline, "the import wrote nothing"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with opened(load(folder)) as host:
        space = host.store.space.ensure("hr", "people")
        kept = _logins(host, space)
        assert len(kept) == host.store.space.count(space)
        _check(host, space, kept)
        scheduling.tick(host)
        assert [run.state for run in host.store.runs.list(limit=5)] in (["failed"], ["done"])
        scheduling.request_import(host, "hr", requested_by="test")
        done = scheduling.execute_next(host)
        assert done is not None
        assert (done.state, done.objects, done.changed) == ("done", ROWS, ROWS - len(kept))
        assert host.store.space.count(space) == ROWS
        everything = _logins(host, space)
        assert everything == {f"u{n}" for n in range(ROWS)}
        _check(host, space, everything)


def _logins(host: Host, space: Space) -> set[str]:
    found: list[str] = []
    for rows in host.store.space.rows(space):
        found += [anchor[0] for anchor in host.store.space.anchors(rows).values()]
    assert len(found) == len(set(found))
    return set(found)


def _check(host: Host, space: Space, logins: set[str]) -> None:
    """Check that every hundredth object is found by anchor, by its keys and by its id."""
    table = host.store.space
    for login in sorted(logins)[::100]:
        one = table.by_anchor(space, (login,))
        assert one is not None
        assert table.by_id(space, one.id) == one
        assert table.by_key(space, "login", login) == [one]
        mails = table.by_key(space, "mail", f"{login}@example.com")
        assert mails == ([] if int(login[1:]) % 7 == 0 else [one])
