"""Identity providers that keep account of what they were told, and of what they cannot know."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from serving import Client, Served

State = tuple[str | None, bool] | None
"""(last name, disabled) of a person, or None: there is no such person."""

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Person:
    """What may be true of one person: one state after an answer, several after a lost one."""

    login: str
    possible: set[State] = field(default_factory=lambda: {None})

    @property
    def certain(self) -> bool:
        return len(self.possible) == 1


@dataclass
class Worker:
    """One client with people of its own; checks each answer against what is possible."""

    number: int
    served: Served
    stop: threading.Event
    random: random.Random
    prefix: str = "person"
    people: list[Person] = field(default_factory=list)
    answered: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.people = [Person(f"{self.prefix}-{self.number}-{index}") for index in range(6)]

    def run(self) -> None:
        client = self.served.client(timeout=20)
        try:
            while not self.stop.is_set() and not self.problems:
                person = self.random.choice(self.people)
                try:
                    self.step(client, person)
                except (OSError, http.client.HTTPException):
                    self.lost += 1
                    self.stop.wait(0.02)
        finally:
            client.close()

    def step(self, client: Client, person: Person) -> None:
        last = f"name-{self.random.randrange(10**6)}"
        if None in person.possible:
            self.create(client, person, last)
            return
        found = self.find(client, person)
        if found is None:
            return
        match self.random.randrange(4):
            case 0:
                self.delete(client, person, found)
            case 1:
                disabled = self.random.random() < 0.5
                after = {(state[0], disabled) for state in person.possible if state is not None}
                self.change(client, person, found, "active", not disabled, after)
            case _:
                after = {(last, state[1]) for state in person.possible if state is not None}
                self.change(client, person, found, "name.familyName", last, after)

    def create(self, client: Client, person: Person, last: str) -> None:
        body = {"schemas": [USER], "userName": person.login, "name": {"givenName": "A", "familyName": last}}
        after: State = (last, False)
        before = set(person.possible)
        person.possible |= {after}
        answer = client.request("POST", "/Users", body)
        if answer.status == 201:
            self.expect(None in before, person, f"created although {before}")
            person.possible = {after}
        elif answer.status == 409:
            there = {state for state in before if state is not None}
            self.expect(bool(there), person, f"409 although {before}: {answer.text!r}")
            person.possible = there or person.possible
        elif answer.status in (503, 429):
            self.lost += 1
            return
        else:
            self.expect(False, person, f"POST answered {answer.status} {answer.text!r}")
        self.answered += 1

    def find(self, client: Client, person: Person) -> str | None:
        query = quote(f'userName eq "{person.login}"')
        answer = client.request("GET", f"/Users?filter={query}")
        if answer.status in (503, 429):
            self.lost += 1
            return None
        if answer.status != 200:
            self.expect(False, person, f"GET answered {answer.status} {answer.text!r}")
            return None
        found = answer.json["Resources"]
        self.expect(len(found) <= 1, person, f"found {len(found)} times")
        if not found:
            self.expect(not person.certain or None in person.possible, person, f"not found although {person.possible}")
            return None
        return str(found[0]["id"])

    def change(self, client: Client, person: Person, id: str, path: str, value: Any, after: set[Any]) -> None:
        body = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": path, "value": value}]}
        before = set(person.possible)
        person.possible = before | after
        answer = client.request("PATCH", f"/Users/{id}", body)
        if answer.status in (200, 204):
            person.possible = after
        elif answer.status == 404:
            self.expect(None in before, person, f"404 although {before}: {answer.text!r}")
            person.possible = {None} if None in before else person.possible
        elif answer.status in (503, 429):
            self.lost += 1
            return
        else:
            self.expect(False, person, f"PATCH answered {answer.status} {answer.text!r}")
        self.answered += 1

    def delete(self, client: Client, person: Person, id: str) -> None:
        before = set(person.possible)
        person.possible = before | {None}
        answer = client.request("DELETE", f"/Users/{id}")
        if answer.status == 204:
            person.possible = {None}
        elif answer.status == 404:
            self.expect(None in before, person, f"404 although {before}: {answer.text!r}")
            person.possible = {None}
        elif answer.status in (503, 429):
            self.lost += 1
            return
        else:
            self.expect(False, person, f"DELETE answered {answer.status} {answer.text!r}")
        self.answered += 1

    def expect(self, condition: bool, person: Person, problem: str) -> None:
        if not condition:
            self.problems.append(f"{person.login}: {problem}")


class Crowd:
    """Sixteen clients at once, with people of their own whose names begin with `prefix`."""

    def __init__(self, served: Served, *, seed: int, size: int = 16, prefix: str = "person") -> None:
        self.stop = threading.Event()
        self.workers = [Worker(n, served, self.stop, random.Random(seed * 1000 + n), prefix) for n in range(size)]
        self._threads = [threading.Thread(target=worker.run, name=f"client-{worker.number}") for worker in self.workers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"

    def wait_for_answers(self, more: int, *, seconds: float = 60) -> None:
        """Wait until so many more requests were answered, so that the next kill meets a host at work."""
        wanted, deadline = self.answered + more, time.monotonic() + seconds
        while self.answered < wanted and not self.problems:
            assert time.monotonic() < deadline, (
                f"no more answers after {self.answered}:\n{self.workers[0].served.tail()}"
            )
            time.sleep(0.01)

    @property
    def answered(self) -> int:
        return sum(worker.answered for worker in self.workers)

    @property
    def problems(self) -> list[str]:
        return [problem for worker in self.workers for problem in worker.problems]

    def people(self) -> list[Person]:
        return [person for worker in self.workers for person in worker.people]
