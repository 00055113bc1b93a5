"""PATCH that adds one member to a group of 100,000, against the same for a group of 10."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.testing import Inside, bench, memory_document, memory_target
from isthmus.spi import Reference

ROUNDS = 5
SMALL = 10
QUIET = '[log]\nlevel = "error"\n'


def run(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """Measure both alternately in this process: CPU time of the whole WSGI application, commits of the store included.

    The target is the in-memory connector's, whose own cost does not grow with the group either.
    """
    large, requests = (10_000, 40) if quick else (100_000, 200)
    with memory_target() as (name, target):
        for number in range(large + requests):
            target.put("user", {"login": (f"u{number}",)})
        for group, size in (("small", SMALL), ("large", large)):
            members = tuple(Reference((f"u{number}",), "user") for number in range(size))
            target.put("group", {"name": (group,), "members": members})
        with bench(folder / "host", {"app": memory_document(name)}, host=QUIET) as served:
            client = served.client("app")
            groups = {group: _found(client, "Groups", f'displayName eq "{group}"') for group in ("small", "large")}
            users = [_found(client, "Users", f'userName eq "u{large + number}"') for number in range(requests)]
            best = dict.fromkeys(groups, float("inf"))
            for _ in range(ROUNDS):
                for group, ident in groups.items():
                    best[group] = min(best[group], _round(client, ident, users))
    yield Figure(
        f"add one member to a group of {large:,}",
        f"add one member to a group of {SMALL}",
        best["large"] / best["small"],
        1.3,
        f"{best['large'] * 1e6:,.0f} us against {best['small'] * 1e6:,.0f} us of CPU a request, in process, in-memory "
        f"target, best of {ROUNDS} rounds of {requests}",
        at_most=True,
    )


def _round(client: Inside, group: str, users: list[str]) -> float:
    """Return the CPU seconds of one added member; they are removed again, unmeasured."""
    gc.collect()
    before = time.process_time()
    for user in users:
        _change(client, group, "add", user)
    spent = time.process_time() - before
    for user in users:
        _change(client, group, "remove", user)
    return spent / len(users)


def _change(client: Inside, group: str, op: str, user: str) -> None:
    answer = client.patch(group, {"op": op, "path": "members", "value": [{"value": user}]}, path="/Groups")
    assert answer.status == 204, answer


def _found(client: Inside, endpoint: str, condition: str) -> str:
    [found] = client.get(f"/{endpoint}?excludedAttributes=members&filter={condition}").resources
    return str(found["id"])
