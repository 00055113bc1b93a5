"""Answer the reads that clients send all day the short way: one resource by id, a page, those with one key.

The short way gives the same answers as `Reader`'s; None means that `Reader` has to give this one: resources with
references, some attributes only, texts of an older shape, any other filter, or nothing found (the target may know).
"""

from __future__ import annotations

from functools import lru_cache

import orjson

from isthmus.engine.caller import Caller
from isthmus.engine.resource import Resource
from isthmus.engine.target import Target
from isthmus.mapping.finishing import Whole
from isthmus.mapping.index import Normalise
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.filter import equality, parse_attribute
from isthmus.store import KeyEquals
from isthmus.store.shown import Form

_MOST_PLANS = 256
"""Spellings of attributes whose plans are remembered; clients choose the spelling."""
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

    def one(self, rt: ResourceType, id: str, caller: Caller) -> Resource | None:
        """Return the live resource with this id."""
        if rt.whole is None:
            return None
        row = self._space.show(self._target.space(rt), id)
        if row is None:
            return None
        place = f"{caller.base_url}/{rt.endpoint}/"
        body = rt.whole.join((row,), shape=rt.shape, place=_in_json(place))
        return None if body is None else Resource(body, f'W/"{row[1]}"', id, place + id)

    def page(self, rt: ResourceType, filter: str | None, start: int, count: int, caller: Caller) -> bytes | None:
        """Return the ListResponse; `start` from 1 on, `count` from 0 on."""
        if rt.whole is None:
            return None
        space = self._target.space(rt)
        place = _in_json(f"{caller.base_url}/{rt.endpoint}/")
        if filter is None:
            page = self._space.show_page(space, _form(rt.whole, rt.shape, place), start=start, count=count)
            if page is None:
                return None
            total, found, text = page
            return b"%b%b]}" % (_LIST % (total, start, found), text)
        condition = self._condition(rt, filter)
        keyed = None if condition is None else self._space.show_keyed(space, condition, start=start, count=count)
        if keyed is None:
            return None
        total, rows = keyed
        if total == 0:
            return None
        before = _LIST % (total, start, len(rows))
        return rt.whole.join(rows, shape=rt.shape, place=place, before=before, after=b"]}")

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
        if plan is None:
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


@lru_cache(256)
def _in_json(text: str) -> str:
    """Return the inside of the JSON string."""
    return orjson.dumps(text).decode()[1:-1]


@lru_cache(256)
def _form(whole: Whole, shape: int, place: str) -> Form:
    text, length, keeps_external_id = whole.form(place)
    return Form(text, length, shape, keeps_external_id)
