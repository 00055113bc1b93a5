"""The host's own store cannot be written: clients are told to come again, and nothing is done twice or half."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import SqlPeople, bench, sql_document, until
from isthmus.store import writing
from isthmus.store.write_lock import WriteLock

TITLE = {"op": "replace", "path": "title", "value": "new"}


def test_another_process_keeps_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = SqlPeople(tmp_path / "people.db")
    with bench(tmp_path / "host", {"app": sql_document(people.path)}) as served:
        client = served.client("app")
        ann = client.created("ann", title="old")
        monkeypatch.setattr(writing, "BUSY_SECONDS", 0.05)
        lock = WriteLock(served.host.configuration.state_dir)
        lock.take(5)
        for answer in (client.post({"userName": "ben"}), client.patch(ann, TITLE), client.delete(ann)):
            assert "write lock" in answer.refused(503)
        operations = [{"method": "DELETE", "path": f"/Users/{ann}"}]
        (one,) = client.post({"Operations": operations}, "/Bulk").json["Operations"]
        assert one["status"] == "503"
        assert client.user(ann)["title"] == "old"
        assert people.count() == 1
        lock.give_up()
        lock.close()
        assert client.patch(ann, TITLE).status == 200
        assert served.unfinished() == []


def test_no_room_for_what_came_of_a_write(tmp_path: Path) -> None:
    """The target has the change, the store has no room to say so: found out as soon as there is room again."""
    people = SqlPeople(tmp_path / "people.db")
    with bench(tmp_path / "host", {"app": sql_document(people.path)}) as served:
        client = served.client("app")
        ann = client.created("ann", title="old")
        connection = served.host.store._writer._connection
        halfway = 0
        for attempt in range(30):
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
            for number in range(100):
                title = f"{attempt} {number} " + "x" * (attempt * 37 % 900)
                answer = client.patch(ann, {**TITLE, "value": title})
                if answer.status != 200:
                    break
            assert "no room" in answer.refused(503)
            halfway += (people.row("ann") or {})["title"] == title
            connection.execute("PRAGMA max_page_count = 1000000").fetchone()
            until(lambda: served.host.repair() == 0 and not served.unfinished())
            assert client.user(ann)["title"] == (people.row("ann") or {})["title"]
            if halfway:
                break
        assert halfway, "at some time an entry opens and cannot be closed"
        assert client.patch(ann, TITLE).status == 200
