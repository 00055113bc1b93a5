"""A target that is stopped, hangs, refuses or dies: 503 for what needs it, reads from the space, recovery by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest

from connectors.servers.process import until
from integration.kills.checking import check, wait_until_settled
from integration.kills.clients import Crowd
from integration.outages.conftest import PATIENT, REQUEST_SECONDS
from integration.outages.trouble import ALL, hung
from integration.races.town import Town, at_once, create, everyone, ids, in_table, patch, search
from serving import Answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CROWD = 32
PAUSE = 0.2  # seconds that a refused client waits before it asks again
IN_TIME = REQUEST_SECONDS + 5
"""The client waits no longer for an answer."""


def assert_later(answer: Answer) -> None:
    """Assert that the client is told to come again, and in what form (RFC 7644 3.12)."""
    assert answer.status == 503, (answer.status, answer.text)
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert answer.json["detail"]


@pytest.mark.parametrize("name", ALL)
def test_outage(scene: Town, name: str) -> None:
    """Never an empty list, never 404; and when the target is back, the next request works."""
    lives = [Life(scene, connector, name) for connector in ("hr", "natural")]
    with ALL[name](scene):
        at_once([life.during for life in lives])
    at_once([life.afterwards for life in lives])
    wait_until_settled(scene.served)
    for life in lives:
        life.check()


class Life:
    """One client of one connector: what it is told during an outage, and afterwards."""

    def __init__(self, scene: Town, connector: str, name: str) -> None:
        self.people = scene.people[connector]
        self.client = scene.client(connector, timeout=IN_TIME)
        self.known, self.stranger, self.leaver = f"known {name}", f"stranger {name}", f"leaver {name}"
        self.id: str = create(self.client, self.known).json["id"]
        self.leaver_id: str = create(self.client, self.leaver).json["id"]

    def during(self) -> None:
        client, version = self.client, {"If-Match": 'W/"1"'}
        assert_later(search(client, self.stranger))
        assert_later(create(client, self.stranger))
        assert_later(search(client, self.stranger))
        assert_later(create(client, self.known))
        assert_later(patch(client, self.id, "name.familyName", "During"))
        assert_later(patch(client, self.id, "name.familyName", "During", **version))
        assert_later(client.request("DELETE", f"/Users/{self.leaver_id}"))
        assert ids(client, self.known) == [self.id]
        shown = client.request("GET", f"/Users/{self.id}")
        assert (shown.status, shown.json["userName"]) == (200, self.known)
        assert client.request("GET", "/Users?count=1").json["totalResults"] >= 1

    def afterwards(self) -> None:
        assert ids(self.client, self.stranger) == []
        answer = create(self.client, self.stranger)
        assert answer.status == 201, answer.text
        answer = patch(self.client, self.id, "name.familyName", "After")
        assert answer.status == 200, answer.text
        left = self.client.request("DELETE", f"/Users/{self.leaver_id}")
        assert left.status in (204, 404), left.text  # 404: the first one was carried out

    def check(self) -> None:
        rows = self.people.rows()
        assert [row["last"] for row in rows[self.known]] == ["After"]
        assert len(rows[self.stranger]) == 1
        assert self.leaver not in rows
        assert everyone(self.client) == in_table(self.people)
        self.client.close()


@pytest.mark.parametrize("name", ["failing over", "hung"])
def test_outage_under_load(scene: Town, name: str) -> None:
    """Sixteen clients at work when it happens: every acknowledged write is there, nobody is doubled."""
    with Crowd(scene.served, seed=7, prefix=name) as crowd:
        crowd.wait_for_answers(60)
        lost = sum(worker.lost for worker in crowd.workers)
        with ALL[name](scene):
            wait_for_losses(crowd, lost + 16)
        crowd.wait_for_answers(60)
    check(scene.served, scene.people["hr"], crowd)


def wait_for_losses(crowd: Crowd, number: int) -> None:
    until(lambda: sum(w.lost for w in crowd.workers) >= number or bool(crowd.problems), what="the outage")
    assert not crowd.problems, crowd.problems


def test_started_during_an_outage(scene: Town) -> None:
    """A host that starts while its target is down reads from its space, and works once the target is there."""
    client = scene.client("hr", timeout=IN_TIME)
    known = create(client, "before the start").json["id"]
    with ALL["stopped"](scene):
        scene.served.kill_all()
        client.close()
        scene.served.start()
        assert ids(client, "before the start") == [known]
        assert client.request("GET", f"/Users/{known}").status == 200
        assert_later(search(client, "nobody"))
        assert_later(create(client, "after the start"))
        failed = scene.served.json("run", "start", "hr", check=False)
        assert [run["state"] for run in failed] == ["failed"], failed
        assert client.request("GET", f"/Users/{known}").status == 200, "a failed import removes nothing"
    assert create(client, "after the start").status == 201
    assert patch(client, known, "name.familyName", "After").status == 200
    client.close()


def test_a_hung_target_stops_nobody_else(scene: Town) -> None:
    """Thirty-two clients press on with a hung target; the other connector reads and writes as if nothing were."""
    known = scene.client("patient")
    (known_id,) = [create(known, "known to the space").json["id"]]
    stop = threading.Event()
    asked, answered = [0] * CROWD, [0] * CROWD

    def press(number: int) -> set[int]:
        client = scene.client("patient", timeout=REQUEST_SECONDS + 10)
        statuses = set()
        while not stop.is_set():
            asked[number] += 1
            answer = create(client, f"pressing {number} {asked[number]}")
            answered[number] += 1
            statuses.add(answer.status)
            assert answer.status != 503 or answer.headers["Retry-After"]
            stop.wait(PAUSE)
        client.close()
        return statuses

    with ThreadPoolExecutor(CROWD) as pool:
        with hung(scene):
            pressing = [pool.submit(press, number) for number in range(CROWD)]
            try:
                until(lambda: all(asked), what="thirty-two requests under way")
                lite = scene.client("lite", timeout=PATIENT.timeout / 2)  # behind a hung request it would be late
                for turn in range(10):
                    answer = create(lite, f"quick {turn}")
                    assert answer.status == 201, answer.text
                    assert patch(lite, answer.json["id"], "name.familyName", f"{turn}").status == 200
                    assert ids(lite, f"quick {turn}") == [answer.json["id"]]
                    assert ids(lite, f"nobody {turn}") == []
                    assert known.request("GET", f"/Users/{known_id}").status == 200, "the space answers meanwhile"
                lite.close()
                until(lambda: any(answered), what="answers about the hung target")
                with urlopen(f"http://127.0.0.1:{scene.served.operations_port}/readyz", timeout=5) as ready:
                    assert ready.status == 200, "readiness does not ask targets"
            finally:
                stop.set()
        statuses = set().union(*(one.result(REQUEST_SECONDS + 20) for one in pressing))
    assert 503 in statuses
    assert statuses <= {201, 503}, "the last ones may have met the server that is back"
    assert len(scene.people["lite"].rows()) >= 10
    known.close()


def test_the_password_is_in_no_log(scene: Town) -> None:
    """Refused logins, lost connections and failed imports above have written much; nothing of it is secret."""
    assert scene.server.password not in scene.served.log.read_text(errors="replace")
    assert "correct horse" not in scene.served.run("audit", "--json", "--limit", "10000")
