"""A hung target has its own connector's requests wait, and nobody else's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest

from connectors.servers.process import until
from integration.outages.conftest import PATIENT, REQUEST_SECONDS
from integration.outages.trouble import hung
from integration.races.town import Town, create, ids, patch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CROWD = 32
PAUSE = 0.2  # seconds that a refused client waits before it asks again


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
