"""A server that stops in the middle of an INSERT, and commits it when nobody waits for it any more."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.servers.process import until
from integration.kills.checking import wait_until_settled
from integration.kills.targets import People
from integration.outages.conftest import REQUEST_SECONDS
from integration.races.town import Town, at_once, create, ids
from serving import Answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CONNECTORS = ("late-natural", "late-made")
WAITING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity WHERE query ILIKE %s AND wait_event_type = 'Lock' AND datname = %s",
    "mariadb": "SELECT 1 FROM information_schema.processlist WHERE info LIKE %s AND state LIKE 'Waiting for table%%' "
    "AND db = %s",
}
"""INSERTs that wait in a database."""


class Barrier:
    """Keep INSERTs into the table waiting in the server; let them go without waiting for the server to say so."""

    def __init__(self, scene: Town, people: People) -> None:
        self._server, self._kind, self._database = scene.server, scene.kind, people.database
        self._postgresql = scene.kind == "postgresql"
        self._connection: Any = scene.server.connect(people.database)
        self._letting_go: threading.Thread | None = None
        if self._postgresql:
            self._run("BEGIN")
        self._run("LOCK TABLE people IN SHARE MODE" if self._postgresql else "LOCK TABLES people READ")

    def _run(self, statement: str) -> None:
        cursor = self._connection.cursor()
        cursor.execute(statement)
        cursor.close()

    def waiting(self) -> bool:
        """Tell whether an INSERT of the host waits for this table."""
        values = ("INSERT INTO %people%", self._database)
        return bool(self._server.run(WAITING[self._kind], *values))

    def let_go(self) -> None:
        """Send what ends the wait; a hung server does it once it goes on."""
        self._letting_go = threading.Thread(target=self._run, args=("COMMIT" if self._postgresql else "UNLOCK TABLES",))
        self._letting_go.start()

    def close(self) -> None:
        if self._letting_go is None:
            self.let_go()
        assert self._letting_go is not None
        self._letting_go.join(20)
        self._connection.close()


class Attempt:
    """A client that creates a person whose INSERT the server keeps waiting."""

    def __init__(self, scene: Town, connector: str, login: str) -> None:
        self.scene, self.connector, self.login = scene, connector, login
        self.answers: list[Answer] = []
        self._barrier = Barrier(scene, scene.people[connector])
        self._thread = threading.Thread(target=self._create)

    def _create(self) -> None:
        client = self.scene.client(self.connector, timeout=REQUEST_SECONDS + 5)
        try:
            self.answers.append(create(client, self.login))
        except (OSError, http.client.HTTPException):
            pass  # the host was killed: no answer
        finally:
            client.close()

    def begin(self) -> None:
        self._thread.start()

    def waits(self) -> bool:
        return self._barrier.waiting()

    def let_go(self) -> None:
        self._barrier.let_go()

    def answer(self) -> Answer | None:
        self._thread.join(REQUEST_SECONDS + 10)
        assert not self._thread.is_alive()
        return self.answers[0] if self.answers else None

    def close(self) -> None:
        self._barrier.close()

    def repeat(self) -> None:
        """Have the client create the person again; exactly one is there before and after."""
        client, people = self.scene.client(self.connector), self.scene.people[self.connector]
        again = create(client, self.login)
        assert again.status in (201, 409), again.text
        assert len(people.rows()[self.login]) == 1
        (found,) = ids(client, self.login)
        assert again.status == 409 or again.json["id"] == found
        assert create(client, self.login).status == 409
        client.close()


@contextmanager
def attempts(scene: Town, login: str) -> Iterator[list[Attempt]]:
    """Begin to create a person in both tables, so that each INSERT waits within the server."""
    begun: list[Attempt] = []
    try:
        begun.extend(Attempt(scene, connector, login) for connector in CONNECTORS)
        for attempt in begun:
            attempt.begin()
        until(lambda: all(attempt.waits() for attempt in begun), what="two INSERTs that wait")
        yield begun
    finally:
        scene.server.resume()
        for attempt in begun:
            attempt.close()


def check(scene: Town, begun: list[Attempt]) -> None:
    """Assert that nothing stays open and nobody is doubled, also once all is settled."""
    at_once([attempt.repeat for attempt in begun])
    wait_until_settled(scene.served)  # returns when `journal list` is empty
    for attempt in begun:
        assert len(scene.people[attempt.connector].rows()[attempt.login]) == 1


@pytest.mark.parametrize("released", ["while it hangs", "afterwards"])
def test_a_late_commit_doubles_nobody(scene: Town, released: str) -> None:
    """The client is told 503; whether the row appears or not, its next attempt leaves one row."""
    login = f"late {released}"
    with attempts(scene, login) as begun:
        scene.server.pause()
        if released == "while it hangs":
            for attempt in begun:
                attempt.let_go()
        for attempt in begun:
            answer = attempt.answer()
            assert answer is not None
            assert answer.status == 503, answer.text
            assert int(answer.headers["Retry-After"]) >= 1
        assert [entry["state"] for entry in scene.served.json("journal", "list")] == ["open", "open"]
        scene.server.resume()
        if released != "while it hangs":
            for attempt in begun:
                attempt.let_go()
        check(scene, begun)
    records = scene.served.json("audit", login, "--outcome", "unknown")
    assert {(one["connector"], one["operation"], one["status"]) for one in records} == {
        (connector, "create", 503) for connector in CONNECTORS
    }
    for record in records:
        assert record["actor"]
        followed = scene.served.json("audit", "--correlation", record["correlation"])
        assert {one["operation"] for one in followed} == {"create", "repair create"}


def test_killed_while_the_server_hangs(scene: Town) -> None:
    """Nobody is left who knows of the INSERT but the journal; the host that comes back finds out."""
    with attempts(scene, "late and forgotten") as begun:
        scene.server.pause()
        scene.served.kill_all()
        assert [attempt.answer() for attempt in begun] == [None, None]
        for attempt in begun:
            attempt.let_go()
        scene.server.resume()
        scene.served.start()
        check(scene, begun)
