"""Any sequence of changes of members leaves space and target equal, and an import after it nothing to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawing import examples
from harness import bench, memory_document, memory_target
from isthmus.spi import Reference
from memory_host import MemoryHost

PEOPLE = 5
GROUPS = 2


@dataclass
class World:
    """One host for all sequences; each has people and groups of its own."""

    served: MemoryHost
    ids: dict[str, str] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def begin(self) -> None:
        mark = uuid.uuid4().hex[:8]
        self.people = [f"p{number}-{mark}" for number in range(PEOPLE)]
        self.groups = [f"g{number}-{mark}" for number in range(GROUPS)]
        self.ids = {name: self.served.client.created(name) for name in self.people}
        self.ids |= {name: self.served.client.created(name, "/Groups") for name in self.groups}

    def links(self, group: str) -> set[str]:
        """Return the keys the space has of a group's members."""
        target = self.served.host.target("app")
        rt = target.resource_type_of("group")
        stored = target.store.space.by_id(target.space(rt), self.ids[group])
        assert stored is not None
        return {orjson.loads(key)[0] for _, key in target.store.space.links([stored.row])[stored.row]}

    def kept(self, group: str) -> set[str]:
        """Return the keys the target has of them."""
        found = self.served.target.get("group", (group,))
        assert found is not None
        return {value.key[0] for value in found["members"] if isinstance(value, Reference)}

    def shown(self, group: str) -> set[str]:
        answer = self.served.client.get(f"/Groups/{self.ids[group]}")
        assert answer.status == 200, answer
        return {member["value"] for member in answer.json["members"]}

    def values(self, members: list[int]) -> list[dict[str, str]]:
        return [{"value": self.ids[self.people[number]]} for number in members]


numbers = st.integers(0, PEOPLE - 1)
some = st.lists(numbers, max_size=4)
operations = st.one_of(
    st.tuples(st.just("add"), some),
    st.tuples(st.just("remove"), some),
    st.tuples(st.just("remove one"), numbers),
    st.tuples(st.just("replace"), some),
    st.tuples(st.just("pathless add"), some),
    st.tuples(st.just("pathless replace"), some),
    st.tuples(st.just("nest"), st.just(None)),
)
requests = st.one_of(
    st.tuples(st.just("patch"), st.lists(operations, min_size=1, max_size=3)),
    st.tuples(st.just("put"), some),
    st.tuples(st.just("lost"), some),
)
events = st.one_of(
    requests,
    st.tuples(st.just("rename"), st.just(None)),  # the target's references to it follow, ours with the next import
    st.tuples(st.just("behind"), some),
    st.tuples(st.just("rename user"), numbers),
    st.tuples(st.just("delete user"), numbers),
    st.tuples(st.just("import"), st.sampled_from(["full", "delta"])),
)


def operation(world: World, group: str, what: str, which: Any) -> dict[str, Any]:
    match what:
        case "remove":
            return (
                {"op": "Remove", "path": "members", "value": world.values(which)}
                if which
                else {"op": "add", "value": {}}
            )
        case "remove one":
            return {"op": "remove", "path": f'members[value eq "{world.values([which])[0]["value"]}"]'}
        case "pathless add" | "pathless replace":
            return {"op": what.rpartition(" ")[2], "value": {"members": world.values(which)}}
        case "nest":
            other = next(name for name in world.groups if name != group)
            return {"op": "Add", "path": "members", "value": [{"value": world.ids[other]}]}
        case _:
            return {"op": what, "path": "members", "value": world.values(which)}


def send(world: World, group: str, what: str, which: Any) -> None:
    """Send one request of a provider, or do one thing behind its back."""
    client, target = world.served.client, world.served.target
    ident = world.ids[group]
    match what:
        case "patch":
            made = [operation(world, group, *each) for each in which]
            answer = client.patch(ident, *made, path="/Groups")
            assert answer.status == 204, answer
        case "put":
            answer = client("PUT", f"/Groups/{ident}", {"displayName": group, "members": world.values(which)})
            assert answer.status == 200, answer
        case "lost":
            target.weather.lose_answers = 1
            client.patch(ident, {"op": "add", "path": "members", "value": world.values(which)}, path="/Groups")
            target.weather.lose_answers = 0
            world.served.host.repair()
            assert world.served.bench.unfinished() == []
        case "rename":
            name = f"{group}x"
            answer = client.patch(ident, {"op": "replace", "path": "displayName", "value": name}, path="/Groups")
            assert answer.status == 204, answer
            world.groups[world.groups.index(group)] = name
            world.ids[name] = world.ids.pop(group)
        case "behind":
            members = tuple(Reference((world.people[n],), "user") for n in dict.fromkeys(which))
            target.change("group", (group,), members=members)
        case "rename user":
            old = world.people[which]
            answer = client.patch(world.ids[old], {"op": "replace", "path": "userName", "value": f"{old}x"})
            assert answer.status == 200, answer
            world.people[which] = f"{old}x"
            world.ids[f"{old}x"] = world.ids.pop(old)
        case "delete user":
            assert client.delete(world.ids[world.people[which]]).status == 204
            world.ids[world.people[which]] = client.created(world.people[which])
        case "import":
            world.served.bench.imported("app", which)
        case _:
            raise AssertionError(what)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with memory_target() as (name, target):

        def document(**more: Any) -> str:
            return memory_document(name, guard="provider_objects = 100000\nimport_objects = 100000", **more)

        with bench(tmp_path_factory.mktemp("groups") / "host", {"app": document()}) as opened:
            opened.client("app").get("/Users")
            opened.imported("app")
            yield World(MemoryHost(opened, target, document))


quietly = settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quietly
@given(sequence=st.lists(st.tuples(st.integers(0, GROUPS - 1), requests), min_size=1, max_size=8))
def test_what_a_provider_does(world: World, sequence: list[tuple[int, tuple[str, Any]]]) -> None:
    """Without anybody else, the space knows at any time what the target has."""
    world.begin()
    for number, (what, which) in sequence:
        send(world, world.groups[number], what, which)
        for group in world.groups:
            assert world.links(group) == world.kept(group)
    number_before = world.served.host.store.number()
    assert world.served.bench.imported("app").changed == 0
    assert world.served.host.store.number() == number_before, "the digests are those an import computes"


@quietly
@given(sequence=st.lists(st.tuples(st.integers(0, GROUPS - 1), events), min_size=1, max_size=8))
def test_what_others_do_behind_its_back(world: World, sequence: list[tuple[int, tuple[str, Any]]]) -> None:
    """After the next import space and target are equal, and what is shown are the members that exist."""
    world.begin()
    for number, (what, which) in sequence:
        send(world, world.groups[number], what, which)
    world.served.bench.imported("app")
    for group in world.groups:
        kept = world.kept(group)
        assert world.links(group) == kept
        assert world.shown(group) == {world.ids[name] for name in kept}
        for name in world.people:
            groups = world.served.client.user(world.ids[name]).get("groups", [])
            assert (world.ids[group] in [each["value"] for each in groups]) == (name in kept)
    assert world.served.bench.imported("app").changed == 0
