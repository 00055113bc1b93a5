"""References of few objects, joined the short way: single ones (a manager), and the groups of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.engine.linking import grouping, naming, types_of
from isthmus.engine.target import Target
from isthmus.mapping.finishing import GROUPS
from isthmus.mapping.finishing import Target as Shown
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.projection import Projection
from isthmus.store.links import LinkTable, Naming, Neighbours

Found = dict[str, list[Shown]]


@dataclass(frozen=True, slots=True)
class _Way:
    """An attribute, and the one resource type at its other end: what it leads to, or who has it."""

    attribute: str
    name: str
    endpoint: str
    naming: Naming


@dataclass(frozen=True, slots=True)
class Joining:
    """What the answers to one kind of request show of references; `linking.shown_references` for the simple cases."""

    links: LinkTable
    singles: tuple[_Way, ...]
    groups: tuple[_Way, ...]
    around: Neighbours | None
    """All of them for one object; None: there are none."""

    def of_one(self, row: int, anchor: str, base_url: str) -> Found:
        """Return the references of one object, by attribute."""
        result: Found = {}
        if self.around is None:
            return result
        first_group = len(self.singles)
        for number, one, name in self.links.neighbours(self.around, row, anchor):
            if number < first_group:
                way = self.singles[number]
                attribute = way.attribute
            else:
                way = self.groups[number - first_group]
                attribute = GROUPS
            result.setdefault(attribute, []).append(_shown(way, one, name, base_url))
        return result

    def of_many(self, objects: Sequence[tuple[int, str]], base_url: str) -> dict[int, Found]:
        """Return the references of objects, given as row and anchor text, by row and attribute."""
        result: dict[int, Found] = {row: {} for row, _ in objects}
        if not objects:
            return result
        for way in self.singles:
            for row, attribute, _, one, name in self.links.referred(list(result), [way.attribute], way.naming):
                result[row].setdefault(attribute, []).append(_shown(way, one, name, base_url))
        rows = {anchor: row for row, anchor in objects}
        for way in self.groups:
            for key, found in self.links.referring(list(rows), way.attribute, way.naming).items():
                shown = [_shown(way, one, name, base_url) for one, name in found]
                result[rows[key]].setdefault(GROUPS, []).extend(shown)
        return result


def joining(target: Target, rt: ResourceType, projection: Projection | None) -> Joining | None:
    """Return how to join what a request shows; None if that may be much, or an object of several types."""
    singles: list[_Way] = []
    groups: list[_Way] = []
    for attribute in rt.shown_references(projection):
        if attribute == GROUPS:
            for other, members, before in grouping(target, rt):
                if before or rt.object_type.dn is not None:
                    return None
                groups.append(_Way(members, other.name, other.endpoint, naming(target, other)))
            continue
        types = types_of(target, rt, attribute)
        if attribute in rt.lists or len(types) > 1 or any(other.object_type.dn is not None for other in types):
            return None
        singles += [_Way(attribute, other.name, other.endpoint, naming(target, other)) for other in types]
    ways = [[(way.attribute, way.naming) for way in each] for each in (singles, groups)]
    around = Neighbours.by(*ways) if singles or groups else None
    return Joining(target.store.links, tuple(singles), tuple(groups), around)


def _shown(way: _Way, one: str, name: str | None, base_url: str) -> Shown:
    return one, name, f"{base_url}/{way.endpoint}/{one}", way.name
