"""The full answer: ready-made text plus id, externalId, references and meta, cut down to what the request asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isthmus.mapping.layout import Composite, Layout, Link, Memberships, Plural, Section, Simple
from isthmus.scim.projection import Projection
from isthmus.spi import AttributeType

_DIGITS = 18  # any number that short has at most 64 bits
Target = tuple[str, str | None, str, str]
"""Where a reference leads: the resource's id, its name for people, its URL, the name of its resource type."""

_MOST_PROJECTIONS = 256
"""Spellings of `attributes` and `excludedAttributes` that are remembered; clients choose them."""
GROUPS = "#groups"
"""The pseudo attribute under which the groups of a user are given."""


Row = tuple[str, int, str, str, str | None, int, bytes, int, str]
"""id, number, created, modified, externalId, shape, ready-made text, row, anchor: what the store shows of an object."""


class Whole:
    """Joins full answers of a type without references: the text of `Finisher.finish`, several times as fast."""

    __slots__ = ("_keeps", "_kind", "_length", "_opening", "_schemas")

    def __init__(self, kind: str, schemas: bytes, *, keeps_external_id: bool) -> None:
        self._kind = orjson.dumps(kind).decode()
        self._schemas = schemas
        self._opening = schemas + b","
        self._length = len(schemas)
        self._keeps = keeps_external_id

    def form(self, place: str) -> tuple[str, int, bool]:
        """Return how the store puts texts together, as `store.shown.Form` has it: text, length, keeps_external_id.

        The text is the same as that of `join`.
        """
        schemas, kind, put = (text.replace("%", "%%") for text in (self._schemas.decode(), self._kind, place))
        text = (
            f'{schemas},"id":"%s"%s%s,"meta":{{"resourceType":{kind},"created":"%s","lastModified":"%s",'
            f'"version":"W/\\"%d\\"","location":"{put}%s"}}}}'
        )
        return text, len(self._opening), self._keeps

    def join(
        self, rows: Sequence[Row], *, shape: int, place: str, before: bytes = b"", after: bytes = b""
    ) -> bytes | None:
        """Return the resources with commas between; None if a text is of another shape and has to be made anew.

        `before` and `after` stand around them: a page of 100 has 100 kB, which are not to be copied again. `place` is
        the URL an id is put behind, as JSON text. Ids need no escaping, for they are safe in a URL.
        """
        parts: list[bytes] = [before]
        add = parts.append
        length, opening = self._length, self._opening
        for own, number, created, modified, external_id, made_for, scim, _, _ in rows:
            if made_for != shape or not scim.startswith(opening):
                return None
            more = ""
            if external_id is not None and self._keeps:
                more = f',"externalId":{orjson.dumps(external_id).decode()}'
            add(self._schemas)
            add(f',"id":"{own}"{more}'.encode())
            add(scim[length:-1])
            add(
                f',"meta":{{"resourceType":{self._kind},"created":"{created}","lastModified":"{modified}",'
                f'"version":"W/\\"{number}\\"","location":"{place}{own}"}}}}'.encode()
            )
            add(b",")
        if rows:
            parts.pop()
        add(after)
        return b"".join(parts)


class Finisher:
    """Compiled once for each resource type."""

    def __init__(self, layout: Layout, kind: str, schemas: Sequence[str]) -> None:
        self._schemas = b'{"schemas":%s' % orjson.dumps(list(schemas))
        flowing = {
            node.slot.attribute
            for section in layout.sections
            if section is not layout.extension
            for node in section.nodes.values()
            if isinstance(node, Link) and node.slot.readable
        }
        self._top: list[tuple[str, Link]] = []
        self._nested: list[tuple[str, str, Link]] = []
        for section in layout.sections:
            for name, node in section.nodes.items():
                if not isinstance(node, Link) or not node.slot.readable:
                    continue
                if section is layout.main:
                    self._top.append((name, node))
                elif section is not layout.extension or node.slot.attribute not in flowing:
                    # a reference with a flow is shown there only, or excludedAttributes=members would not leave it out
                    self._nested.append((section.urn, name, node))
        self._groups = isinstance(layout.main.find("groups"), Memberships)
        links = [link for _, link in self._top] + [link for *_, link in self._nested]
        self._all = tuple(
            dict.fromkeys([*(link.slot.attribute for link in links), *([GROUPS] if self._groups else [])])
        )
        self._keeps_external_id = not _has_flow(layout.main, "externalId")
        self.whole: Whole | None = None
        """The short way to full answers; None where references or groups have to be joined in."""
        if not self._top and not self._nested and not self._groups:
            self.whole = Whole(kind, self._schemas, keeps_external_id=self._keeps_external_id)
        self._wholes: dict[Projection, bool] = {}
        self._texts = frozenset(
            {"externalid", "meta"}
            | {name.lower() for name, node in layout.main.nodes.items() if not isinstance(node, Link | Memberships)}
        )
        """What a text may have beside references, `id` and `schemas`, in lower case."""
        self._exact = any(_has_exact_numbers(section) for section in layout.sections)

    def shown(self, projection: Projection | None) -> tuple[str, ...]:
        """Return the target's reference attributes, and `GROUPS`, of which anything is shown; others are not read."""
        if projection is None:
            return self._all
        names = [link.slot.attribute for name, link in self._top if projection.includes(name)]
        names += [link.slot.attribute for urn, name, link in self._nested if projection.includes(name, urn)]
        if self._groups and projection.includes("groups"):
            names.append(GROUPS)
        return tuple(dict.fromkeys(names))

    def finish(
        self,
        scim: bytes,
        *,
        meta: Mapping[str, Any] | bytes,
        references: Mapping[str, Sequence[Target]],
        projection: Projection | None,
        id: str | None,
        external_id: str | None,
    ) -> bytes:
        more = b"" if id is None else b',"id":%b' % orjson.dumps(id)
        if external_id is not None and self._keeps_external_id:
            more += b',"externalId":%b' % orjson.dumps(external_id)
        for name, link in self._top:
            if projection is None or projection.includes(name):
                shown = _shown(link, name, references)
                if shown is not None:
                    more += b",%b:%b" % (orjson.dumps(name), shown)
        if self._groups and (groups := references.get(GROUPS)):  # without any the attribute has no value: left out
            more += b',"groups":[%b]' % b",".join([_reference(group, "display", "direct") for group in groups])
        for urn, name, link in self._nested:
            if references.get(link.slot.attribute) and (projection is None or projection.includes(name, urn)):
                shown = _shown(link, name, references)
                if shown is not None:
                    scim = _within(scim, urn, b"%b:%b" % (orjson.dumps(name), shown))
        text = meta if isinstance(meta, bytes) else orjson.dumps(dict(meta))
        if scim.startswith(self._schemas):  # id and externalId stand where people look for them
            whole = b'%b%b%b,"meta":%b}' % (self._schemas, more, scim[len(self._schemas) : -1], text)
        else:
            whole = b'%b%b,"meta":%b}' % (scim[:-1], more, text)
        if projection is None or self.leaves_whole(projection):
            return whole
        return orjson.dumps(projection.apply(self._parse(whole)))

    def leaves_whole(self, projection: Projection) -> bool:
        """Tell whether a projection leaves out nothing but references, which `shown` leaves out already."""
        found = self._wholes.get(projection)
        if found is None:
            if len(self._wholes) >= _MOST_PROJECTIONS:
                self._wholes.clear()
            found = self._wholes[projection] = projection.leaves(self._texts)
        return found

    def _parse(self, scim: bytes) -> dict[str, Any]:
        parsed: dict[str, Any]
        if self._exact:
            parsed = json.loads(scim, parse_float=orjson.Fragment, parse_int=_whole_number)
        else:
            parsed = orjson.loads(scim)
        return parsed


def _whole_number(text: str) -> object:
    """Return what is written as the same number: a decimal without a fraction may have more than 64 bits."""
    return int(text) if len(text) <= _DIGITS else orjson.Fragment(text)


def _shown(link: Link, name: str, references: Mapping[str, Sequence[Target]]) -> bytes | None:
    targets = references.get(link.slot.attribute, ())
    if link.plural:
        # an empty list as well: authentik adds members only where it sees `members`
        return b"[%b]" % b",".join([_reference(target, "display", target[3]) for target in targets])
    if not targets:
        return None
    if name == "manager":
        return _reference(targets[0], "displayName", None)
    return _reference(targets[0], "display", targets[0][3])


def _reference(target: Target, label: str, type_name: str | None) -> bytes:
    found, display, location, _ = target
    shown = {"value": found, "$ref": location}
    if type_name is not None:
        shown["type"] = type_name
    if display is not None:
        shown[label] = display
    return orjson.dumps(shown)


def _within(scim: bytes, urn: str, member: bytes) -> bytes:
    """Return the text with a member more in the extension, which is put last if there is none.

    In texts every quotation mark is escaped, so what looks like the key is the key.
    """
    key = b",%b:{" % orjson.dumps(urn)
    before, found, after = scim.partition(key)
    if not found:
        return b"%b%b%b}}" % (scim[:-1], key, member)
    return b"%b%b%b,%b" % (before, found, member, after)


def _has_flow(section: Section, name: str) -> bool:
    node = section.nodes.get(name)
    return isinstance(node, Simple) and not node.slot.attribute.startswith("#")


def _has_exact_numbers(section: Section) -> bool:
    slots = [node.slot for node in section.nodes.values() if isinstance(node, Simple)]
    slots += [node.whole for node in section.nodes.values() if isinstance(node, Plural) and node.whole is not None]
    slots += [part for node in section.nodes.values() if isinstance(node, Composite) for part in node.parts.values()]
    return any(slot.definition.type is AttributeType.DECIMAL for slot in slots)
