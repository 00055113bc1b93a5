"""Read values of a request body into a draft, wherever the layout says they belong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from isthmus.mapping.composites import Composites
from isthmus.mapping.draft import Draft, Verb
from isthmus.mapping.elements import chosen, same
from isthmus.mapping.layout import (
    PASSWORD,
    Activation,
    Complex,
    Composite,
    Element,
    Layout,
    Link,
    Memberships,
    Node,
    Plural,
    Section,
    ServerOwned,
    Simple,
    Slot,
    Unmapped,
)
from isthmus.mapping.problems import nearest_hint
from isthmus.mapping.values import Unfit, accept_boolean
from isthmus.scim.errors import InvalidPath, InvalidValue, NotMutable
from isthmus.scim.syntax import AttributePath
from isthmus.spi import Value

_ANNOTATIONS = frozenset({"$ref", "display", "displayname", "type", "primary"})
"""Sub-attributes that tell values apart or describe them; they are derived on reading and need not be stored."""

N = TypeVar("N", bound=Node)


class Assigner:
    """Assign JSON values to the slots of a layout.

    Verbs: `create` ignores what has no value; `put` clears it (and, if strict, what is left out); `add` and `replace`
    are PATCH's. Names are found in any case.
    """

    def __init__(self, layout: Layout, *, strict: bool, anchor: Collection[str] = ()) -> None:
        self.layout = layout
        self._anchor = frozenset(anchor)
        self.strict = strict
        self.composites = Composites(self)
        self._by_type: dict[type[Any], Callable[[Draft, Any, Any, Verb], None]] = {
            Simple: self._simple,
            Activation: self._activation,
            Complex: self._complex,
            Plural: self._plural,
            Composite: self.composites.assign,
            Link: self._link,
            ServerOwned: self._server_owned,
            Memberships: self._server_owned,
            Unmapped: self._unmapped,
        }

    # -- whole resources and sections

    def body(self, draft: Draft, body: Mapping[str, Any], verb: Verb, by_path: Callable[[str, Any], bool]) -> None:
        """Assign every member of a resource; `by_path` takes keys that are paths and tells whether it knew them."""
        find = self.layout.main.find
        for key, value in body.items():
            node = find(key)
            if node is not None:
                if type(node) is Simple and node.slot.single:
                    self.slot(draft, node.slot, value, verb)  # nine in ten; spares two calls
                else:
                    self.node(draft, node, value, verb)
            elif (section := self.layout.section(key)) is not None:
                self.section(draft, section, value, verb)
            elif (place := self.layout.locate(AttributePath(key))).node is not None:
                self.node(draft, place.node, value, verb)
            elif not by_path(key, value):
                self.unknown(draft, key, value)

    def section(self, draft: Draft, section: Section, value: Any, verb: Verb) -> None:
        """Assign the members of an extension (or of the schema itself, sent under its URN)."""
        if self.is_empty(value):
            return
        if not isinstance(value, dict):
            raise InvalidValue(f"{section.urn} must be an object")
        for name, part in value.items():
            node = section.find(name)
            if node is not None:
                self.node(draft, node, part, verb)
            elif section.open:
                self.unknown(draft, f"{section.urn}:{name}", part)
            elif name.lower() != "schemas":  # some model libraries write it into extensions as well; it says nothing
                raise InvalidValue(self.unknown_own(section, name))

    def unknown_own(self, section: Section, name: str) -> str:
        """Return what to say about a name that the extension does not publish."""
        return f"{section.urn} has no attribute {name!r}{nearest_hint(name, section.names())}"

    def unknown(self, draft: Draft, name: str, value: Any) -> None:
        """Drop what no schema knows, with a warning; refuse it if strict."""
        if self.is_empty(value):
            return
        if self.strict:
            raise InvalidValue(f"{name} is not an attribute of this resource{nearest_hint(name, self.layout.names())}")
        draft.warn(f"{name} is not an attribute of this resource; its value was dropped")

    def node(self, draft: Draft, node: Node, value: Any, verb: Verb) -> None:
        self._by_type[type(node)](draft, node, value, verb)

    def is_empty(self, value: Any) -> bool:
        """Return whether a value means "no value": null, an empty list or object; unless strict, an empty string."""
        return not value and (value is None or value in ([], {}) or (value == "" and not self.strict))

    # -- one value

    def convert(self, slot: Slot, value: Any) -> Value:
        try:
            return slot.accept(value)
        except Unfit as exc:
            raise InvalidValue(f"{slot.path} {exc}") from exc

    def unwrapped(self, slot: Slot, value: Any) -> Any:
        """Return the single value that clients send as `["x"]` or `{"value": "x"}` too."""
        if isinstance(value, list):
            if len(value) > 1:
                raise InvalidValue(f"{slot.path} takes one value, not {len(value)}")
            value = value[0] if value else None
        if isinstance(value, dict):
            folded = {key.lower(): part for key, part in value.items()}
            if value and "value" not in folded:
                raise InvalidValue(f"{slot.path} takes a single value, not an object")
            value = folded.get("value")
        return value

    def slot(self, draft: Draft, slot: Slot, value: Any, verb: Verb) -> None:
        """Assign to a place that takes one value."""
        kind = type(value)
        if kind is list or kind is dict:
            if not slot.writable and not draft.patch:
                return  # read-only in a whole resource: ignored, whatever it is (RFC 7644 3.5.1)
            if self.strict and value:
                raise InvalidValue(f"{slot.path} takes a single value")
            value = self.unwrapped(slot, value)
        if value is None or (value == "" and (not self.strict or slot.attribute == PASSWORD)):
            self.clear(draft, slot, verb)
        else:
            try:
                converted = slot.accept(value)
            except Unfit as exc:
                if slot.writable:
                    raise InvalidValue(f"{slot.path} {exc}") from exc
                if draft.patch:  # as a value that does not fit, it is another one than there is
                    raise NotMutable(f"{slot.path} is read-only") from exc
                return
            draft.assign(slot, (converted,))

    def clear(self, draft: Draft, slot: Slot, verb: Verb, *, weak: bool = False) -> None:
        if verb == "create" or (weak and slot.attribute in self._anchor):
            return
        if slot.attribute == PASSWORD:
            draft.warn(f"{slot.path} cannot be cleared; it was left as it is")
        else:
            draft.assign(slot, (), weak=weak)

    def _simple(self, draft: Draft, node: Simple, value: Any, verb: Verb) -> None:
        slot = node.slot
        if slot.single:
            self.slot(draft, slot, value, verb)
            return
        if not slot.writable and not draft.patch:
            return
        self.require_array(slot.path, value, verb)
        values = self.several(slot, value)
        if verb == "add":
            if values:
                draft.add(slot, values)
        elif values:
            draft.assign(slot, values)
        else:
            self.clear(draft, slot, verb)

    def several(self, slot: Slot, value: Any) -> tuple[Value, ...]:
        """Return the values of a list, a single value, or a list of objects with `value`; each once.

        An element of which nothing was sent but what describes it is none.
        """
        items = value if isinstance(value, list) else [value]
        plain = [
            self.unwrapped(slot, item) if isinstance(item, dict) else item
            for item in items
            if not (isinstance(item, dict) and _ANNOTATIONS.issuperset(map(str.lower, item)))
        ]
        return tuple(dict.fromkeys(self.convert(slot, item) for item in plain if not self.is_empty(item)))

    def require_array(self, path: str, value: Any, verb: Verb) -> None:
        """Refuse, if strict, a single value where a whole resource has a list; an operation may add one."""
        if self.strict and verb in {"create", "put"} and value is not None and not isinstance(value, list):
            raise InvalidValue(f"{path} must be an array")

    def _activation(self, draft: Draft, node: Activation, value: Any, verb: Verb) -> None:
        del verb
        value = self.unwrapped(node.slot, value) if isinstance(value, list | dict) else value
        if value is None or value == "":
            draft.warn("active has no value; it was left as it is")
            return
        if self.strict and not isinstance(value, bool):
            raise InvalidValue("active must be true or false")
        try:
            draft.active = bool(accept_boolean(value))
        except Unfit as exc:
            raise InvalidValue(f"active {exc}") from exc

    # -- complex attributes

    def _complex(self, draft: Draft, node: Complex, value: Any, verb: Verb) -> None:
        if isinstance(value, list) and len(value) == 1 and not self.strict:
            value = value[0]
        if value is None or value in ("", []):
            for slot in node.subs.values():
                self.clear(draft, slot, verb, weak=True)
            return
        if not isinstance(value, dict):
            if "value" not in node.subs or isinstance(value, list):
                raise InvalidValue(f"{node.path} must be an object with sub-attributes")
            value = {"value": value}
        named = self.parts(draft, node, value, verb)
        if verb == "put" and self.strict:
            self.clear_rest(draft, node.subs, named, verb)

    def parts(self, draft: Draft, node: Complex | Element, value: Mapping[str, Any], verb: Verb) -> set[str]:
        """Assign the sub-attributes of one object; return the lower-case names that were sent."""
        subs = node.subs
        named = set()
        for key, part in value.items():
            name = key.lower()
            if name in subs:
                named.add(name)
                self.slot(draft, subs[name], part, verb)
            elif name not in _ANNOTATIONS and not self.is_empty(part):
                self.dropped(draft, f"{node.path}.{key}", known=name in node.known)
        return named

    def clear_rest(self, draft: Draft, subs: Mapping[str, Slot], named: set[str], verb: Verb) -> None:
        """Clear what an object replaced as a whole does not name, unless it is required or cannot be read."""
        for name, slot in subs.items():
            if name not in named and slot.readable and not slot.definition.required:
                self.clear(draft, slot, verb, weak=True)

    def dropped(self, draft: Draft, path: str, *, known: bool = True) -> None:
        """Drop the value of an attribute that no flow serves, with a warning; refuse it if strict."""
        what = "is not mapped to an attribute of the target" if known else "is not in the schema"
        if self.strict:
            raise (InvalidPath if draft.patch else InvalidValue)(f"{path} {what}")
        draft.warn(f"{path} {what}; its value was dropped")

    def _plural(self, draft: Draft, node: Plural, value: Any, verb: Verb) -> None:
        self.require_array(node.path, value, verb)
        items = [value] if isinstance(value, dict | str) and value != "" else value
        if items is None or items in ("", []):
            if verb != "add" or items is None:
                self.clear_plural(draft, node, verb)
            return
        if not isinstance(items, list):
            raise InvalidValue(f"{node.path} must be an array")
        if node.whole is not None:
            self._simple(draft, Simple(node.whole), items, verb)
            return
        sent = [self.element(node, item) for item in items if item]
        if len(sent) > 1:
            sent.sort(key=_is_secondary)  # where two compete the primary one wins
        taken: dict[int, set[str]] = {}
        for element in sent:
            self._assign_element(draft, node, element, verb, taken)
        if verb in {"put", "replace"}:
            for target in node.elements:
                if id(target) not in taken:
                    for slot in target.subs.values():
                        self.clear(draft, slot, verb, weak=True)
                elif verb == "replace" or self.strict:
                    self.clear_rest(draft, target.subs, taken[id(target)], verb)

    def element(self, node: Plural, item: Any) -> dict[str, Any]:
        """Return one element with its names in lower case; a bare value counts as `{"value": ...}`."""
        if isinstance(item, dict):
            return {key.lower(): part for key, part in item.items()}
        if isinstance(item, list):
            raise InvalidValue(f"{node.path} must be an array of objects")
        return {"value": item}

    def _assign_element(
        self, draft: Draft, node: Plural, sent: dict[str, Any], verb: Verb, taken: dict[int, set[str]]
    ) -> None:
        target = chosen(node, sent)
        if target is None or (self.strict and not target.selector.keys() <= sent.keys()):
            if any(name not in _ANNOTATIONS and not self.is_empty(part) for name, part in sent.items()):
                kind = sent.get("type")
                self.dropped(draft, f'{node.path}[type eq "{kind}"]' if isinstance(kind, str) else node.path)
        elif id(target) in taken:
            self.dropped_double(draft, node, target)
        else:
            taken[id(target)] = self.element_parts(draft, target, sent, verb)

    def element_parts(self, draft: Draft, target: Element, sent: Mapping[str, Any], verb: Verb) -> set[str]:
        """Assign one element's sub-attributes to the slots behind it."""
        if not target.selector.keys() <= _ANNOTATIONS:
            sent = {name: part for name, part in sent.items() if name not in target.selector}
        return self.parts(draft, target, sent, verb)

    def dropped_double(self, draft: Draft, node: Plural, target: Element) -> None:
        """Drop a second value for an element that the target has room for once."""
        slot = next(iter(target.subs.values()))
        if self.strict:
            raise InvalidValue(f"{node.path} has two elements for {slot.path}, and the target has room for one")
        draft.warn(
            f"{node.path} has more than one element for {slot.path}; the target has room for one; others were dropped"
        )

    def clear_plural(self, draft: Draft, node: Plural, verb: Verb) -> None:
        if node.whole is not None:
            self.clear(draft, node.whole, verb)
        for element in node.elements:
            for slot in element.subs.values():
                self.clear(draft, slot, verb, weak=True)

    # -- references

    def _link(self, draft: Draft, node: Link, value: Any, verb: Verb) -> None:
        ids = self.ids(node, value)
        if not ids and not node.plural and not self.strict and _only_describes(value):
            return  # such as Okta's {"displayName": ...}: what is left out is kept, and this leaves the reference out
        if not node.plural:
            if ids or verb != "create":
                draft.link(node.slot, ids)
        elif verb == "add":
            if ids:
                draft.link_add(node.slot, ids)
        elif ids or verb != "create":
            draft.link(node.slot, ids)

    def ids(self, node: Link, value: Any) -> list[str]:
        """Return the ids of references sent as `{"value": id}`, as `{"$ref": url}`, as text, or as a list of these."""
        if self.strict and isinstance(value, list) and not node.plural:
            raise InvalidValue(f'{node.slot.path} takes {{"value": id}}')
        items = value if isinstance(value, list) else [value]
        ids = list(dict.fromkeys(found for item in items if (found := self._id(node, item)) is not None))
        if len(ids) > 1 and not node.plural:
            raise InvalidValue(f"{node.slot.path} takes one reference, not {len(ids)}")
        return ids

    def _id(self, node: Link, item: Any) -> str | None:
        if isinstance(item, dict):
            folded = {key.lower(): part for key, part in item.items()}
            found = folded.get("value")
            if found in (None, "") and isinstance(reference := folded.get("$ref"), str):
                found = unquote(reference.rstrip("/").rpartition("/")[2])
        elif self.strict and item not in (None, ""):
            raise InvalidValue(f'{node.slot.path} takes {{"value": id}}')
        else:
            found = item
        if found in (None, ""):
            return None
        if not isinstance(found, str):
            raise InvalidValue(f"{node.slot.path} takes the id of a resource as a string")
        return found

    # -- what is not taken

    def _server_owned(self, draft: Draft, node: ServerOwned, value: Any, verb: Verb) -> None:
        """Ignore `schemas`, `meta` and the like; only a PATCH that gives another `id` is refused (RFC 7644 3.5.2)."""
        del verb
        if draft.patch and node.path == "id" and draft.current is not None and value not in (None, draft.current.id):
            raise NotMutable("id is read-only")

    def _unmapped(self, draft: Draft, node: Unmapped, value: Any, verb: Verb) -> None:
        del verb
        if not self.is_empty(value):
            self.dropped(draft, node.path)


def _only_describes(value: Any) -> bool:
    """Tell whether a reference was sent without saying where it leads."""
    item = value[0] if isinstance(value, list) and len(value) == 1 else value
    return isinstance(item, dict) and bool(item) and {"value", "$ref"}.isdisjoint(map(str.lower, item))


def _is_secondary(sent: Mapping[str, Any]) -> bool:
    """Tell whether an element was sent without the mark of the primary one; Entra's is the text "True"."""
    mark = sent.get("primary")
    return mark is None or not same(True, mark)
