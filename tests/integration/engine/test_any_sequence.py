"""Any sequence of requests leaves space and target equal, and what was written is what is read.

Hypothesis draws the sequences, over an in-memory target with values made of parts, and over SQLite with child tables;
with a delete flow that deletes, and with one that leaves the person in the target and hides them.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from drawing import examples
from harness import PATCH_OP, Answer, Bench, Client, bench, memory_target
from isthmus.connectors.memory import MemoryTarget
from isthmus.engine import scheduling
from isthmus.spi import Complex, Reference

GUARD = "[guard]\nprovider_objects = 100000000\nimport_objects = 100000000\n"

MEMORY = """type = "memory"
[settings]
name = "{target}"
[[resource_types]]
object_type = "user"
attributes = ["login", "displayName", "emails", "active"]
matching = ["login"]
disable = {{ action = "set", values = {{ active = false }}, restore = {{ active = true }} }}
delete = {{ action = "{delete}" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
displayName = {{ attribute = "displayName" }}
emails = {{ attribute = "emails" }}
[[resource_types]]
object_type = "group"
name = "Group"
endpoint = "Groups"
attributes = ["name", "members"]
matching = ["name"]
delete = {{ action = "delete" }}
[resource_types.flows]
displayName = {{ attribute = "name" }}
members = {{ attribute = "members" }}
"""

TABLES = """
CREATE TABLE people (
  login text COLLATE NOCASE NOT NULL PRIMARY KEY, display text, disabled boolean NOT NULL DEFAULT 0);
CREATE TABLE emails (
  id integer PRIMARY KEY, login text COLLATE NOCASE NOT NULL REFERENCES people (login) ON UPDATE CASCADE,
  address text NOT NULL, kind text, main boolean);
CREATE TABLE teams (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE team_people (
  team integer NOT NULL REFERENCES teams (id),
  login text COLLATE NOCASE NOT NULL REFERENCES people (login) ON UPDATE CASCADE, PRIMARY KEY (team, login));
"""

SQL = """type = "sql"
[settings]
url = "sqlite:///{target}"
[[settings.object_types]]
name = "people"
child_tables = [{{ attribute = "emails", table = "emails" }}]
[[settings.object_types]]
name = "teams"
child_tables = [{{ attribute = "members", table = "team_people" }}]
[[resource_types]]
object_type = "people"
attributes = ["login", "display", "emails", "disabled"]
matching = ["login"]
disable = {{ action = "set", values = {{ disabled = true }} }}
delete = {{ {delete} }}
[resource_types.flows]
userName = {{ attribute = "login" }}
displayName = {{ attribute = "display" }}
emails = {{ attribute = "emails", sub_attributes = {{ value = "address", type = "kind", primary = "main" }} }}
[[resource_types]]
object_type = "teams"
name = "Group"
endpoint = "Groups"
attributes = ["id", "name", "members"]
matching = ["name"]
delete = {{ action = "delete" }}
[resource_types.flows]
displayName = {{ attribute = "name" }}
members = {{ attribute = "members" }}
"""

Email = tuple[str, str | None, bool | None]
Held = dict[str, tuple[str | None, set[Email], bool]]
"""Display name, addresses and whether the account may be used, by login."""
Teams = dict[str, set[str]]


@dataclass
class World:
    """One host for all sequences, with a look behind it."""

    served: Bench
    people: Callable[[], Held]
    teams: Callable[[], Teams]
    hides: bool
    """DELETE leaves the person in the target."""
    disables: bool
    """DELETE disables the person whom it leaves there."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def client(self) -> Client:
        return self.served.client("app")

    def import_all(self) -> int:
        """Import everything and return how many objects were not as we had them."""
        changed = 0
        for _ in scheduling.request_import(self.served.host, "app", kind="full", requested_by="test"):
            done = scheduling.execute_next(self.served.host)
            assert done is not None
            assert done.state == "done", done
            changed += done.changed
        return changed


def in_memory(target: MemoryTarget) -> tuple[Callable[[], Held], Callable[[], Teams]]:
    def people() -> Held:
        found: Held = {}
        for anchor in target.anchors("user"):
            row = target.get("user", anchor)
            assert row is not None
            elements = [each for each in row["emails"] if isinstance(each, Complex)]
            emails = {(str(each.get("value")), each.get("type"), each.get("primary")) for each in elements}
            display = str(row["displayName"][0]) if row["displayName"] else None
            found[str(row["login"][0])] = (display, emails, row["active"] != (False,))
        return found

    def teams() -> Teams:
        found: Teams = {}
        for anchor in target.anchors("group"):
            row = target.get("group", anchor)
            assert row is not None
            found[anchor[0]] = {each.key[0] for each in row["members"] if isinstance(each, Reference)}
        return found

    return people, teams


def in_tables(path: Path) -> tuple[Callable[[], Held], Callable[[], Teams]]:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    def people() -> Held:
        everybody = rows("SELECT login, display, disabled FROM people")
        found: Held = {login: (display, set(), not disabled) for login, display, disabled in everybody}
        for login, address, kind, main in rows("SELECT login, address, kind, main FROM emails"):
            found[login][1].add((address, kind, None if main is None else bool(main)))
        return found

    def teams() -> Teams:
        found: Teams = {name: set() for (name,) in rows("SELECT name FROM teams")}
        for name, login in rows("SELECT name, login FROM teams JOIN team_people ON team = id"):
            found[name].add(login)
        return found

    return people, teams


@pytest.fixture(scope="module", params=["memory", "sqlite", "memory, hiding", "sqlite, hiding"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sequences")
    hides = request.param.endswith("hiding")
    tables = request.param.startswith("sqlite")
    with memory_target() as (name, target):
        if not tables:
            delete = "nothing" if hides else "delete"
            document, looks = MEMORY.format(target=name, delete=delete), in_memory(target)
        else:
            delete = 'action = "set", values = { disabled = true }' if hides else 'action = "delete"'
            with closing(sqlite3.connect(folder / "hr.db")) as connection:
                connection.executescript(TABLES)
            document, looks = SQL.format(target=folder / "hr.db", delete=delete), in_tables(folder / "hr.db")
        with bench(folder / "host", {"app": document + GUARD}) as served:
            opened = World(served, *looks, hides=hides, disables=hides and tables)
            opened.client.get("/Users")
            opened.import_all()
            yield opened


# -- what is sent

values = st.sampled_from(["a@x", "b@x", "c@x"])
kinds = st.sampled_from(["work", "home", None])
marks = st.sampled_from([True, False, None])
emails = st.lists(st.tuples(values, kinds, marks), max_size=3, unique_by=lambda each: each[:2]).filter(
    lambda found: sum(each[2] is True for each in found) < 2
)
displays = st.sampled_from(["D", "Ärmel", "x" * 100, None])
picks = st.integers(0, 7)


def sent(email: Email) -> dict[str, Any]:
    named = zip(("value", "type", "primary"), email, strict=True)
    return {name: part for name, part in named if part is not None}


def read(resource: Any) -> set[Email]:
    return {(each["value"], each.get("type"), each.get("primary")) for each in resource.get("emails", [])}


class Sequence(RuleBasedStateMachine):
    """Requests, and what should be there after each; `world` is set by the test."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}
        self.people: Held = {}
        self.hidden: Held = {}
        self.teams: Teams = {}
        self.gone: list[str] = []
        """Names that people had who have another one now, or are no more."""
        self.ever: set[str] = set()
        """Every id that was given."""

    @initialize()
    def begin(self) -> None:
        self.mark = next(self.world.numbers)
        self.made = itertools.count()

    # -- people

    @rule(display=displays, given=emails, active=st.sampled_from([True, False, None]))
    def post(self, display: str | None, given: list[Email], active: bool | None) -> None:
        self._create(f"p{self.mark}-{next(self.made)}", display, given, active)

    @rule(pick=picks, display=displays, given=emails)
    @precondition(lambda self: self.gone)
    def post_a_name_that_somebody_had(self, pick: int, display: str | None, given: list[Email]) -> None:
        """The new one has an id of its own (RFC 7643 3.1)."""
        self._create(self.gone.pop(pick % len(self.gone)), display, given, None)

    def _create(self, name: str, display: str | None, given: list[Email], active: bool | None) -> None:
        body: dict[str, Any] = {"userName": name, "displayName": display, "emails": [sent(each) for each in given]}
        answer = self.world.client.post(body if active is None else body | {"active": active})
        assert answer.status == 201, answer
        assert answer.id not in self.ever
        self.ever.add(answer.id)
        self.ids[name] = answer.id
        self.people[name] = (display, set(given), active is not False)

    @rule(pick=picks, display=displays, given=emails)
    @precondition(lambda self: self.hidden)
    def post_somebody_who_was_hidden(self, pick: int, display: str | None, given: list[Email]) -> None:
        """They come back by an update, with their id; what the request does not say is as it was."""
        name = sorted(self.hidden)[pick % len(self.hidden)]
        body = {"userName": name, "displayName": display, "emails": [sent(each) for each in given], "active": True}
        answer = self.world.client.post(body)
        assert (answer.status, answer.id) == (201, self.ids[name]), answer
        before = self.hidden.pop(name)
        self.people[name] = (display or before[0], set(given) or before[1], True)

    @rule(pick=picks)
    @precondition(lambda self: self.people)
    def post_again(self, pick: int) -> None:
        self.world.client.post({"userName": self._person(pick).upper()}).refused(409, "uniqueness")

    @rule(pick=picks, display=displays, given=emails)
    @precondition(lambda self: self.people)
    def put(self, pick: int, display: str | None, given: list[Email]) -> None:
        name = self._person(pick)
        body = {"userName": name, "displayName": display, "emails": [sent(each) for each in given]}
        self._took(name, self.world.client.put(self.ids[name], body))
        self.people[name] = (display, set(given), self.people[name][2])

    @rule(pick=picks, display=displays, given=emails, pathless=st.booleans())
    @precondition(lambda self: self.people)
    def replace(self, pick: int, display: str | None, given: list[Email], pathless: bool) -> None:
        name = self._person(pick)
        value = {"displayName": display, "emails": [sent(each) for each in given]}
        operations = [{"op": "replace", "path": key, "value": part} for key, part in value.items()]
        self._patch(name, *([{"op": "replace", "value": value}] if pathless else operations))
        self.people[name] = (display, set(given), self.people[name][2])

    @rule(pick=picks, value=values, kind=st.sampled_from(["work", "home"]))
    @precondition(lambda self: self.people)
    def add_email(self, pick: int, value: str, kind: str) -> None:
        name = self._person(pick)
        self._patch(name, {"op": "add", "path": "emails", "value": [{"value": value, "type": kind}]})
        held = self.people[name][1]
        if not any(each[:2] == (value, kind) for each in held):  # RFC 7644 3.5.2.1: what is there is not added again
            held.add((value, kind, None))

    @rule(pick=picks, kind=st.sampled_from(["work", "home"]))
    @precondition(lambda self: self.people)
    def remove_emails(self, pick: int, kind: str) -> None:
        name = self._person(pick)
        self._patch(name, {"op": "remove", "path": f'emails[type eq "{kind}"]'})
        display, held, active = self.people[name]
        self.people[name] = (display, {each for each in held if each[1] != kind}, active)

    @rule(pick=picks, value=values)
    @precondition(lambda self: self.people)
    def make_primary(self, pick: int, value: str) -> None:
        """One becomes the primary address; the one that was is not any more (RFC 7644 3.5.2)."""
        name = self._person(pick)
        display, held, active = self.people[name]
        chosen = [each for each in held if each[0] == value]
        if len(chosen) != 1:
            return
        self._patch(name, {"op": "replace", "path": f'emails[value eq "{value}"].primary', "value": True})
        rest = {(each[0], each[1], False if each[2] else each[2]) for each in held - set(chosen)}
        self.people[name] = (display, rest | {(*chosen[0][:2], True)}, active)

    @rule(pick=picks, active=st.booleans(), form=st.sampled_from(["path", "text", "pathless", "put"]))
    @precondition(lambda self: self.people)
    def set_active(self, pick: int, active: bool, form: str) -> None:
        name = self._person(pick)
        if form == "put":
            self._took(name, self.world.client.put(self.ids[name], {"userName": name, "active": active}))
        elif form == "pathless":
            self._patch(name, {"op": "replace", "value": {"active": active}})
        else:
            value = str(active) if form == "text" else active
            self._patch(name, {"op": "Replace", "path": "active", "value": value})
        self.people[name] = (*self.people[name][:2], active)

    @rule(pick=picks, together=st.booleans(), display=displays)
    @precondition(lambda self: self.people)
    def rename(self, pick: int, together: bool, display: str | None) -> None:
        """The id stays, and so do the memberships."""
        name, new = self._person(pick), f"p{self.mark}-{next(self.made)}"
        was_member = any(name in members for members in self.teams.values())
        operations = [{"op": "replace", "path": "userName", "value": new}]
        if together:
            operations.append({"op": "replace", "path": "displayName", "value": display})
        answer = self.world.client.patch(self.ids[name], *operations)
        assert (answer.status, answer.id) == (200, self.ids[name]), answer
        before = self.people.pop(name)
        self.people[new] = (display, *before[1:]) if together else before
        self.ids[new] = self.ids.pop(name)
        self.teams = {team: {new if each == name else each for each in held} for team, held in self.teams.items()}
        self.gone.append(name)
        if was_member:
            self.world.import_all()  # the target's references have followed, our copy of them learns so by this

    @rule(pick=picks)
    @precondition(lambda self: self.people)
    def nothing_of_a_refused_patch_is_done(self, pick: int) -> None:
        name = self._person(pick)
        answer = self.world.client.patch(
            self.ids[name],
            {"op": "remove", "path": "emails"},
            {"op": "replace", "path": "displayName", "value": "lost"},
            {"op": "replace", "path": "nonsense", "value": 1},
        )
        answer.refused(400, "invalidPath")

    @rule(pick=picks)
    @precondition(lambda self: self.people)
    def delete(self, pick: int) -> None:
        name = self._person(pick)
        if not self.world.hides and any(name in members for members in self.teams.values()):
            return  # whether members may be deleted is the target's to say
        assert self.world.client.delete(self.ids[name]).status == 204
        assert self.world.client.get(f"/Users/{self.ids[name]}").status == 404
        display, held, active = self.people.pop(name)
        if self.world.hides:
            self.hidden[name] = (display, held, active and not self.world.disables)
        else:
            self.gone.append(name)

    @rule(pick=picks)
    @precondition(lambda self: self.hidden)
    def nothing_is_done_to_who_is_hidden(self, pick: int) -> None:
        name = sorted(self.hidden)[pick % len(self.hidden)]
        path, change = f"/Users/{self.ids[name]}", {"op": "replace", "path": "displayName", "value": "lost"}
        self.world.client.get(path).refused(404)
        self.world.client.put(self.ids[name], {"userName": name, "displayName": "lost"}).refused(404)
        self.world.client.patch(self.ids[name], change).refused(404)
        self.world.client.delete(self.ids[name]).refused(404)
        assert self.world.client.named(name) == []

    @rule()
    @precondition(lambda self: self.hidden or len(self.people) > 1)
    def import_changes_nothing(self) -> None:
        assert self.world.import_all() == 0

    # -- groups

    @rule(pick=st.lists(picks, max_size=3))
    def post_group(self, pick: list[int]) -> None:
        name = f"g{self.mark}-{next(self.made)}"
        members = self._members(pick)
        answer = self.world.client.post({"displayName": name, "members": self._refer(members)}, "/Groups")
        assert answer.status == 201, answer
        self.ids[name] = answer.id
        self.teams[name] = members

    @rule(team=picks, pick=st.lists(picks, max_size=3), verb=st.sampled_from(["add", "replace", "remove"]))
    @precondition(lambda self: self.teams and self.people)
    def members(self, team: int, pick: list[int], verb: str) -> None:
        name = sorted(self.teams)[team % len(self.teams)]
        chosen = self._members(pick)
        if verb == "remove" and not chosen:
            return
        operation = {"op": verb, "path": "members", "value": self._refer(chosen)}
        answer = self.world.client.patch(self.ids[name], operation, path="/Groups")
        assert answer.status == 204, answer
        held = self.teams[name]
        self.teams[name] = {"add": held | chosen, "replace": chosen, "remove": held - chosen}[verb]

    @rule(team=picks)
    @precondition(lambda self: self.teams)
    def delete_group(self, team: int) -> None:
        name = sorted(self.teams)[team % len(self.teams)]
        assert self.world.client("DELETE", f"/Groups/{self.ids[name]}").status == 204
        del self.teams[name]

    # -- what must be true at any time

    @invariant()
    def target_and_answers_are_what_was_written(self) -> None:
        if not self.ids:
            return
        mark = f"{self.mark}-"
        kept = {name: held for name, held in self.world.people().items() if name.startswith(f"p{mark}")}
        assert kept == self.people | self.hidden
        teams = {name: held for name, held in self.world.teams().items() if name.startswith(f"g{mark}")}
        assert teams == self.teams
        for name, (display, held, active) in self.people.items():
            shown = self.world.client.user(self.ids[name])
            assert (shown["userName"], shown.get("displayName"), read(shown)) == (name, display, held)
            assert shown["active"] is active
            groups = {each["value"] for each in shown.get("groups", [])}
            assert groups == {self.ids[team] for team, members in self.teams.items() if name in members}
        for name, members in self.teams.items():
            shown = self.world.client.get(f"/Groups/{self.ids[name]}").json
            seen = {self.ids[each] for each in members if each not in self.hidden}
            assert {each["value"] for each in shown.get("members", [])} == seen

    def teardown(self) -> None:
        number = self.world.served.host.store.number()
        assert self.world.import_all() == 0, "the space has what the target has"
        assert self.world.served.host.store.number() == number
        assert self.world.served.unfinished() == []
        for kind, held in (("Groups", self.teams), ("Users", self.people)):
            for name in held:
                assert self.world.client("DELETE", f"/{kind}/{self.ids[name]}").status == 204

    # -- shorter words

    def _person(self, pick: int) -> str:
        return sorted(self.people)[pick % len(self.people)]

    def _members(self, picked: list[int]) -> set[str]:
        return {self._person(pick) for pick in picked} if self.people else set()

    def _refer(self, members: set[str]) -> list[dict[str, str]]:
        return [{"value": self.ids[name]} for name in sorted(members)]

    def _patch(self, name: str, *operations: Any) -> None:
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        self._took(name, self.world.client("PATCH", f"/Users/{self.ids[name]}", body))

    def _took(self, name: str, answer: Answer) -> None:
        assert answer.status == 200, answer
        assert answer.json == self.world.client.user(self.ids[name])


def test_any_sequence(world: World) -> None:
    class Run(Sequence):
        pass

    Run.world = world
    run_state_machine_as_test(
        Run,
        settings=settings(
            max_examples=examples(25), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
