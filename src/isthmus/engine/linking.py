"""SCIM ids to target keys and back: references are stored as the target's key and joined on reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from isthmus.engine.applying import anchor_text
from isthmus.engine.keeping import stored_references
from isthmus.engine.target import Target
from isthmus.mapping.finishing import GROUPS
from isthmus.mapping.finishing import Target as Shown
from isthmus.mapping.plans import ReferenceChange
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.scim.projection import Projection
from isthmus.spi import AttributeChange, Reference, Value
from isthmus.store import AnyOf, Constant, Predicate, ReferredBy
from isthmus.store.links import Naming
from isthmus.store.objects import row_range
from isthmus.store.records import State, StoredObject


def types_of(target: Target, rt: ResourceType, attribute: str) -> list[ResourceType]:
    """Return the published types that a reference may lead to; where several have its key, the first one is meant."""
    definition = rt.object_type.attribute(attribute)
    wanted = None if definition is None else definition.reference_to
    published = target.resource_types().values()
    return [other for other in published if wanted is None or other.definition.object_type == wanted]


def key_of(rt: ResourceType, anchor: tuple[str, ...], dn: str | None) -> tuple[str, ...]:
    """Return the target's key of an object: what references to it hold."""
    return (dn,) if rt.object_type.dn is not None and dn is not None else anchor


# -- ids of a request, to keys


def references_to(
    target: Target, rt: ResourceType, attribute: str, ids: Iterable[str], *, hidden: bool = False
) -> dict[str, Reference]:
    """Return the target's keys for SCIM ids; ids of nobody are left out. `hidden`: also those of hidden objects."""
    found: dict[str, Reference] = {}
    left = list(dict.fromkeys(ids))
    for other in types_of(target, rt, attribute):
        for one, named in target.store.links.named(target.space(other), left).items():
            if hidden or named.state is State.LIVE:
                found[one] = Reference(key_of(other, named.anchor, named.dn), other.definition.object_type)
        left = [one for one in left if one not in found]
    return found


def resolved(target: Target, rt: ResourceType, attribute: str, ids: Sequence[str]) -> tuple[Reference, ...]:
    """Return the target's key for each SCIM id.

    Raises:
        ScimError: 400 invalidValue, there is no such resource.
    """
    found = references_to(target, rt, attribute, ids)
    for one in ids:
        if one not in found:
            shown = one if len(one) <= 80 else one[:80] + "..."
            raise ScimError(400, f"{attribute}: there is no resource with the id {shown!r}", scim_type="invalidValue")
    return tuple(dict.fromkeys(found[one] for one in ids))


def resolve_references(
    target: Target, rt: ResourceType, named: Iterable[tuple[str, str]]
) -> dict[str, tuple[Value, ...]]:
    """Return target attributes for (attribute, id) pairs."""
    ids: dict[str, list[str]] = {}
    for attribute, wanted in named:
        ids.setdefault(attribute, []).append(wanted)
    return {attribute: resolved(target, rt, attribute, wanted) for attribute, wanted in ids.items()}


def reference_changes(
    target: Target, rt: ResourceType, stored: StoredObject, changes: Iterable[ReferenceChange], *, fresh: bool
) -> list[AttributeChange]:
    """Return changes of references by the target's keys; of a whole list, if `stored` is `fresh`, the difference."""
    result = []
    for change in changes:
        name = change.attribute
        if change.replace is None:
            # Who is gone is no member any more: an error would make the provider repeat the request for ever.
            gone = references_to(target, rt, name, change.remove, hidden=True)
            add = resolved(target, rt, name, change.add)
            result.append(AttributeChange(name, add=add, remove=tuple(dict.fromkeys(gone.values()))))
            continue
        wanted = resolved(target, rt, name, change.replace)
        if not fresh or not wanted or name not in rt.lists:
            result.append(AttributeChange(name, replace=wanted))
            continue
        present = stored_references(target, stored, [name]).get(name, ())
        have, keep = {one.key for one in present}, {one.key for one in wanted}
        more = tuple(one for one in wanted if one.key not in have)
        less = tuple(one for one in present if one.key not in keep)
        if more or less:
            result.append(AttributeChange(name, add=more, remove=less))
    return result


# -- keys of the space, to ids


def naming(target: Target, rt: ResourceType) -> Naming:
    """Return where and how objects of a type are referred to."""
    return Naming(target.space(rt), rt.display_attributes, by_dn=rt.object_type.dn is not None)


class ReferencedIds(Mapping[str, Sequence[str]]):
    """The SCIM ids an object refers to, by attribute; read only when asked for, since a group may have 100,000."""

    def __init__(self, target: Target, rt: ResourceType, stored: StoredObject) -> None:
        self._target = target
        self._rt = rt
        self._stored = stored

    def __getitem__(self, attribute: str) -> Sequence[str]:
        if attribute not in self._rt.reference_attributes:
            raise KeyError(attribute)
        found: dict[str, str] = {}
        for other in types_of(self._target, self._rt, attribute):
            place = naming(self._target, other)
            for one in self._target.store.links.referred([self._stored.row], [attribute], place):
                found.setdefault(one.key, one.id)
        return list(found.values())

    def __iter__(self) -> Iterator[str]:
        return iter(self._rt.reference_attributes)

    def __len__(self) -> int:
        return len(self._rt.reference_attributes)


def shown_references(
    target: Target,
    rt: ResourceType,
    objects: Sequence[StoredObject],
    projection: Projection | None,
    base_url: str,
) -> Mapping[int, Mapping[str, Sequence[Shown]]]:
    """Return what the answer shows of references, by row and attribute; what it does not show is not read."""
    wanted = rt.shown_references(projection)
    if not wanted or not objects:
        return {}
    result: dict[int, dict[str, list[Shown]]] = {obj.row: {} for obj in objects}
    types = {name: types_of(target, rt, name) for name in wanted if name != GROUPS}
    seen: set[tuple[int, str, str]] = set()
    for other in target.resource_types().values() if types else ():
        attributes = [name for name, ways in types.items() if other in ways]
        prefix = f"{base_url}/{other.endpoint}/"
        place = naming(target, other)
        found = target.store.links.referred(list(result), attributes, place)
        if not rt.lists.isdisjoint(attributes):
            with target.turns.lent():  # a list may be long
                found = iter(list(found))
        for row, attribute, key, referred, name in found:
            if len(types[attribute]) > 1 or place.by_dn:
                if (row, attribute, key) in seen:
                    continue
                seen.add((row, attribute, key))
            result[row].setdefault(attribute, []).append((referred, name, prefix + referred, other.name))
    if GROUPS in wanted:
        _add_groups(target, rt, objects, base_url, result)
    return result


# -- groups of a user


def grouping(target: Target, rt: ResourceType) -> Iterator[tuple[ResourceType, str, list[str]]]:
    """Yield the types of groups that objects of a type may be direct members of, with the attribute.

    And the types whose objects would be meant where they have the same key.
    """
    for other in target.resource_types().values():
        if other.name == "Group" and other.members is not None:
            types = types_of(target, other, other.members)
            if rt in types:
                before = [each.definition.object_type for each in types[: types.index(rt)]]
                yield other, other.members, before


def _add_groups(
    target: Target,
    rt: ResourceType,
    objects: Sequence[StoredObject],
    base_url: str,
    result: dict[int, dict[str, list[Shown]]],
) -> None:
    rows = {anchor_text(key_of(rt, obj.anchor, obj.dn)): obj.row for obj in objects}
    for groups, attribute, before in grouping(target, rt):
        others = target.store.space.resolve(target.key, before, list(rows)) if before else {}
        prefix = f"{base_url}/{groups.endpoint}/"
        keys = [key for key in rows if key not in others]
        for key, found in target.store.links.referring(keys, attribute, naming(target, groups)).items():
            shown = result[rows[key]].setdefault(GROUPS, [])
            shown += [(group, name, prefix + group, groups.name) for group, name in found]


def members_of(target: Target, rt: ResourceType, id: str | None) -> Predicate:
    """Return the condition of being a direct member of the group with this SCIM id; None: of any group."""
    ways: list[Predicate] = []
    for groups, attribute, _ in grouping(target, rt):
        space = target.space(groups)
        if id is None:
            low, high = row_range(space)
        else:
            found = target.store.space.by_id(space, id)
            if found is None:
                continue
            low = high = found.row
        ways.append(ReferredBy(attribute, low, high, by_dn=rt.object_type.dn is not None))
    return AnyOf(tuple(ways)) if ways else Constant(False)
