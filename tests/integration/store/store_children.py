"""What the store's tests run in other processes. Each says on a queue how far it is, and ends by itself."""

from __future__ import annotations

import contextlib
import random
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from isthmus.store import Blocked, Entry, EntryState, ObjectWrite, State, Store, StoreBusy

NOW = "2026-01-02T03:04:05Z"


def a_write(name: str, version: int = 1) -> ObjectWrite:
    """Return a small object."""
    return ObjectWrite(
        anchor=(name,),
        attributes=b'{"login":["' + name.encode() + b'"]}',
        scim=b'{"userName":"' + name.encode() + b'"}',
        shape=1,
        canonical=version,
        wire=version,
        keys=[("login", name)],
    )


def writes_at_random(folder: Path, seed: int, rounds: int, said: Queue[Any]) -> None:
    """Add, change, hide and remove objects of one's own; say what is left: name to whether it is live."""
    chance = random.Random(seed)
    mine: dict[str, tuple[int, bool]] = {}
    with Store.open(folder) as store:
        space = store.space.ensure("hr", "Person")
        for n in range(rounds):
            names = [f"{seed}-{n}-{k}" for k in range(chance.randint(1, 40))]
            for one in store.space.apply(space, [a_write(name) for name in names], noted=store.number(), now=NOW):
                assert one.outcome == "added"
                mine[one.anchor[0]] = (one.row, True)
            for name in chance.sample(sorted(mine), min(len(mine), 5)):
                row, _ = mine[name]
                if chance.random() < 0.5:
                    assert store.space.remove(space, [row], noted=store.number()) == [row]
                    del mine[name]
                else:
                    live = chance.random() < 0.5
                    store.space.set_state(space, row, State.LIVE if live else State.HIDDEN)
                    mine[name] = (row, live)
    said.put({name: live for name, (_, live) in mine.items()})


def wants_one_lock(folder: Path, rounds: int, said: Queue[Any]) -> None:
    """Open and close an entry on the same lock again and again; a file shows that two never hold it at once."""
    won = blocked = 0
    witness = folder / "witness"
    with Store.open(folder) as store:
        space = store.space.ensure("hr", "Person")
        end = time.monotonic() + 60
        while won < rounds and time.monotonic() < end:
            got = store.journal.open(
                space=space, operation="update", object_id=None, anchor=None, session="s", correlation="c", intent={},
                locks=["object:1"],
            )  # fmt: skip
            if isinstance(got, Blocked):
                blocked += 1
                continue
            with witness.open("x"):
                pass
            witness.unlink()
            store.journal.close(got.id, EntryState.DONE, now=NOW)
            won += 1
    said.put((won, blocked))


def claims_runs(folder: Path, said: Queue[Any]) -> None:
    """Claim runs and due connectors until there are none; say which."""
    with Store.open(folder) as store:
        got: list[str] = []
        while (run := store.runs.claim()) is not None:
            got.append(run.id)
        said.put((got, store.schedules.due(5_000)))
        said.close()
        said.join_thread()


def holds_an_entry(folder: Path, said: Queue[Any]) -> None:
    """Open an entry and a run, say their ids, and stay."""
    store = Store.open(folder)
    entry = store.journal.open(
        space=store.space.ensure("hr", "Person"), operation="create", object_id=None, anchor=("jo",), session="s",
        correlation="c", intent={"login": "jo"}, locks=['object:["jo"]'],
    )  # fmt: skip
    assert isinstance(entry, Entry)
    store.runs.request("hr", "full", "all", "test")
    run = store.runs.claim()
    assert run is not None
    said.put((entry.id, store.owner, run.id))
    time.sleep(60)


def dies_inside_a_transaction(folder: Path, said: Queue[Any]) -> None:
    """Commit one write, do half of another, say so, and stay inside it."""
    store = Store.open(folder)
    space = store.space.ensure("hr", "Person")
    store.space.apply(space, [a_write(f"kept{n}") for n in range(50)], noted=None, now=NOW)

    def stay(connection: Any) -> None:
        from isthmus.store import applying

        applying.apply(connection, space, [a_write(f"lost{n}") for n in range(5_000)], noted=None, now=NOW)
        connection.execute("PRAGMA cache_spill = 1")
        said.put("inside")
        said.close()
        said.join_thread()
        time.sleep(60)

    store._writer.run(stay)


def writes_until_killed(folder: Path, said: Queue[Any]) -> None:
    """Write without end; say each name once its write is durable."""
    store = Store.open(folder)
    space = store.space.ensure("hr", "Person")
    n = 0
    end = time.monotonic() + 60
    while time.monotonic() < end:
        names = [f"w{n}-{k}" for k in range(20)]
        store.space.apply(space, [a_write(name) for name in names], noted=None, now=NOW)
        said.put(names[0])
        n += 1


def imports_until_told(folder: Path, told: Event, said: Queue[Any]) -> None:
    """Write page after page, as an import does; say how many objects."""
    with Store.open(folder) as store:
        space = store.space.ensure("bulk", "Person")
        pages = 0
        end = time.monotonic() + 60
        said.put("begun")
        while not told.is_set() and time.monotonic() < end:
            page = [a_write(f"{pages}-{n}") for n in range(3_000)]
            store.space.apply_in_slices(space, page, noted=store.number(), now=NOW)
            pages += 1
    said.put(pages * 3_000)


def answers(folder: Path, asked: Queue[Any], said: Queue[Any]) -> None:
    """For each name asked for, say whether the store has it now; None ends."""
    with Store.open(folder) as store:
        space = store.space.ensure("hr", "Person")
        while (name := asked.get(timeout=60)) is not None:
            found = store.space.by_key(space, "login", name)
            said.put(bool(found))
            if found:
                with contextlib.suppress(StoreBusy):
                    store.settings.set(f"seen-{name}", found[0].id)
