"""The host's own store cannot be written: clients are told to come again, and nothing is done twice or half."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness import Answer, SqlPeople, bench, sql_document, until
from isthmus.store import writing
from isthmus.store.write_lock import WriteLock
from memory_host import MemoryHost, Serve

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
LONG = "x" * 3000
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


def room_for(app: MemoryHost, pages: int) -> None:
    """Let the store's file grow by so many pages and no more."""
    store = app.host.store
    used = store._writer.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    store._writer._connection.execute(f"PRAGMA max_page_count = {used + pages}")


def posted(app: MemoryHost, number: int) -> Answer:
    return app.client.post({"userName": f"p{number}", "displayName": LONG})


def test_a_full_disk_is_told_and_mended_without_loss(serve: Serve) -> None:
    app = serve()
    room_for(app, 40)
    answers = [posted(app, number) for number in range(60)]
    assert {answer.status for answer in answers} == {201, 503}
    for answer in answers:
        if answer.status == 503:
            assert "free disk space" in answer.refused(503)
    made = {answer.id for answer in answers if answer.status == 201}
    assert made
    assert {each["id"] for each in app.client.get("/Users?count=200").resources} >= made, "reads go on"
    bulk = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "bulk", "displayName": LONG}}
    [result] = app.client.post({"schemas": [BULK], "Operations": [bulk]}, "/Bulk").json["Operations"]
    assert result["status"] == "503"
    assert "free disk space" in result["response"]["detail"]

    room_for(app, 1_000_000)
    again = [posted(app, number).status for number in range(60)]
    assert set(again) <= {201, 409}
    until(lambda: not app.bench.unfinished(), timeout=10)
    names = sorted(each["userName"] for each in app.client.get("/Users?count=200").resources)
    assert [name for name in names if name != "bulk"] == sorted(f"p{number}" for number in range(60))
    for name in names:
        assert app.target.get("user", (name,)) is not None


def test_a_locked_store_is_busy_and_not_a_fault(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    app = serve()
    assert posted(app, 0).status == 201
    monkeypatch.setattr(writing, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(app.host.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = posted(app, 1)
        assert "locked" in answer.refused(503)
        assert int(answer.headers["Retry-After"]) < 10
        other.execute("ROLLBACK")
    assert posted(app, 1).status == 201
