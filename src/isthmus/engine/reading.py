"""Answer reads from the connector space, and from the target where the space cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

import orjson

from isthmus.engine.answers import unavailable
from isthmus.engine.applying import anchor_text
from isthmus.engine.caller import Caller
from isthmus.engine.filtering import attributes_of, lookups, predicate_of
from isthmus.engine.linking import key_of, members_of, shown_references
from isthmus.engine.lookup import LiveLookup
from isthmus.engine.resource import Resource
from isthmus.engine.showing import Showing, list_response
from isthmus.engine.target import Target
from isthmus.mapping.bound import BoundComparison, BoundFilter
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.scim.filter import parse_filter
from isthmus.scim.projection import Projection
from isthmus.spi import Value
from isthmus.store import KeyEquals, Predicate, StoreBusy
from isthmus.store.records import Page, Space, State, StoredObject

MAX_LOOKUPS = 8  # equalities of one filter that are put to the target


class Reader:
    """The reads of one connector."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.live = LiveLookup(target)
        self._showing = Showing(target, self._asked)

    def stored(self, rt: ResourceType, id: str) -> StoredObject:
        """Return the live object with this id.

        Raises:
            ScimError: 404.
        """
        found = self._target.store.space.by_id(self._target.space(rt), id)
        if found is None:
            raise not_found(rt, id)
        return found

    def get(self, rt: ResourceType, id: str, *, projection: Projection | None, caller: Caller) -> Resource:
        """Return one resource; read from the target first where `live_read = "all"`."""
        live = self._target.document.live_read == "all"
        if not live and (shown := self._showing.one(rt, id, projection, caller)) is not None:
            return shown
        found = self.stored(rt, id)
        if live and self.live.possible(rt):
            refreshed = self.live.refresh(rt, found, caller)
            if refreshed is None or refreshed.state is not State.LIVE:
                raise not_found(rt, id)
            found = refreshed
        return self.resource(rt, found, caller, projection)

    def search(
        self,
        rt: ResourceType,
        *,
        filter: str | None,
        start: int,
        count: int | None,
        projection: Projection | None,
        caller: Caller,
    ) -> bytes:
        """Return a ListResponse. An equality that nobody in the space matches is put to the target first."""
        target = self._target
        if count is None:
            count = target.default_count
        count = max(0, min(count, target.max_count))
        start = max(1, start)
        if (shown := self._showing.page(rt, filter, start, count, projection, caller)) is not None:
            return shown
        space = target.space(rt)
        if filter is None:
            page = self._page(space, None, start, count, caller)
        else:
            bound = rt.bind(parse_filter(filter))
            self._require_readable(rt, bound)
            if not isinstance(bound, BoundComparison):
                self._learn(rt, space, bound, caller)
            condition = self.predicate(rt, bound)
            page = self._page(space, condition, start, count, caller)
            if page.total == 0 and isinstance(bound, BoundComparison) and self._learn(rt, space, bound, caller):
                page = self._page(space, condition, start, count, caller)
        resources = self.resources(rt, page.objects, caller, projection)
        return list_response(page.total, start, len(resources), b",".join(resources))

    def _require_readable(self, rt: ResourceType, bound: BoundFilter) -> None:
        """Refuse a filter on what the target no longer has: the space shows what was, and "nobody" would be a guess."""
        if (lost := self._target.attention.unreadable(rt.definition.object_type)) and (
            asked := sorted({name for name in attributes_of(bound) if name in lost})
        ):
            raise unavailable(
                f"{', '.join(asked)} cannot be read from the target now: {self._target.attention.blocking}"
            )

    def _page(self, space: Space, condition: Predicate | None, start: int, count: int, caller: Caller) -> Page:
        space_table, deadline = self._target.store.space, caller.deadline
        try:
            if condition is None or isinstance(condition, KeyEquals):
                return space_table.page(space, condition, start=start, count=count, deadline=deadline)
            with self._target.turns.lent():  # a scan may take long; SQLite does it without the interpreter
                return space_table.page(space, condition, start=start, count=count, deadline=deadline)
        except StoreBusy as exc:
            raise unavailable(f"the filter took too long over all objects: {exc}") from exc
        except ValueError as exc:
            raise ScimError(400, f"the filter is nested too deeply: {exc}", scim_type="invalidFilter") from exc

    def _learn(self, rt: ResourceType, space: Space, bound: BoundFilter, caller: Caller) -> bool:
        """Put every equality that nobody in the space meets, hidden ones too, to the target; tell if it had one."""
        found = False
        by_key = self._target.store.space.by_key
        for lookup in islice(lookups(bound, rt), MAX_LOOKUPS):
            if not by_key(space, lookup.attribute, lookup.key, hidden=True, limit=1):
                found |= self._asked(rt, lookup.attribute, lookup.value, caller)
        return found

    def predicate(self, rt: ResourceType, bound: BoundFilter) -> Predicate:
        """Return the store's condition for a bound filter."""
        return predicate_of(bound, rt, self.key_of, partial(members_of, self._target, rt))

    def prepared(self, rt: ResourceType, bound: BoundFilter, caller: Caller) -> Predicate:
        """Return the same for a list that is made otherwise than by `search`, after all that `search` does before.

        Raises:
            ScimError: an attribute cannot be read now, or the target cannot be asked for somebody the space has not.
        """
        self._require_readable(rt, bound)
        self._learn(rt, self._target.space(rt), bound, caller)
        return self.predicate(rt, bound)

    def _asked(self, rt: ResourceType, attribute: str, value: Value, caller: Caller) -> bool:
        """Put an equality to the target, if that can look up; tell if it had somebody."""
        if not self.live.possible(rt):
            return False
        try:
            return bool(self.live.find(rt, attribute, value, caller))
        except ScimError as exc:
            if exc.status != 400:  # a value the target cannot even hold belongs to nobody
                raise
            return False

    def key_of(self, id: str) -> str | None:
        """Return the canonical target key of the object with this SCIM id, of whatever published type."""
        target = self._target
        for rt in target.resource_types().values():
            found = target.store.space.by_id(target.space(rt), id)
            if found is not None:
                return anchor_text(key_of(rt, found.anchor, found.dn))
        return None

    # -- making answers

    def resource(
        self, rt: ResourceType, obj: StoredObject, caller: Caller, projection: Projection | None = None
    ) -> Resource:
        """Return the resource as it is sent."""
        body = self.resources(rt, [obj], caller, projection)[0]
        return Resource(body=body, etag=etag(obj), id=obj.id, location=f"{caller.base_url}/{rt.endpoint}/{obj.id}")

    def resources(
        self, rt: ResourceType, objects: Sequence[StoredObject], caller: Caller, projection: Projection | None
    ) -> list[bytes]:
        """Return the JSON text of each object."""
        prefix = f"{caller.base_url}/{rt.endpoint}/"
        references = shown_references(self._target, rt, objects, projection, caller.base_url)
        result = []
        for obj in objects:
            scim = obj.scim if obj.shape == rt.shape else rt.render(rt.decode(obj.attributes), dn=obj.dn)
            meta = (
                f'{{"resourceType":"{rt.name}","created":"{obj.created}","lastModified":"{obj.modified}",'
                f'"version":"W/\\"{obj.number}\\"","location":{orjson.dumps(prefix + obj.id).decode()}}}'
            ).encode()
            result.append(
                rt.finish(
                    scim,
                    id=obj.id,
                    external_id=obj.external_id,
                    meta=meta,
                    references=references.get(obj.row, {}),
                    projection=projection,
                )
            )
        return result


def etag(obj: StoredObject) -> str:
    """Return the weak entity tag of the version (RFC 7644 3.14)."""
    return f'W/"{obj.number}"'


def not_found(rt: ResourceType, id: str) -> ScimError:
    """Return the 404 for an id; the id is shown, shortened."""
    shown = id if len(id) <= 80 else id[:80] + "..."
    return ScimError(404, f"{rt.name} {shown!r} not found")
