"""Several threads at once, where the connector type says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from isthmus.spi import AlreadyExists, AttributeChange, AttributeType, ConnectorObject, NotFound, Operation
from isthmus.testing.choice import free, natural, text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same, sample

THREADS = 8
ROUNDS = 5
PATIENCE = 60.0  # seconds for all of them; longer is a deadlock


def at_once(actions: Sequence[Callable[[], object]]) -> list[object]:
    """Run all actions at the same moment, each in its thread; return what each returned or raised."""
    results: list[object] = [None] * len(actions)
    barrier = threading.Barrier(len(actions))

    def run(i: int) -> None:
        barrier.wait()
        try:
            results[i] = actions[i]()
        except BaseException as error:  # noqa: BLE001  judged by the thread that waits
            results[i] = error

    threads = [
        threading.Thread(target=run, args=(i,), name=f"conformance: {i}", daemon=True) for i in range(len(actions))
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        assert not thread.is_alive(), (
            f"{len(actions)} threads at once: {thread.name} had not returned after {PATIENCE:.0f} s"
        )
    return results


class Concurrency(Hooks):
    def test_threads_at_once(self, subject: Subject) -> None:
        _threads(subject)
        name = text(subject).name

        def live(number: int) -> None:
            for i in range(ROUNDS):
                created = subject.create()
                subject.update(created, AttributeChange(name, replace=(f"{number}.{i}",)))
                assert subject.read_there(created, (name,)).attributes[name] == (f"{number}.{i}",)
                subject.delete(created)
                assert subject.read(created) is None

        results = at_once([partial(live, number) for number in range(THREADS)])
        _none_failed(results)

    def test_sessions_at_once_do_not_lose_writes(self, subject: Subject) -> None:
        """Each process of the host opens the connector for itself: one call at a time is one for each of them."""
        assert subject.the_update
        name = text(subject).name
        written: list[ConnectorObject] = []

        def write(session: Any) -> None:
            for i in range(ROUNDS):
                created = subject.create(connector=session)
                change = AttributeChange(name, replace=(f"round {i}",))
                written.append(subject.update(created, change, connector=session))

        _none_failed(at_once([partial(write, subject.open()) for _ in range(2)]))
        for each in written:
            found = subject.read(each, (name,))
            assert found is not None, "what one session created was lost by what another wrote at the same time"
            assert found.attributes[name] == each.attributes[name], "what one session wrote was lost by another's write"

    def test_one_of_two_creates_at_once_succeeds(self, subject: Subject) -> None:
        _threads(subject)
        natural(subject)
        for _ in range(ROUNDS):
            attributes = subject.attributes()
            results = at_once([partial(subject.create, attributes)] * THREADS)
            made = [r for r in results if isinstance(r, ConnectorObject)]
            others = [r for r in results if not isinstance(r, ConnectorObject)]
            assert len(made) == 1, f"{len(made)} of {THREADS} creates of the same object succeeded"
            assert all(isinstance(r, AlreadyExists) for r in others), f"expected AlreadyExists: {others!r:.300}"

    def test_updates_at_once_do_not_lose_each_other(self, subject: Subject) -> None:
        _threads(subject)
        fields = [a for a in free(subject) if not (a.max_length is not None and a.max_length < 8)][:THREADS]
        if len(fields) < 2:
            subject.lacks("has fewer than two attributes to change")
        for i in range(ROUNDS):
            created = subject.create()
            values = {a.name: (sample(a, 600_001 + i * 2),) for a in fields}
            changes = [AttributeChange(n, replace=v) for n, v in values.items()]
            results = at_once([partial(subject.update, created, change) for change in changes])
            _none_failed(results)
            found = subject.read_there(created)
            lost = [n for n, v in values.items() if not same(found.attributes[n], v)]
            assert not lost, f"updates of different attributes at once: {lost} were lost"

    def test_additions_at_once_do_not_lose_each_other(self, subject: Subject) -> None:
        """Two members join one group in the same moment."""
        _threads(subject)
        several = [a for a in free(subject, multivalued=True) if a.type is not AttributeType.COMPLEX]
        if not several:
            subject.lacks("has no attribute with several values")
        for a in several:
            attributes = subject.attributes()
            attributes.pop(a.name, None)
            created = subject.create(attributes)
            values = [sample(a, 650_001 + i) for i in range(THREADS)]
            changes = [AttributeChange(a.name, add=(value,)) for value in values]
            _none_failed(at_once([partial(subject.update, created, change) for change in changes]))
            found = subject.read_there(created, (a.name,)).attributes[a.name]
            assert same(found, values), f"{THREADS} values were added to {a.name} at once, and {found!r} are there"

    def test_one_of_two_deletes_at_once_succeeds(self, subject: Subject) -> None:
        _threads(subject)
        if Operation.DELETE not in subject.object_type.operations:
            subject.lacks("operation delete is not among the type's operations")
        created = subject.create()
        results = at_once([partial(subject.delete, created)] * THREADS)
        assert results.count(None) == 1, f"{results.count(None)} of {THREADS} deletes of one object succeeded"
        assert all(r is None or isinstance(r, NotFound) for r in results), f"expected NotFound: {results!r:.300}"

    def test_imports_while_threads_write(self, subject: Subject) -> None:
        _threads(subject)
        steady = {subject.create().identity.anchor.values for _ in range(10)}

        def write() -> None:
            for _ in range(ROUNDS * 2):
                subject.delete(subject.create())

        def run() -> None:
            for _ in range(3):
                seen = set(subject.imported(page_size=3))
                assert steady <= seen, f"existed unchanged during the run but were not imported: {steady - seen}"

        _none_failed(at_once([write, write, run, run]))


def _threads(subject: Subject) -> None:
    if subject.type.concurrency != "threads":
        subject.lacks("is called by one thread at a time")


def _none_failed(results: list[object]) -> None:
    for each in results:
        if isinstance(each, BaseException):
            raise each
