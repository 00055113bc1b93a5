"""The host's own store has no room, or is locked by somebody: 503 and what to do, and nothing lost afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from harness import Answer, until
from isthmus.store import writing
from memory_host import MemoryHost, Serve

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
LONG = "x" * 3000


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
