"""A person who is added, renamed, deleted and added again in the table, with look-ups and imports in between."""

from __future__ import annotations

import pytest

from integration.kills.targets import People
from integration.races.town import Town, create, ids, patch
from serving import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def add(people: People, login: str) -> None:
    people.query(f"INSERT INTO people (login, first, last) VALUES ('{login}', 'Zoe', 'Behind')")


def rename(people: People, login: str, new: str) -> None:
    people.query(f"UPDATE people SET login = '{new}' WHERE login = '{login}'")


def drop(people: People, login: str) -> None:
    people.query(f"DELETE FROM people WHERE login = '{login}'")


def learn(place: Town, connector: str, by: str) -> None:
    """Have the space learn what happened, or not: a look-up alone has to do."""
    if by == "import":
        (run,) = place.served.json("run", "start", connector)
        assert run["state"] == "done", run


def gone(client: Client, id: str) -> bool:
    return client.request("GET", f"/Users/{id}").status == 404


@pytest.mark.parametrize("connector", ["natural", "made"])
def test_look_ups_give_an_id_to_one_person(place: Town, connector: str) -> None:
    follow(place, connector, "look-up")


@pytest.mark.parametrize(
    ("place", "connector"), [("sqlite", "natural"), ("postgresql", "made")], indirect=["place"], scope="session"
)
def test_imports_give_an_id_to_one_person(place: Town, connector: str) -> None:
    follow(place, connector, "import")


def follow(place: Town, connector: str, by: str) -> None:
    """Follow Zoe through the table, and ask for her after each turn of her life."""
    people, client = place.people[connector], place.client(connector)
    add(people, f"somebody-{by}")  # so that no import finds nobody at all, which the guard holds
    zoe, zoey = f"zoe-{by}", f"zoey-{by}"
    add(people, zoe)
    (first,) = ids(client, zoe)  # although no import has seen her

    rename(people, zoe, zoey)
    learn(place, connector, by)
    (second,) = ids(client, zoey)
    if people.natural:
        assert second != first, "another key is another object"
        if by == "look-up":
            assert patch(client, first, "name.givenName", "Nobody").status == 404  # and the space learns it from that
        assert gone(client, first)
    else:
        assert second == first, "a renamed object keeps its id"
    assert ids(client, zoe) == []

    drop(people, zoey)
    learn(place, connector, by)
    if by == "look-up":
        assert patch(client, second, "name.givenName", "Nobody").status == 404
    assert gone(client, second)
    assert ids(client, zoey) == []
    assert ids(client, zoe) == []

    add(people, zoe)
    learn(place, connector, by)
    (third,) = ids(client, zoe)
    assert third not in (first, second), "the id of a new object was never used"
    assert create(client, zoe).status == 409

    drop(people, zoe)  # and now the provider creates her, before anything has looked
    answer = create(client, zoe)
    assert answer.status == 201, answer.text
    fourth = answer.json["id"]
    assert fourth not in (first, second, third)
    assert ids(client, zoe) == [fourth]
    assert gone(client, third)
    assert patch(client, fourth, "name.givenName", "Zoe").status == 200
    (row,) = people.rows()[zoe]
    assert row["first"] == "Zoe"
    client.close()
