"""The target's schema changes while it is served: nothing that vanished is taken for cleared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import variants
from harness import MEMORY_ATTRIBUTES, Bench, Client, SqlPeople, at_once, bench, new_folder, sql_document, until
from isthmus.config.loading import load
from isthmus.engine.host import Host
from isthmus.engine.target import Target
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Call, MisconfiguredConnector, Schema, TargetUnavailable
from memory_host import Serve

OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"


@pytest.fixture
def people(tmp_path: Path) -> SqlPeople:
    return SqlPeople(tmp_path / "people.db")


@pytest.fixture
def opened(tmp_path: Path, people: SqlPeople, request: Any) -> Iterator[Bench]:
    extra = getattr(request, "param", "")
    with bench(tmp_path / "host", {"app": sql_document(people.path, extra=extra)}) as served:
        yield served


def test_a_vanished_attribute_stops_writes_and_filters_on_it_until_it_is_back(opened: Bench, people: SqlPeople) -> None:
    client: Client = opened.client("app")
    known = client.created("ann", title="head")
    opened.imported("app")
    people.run("ALTER TABLE people DROP COLUMN title")
    assert opened.run_import("app").state == "failed"
    assert "title" in opened.host.target("app").attention.reason
    assert client.user(known)["title"] == "head", "vanished is not cleared"
    assert "'title'" in client.post({"userName": "ben"}).refused(503)
    assert "title cannot be read" in client.get("/Users?filter=title%20eq%20%22head%22").refused(503)
    assert "title cannot be read" in client.get("/Users?filter=userName%20pr%20and%20not(title%20pr)").refused(503)
    for asked in ({"sortBy": "userName"}, {"cursor": ""}):
        detail = client.post({"filter": 'title eq "head"', **asked}, "/Users/.search").refused(503)
        assert "title cannot be read" in detail, "also where the list is made otherwise"
    assert [user["id"] for user in client.named("ann")] == [known], "other filters are answered"
    bulk = client.post({"Operations": [{"method": "DELETE", "path": f"/Users/{known}"}]}, "/Bulk").json
    assert bulk["Operations"][0]["status"] == "503"
    people.run("ALTER TABLE people ADD COLUMN title varchar(80)")
    opened.imported("app")
    assert opened.host.target("app").attention.reason == ""
    assert "title" not in client.user(known)
    client.created("ben")


def test_a_vanished_matching_attribute_is_not_answered_from_what_was(opened: Bench, people: SqlPeople) -> None:
    client: Client = opened.client("app")
    client.created("ann", emails=[{"type": "work", "value": "ann@x.example"}])
    asked = "/Users?filter=emails[type%20eq%20%22work%22].value%20eq%20%22ann@x.example%22"
    own = f"/Users?filter={OWN}:mail%20eq%20%22ann@x.example%22"
    assert client.get(own).total == 1
    people.run("ALTER TABLE people RENAME COLUMN mail TO email")
    assert opened.run_import("app").state == "failed"
    for path in (asked, own):
        assert "mail cannot be read" in client.get(path).refused(503)
    people.run("ALTER TABLE people RENAME COLUMN email TO mail")
    assert opened.run_import("app").state == "done"
    assert client.get(own).total == 1


@pytest.mark.parametrize("opened", ["publish_new = true"], indirect=True)
def test_publish_new_publishes_what_is_new_and_no_secret(opened: Bench, people: SqlPeople) -> None:
    client = opened.client("app")
    known = client.created("ann")
    people.run("ALTER TABLE people ADD COLUMN room varchar(20)")
    people.run("ALTER TABLE people ADD COLUMN api_token varchar(20)")
    people.run("UPDATE people SET room = 'B12', api_token = 'abc'")
    opened.imported("app")
    user = client.user(known)
    assert user[OWN]["room"] == "B12"
    assert "api_token" not in user[OWN]
    opened.reopen()
    changed = client.patch(known, {"op": "replace", "path": f"{OWN}:room", "value": "C1"})
    assert changed.status == 200
    row = people.row("ann")
    assert row is not None
    assert row["room"] == "C1"
    people.run("ALTER TABLE people DROP COLUMN room")
    assert opened.run_import("app").state == "failed", "a published one is missed like a selected one"
    opened.host.target("app").discover(anew=True)  # `connector rebuild`: no selection has it that could be changed
    opened.imported("app")
    assert "room" not in client.user(known)[OWN]
    people.run("ALTER TABLE people ADD COLUMN room varchar(20)")
    people.run("UPDATE people SET room = 'B13'")
    opened.imported("app")
    assert client.user(known)[OWN]["room"] == "B13"


def test_new_attributes_are_not_published_unasked(opened: Bench, people: SqlPeople) -> None:
    client = opened.client("app")
    known = client.created("ann")
    people.run("ALTER TABLE people ADD COLUMN room varchar(20)")
    opened.imported("app")
    assert "room" not in client.user(known)[OWN]


def test_what_only_an_operator_can_mend_is_shown_until_a_call_succeeds(opened: Bench) -> None:
    target = opened.host.target("app")
    with pytest.raises(MisconfiguredConnector), target.using("read"):
        raise MisconfiguredConnector("the database refuses the password")
    assert "refuses the password" in target.attention.reason
    opened.client("app").created("ann")
    assert target.attention.reason == "", "writes are not stopped by it, and the first that succeeds clears it"


def test_calls_of_the_target_are_counted_by_how_they_ended(tmp_path: Path, people: SqlPeople) -> None:
    calls: list[tuple[str, str, str]] = []
    folder = new_folder(tmp_path / "host", {"app": sql_document(people.path)})
    with closing(
        Host.open(
            load(folder / "isthmus.toml"),
            on_call=lambda name, what, outcome, _seconds: calls.append((name, what, outcome)),
        )
    ) as host:
        target = host.target("app")
        target.resource_types()
        with pytest.raises(TargetUnavailable), target.using("read"):
            raise TargetUnavailable("gone")
    assert calls == [("app", "read_schema", "ok"), ("app", "read", "TargetUnavailable")]


def test_requests_that_meet_while_the_target_tells_of_a_new_attribute_do_not_wait_for_one_another(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks the target lends its place; whoever then waits for the answer must not keep it."""
    app = serve(attributes=tuple(name for name in MEMORY_ATTRIBUTES if name != "costCentre"))
    variants.without[app.name] = {"costCentre"}
    app.client.get("/Users")
    variants.without.clear()
    app.reconfigure(attributes=MEMORY_ATTRIBUTES)

    asked, resource_types, read_schema = [], Target.resource_types, variants.Watched.read_schema

    def counted(target: Target) -> dict[str, ResourceType]:
        asked.append(target)
        return resource_types(target)

    def slow(connector: variants.Watched, *, call: Call) -> Schema:
        until(lambda: len(asked) > 1)
        return read_schema(connector, call=call)

    monkeypatch.setattr(Target, "resource_types", counted)
    monkeypatch.setattr(variants.Watched, "read_schema", slow)
    answers = at_once(*[lambda: app.client.get("/Users")] * 2)
    assert [answer.status for answer in answers] == [200, 200]
