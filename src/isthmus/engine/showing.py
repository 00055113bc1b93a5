"""Answer the reads that clients send all day the short way: one resource by id, a page, those with one key.

The short way gives the same answers as `Reader`'s; None means that `Reader` has to give this one: lists of references,
references by name or to several types, texts of an older shape, any other filter, or nothing found (the target may
know).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import orjson

from isthmus.engine.caller import Caller
from isthmus.engine.joining import Joining, joining
from isthmus.engine.resource import Resource
from isthmus.engine.target import Target
from isthmus.mapping.finishing import Target as Reference
from isthmus.mapping.finishing import Whole
from isthmus.mapping.index import Normalise
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.filter import equality, parse_attribute
from isthmus.scim.projection import Projection
from isthmus.store import KeyEquals
from isthmus.store.shown import Form, Shown

_MOST_PLANS = 256
"""Spellings of attributes, and of what is to be shown, whose plans are remembered; clients choose the spelling."""
_LIST = (
    b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"startIndex":%d,'
    b'"itemsPerPage":%d,"Resources":['
)


class Showing:
    """The short way for one connector."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._space = target.store.space
        self._plans: dict[tuple[int, str, str], tuple[str, Normalise] | None] = {}
        self._joinings: dict[tuple[ResourceType, Projection | None], Joining | None] = {}

    def one(self, rt: ResourceType, id: str, projection: Projection | None, caller: Caller) -> Resource | None:
        """Return the live resource with this id."""
        references = self._joining(rt, projection)
        if references is None:
            return None
        row = self._space.show(self._target.space(rt), id)
        if row is None:
            return None
        place = f"{caller.base_url}/{rt.endpoint}/"
        body: bytes | None
        if rt.whole is not None and projection is None:
            body = rt.whole.join((row,), shape=rt.shape, place=_in_json(place))
        elif row[5] == rt.shape:
            found = references.of_one(row[7], row[8], caller.base_url)
            body = _finished(rt, row, found, _in_json(place), projection)
        else:
            body = None
        return None if body is None else Resource(body, f'W/"{row[1]}"', id, place + id)

    def page(
        self,
        rt: ResourceType,
        filter: str | None,
        start: int,
        count: int,
        projection: Projection | None,
        caller: Caller,
    ) -> bytes | None:
        """Return the ListResponse; `start` from 1 on, `count` from 0 on."""
        references = self._joining(rt, projection)
        if references is None:
            return None
        space = self._target.space(rt)
        place = _in_json(f"{caller.base_url}/{rt.endpoint}/")
        whole = rt.whole if projection is None else None
        condition = None
        if filter is None:
            if whole is not None:
                page = self._space.show_page(space, _form(whole, rt.shape, place), start=start, count=count)
                return None if page is None else list_response(page[0], start, page[1], page[2])
        else:
            condition = self._condition(rt, filter)
            if condition is None:
                return None
        found = self._space.show_rows(space, condition, start=start, count=count)
        if found is None:
            return None
        total, rows = found
        if total == 0 and condition is not None:
            return None
        if whole is not None:
            before = _LIST % (total, start, len(rows))
            return whole.join(rows, shape=rt.shape, place=place, before=before, after=b"]}")
        if any(row[5] != rt.shape for row in rows):
            return None
        joined = references.of_many([(row[7], row[8]) for row in rows], caller.base_url)
        texts = [_finished(rt, row, joined.get(row[7], {}), place, projection) for row in rows]
        return list_response(total, start, len(rows), b",".join(texts))

    def _joining(self, rt: ResourceType, projection: Projection | None) -> Joining | None:
        key = (rt, projection)
        try:
            return self._joinings[key]
        except KeyError:
            found = joining(self._target, rt, projection)
            if len(self._joinings) >= _MOST_PLANS:
                self._joinings.clear()
            self._joinings[key] = found
            return found

    def _condition(self, rt: ResourceType, filter: str) -> KeyEquals | None:
        asked = equality(filter)
        if asked is None:
            return None
        name, value = asked
        key = (rt.shape, rt.endpoint, name)
        try:
            plan = self._plans[key]
        except KeyError:
            plan = self._plan(rt, name)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        if plan is None or self._target.attention.blocking:  # some may be unreadable: `Reader` tells
            return None
        attribute, normalise = plan
        return KeyEquals(attribute, normalise(value))

    @staticmethod
    def _plan(rt: ResourceType, name: str) -> tuple[str, Normalise] | None:
        path = parse_attribute(name)
        return None if path is None else rt.equality(path)


def list_response(total: int, start: int, count: int, resources: bytes) -> bytes:
    """Return a ListResponse (RFC 7644 3.4.2) around resources with commas between."""
    return b"%b%b]}" % (_LIST % (total, start, count), resources)


def _finished(
    rt: ResourceType,
    row: Shown,
    references: Mapping[str, Sequence[Reference]],
    place: str,
    projection: Projection | None,
) -> bytes:
    own, number, created, modified, external_id, _, scim, _, _ = row
    meta = (
        f'{{"resourceType":"{rt.name}","created":"{created}","lastModified":"{modified}",'
        f'"version":"W/\\"{number}\\"","location":"{place}{own}"}}'
    ).encode()
    return rt.finish(scim, id=own, external_id=external_id, meta=meta, references=references, projection=projection)


@lru_cache(256)
def _in_json(text: str) -> str:
    """Return the inside of the JSON string."""
    return orjson.dumps(text).decode()[1:-1]


@lru_cache(256)
def _form(whole: Whole, shape: int, place: str) -> Form:
    text, length, keeps_external_id = whole.form(place)
    return Form(text, length, shape, keeps_external_id)
