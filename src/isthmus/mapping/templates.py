"""Ready-made texts of many objects at once: made once for each set of attributes that have a value, then filled in.

Walking a layout costs 15 us for each object; a template costs 3. It is made by `Renderer` itself, from marks in the
place of values, so that there is one way only to render.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import repeat
from operator import itemgetter
from typing import Any

import orjson

from isthmus.mapping.codec import Codec
from isthmus.mapping.digests import SIZE, many
from isthmus.mapping.index import Index
from isthmus.mapping.layout import ACTIVE, Complex, Composite, Element, Layout, Node, Plural, Section, Simple, Slot
from isthmus.mapping.rendering import Renderer
from isthmus.spi import Attributes, AttributeType, Columns, ObjectType, Value

_Column = Sequence[Value | None]
_Show = Callable[[Any], Any]
_Row = Callable[[tuple[bytes, ...]], tuple[bytes, ...]]

_MARK = re.compile(rb'"\\u0001(\d+)\\u0001"')
_MOST = 1_000  # templates that are kept
_NEW = 8  # one template costs as much as so many objects rendered one by one


@dataclass(frozen=True, slots=True)
class Texts:
    """What `ResourceType` makes of each object: `encode`, `render`, `canonical` and `keys`, these in order."""

    attributes: Sequence[bytes]
    scim: Sequence[bytes]
    canonical: Sequence[int]
    keys: Sequence[Sequence[tuple[str, str]]]


class Templates:
    """Compiled for one resource type, if its objects can be had by column."""

    def __init__(
        self,
        object_type: ObjectType,
        codec: Codec,
        index: Index,
        layout: Layout,
        schemas: list[str],
        is_active: Callable[[Attributes], bool] | None,
        active_by: Sequence[str],
    ) -> None:
        """Take what the resource type was compiled to; `active_by`: the attributes that tell `is_active`."""
        made_of_parts = {each.name for each in object_type.attributes if each.type is AttributeType.COMPLEX}
        self._fits = not index.references and made_of_parts.isdisjoint(codec.names)
        self._codec = codec
        self._index = index
        self._indexed = sorted(index.indexed)
        self._anchor = object_type.anchor
        self._is_active = is_active
        self._active_by = active_by
        marks = _Marks()
        shown = marks.layout(layout, shows_active=is_active is not None)
        self._renderer = Renderer(shown, schemas, None if is_active is None else marks.active)
        self._leaves = marks.leaves
        self._kept: dict[frozenset[str], tuple[bytes, tuple[int, ...]]] = {}

    def texts(self, columns: Columns) -> Texts | None:
        """Return the texts of objects that have neither dn nor references; None if they must be made one by one."""
        values, count = columns.values, len(columns.anchors)
        if not self._fits or not count or not values.keys() >= set(self._codec.names):
            return None
        try:
            parts = {name: _parts(values[name], self._codec.dumps) for name in self._codec.names}
            scim = self._scim(values, parts, count)
        except TypeError:  # integers beyond 64 bits, halves of surrogate pairs
            return None
        if scim is None:
            return None
        attributes = self._attributes(values, parts, count)
        return Texts(attributes, scim, _canonical(attributes), self._keys(columns))

    def _attributes(
        self, values: Mapping[str, _Column], parts: Mapping[str, list[bytes]], count: int
    ) -> Sequence[bytes]:
        names = self._codec.names
        if not names:
            return [b"{}"] * count
        fields = []
        filled = []
        for name in names:
            if None in values[name]:
                field = b":%s"
                each = zip(values[name], parts[name], strict=True)
                filled.append([b"[]" if value is None else b"[%s]" % part for value, part in each])
            else:
                field = b":[%s]"
                filled.append(parts[name])
            fields.append(_constant(orjson.dumps(name)) + field)
        template = b"{" + b",".join(fields) + b"}"
        return [template % row for row in zip(*filled, strict=True)]

    def _scim(
        self, values: Mapping[str, _Column], parts: Mapping[str, list[bytes]], count: int
    ) -> Sequence[bytes] | None:
        filled = [self._filled(attribute, show, values, parts, count) for attribute, show in self._leaves]
        shown = dict.fromkeys(attribute for attribute, _ in self._leaves if attribute != ACTIVE)
        gaps = [name for name in shown if name in values and (None in values[name] or "" in values[name])]
        always = [name for name in shown if name in values and name not in gaps]
        if not gaps:
            template, order = self._template(frozenset(always))
            if not order:
                return [template % ()] * count
            return [template % row for row in zip(*[filled[n] for n in order], strict=True)]
        present = zip(*[[value is not None and value != "" for value in values[name]] for name in gaps], strict=True)
        rows = list(zip(*filled, strict=True))
        made: dict[tuple[bool, ...], tuple[bytes, _Row]] = {}
        new = 1 + count // _NEW
        result = []
        for row, there in zip(rows, present, strict=True):
            one = made.get(there)
            if one is None:
                here = (name for name, is_there in zip(gaps, there, strict=True) if is_there)
                names = frozenset(always).union(here)
                new -= names not in self._kept
                if new < 0:
                    return None
                template, order = self._template(names)
                one = made[there] = template, _picker(order)
            result.append(one[0] % one[1](row))
        return result

    def _filled(
        self,
        attribute: str,
        show: _Show | None,
        values: Mapping[str, _Column],
        parts: Mapping[str, list[bytes]],
        count: int,
    ) -> list[bytes]:
        if attribute == ACTIVE:
            return self._active(values, count)
        if attribute not in values:
            return [b""] * count  # no template has it
        if show is None:
            return parts[attribute] if attribute in parts else _parts(values[attribute], orjson.dumps)
        shown = [None if value is None or value == "" else show(value) for value in values[attribute]]
        return _parts(shown, orjson.dumps)

    def _active(self, values: Mapping[str, _Column], count: int) -> list[bytes]:
        assert self._is_active is not None
        names = [name for name in self._active_by if name in values]
        if not names:
            return [b"true" if self._is_active({}) else b"false"] * count
        known: dict[tuple[Value | None, ...], bytes] = {}
        result = []
        for found in zip(*[values[name] for name in names], strict=True):
            active = known.get(found)
            if active is None:
                attributes = {n: () if value is None else (value,) for n, value in zip(names, found, strict=True)}
                active = known[found] = b"true" if self._is_active(attributes) else b"false"
            result.append(active)
        return result

    def _template(self, present: frozenset[str]) -> tuple[bytes, tuple[int, ...]]:
        """Return the template of objects with these attributes, and which leaf goes where."""
        found = self._kept.get(present)
        if found is None:
            text = self._renderer.render(dict.fromkeys(present, ("x",)), id=None, dn=None, external_id=None)
            pieces = _MARK.split(text)
            if len(self._kept) >= _MOST:
                self._kept.clear()
            template = b"%s".join(map(_constant, pieces[::2]))
            found = self._kept[present] = template, tuple(map(int, pieces[1::2]))
        return found

    def _keys(self, columns: Columns) -> Sequence[Sequence[tuple[str, str]]]:
        by_name: list[list[tuple[str, str] | None]] = []
        gaps = False
        for name in self._indexed:
            column = columns.values.get(name)
            if column is None and name in self._anchor:
                place = self._anchor.index(name)
                column = [anchor[place] for anchor in columns.anchors]
            if column is not None:
                normalise = self._index.normaliser(name)
                if None in column or "" in column:
                    gaps = True
                    by_name.append(
                        [None if value is None or value == "" else (name, normalise(value)) for value in column]
                    )
                else:
                    by_name.append(list(zip(repeat(name), map(normalise, column), strict=False)))
        if not by_name:
            return [()] * len(columns.anchors)
        rows = zip(*by_name, strict=True)
        return [[key for key in keys if key is not None] for keys in rows] if gaps else list(rows)


class _Marks:
    """Replaces what shows values by marks: one for each attribute and way of showing it."""

    def __init__(self) -> None:
        self.leaves: list[tuple[str, _Show | None]] = []

    def active(self, _attributes: Attributes) -> Any:
        return self._mark(ACTIVE, None)

    def layout(self, layout: Layout, *, shows_active: bool) -> Layout:
        if shows_active:  # not only while rendering, when what fills the marks is there already
            self._mark(ACTIVE, None)
        *others, own = [self._section(section) for section in layout.extensions]
        return Layout(self._section(layout.main), others, own)

    def _section(self, section: Section) -> Section:
        return Section(section.urn, {name: self._node(node) for name, node in section.nodes.items()})

    def _node(self, node: Node) -> Node:
        match node:
            case Simple(slot=slot):
                return Simple(self._slot(slot))
            case Complex(subs=subs):
                return replace(node, subs=self._slots(subs))
            case Plural(elements=elements, whole=whole):
                return replace(
                    node,
                    elements=tuple(self._element(element) for element in elements),
                    whole=None if whole is None else self._slot(whole),
                )
            case Composite():
                return node  # what has one is never had by column
            case _:
                return node

    def _element(self, element: Element) -> Element:
        return replace(element, subs=self._slots(element.subs))

    def _slots(self, slots: Mapping[str, Slot]) -> dict[str, Slot]:
        return {name: self._slot(slot) for name, slot in slots.items()}

    def _slot(self, slot: Slot) -> Slot:
        if slot.attribute.startswith("#") or not slot.readable:
            return slot
        mark = self._mark(slot.attribute, slot.show)
        return replace(slot, show=lambda _value: mark)

    def _mark(self, attribute: str, show: _Show | None) -> str:
        leaf = (attribute, show)
        if leaf not in self.leaves:
            self.leaves.append(leaf)
        return f"\x01{self.leaves.index(leaf)}\x01"


def _parts(column: _Column | Sequence[Any], dumps: Callable[..., bytes]) -> list[bytes]:
    """Return each value as JSON text. Indented, a list has each on its own line, and JSON itself has no newline."""
    return dumps(list(column), option=orjson.OPT_INDENT_2)[4:-2].split(b",\n  ")


def _constant(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


def _picker(order: tuple[int, ...]) -> _Row:
    if len(order) > 1:
        return itemgetter(*order)
    return lambda row: tuple(row[n] for n in order)


def _canonical(encoded: Iterable[bytes]) -> array[int]:
    """Return `Digest.canonical` of objects without dn and references."""
    return many(blake2b(digest_size=SIZE).copy, encoded, "big")
