"""Several identity providers write the same person at the same moment, through two workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.races.town import Town, at_once, create, ids, patch
from serving import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROUNDS = 6

both_keys = pytest.mark.parametrize("connector", ["natural", "made"])


@pytest.fixture
def clients(place: Town, connector: str) -> Iterator[list[Client]]:
    """Give sixteen open connections: the workers take them in turn as they come."""
    opened = [place.client(connector) for _ in range(16)]
    for client in opened:
        assert client.request("GET", "/Users?count=0").status == 200
    yield opened
    for client in opened:
        client.close()


@both_keys
@pytest.mark.parametrize("number", [2, 16])
def test_one_of_many_creates_wins(place: Town, connector: str, clients: list[Client], number: int) -> None:
    """One 201, the others 409, one row; also where only the journal's lock keeps the value unique."""
    for turn in range(ROUNDS):
        login = f"create-{number}-{turn}"
        racing = clients[turn : turn + number] if number < len(clients) else clients
        answers = at_once([lambda one=client, name=login: create(one, name) for client in racing])
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [201] + [409] * (number - 1), [answer.text for answer in answers]
        (won,) = [answer for answer in answers if answer.status == 201]
        assert all(answer.json["scimType"] == "uniqueness" for answer in answers if answer.status == 409)
        assert len(place.people[connector].rows()[login]) == 1
        assert [ids(client, login) for client in clients[:4]] == [[won.json["id"]]] * 4


@both_keys
def test_spellings_that_the_database_takes_for_one(place: Town, connector: str, clients: list[Client]) -> None:
    """Where the target compares without regard to case, so does the race; elsewhere they are two people."""
    spellings = ["Spelling", "sPELLING"]
    answers = at_once(
        [lambda one=client, n=name: create(one, n) for client, name in zip(clients, spellings, strict=False)]
    )
    statuses = sorted(answer.status for answer in answers)
    rows = [login for login in place.people[connector].rows() if login.lower() == "spelling"]
    assert len(rows) == statuses.count(201)
    assert statuses == ([201, 409] if place.kind == "mariadb" else [201, 201]), [answer.text for answer in answers]


@both_keys
def test_changes_of_different_attributes_all_stay(place: Town, connector: str, clients: list[Client]) -> None:
    """No change is lost, and none is put back by another."""
    login = "changed"
    person = create(clients[0], login).json["id"]
    for turn in range(ROUNDS):
        wanted = {"name.givenName": f"first {turn}", "name.familyName": f"last {turn}", "active": turn % 2 == 1}
        answers = at_once(
            [
                lambda one=client, p=path, v=value: patch(one, person, p, v)
                for client, (path, value) in zip(clients[turn:], wanted.items(), strict=False)
            ]
        )
        assert [answer.status for answer in answers] == [200] * 3, [answer.text for answer in answers]
        shown = clients[-1].request("GET", f"/Users/{person}").json
        assert shown["name"]["givenName"] == wanted["name.givenName"]
        assert shown["name"]["familyName"] == wanted["name.familyName"]
        assert shown["active"] is wanted["active"]
        (row,) = place.people[connector].rows()[login]
        assert row == {
            "first": wanted["name.givenName"],
            "last": wanted["name.familyName"],
            "disabled": not wanted["active"],
        }


@both_keys
def test_one_of_two_changes_of_the_same_version_wins(place: Town, connector: str, clients: list[Client]) -> None:
    """If-Match lets one through, the other reads again (RFC 7644 3.14)."""
    login = "versioned"
    person = create(clients[0], login).json["id"]
    for turn in range(ROUNDS):
        version = clients[0].request("GET", f"/Users/{person}").headers["ETag"]
        names = [f"left {turn}", f"right {turn}"]
        answers = at_once(
            [
                lambda one=client, n=name, v=version: patch(one, person, "name.familyName", n, **{"If-Match": v})
                for client, name in zip(clients[turn:], names, strict=False)
            ]
        )
        assert sorted(answer.status for answer in answers) == [200, 412], [answer.text for answer in answers]
        (won,) = [name for name, answer in zip(names, answers, strict=True) if answer.status == 200]
        (row,) = place.people[connector].rows()[login]
        assert row["last"] == won == clients[-1].request("GET", f"/Users/{person}").json["name"]["familyName"]


@both_keys
def test_create_against_delete(place: Town, connector: str, clients: list[Client]) -> None:
    """Whoever is first, at the end the answers, the table and the space agree."""
    for turn in range(ROUNDS):
        login = f"deleted-{turn}"
        person = create(clients[0], login).json["id"]
        deleted, created = at_once(
            [
                lambda one=clients[1 + turn], path=f"/Users/{person}": one.request("DELETE", path),
                lambda one=clients[2 + turn], name=login: create(one, name),
            ]
        )
        assert deleted.status == 204, deleted.text
        assert created.status in (201, 409), created.text
        rows = place.people[connector].rows().get(login, [])
        assert len(rows) == (1 if created.status == 201 else 0)
        found = ids(clients[0], login)
        assert len(found) == len(rows)
        assert person not in found, "an id is never given to another object"
