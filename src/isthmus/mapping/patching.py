"""PATCH (RFC 7644 3.5.2), in the RFC's form and in both of Entra's dialects, as assignments to a draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isthmus.mapping.assigning import Assigner
from isthmus.mapping.draft import Draft, Verb
from isthmus.mapping.elements import chosen, implied, same, satisfies, view
from isthmus.mapping.layout import (
    Activation,
    Complex,
    Element,
    Link,
    Place,
    Plural,
    Section,
    ServerOwned,
    Simple,
    Slot,
    Unmapped,
)
from isthmus.mapping.problems import nearest_hint
from isthmus.scim.errors import InvalidPath, InvalidValue, NoTarget, NotMutable
from isthmus.scim.filter import parse_path
from isthmus.scim.patch import PatchOperation
from isthmus.scim.syntax import AttributePath, Comparison, Filter, Or, PatchPath
from isthmus.spi import Value

_VALUE = frozenset({None, "value"})
_DESCRIBED = frozenset({"display", "displayname", "type", "$ref", "primary"})


class Patcher:
    """Carry out operations in their order; a later one sees what the earlier ones did."""

    def __init__(self, assigner: Assigner) -> None:
        self._assign = assigner
        self._layout = assigner.layout
        self._strict = assigner.strict

    def apply(self, draft: Draft, operations: Iterable[PatchOperation]) -> None:
        for operation in operations:
            if operation.path is not None:
                self._at(
                    draft, operation.op, operation.path, operation.value, operation.text or str(operation.path.path)
                )
            else:
                self._pathless(draft, "add" if operation.op == "add" else "replace", operation.value)

    def _pathless(self, draft: Draft, verb: Verb, value: dict[str, Any]) -> None:
        self._assign.body(draft, value, verb, lambda key, part: self.by_key(draft, verb, key, part))

    def by_key(self, draft: Draft, verb: Verb, key: str, value: Any) -> bool:
        """Assign by a key that is a path itself: dotted, with a filter, or a full URN. False: it leads nowhere."""
        if not any(mark in key for mark in ".[:"):
            return False
        path = parse_path(key)
        place = self._layout.locate(path.path)
        if place.node is None and not place.whole and (place.section is None or place.section.open):
            return False
        self._at(draft, verb, path, value, key)
        return True

    def _at(self, draft: Draft, op: str, path: PatchPath, value: Any, text: str) -> None:
        place = self._layout.locate(path.path)
        sub = place.sub or path.sub
        sub = None if sub is None else sub.lower()
        match place.node:
            case None:
                self._nowhere(draft, op, place, path.path, value)
            case Simple(slot=slot):
                self._simple(draft, op, slot, path.filter, sub, value, text)
            case Activation() as node:
                self._plain(path, sub, text)
                if op == "remove":
                    raise NotMutable("active cannot be removed; set it to true or false")
                self._assign.node(draft, node, value, _verb(op))
            case Complex() as node:
                self._complex(draft, op, node, path.filter, sub, value, text)
            case Link() as node:
                self._link(draft, op, node, path.filter, sub, value, text)
            case Plural() as node:
                self._plural(draft, op, node, path.filter, sub, value, text)
            case ServerOwned(path=name):
                if name == "id" and draft.current is not None and value == draft.current.id and op != "remove":
                    return
                raise NotMutable(f"{name} is read-only")
            case Unmapped():
                self._assign.dropped(draft, text)

    def _nowhere(self, draft: Draft, op: str, place: Place, path: AttributePath, value: Any) -> None:
        section = place.section
        if place.whole and section is not None:
            self._section(draft, op, section, value)
        elif section is not None and not section.open:
            raise InvalidPath(self._assign.unknown_own(section, path.full_name))
        else:
            names = section.names() if section is not None else self._layout.names()
            raise InvalidPath(f"{path} is not an attribute of this resource{nearest_hint(path.name, names)}")

    def _section(self, draft: Draft, op: str, section: Section, value: Any) -> None:
        if op != "remove":
            self._assign.section(draft, section, value, _verb(op))
            return
        if section is self._layout.extension or section is self._layout.main:
            raise InvalidPath(f"{section.urn} cannot be removed as a whole; name its attributes")
        for node in section.nodes.values():
            if not isinstance(node, Unmapped):
                self._assign.node(draft, node, None, "replace")

    def _plain(self, path: PatchPath, sub: str | None, text: str) -> None:
        if path.filter is not None or sub not in _VALUE:
            raise InvalidPath(f"{text}: the attribute has one value and no sub-attributes")

    # -- attributes without sub-attributes

    def _simple(
        self, draft: Draft, op: str, slot: Slot, condition: Filter | None, sub: str | None, value: Any, text: str
    ) -> None:
        if sub not in _VALUE or (condition is not None and slot.single):
            raise InvalidPath(f"{text}: the attribute has no sub-attributes")
        if not slot.single:
            self._several(draft, op, slot, condition, value)
        elif op == "remove":
            self._assign.clear(draft, slot, "replace")
        else:
            self._assign.slot(draft, slot, value, _verb(op))

    def _several(self, draft: Draft, op: str, slot: Slot, condition: Filter | None, value: Any) -> None:
        """Change a multi-valued attribute of the target, some of its values or all."""
        if condition is None:
            if op != "remove":
                self._assign.node(draft, Simple(slot), value, _verb(op))
            elif value is None:
                self._assign.clear(draft, slot, "replace")
            else:
                draft.remove(slot, self._assign.several(slot, value))
            return
        matching = self._matching(draft, slot, condition)
        if op == "remove":
            if not matching and self._strict:
                raise NoTarget(f"no value of {slot.path} fits the path's filter")
            draft.remove(slot, matching)
            return
        if not matching and (self._strict or implied(condition) is None):
            raise NoTarget(f"no value of {slot.path} fits the path's filter")
        if op == "replace":
            draft.remove(slot, matching)
        draft.add(slot, self._assign.several(slot, value))

    def _matching(self, draft: Draft, slot: Slot, condition: Filter) -> tuple[Value, ...]:
        def seen(item: Value) -> Any:
            return item if slot.show is None else slot.show(item)

        present = tuple(item for item in draft.now(slot.attribute) if satisfies(condition, {"value": seen(item)}))
        constants = implied(condition)
        if present or self._strict or constants is None or constants.keys() != {"value"}:
            return present
        return (self._assign.convert(slot, constants["value"]),)  # the space may be stale: name the value all the same

    # -- complex attributes with one value

    def _complex(
        self, draft: Draft, op: str, node: Complex, condition: Filter | None, sub: str | None, value: Any, text: str
    ) -> None:
        if condition is not None:
            raise InvalidPath(f"{text}: {node.path} has one value, so a filter has nothing to choose from")
        if sub is None:
            self._assign.node(draft, node, None if op == "remove" else value, _verb(op))
            return
        slot = node.subs.get(sub)
        if slot is None:
            self._unserved(draft, node.path, node.known, sub)
        elif op == "remove":
            self._assign.clear(draft, slot, "replace")
        else:
            self._assign.slot(draft, slot, value, _verb(op))

    def _unserved(self, draft: Draft, path: str, known: frozenset[str], sub: str) -> None:
        if sub not in known:
            raise InvalidPath(f"{path} has no sub-attribute {sub!r}{nearest_hint(sub, known)}")
        if sub not in _DESCRIBED:
            self._assign.dropped(draft, f"{path}.{sub}")

    # -- references

    def _link(
        self, draft: Draft, op: str, node: Link, condition: Filter | None, sub: str | None, value: Any, text: str
    ) -> None:
        if sub not in {None, "value", "$ref"}:
            raise NotMutable(f"{text} is read-only; a reference is changed by its value")
        slot = node.slot
        chosen_ids = None if condition is None else _ids(condition)
        if condition is not None and chosen_ids is None:
            raise InvalidPath(f'{text}: references are chosen by their id, as in members[value eq "..."]')
        if op == "remove":
            self._unlink(draft, node, chosen_ids, value)
        elif chosen_ids is None:
            self._assign.node(draft, node, value, _verb(op))
        else:
            sent = self._assign.ids(node, value) or chosen_ids
            if op == "replace":
                draft.link_remove(slot, [id for id in chosen_ids if id not in sent])
            draft.link_add(slot, sent)

    def _unlink(self, draft: Draft, node: Link, chosen_ids: list[str] | None, value: Any) -> None:
        """Remove the ones a filter or, as Entra does, a value list names; without either, all."""
        if not node.plural:
            draft.link(node.slot, ())
        elif chosen_ids is not None:
            draft.link_remove(node.slot, chosen_ids)
        elif value is not None:
            draft.link_remove(node.slot, self._assign.ids(node, value))
        else:
            draft.link(node.slot, ())

    # -- complex attributes with several values

    def _plural(
        self, draft: Draft, op: str, node: Plural, condition: Filter | None, sub: str | None, value: Any, text: str
    ) -> None:
        if node.whole is not None:
            if sub not in _VALUE:
                self._unserved(draft, node.path, node.known, str(sub))
            else:
                self._several(draft, op, node.whole, condition, value)
            return
        if condition is None and sub is None:
            self._whole(draft, op, node, value)
            return
        if sub is not None and sub not in node.known:
            raise InvalidPath(f"{node.path} has no sub-attribute {sub!r}{nearest_hint(sub, node.known)}")
        targets = self._all(draft, op, node) if condition is None else self._chosen(draft, op, node, condition, text)
        for target in targets:
            self._element(draft, op, node, target, sub, value)

    def _whole(self, draft: Draft, op: str, node: Plural, value: Any) -> None:
        if op != "remove":
            self._assign.node(draft, node, value, _verb(op))
        elif value is None:
            self._assign.clear_plural(draft, node, "replace")
        else:
            for item in value if isinstance(value, list) else [value]:
                self._remove_like(draft, node, self._assign.element(node, item))

    def _remove_like(self, draft: Draft, node: Plural, sent: dict[str, Any]) -> None:
        """Remove the elements that agree with all that was sent about them (Entra's remove with a value list)."""
        for element in node.elements:
            seen = view(node, element, draft.now)
            if seen is not None and all(same(part, seen.get(name)) for name, part in sent.items() if name != "display"):
                self._clear(draft, element)

    def _all(self, draft: Draft, op: str, node: Plural) -> Sequence[Element]:
        """Return the elements that `emails.value` means: those that have a value; to write it, else the primary one."""
        present = [element for element in node.elements if view(node, element, draft.now) is not None]
        if op == "remove":
            return node.elements
        return present or [element for element in node.elements if element.primary]

    def _chosen(self, draft: Draft, op: str, node: Plural, condition: Filter, text: str) -> Sequence[Element]:
        """Return the elements that fit the filter; where none does but one can be made, that one."""
        seen = [(element, view(node, element, draft.now)) for element in node.elements]
        matching = [element for element, shown in seen if shown is not None and satisfies(condition, shown)]
        if matching:
            return matching
        if self._strict and op in {"replace", "remove"}:
            raise NoTarget(f"{text}: no element fits the filter")
        constants = implied(condition)
        if constants is None:
            if op == "remove":
                return ()
            raise NoTarget(f"{text}: no element fits the filter, and none can be made from it")
        element = chosen(node, constants)
        if element is None:
            self._assign.dropped(draft, text)
            return ()
        # `primary` is ours to say, so a wrong guess about it must not make Entra try for ever
        rest = constants.keys() - element.selector.keys() - {"primary"}
        absent = next(shown for candidate, shown in seen if candidate is element) is None
        if not rest or (absent and rest == {"value"}):
            return (element,)
        if op == "remove":
            return ()
        raise NoTarget(f"{text}: no element fits the filter")

    def _element(self, draft: Draft, op: str, node: Plural, element: Element, sub: str | None, value: Any) -> None:
        if op == "remove":
            if sub is None:
                self._clear(draft, element)
            elif (slot := element.subs.get(sub)) is not None:
                self._assign.clear(draft, slot, "replace")
            return
        if sub is not None:
            slot = element.subs.get(sub)
            if slot is None:
                self._unserved(draft, node.path, node.known, sub)
            else:
                self._assign.slot(draft, slot, value, _verb(op))
            return
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, list):
            raise InvalidValue(f"{node.path}: a filter chooses one element, so the value must be one object")
        if self._assign.is_empty(value):
            self._clear(draft, element)
            return
        named = self._assign.element_parts(draft, node, element, self._assign.element(node, value), _verb(op))
        if op == "replace":
            self._assign.clear_rest(draft, element.subs, named, "replace")

    def _clear(self, draft: Draft, element: Element) -> None:
        for slot in element.subs.values():
            self._assign.clear(draft, slot, "replace", weak=False)


def _verb(op: str) -> Verb:
    match op:
        case "add" | "create" | "put":
            return op
        case _:
            return "replace"


def _ids(condition: Filter) -> list[str] | None:
    """Return the ids of `value eq "a"` or several of these joined by `or`; None for any other filter."""
    ids = []
    for part in condition.parts if isinstance(condition, Or) else (condition,):
        if not isinstance(part, Comparison) or part.operator != "eq" or part.path.name.lower() not in {"value", "$ref"}:
            return None
        if part.value is None or isinstance(part.value, bool):
            return None
        text = part.text or str(part.value)
        ids.append(text.rstrip("/").rpartition("/")[2] if part.path.name.lower() == "$ref" else text)
    return ids
