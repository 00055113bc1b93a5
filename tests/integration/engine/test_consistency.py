"""Everything at once, for a short while: then space and target tell the same story."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness import OWN, Answer, Bench, Client, SqlPeople, bench, sql_document, until
from memory_host import MemoryHost, Serve

SECONDS = 2.0
NAMES = [f"p{number}" for number in range(6)]
EXPECTED = {200, 201, 204, 404, 409, 503}


def act(client: Client, chance: random.Random) -> Answer:
    """Do to some person what a provider does."""
    name = chance.choice(NAMES)
    what = chance.random()
    found = client.get(f'/Users?filter=userName eq "{name}"')
    if found.status != 200:
        return found
    users = found.json["Resources"]
    assert len(users) <= 1, users
    if not users:
        return client.post({"userName": name, "displayName": f"d{what}"})
    ident = users[0]["id"]
    if what < 0.15:
        return client.delete(ident)
    if what < 0.3:
        return client.post({"userName": name})
    if what < 0.5:
        return client.patch(ident, {"op": "replace", "path": "userName", "value": chance.choice(NAMES)})
    if what < 0.6:
        return client.put(ident, {"userName": name, "active": chance.random() < 0.5, "title": "t"})
    return client.patch(ident, {"op": "replace", "path": "displayName", "value": f"d{what}"})


def storm(clients: list[Client], *others: object) -> list[str]:
    """Let every client act, and the others do their part, until the time is up; return what went wrong."""
    wrong: list[str] = []
    end = time.monotonic() + SECONDS

    def work(number: int, client: Client) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            try:
                answer = act(client, chance)
                if answer.status not in EXPECTED:
                    wrong.append(repr(answer))
            except BaseException as exc:
                wrong.append(repr(exc))
                return

    def repeat(action: object) -> None:
        while time.monotonic() < end:
            try:
                action()  # type: ignore[operator]
            except BaseException as exc:
                wrong.append(repr(exc))
                return

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(clients)]
    threads += [threading.Thread(target=repeat, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 30)
        assert not thread.is_alive()
    return wrong


@pytest.mark.parametrize("delete", ['{ action = "delete" }', '{ action = "nothing" }'])
def test_requests_imports_lost_answers_and_changes_behind_our_back(serve: Serve, delete: str) -> None:
    app: MemoryHost = serve(delete=delete, guard="provider_objects = 100000\nimport_objects = 100000")
    app.client.get("/Users")
    app.host.start_background()
    other = Bench(app.bench.folder, tokens=app.bench.tokens)
    other.host.start_background()
    chance = random.Random(7)

    def trouble() -> None:
        time.sleep(0.02)
        what = chance.random()
        name = chance.choice(NAMES)
        with app.target._lock:
            there = (name,) in app.target.anchors("user")
            if what < 0.4:
                app.target.weather.lose_answers = 1
            elif what < 0.6 and there:
                app.target.change("user", (name,), displayName=("behind",))
            elif what < 0.7 and there:
                app.target.drop("user", (name,))
            elif what < 0.8 and not there:
                app.target.put("user", {"login": (name,)})

    try:
        clients = [app.client] * 3 + [other.client("app")] * 2
        wrong = storm(clients, trouble, lambda: other.run_import("app", chance.choice(["full", "delta"])))
        assert wrong == []
        app.target.weather.lose_answers = 0
        until(lambda: not app.bench.unfinished(), timeout=15)
        app.bench.imported("app")
        number = app.host.store.number()
        assert app.bench.imported("app").changed == 0
        assert app.host.store.number() == number
        listed = {user["userName"]: user for user in app.client.get("/Users?count=100").resources}
        if "nothing" not in delete:
            assert sorted(listed) == app.logins()
        for name, user in listed.items():
            kept = app.target.get("user", (name,))
            assert kept is not None, name
            assert user.get("displayName") == (kept["displayName"] or (None,))[0]
            assert [each["id"] for each in app.client.named(name)] == [user["id"]]
    finally:
        other.close()


def test_the_same_over_a_table(tmp_path: Path) -> None:
    people = SqlPeople(tmp_path / "people.db")
    people.run("PRAGMA journal_mode = WAL")
    guard = "\n[guard]\nprovider_objects = 100000\nimport_objects = 100000\n"
    with bench(tmp_path / "host", {"hr": sql_document(people.path) + guard}) as served:
        client = served.client("hr")
        client.get("/Users")
        wrong = storm([client] * 4, lambda: served.run_import("hr"))
        assert wrong == []
        assert served.unfinished() == []
        before = {user["userName"]: user.get("displayName") for user in client.get("/Users?count=100").resources}
        rows = dict(people.run("SELECT login, display FROM people"))
        assert before == rows, "no import is needed to know what we wrote ourselves"
        assert served.imported("hr").changed == 0


@pytest.mark.parametrize(("path", "value"), [("userName", "bob"), ('emails[type eq "work"].value', "bob@x.example")])
@pytest.mark.parametrize("gone", [True, False])
def test_a_name_that_became_free_behind_our_back_can_be_taken(
    app: MemoryHost, path: str, value: str, gone: bool
) -> None:
    """As for a create: whether somebody has it is for the target to say, and the space may be stale."""
    ann = app.client.created("ann")
    app.client.created("bob", emails=[{"type": "work", "value": "bob@x.example"}])
    if gone:
        app.target.drop("user", ("bob",))
    answer = app.client.patch(ann, {"op": "replace", "path": path, "value": value})
    if gone:
        assert answer.status == 200, answer
        assert [user["id"] for user in app.client.get("/Users").resources] == [ann]
    else:
        assert "already" in answer.refused(409, "uniqueness")
        assert app.listed() == ["ann", "bob"]
    assert app.bench.unfinished() == []


PHONES = f"{OWN}:phones"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": PHONES, "value": ["2"]},
        {"op": "replace", "path": PHONES, "value": ["7", "2"]},
        {"op": "replace", "path": f'{PHONES}[value eq "9"]', "value": "2"},
    ],
)
def test_each_value_of_a_matching_attribute_belongs_to_one_person(serve: Serve, operation: dict[str, Any]) -> None:
    app = serve(matching='["login", "phones"]')
    ann = app.client.created("ann", **{OWN: {"phones": ["1", "2"]}})
    bob = app.client.created("bob", **{OWN: {"phones": ["9"]}})
    refused = app.client.post({"userName": "eve", OWN: {"phones": ["3", "2"]}})
    assert "phones" in refused.refused(409, "uniqueness")
    assert "phones" in app.client.patch(bob, operation).refused(409, "uniqueness")
    assert [user["id"] for user in app.client.find(f'{PHONES} eq "2"')] == [ann]
    assert app.client.patch(ann, {"op": "remove", "path": PHONES, "value": ["2"]}).status == 200
    assert app.client.patch(bob, operation).status == 200
    assert app.bench.unfinished() == []


def test_a_person_whom_only_the_target_knows_is_not_created_again_by_a_second_value(serve: Serve) -> None:
    app = serve(matching='["phones"]')
    app.put("ann", phones=("1", "2"))
    app.client.post({"userName": "eve", OWN: {"phones": ["2"]}}).refused(409, "uniqueness")
    assert app.logins() == ["ann"]


@pytest.mark.parametrize("value", ["77", "78"])
def test_a_change_asks_the_target_who_has_a_matching_value(serve: Serve, value: str) -> None:
    """As a create does: somebody may have been given it a moment ago, and the target itself takes it twice."""
    app = serve(matching='["costCentre", "phones"]')
    ann = app.client.created("ann", title="1")
    app.put("bob", costCentre=("77",), phones=("5", "78"))
    path = "title" if value == "77" else PHONES
    for method in ("PATCH", "PUT"):
        body = {path: value} if path == "title" else {OWN: {"phones": ["9", value]}}
        if method == "PATCH":
            answer = app.client.patch(ann, {"op": "replace", "value": body})
        else:
            answer = app.client.put(ann, {"userName": "ann", **body})
        answer.refused(409, "uniqueness")
    assert app.client.user(ann)["title"] == "1"
    assert app.bench.unfinished() == []
    assert app.client.patch(ann, {"op": "replace", "path": "title", "value": "2"}).status == 200
    assert app.client.patch(ann, {"op": "add", "path": PHONES, "value": ["3"]}).status == 200
