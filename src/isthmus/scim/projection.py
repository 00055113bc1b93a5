"""Which attributes an answer shows: `attributes` and `excludedAttributes` (RFC 7644 3.9) over plain dicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from isthmus.scim.errors import InvalidValue
from isthmus.scim.urns import OWN_TYPE_PREFIX

MAX_LENGTH = 16_384
ALWAYS = frozenset({"schemas", "id"})
"""Returned whatever is asked for: `id` by RFC 7643 3.1, `schemas` because nothing is a resource without it."""
NEVER = frozenset({"password"})
_CORE = ("urn:ietf:params:scim:schemas:core:", OWN_TYPE_PREFIX.removesuffix("2.0:"))


class _Names:
    """One of the two lists, ready for asking: lower-case names with their sub-attributes, and URN-qualified texts."""

    __slots__ = ("_plain", "_qualified", "given")

    def __init__(self, texts: Iterable[str]) -> None:
        # name -> None: the whole attribute; otherwise the sub-attributes named
        self._plain: dict[str, set[str] | None] = {}
        self._qualified: list[str] = []
        self.given = False
        for text in texts:
            name = text.strip().lower()
            if not name:
                continue
            self.given = True
            if name.startswith(_CORE) and not name.endswith(":"):
                name = name.rpartition(":")[2] if _is_attribute_of_core(name) else name
            if name.startswith("urn:"):
                self._qualified.append(name)
            else:
                _add(self._plain, name)

    def top(self) -> Mapping[str, set[str] | None]:
        return self._plain

    def leaves(self, names: Collection[str]) -> bool:
        """Return True if none of these is named, nor a part of anything, nor an extension."""
        return not self._qualified and all(subs is None and name not in names for name, subs in self._plain.items())

    def within(self, urn: str) -> Mapping[str, set[str] | None] | None:
        """Return the names below an extension's URN; None stands for all of it, an empty mapping for nothing of it."""
        inner: dict[str, set[str] | None] = {}
        for text in self._qualified:
            if text == urn:
                return None
            if text.startswith(urn + ":"):
                name = text[len(urn) + 1 :]
                _add(inner, name)
                inner[name] = None  # a target's own name may hold a dot
        return inner


def _is_attribute_of_core(name: str) -> bool:
    # urn:ietf:params:scim:schemas:core:2.0:user:username has nine parts, the schema's URN alone eight.
    return name.count(":") >= 8


def _add(names: dict[str, set[str] | None], text: str) -> None:
    head, dot, tail = text.partition(".")
    if not dot or not tail:
        names[head] = None
        return
    subs = names.setdefault(head, set())
    if subs is not None:
        subs.add(tail)


@dataclass(frozen=True)
class Projection:
    """What one request wants to see. Get one from `parse`, which remembers them by their text."""

    attributes: str
    excluded_attributes: str
    _wanted: _Names = field(repr=False, compare=False)
    _unwanted: _Names = field(repr=False, compare=False)

    @staticmethod
    def parse(attributes: str | None, excluded_attributes: str | None) -> Projection | None:
        """Return the projection for the two parameters, None if neither names anything: then everything is shown.

        Names are compared without case and may be `name`, `name.sub` or URN-qualified. A name that nothing bears
        selects nothing (RFC 7644 3.9). With both parameters, what is excluded is taken out of what is named.

        Raises:
            InvalidValue: a list is absurdly long.
        """
        if not attributes and not excluded_attributes:
            return None
        if len(attributes or "") > MAX_LENGTH or len(excluded_attributes or "") > MAX_LENGTH:
            raise InvalidValue(f"attributes and excludedAttributes may have {MAX_LENGTH} characters at most")
        return _parse(attributes or "", excluded_attributes or "")

    def includes(self, name: str, urn: str | None = None) -> bool:
        """Return True if anything of the attribute may be shown, so that what is not need not be read."""
        lowered = name.lower()
        if urn is None:
            wanted: Mapping[str, set[str] | None] | None = self._wanted.top()
            unwanted: Mapping[str, set[str] | None] | None = self._unwanted.top()
            if lowered in ALWAYS:
                return True
        else:
            wanted, unwanted = self._wanted.within(urn.lower()), self._unwanted.within(urn.lower())
        if self._wanted.given and wanted is not None and lowered not in wanted:
            return False
        return unwanted is not None and unwanted.get(lowered, ()) is not None

    def leaves(self, names: Collection[str]) -> bool:
        """Return True if all of these attributes (in lower case), and every extension, are shown as a whole."""
        return not self._wanted.given and self._unwanted.leaves(names)

    def apply(
        self,
        resource: Mapping[str, Any],
        *,
        always: Collection[str] = ALWAYS,
        never: Collection[str] = NEVER,
        request: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the resource as this request wants to see it; the resource itself is left alone.

        `always`, `never` and `request` are lower-case names of top-level attributes by their `returned`
        characteristic (RFC 7643 7); `request` ones are shown only if named.
        """
        shown: dict[str, Any] = {}
        wanted, unwanted = self._wanted.top(), self._unwanted.top()
        for key, value in resource.items():
            name = key.lower()
            if name in never:
                continue
            if name in always:
                shown[key] = value
                continue
            if name.startswith("urn:"):
                kept = self._extension(name, value)
            elif name in request and name not in wanted:
                continue
            else:
                kept = _select(name, value, wanted if self._wanted.given else None, unwanted)
            if kept is not _NOTHING:
                shown[key] = kept
        return shown

    def _extension(self, urn: str, value: Any) -> Any:
        wanted = self._wanted.within(urn) if self._wanted.given else None
        unwanted = self._unwanted.within(urn)
        if unwanted is None or wanted == {}:
            return _NOTHING
        if not isinstance(value, dict) or (wanted is None and not unwanted):
            return value
        kept = {
            key: part
            for key, each in value.items()
            if (part := _select(key.lower(), each, wanted, unwanted)) is not _NOTHING
        }
        return kept or _NOTHING


_NOTHING: Any = object()


def _select(
    name: str,
    value: Any,
    wanted: Mapping[str, set[str] | None] | None,
    unwanted: Mapping[str, set[str] | None],
) -> Any:
    """Return the part of an attribute's value that is shown, or `_NOTHING`; `wanted` None: everything is."""
    subs: set[str] | None = None
    if wanted is not None:
        if name not in wanted:
            return _NOTHING
        subs = wanted[name]
    less: set[str] = set()
    if name in unwanted:
        named = unwanted[name]
        if named is None:
            return _NOTHING
        less = named
    if subs is None and not less:
        return value
    if isinstance(value, dict):
        return _part(value, subs, less) or _NOTHING
    if isinstance(value, list):
        parts = [_part(each, subs, less) if isinstance(each, dict) else each for each in value]
        return [part for part in parts if part != {}] if value else value
    return value if subs is None else _NOTHING


def _part(value: Mapping[str, Any], subs: set[str] | None, less: set[str]) -> dict[str, Any]:
    return {
        key: each for key, each in value.items() if (subs is None or key.lower() in subs) and key.lower() not in less
    }


@lru_cache(maxsize=256)
def _parse(attributes: str, excluded_attributes: str) -> Projection:
    return Projection(
        attributes, excluded_attributes, _Names(attributes.split(",")), _Names(excluded_attributes.split(","))
    )
