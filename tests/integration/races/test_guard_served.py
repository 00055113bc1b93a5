"""The guard from outside: what an identity provider and an import may not do until an operator has looked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.servers.process import until
from integration.kills.targets import Limits
from integration.races.town import Town, at_once, everyone, ids, in_table, patch, town
from serving import Answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ALLOWED = 3
PEOPLE = 16
GUARDED = Limits(
    guard=f"provider_objects = {ALLOWED}\nprovider_share = 0.0\nimport_objects = {ALLOWED}\nimport_share = 0.0"
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Serve a table for each test: sixteen people under a guard that lets three changes through."""
    tables = dict.fromkeys(("one-by-one", "disable", "delete", "import"), (True, GUARDED))
    with town(tmp_path_factory.mktemp("guarded"), "sqlite", None, tables) as made:
        yield made


def by_login(place: Town, connector: str) -> dict[str, str]:
    """Return the ids of the people, who were there before us: those whom we create do not count."""
    client, found = place.client(connector), {}
    for number in range(PEOPLE):
        login = f"p{number:02}"
        place.people[connector].query(f"INSERT INTO people (login, first, last) VALUES ('{login}', 'A', 'B')")
        (found[login],) = ids(client, login)
    client.close()
    return found


def disabled(place: Town, connector: str) -> int:
    return sum(row["disabled"] for (row,) in place.people[connector].rows().values())


def assert_held(answer: Answer) -> None:
    assert answer.status == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 60
    assert "guard" in answer.json["detail"]


def standing(place: Town, connector: str) -> list[dict[str, Any]]:
    return [hold for hold in place.served.json("guard", "show") if hold["connector"] == connector]


def test_a_provider_that_disables_too_many(guarded: Town) -> None:
    """Nothing is sent for what is held; after a release the same requests go through."""
    client, people = guarded.client("one-by-one"), by_login(guarded, "one-by-one")
    logins = sorted(people)
    for login in logins[:ALLOWED]:
        assert patch(client, people[login], "active", False).status == 200
    assert_held(patch(client, people[logins[ALLOWED]], "active", False))
    assert disabled(guarded, "one-by-one") == ALLOWED
    assert patch(client, people[logins[0]], "active", False).status == 200, "counted already"
    assert patch(client, people[logins[ALLOWED]], "name.familyName", "New").status == 200, "not what is held"
    (hold,) = standing(guarded, "one-by-one")
    assert (hold["connector"], hold["kind"], hold["limit"], hold["state"]) == ("one-by-one", "disable", ALLOWED, "held")
    (record,) = guarded.served.json("audit", "--connector", "one-by-one", "--outcome", "held")
    assert (record["name"], record["status"]) == (logins[ALLOWED], 503)
    guarded.served.run("guard", "release", hold["id"])
    for login in logins:
        answer = patch(client, people[login], "active", False)
        assert answer.status == 200, answer.text
    assert disabled(guarded, "one-by-one") == PEOPLE
    assert_held_deletes(guarded, people)
    client.close()


def assert_held_deletes(guarded: Town, people: dict[str, str]) -> None:
    """A release of disables releases no deletes."""
    client = guarded.client("one-by-one")
    logins = sorted(people)
    for login in logins[:ALLOWED]:
        assert client.request("DELETE", f"/Users/{people[login]}").status == 204
    assert_held(client.request("DELETE", f"/Users/{people[logins[-1]]}"))
    assert sorted(guarded.people["one-by-one"].rows()) == logins[ALLOWED:]
    client.close()


@pytest.mark.parametrize("what", ["disable", "delete"])
def test_a_provider_that_sends_all_at_once(guarded: Town, what: str) -> None:
    """The limit holds also for requests that are under way at the same moment, in two workers."""
    people = by_login(guarded, what)
    clients = [guarded.client(what) for _ in people]
    for client in clients:
        assert client.request("GET", "/Users?count=0").status == 200
    if what == "disable":
        answers = at_once(
            [
                lambda one=client, person=person: patch(one, person, "active", False)
                for client, person in zip(clients, people.values(), strict=True)
            ]
        )
    else:
        answers = at_once(
            [
                lambda one=client, path=f"/Users/{person}": one.request("DELETE", path)
                for client, person in zip(clients, people.values(), strict=True)
            ]
        )
    rows = guarded.people[what].rows()
    changed = disabled(guarded, what) if what == "disable" else PEOPLE - len(rows)
    assert changed == ALLOWED, [answer.status for answer in answers]
    for answer in answers:
        if answer.status not in (200, 204):
            assert_held(answer)
    for client in clients:
        client.close()


def test_an_import_that_would_remove_too_many(guarded: Town) -> None:
    """Held: everybody is still there; `run release` reads the table anew and removes them."""
    people, client = guarded.people["import"], guarded.client("import")
    by_login(guarded, "import")
    before = everyone(client)
    people.query("DELETE FROM people WHERE login < 'p06'")
    (run,) = guarded.served.json("run", "start", "import", check=False)
    assert run["state"] == "held", run
    assert everyone(client) == before
    (hold,) = standing(guarded, "import")
    assert (hold["kind"], hold["run"], hold["count"], hold["limit"]) == ("removal", run["id"], 6, ALLOWED)
    people.query("INSERT INTO people (login, first, last) VALUES ('p00', 'A', 'B')")  # one is back
    guarded.served.run("run", "release", run["id"])

    def ended() -> bool:
        (now,) = [one for one in guarded.served.json("run", "list", "import") if one["id"] == run["id"]]
        assert now["state"] in ("queued", "running", "done"), now
        return bool(now["state"] == "done")

    until(ended, what="the released run")
    assert everyone(client) == in_table(people)
    people.query("DELETE FROM people")
    (run,) = guarded.served.json("run", "start", "import", check=False)
    assert run["state"] == "held", "a release lets one run through"
    assert len(everyone(client)) == PEOPLE - 5
    client.close()
