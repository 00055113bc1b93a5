"""The full answer: ready-made text plus id, externalId, references and meta, cut down to what the request asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isthmus.mapping.layout import Composite, Layout, Link, Memberships, Plural, Section, Simple
from isthmus.scim.projection import Projection
from isthmus.spi import AttributeType

Target = tuple[str, str | None, str, str]
"""Where a reference leads: the resource's id, its name for people, its URL, the name of its resource type."""

GROUPS = "#groups"
"""The pseudo attribute under which the groups of a user are given."""


Row = tuple[str, int, str, str, str | None, int, bytes]
"""id, number, created, modified, externalId, shape, ready-made text: what the store shows of an object."""


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
        for own, number, created, modified, external_id, made_for, scim in rows:
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
        added: dict[str, Any] = {}
        if id is not None:
            added["id"] = id
        if external_id is not None and self._keeps_external_id:
            added["externalId"] = external_id
        for name, link in self._top:
            if projection is None or projection.includes(name):
                shown = _shown(link, name, references)
                if shown is not None:
                    added[name] = shown
        if self._groups and (groups := references.get(GROUPS)):  # without any the attribute has no value: left out
            added["groups"] = [{**_reference(group, "display"), "type": "direct"} for group in groups]
        nested = [
            (urn, name, shown)
            for urn, name, link in self._nested
            if references.get(link.slot.attribute)
            and (projection is None or projection.includes(name, urn))
            and (shown := _shown(link, name, references)) is not None
        ]
        if projection is None and not nested:
            text = meta if isinstance(meta, bytes) else orjson.dumps(dict(meta))
            more = b",%s" % orjson.dumps(added)[1:-1] if added else b""
            if scim.startswith(self._schemas):  # id and externalId stand where people look for them
                return b'%s%s%s,"meta":%s}' % (self._schemas, more, scim[len(self._schemas) : -1], text)
            return b'%s%s,"meta":%s}' % (scim[:-1], more, text)
        resource = self._parse(scim)
        resource.update(added)
        for urn, name, shown in nested:
            resource.setdefault(urn, {})[name] = shown
        resource["meta"] = orjson.loads(meta) if isinstance(meta, bytes) else dict(meta)
        return orjson.dumps(resource if projection is None else projection.apply(resource))

    def _parse(self, scim: bytes) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(scim, parse_float=orjson.Fragment) if self._exact else orjson.loads(scim)
        return parsed


def _shown(link: Link, name: str, references: Mapping[str, Sequence[Target]]) -> Any:
    targets = references.get(link.slot.attribute, ())
    if link.plural:
        # an empty list as well: authentik adds members only where it sees `members`
        return [_reference(target, "display") for target in targets]
    return _reference(targets[0], "displayName" if name == "manager" else "display") if targets else None


def _reference(target: Target, label: str) -> dict[str, str]:
    found, display, location, type_name = target
    shown = {"value": found, "$ref": location}
    if label == "display":
        shown["type"] = type_name
    if display is not None:
        shown[label] = display
    return shown


def _has_flow(section: Section, name: str) -> bool:
    node = section.nodes.get(name)
    return isinstance(node, Simple) and not node.slot.attribute.startswith("#")


def _has_exact_numbers(section: Section) -> bool:
    slots = [node.slot for node in section.nodes.values() if isinstance(node, Simple)]
    slots += [node.whole for node in section.nodes.values() if isinstance(node, Plural) and node.whole is not None]
    slots += [part for node in section.nodes.values() if isinstance(node, Composite) for part in node.parts.values()]
    return any(slot.definition.type is AttributeType.DECIMAL for slot in slots)
