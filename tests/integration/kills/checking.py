"""After the kills: target, connector space and what the clients were told must agree."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

from integration.kills.clients import Crowd
from integration.kills.targets import People
from serving import Served

SETTLE_SECONDS = 60.0


def wait_until_settled(served: Served) -> None:
    """Wait until no journal entry is open; fail if one stays open or is in doubt."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while entries := json.loads(served.run("journal", "list", "--json")):
        assert all(entry["state"] == "open" for entry in entries), entries
        assert time.monotonic() < deadline, f"not settled: {entries}\n{served.tail()}"
        time.sleep(0.1)


def check(served: Served, people: People, crowd: Crowd) -> None:
    """Assert that every acknowledged write is in target and space, and nobody is doubled."""
    assert not crowd.problems, "\n".join(crowd.problems)
    wait_until_settled(served)
    rows = people.rows()
    client = served.client()
    for person in crowd.people():
        found = rows.get(person.login, [])
        assert len(found) <= 1, f"{person.login} is doubled: {found}"
        actual = (found[0]["last"], found[0]["disabled"]) if found else None
        assert actual in person.possible, f"{person.login}: the table has {actual}, possible is {person.possible}"
        query = quote(f'userName eq "{person.login}"')
        resources = client.request("GET", f"/Users?filter={query}").json["Resources"]
        shown = [(one["name"]["familyName"], not one["active"]) for one in resources]
        assert shown == ([] if actual is None else [actual]), f"{person.login}: SCIM shows {shown}, table {actual}"
    total = client.request("GET", "/Users?count=0").json["totalResults"]
    assert total == sum(map(len, rows.values())), f"SCIM counts {total}, the table {len(rows)}"
    client.close()
