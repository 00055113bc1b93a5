"""PATCH (RFC 7644 3.5.2), in the RFC's form and in both of Entra's dialects, as assignments to a draft."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from isthmus.mapping.assigning import Assigner
from isthmus.mapping.bound import FALSE, BoundFilter
from isthmus.mapping.conditions import element_condition, slot_condition, value_condition
from isthmus.mapping.draft import Draft, Verb
from isthmus.mapping.elements import chosen, implied, same, view
from isthmus.mapping.index import normaliser
from isthmus.mapping.judging import holds
from isthmus.mapping.layout import (
    Activation,
    Complex,
    Composite,
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
from isthmus.mapping.values import Unfit
from isthmus.scim.errors import InvalidPath, InvalidValue, NoTarget, NotMutable, TooLarge
from isthmus.scim.filter import parse_path
from isthmus.scim.patch import MAX_OPERATIONS, PatchOperation
from isthmus.scim.syntax import AttributePath, Comparison, Filter, Or, PatchPath, Presence
from isthmus.spi import Complex as Parts
from isthmus.spi import Value

_VALUE = frozenset({None, "value"})
_DESCRIBED = frozenset({"display", "displayname", "type", "$ref", "primary"})


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the attribute that its path leads to; `text` is the path as written, for messages."""

    op: str
    condition: Filter | None
    sub: str | None
    value: Any
    text: str

    @property
    def verb(self) -> Verb:
        return "replace" if self.op == "remove" else cast("Verb", self.op)


class Patcher:
    """Carry out operations in their order; a later one sees what the earlier ones did."""

    def __init__(self, assigner: Assigner) -> None:
        self._assign = assigner
        self._layout = assigner.layout
        self._strict = assigner.strict

    def apply(self, draft: Draft, operations: Iterable[PatchOperation]) -> None:
        for operation in operations:
            path = operation.path
            if path is not None:
                self._at(draft, path, _step(operation.op, path, operation.value, operation.text or str(path.path)))
            else:
                self._pathless(draft, "add" if operation.op == "add" else "replace", operation.value)

    def _pathless(self, draft: Draft, verb: Verb, value: dict[str, Any]) -> None:
        self._assign.body(draft, value, verb, lambda key, part: self.by_key(draft, verb, key, part))

    def by_key(self, draft: Draft, verb: Verb, key: str, value: Any) -> bool:
        """Assign by a key that is a path itself: dotted, with a filter, or a full URN. False: it leads nowhere."""
        if not any(mark in key for mark in ".[:") or (self._strict and key[:4].lower() != "urn:"):
            return False
        path = parse_path(key)
        place = self._layout.locate(path.path)
        if place.node is None and not place.whole and (place.section is None or place.section.open):
            return False
        self._at(draft, path, _step(verb, path, value, key))
        return True

    def chooses(self, path: PatchPath, *, by_value: bool = False) -> bool:
        """Tell whether a path chooses among the values there are now; references that it names by id need no choice.

        `by_value`: the operation has a value that says which of them are to be removed.
        """
        node = self._layout.locate(path.path).node
        if path.filter is None:
            return by_value and isinstance(node, Plural) and bool(node.elements)
        return not (isinstance(node, Link) and node.plural and _ids(path.filter) is not None)

    def _at(self, draft: Draft, path: PatchPath, step: Step) -> None:
        draft.paths += 1  # each may look at every value of a long list, and keys of a body are not counted before
        if draft.paths > MAX_OPERATIONS:
            raise TooLarge(f"more than {MAX_OPERATIONS} paths in one request")
        place = self._layout.locate(path.path)
        if self._strict and step.op == "remove" and step.value is not None:
            raise InvalidValue(f"{step.text}: remove takes no value; choose what to remove by a filter in the path")
        if place.sub != path.path.sub:
            step = replace(step, sub=path.sub)  # what looked like a sub-attribute belongs to the target's own name
        match place.node:
            case None:
                self._nowhere(draft, place, path.path, step)
            case Simple(slot=slot):
                self._simple(draft, slot, step)
            case Activation() as node:
                self._activation(draft, node, step)
            case Complex() as node:
                self._complex(draft, node, step)
            case Link() as node:
                self._link(draft, node, step)
            case Plural() as node:
                self._plural(draft, node, step)
            case Composite() as node:
                self._assign.composites.patch(draft, node, step)
            case ServerOwned(path=name):
                if (
                    name == "id"
                    and draft.current is not None
                    and step.value == draft.current.id
                    and step.op != "remove"
                ):
                    return
                raise NotMutable(f"{name} is read-only")
            case Unmapped():
                self._assign.dropped(draft, step.text)

    def _nowhere(self, draft: Draft, place: Place, path: AttributePath, step: Step) -> None:
        section = place.section
        if place.whole and section is not None:
            self._section(draft, section, step)
        elif section is not None and not section.open:
            raise InvalidPath(self._assign.unknown_own(section, path.full_name))
        else:
            names = section.names() if section is not None else self._layout.names()
            raise InvalidPath(f"{path} is not an attribute of this resource{nearest_hint(path.name, names)}")

    def _section(self, draft: Draft, section: Section, step: Step) -> None:
        if step.op != "remove":
            self._assign.section(draft, section, step.value, step.verb)
            return
        if section is self._layout.main:
            raise InvalidPath(f"{section.urn} cannot be removed as a whole; name its attributes")
        if not section.removable:  # RFC 7644 3.5.2.2: what is required cannot be removed
            raise NotMutable(f"{section.urn} holds the whole object and cannot be removed; name its attributes")
        for node in section.nodes.values():
            if not isinstance(node, Unmapped):
                self._assign.node(draft, node, None, "replace")

    def _activation(self, draft: Draft, node: Activation, step: Step) -> None:
        if step.condition is not None or step.sub not in _VALUE:
            raise InvalidPath(f"{step.text}: the attribute has one value and no sub-attributes")
        if step.op == "remove":
            raise NotMutable("active cannot be removed; set it to true or false")
        self._assign.node(draft, node, step.value, step.verb)

    # -- attributes without sub-attributes

    def _simple(self, draft: Draft, slot: Slot, step: Step) -> None:
        if step.sub not in _VALUE or (step.condition is not None and slot.single):
            raise InvalidPath(f"{step.text}: the attribute has no sub-attributes")
        if slot.single:
            self._single(draft, slot, step)
        else:
            self._several(draft, slot, step)

    def _single(self, draft: Draft, slot: Slot, step: Step) -> None:
        if step.op == "remove":
            self._assign.clear(draft, slot, "replace")
        else:
            self._assign.slot(draft, slot, step.value, step.verb)

    def _several(self, draft: Draft, slot: Slot, step: Step) -> None:
        """Change a multi-valued attribute of the target, some of its values or all."""
        value, condition = step.value, step.condition
        if condition is None:
            if step.op != "remove":
                self._assign.node(draft, Simple(slot), value, step.verb)
            elif value is None:
                self._assign.clear(draft, slot, "replace")
            else:
                draft.remove(slot, self._assign.several(slot, value))
            return
        matching = self._matching(draft, slot, condition)
        if step.op == "remove":
            if not matching and self._strict:
                raise NoTarget(f"no value of {slot.path} fits the path's filter")
            draft.remove(slot, matching)
            return
        if not matching and (self._strict or implied(condition) is None):
            raise NoTarget(f"no value of {slot.path} fits the path's filter")
        if step.op == "replace":
            draft.remove(slot, matching)
        draft.add(slot, self._assign.several(slot, value))

    def _matching(self, draft: Draft, slot: Slot, condition: Filter) -> tuple[Value, ...]:
        bound = value_condition(slot, condition)
        now = draft.now(slot.attribute)
        draft.compare(condition, now)
        present = tuple(item for item in now if holds(bound, Parts({slot.attribute: item})))  # type: ignore[dict-item]
        constants = implied(condition)
        if present or self._strict or constants is None or constants.keys() != {"value"}:
            return present
        return (self._assign.convert(slot, constants["value"]),)  # the space may be stale: name the value all the same

    # -- complex attributes with one value

    def _complex(self, draft: Draft, node: Complex, step: Step) -> None:
        if step.condition is not None:
            raise InvalidPath(f"{step.text}: {node.path} has one value, so a filter has nothing to choose from")
        if step.sub is None:
            self._assign.node(draft, node, None if step.op == "remove" else step.value, step.verb)
            return
        slot = node.subs.get(step.sub)
        if slot is None:
            self._unserved(draft, node.path, node.known, step.sub)
        else:
            self._single(draft, slot, step)

    def _unserved(self, draft: Draft, path: str, known: frozenset[str], sub: str) -> None:
        if sub not in known:
            raise InvalidPath(f"{path} has no sub-attribute {sub!r}{nearest_hint(sub, known)}")
        if sub not in _DESCRIBED:
            self._assign.dropped(draft, f"{path}.{sub}")

    # -- references

    def _link(self, draft: Draft, node: Link, step: Step) -> None:
        if step.sub not in {None, "value", "$ref"}:
            raise NotMutable(f"{step.text} is read-only; a reference is changed by its value")
        slot = node.slot
        if step.condition is not None and not node.plural:
            raise InvalidPath(f"{step.text}: {slot.path} has one value, so a filter has nothing to choose from")
        chosen_ids = None if step.condition is None else _ids(step.condition)
        if step.condition is not None and chosen_ids is None:
            raise InvalidPath(f'{step.text}: references are chosen by their id, as in members[value eq "..."]')
        if step.op == "remove":
            self._unlink(draft, node, chosen_ids, step.value)
        elif chosen_ids is None:
            self._assign.node(draft, node, step.value, step.verb)
        else:
            sent = self._assign.ids(node, step.value) or chosen_ids
            if step.op == "replace":
                draft.link_remove(slot, [each for each in chosen_ids if each not in sent])
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

    def _plural(self, draft: Draft, node: Plural, step: Step) -> None:
        sub = step.sub
        if node.whole is not None:
            if sub not in _VALUE:
                self._unserved(draft, node.path, node.known, str(sub))
            else:
                self._several(draft, node.whole, step)
            return
        if step.condition is None and sub is None:
            self._whole(draft, node, step)
            return
        if sub is not None and sub not in node.known:
            raise InvalidPath(f"{node.path} has no sub-attribute {sub!r}{nearest_hint(sub, node.known)}")
        if step.condition is None:
            targets = self._all(draft, step.op, node)
        else:
            targets = self._chosen(draft, node, step.condition, step)
        for target in targets:
            self._element(draft, node, target, step)

    def _whole(self, draft: Draft, node: Plural, step: Step) -> None:
        value = step.value
        if step.op != "remove":
            self._assign.node(draft, node, value, step.verb)
        elif value is None:
            self._assign.clear_plural(draft, node, "replace")
        else:
            for item in value if isinstance(value, list) else [value]:
                self._remove_like(draft, node, self._assign.element(node, item))

    def _remove_like(self, draft: Draft, node: Plural, sent: dict[str, Any]) -> None:
        """Remove the elements that agree with all that was sent about them (Entra's remove with a value list).

        What has no value says nothing, and `display` is for people: where nothing else is said, no element is meant.
        """
        told = {name: part for name, part in sent.items() if name != "display" and not self._assign.is_empty(part)}
        for element in node.elements if told else ():
            seen = view(node, element, draft.now)
            if seen is not None and all(_agrees(element, name, part, seen, draft) for name, part in told.items()):
                self._clear(draft, element)

    def _all(self, draft: Draft, op: str, node: Plural) -> Sequence[Element]:
        """Return the elements that `emails.value` means: those that have a value; to write it, else the primary one."""
        present = [element for element in node.elements if view(node, element, draft.now) is not None]
        if op == "remove":
            return node.elements
        return present or [element for element in node.elements if element.primary]

    def _chosen(self, draft: Draft, node: Plural, condition: Filter, step: Step) -> Sequence[Element]:
        """Return the elements that fit the filter; where none does but one can be made, that one."""
        op, text = step.op, step.text
        present = [element for element in node.elements if view(node, element, draft.now) is not None]
        matching = [element for element in present if _fits(node, element, condition, draft)]
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
        if not rest or (element not in present and rest == {"value"}):
            return (element,)
        if op == "remove":
            return ()
        raise NoTarget(f"{text}: no element fits the filter")

    def _element(self, draft: Draft, node: Plural, element: Element, step: Step) -> None:
        value = step.value
        if step.sub is not None:
            slot = element.subs.get(step.sub)
            if slot is not None:
                self._single(draft, slot, step)
            elif step.op != "remove":
                self._unserved(draft, node.path, node.known, step.sub)
            return
        if isinstance(value, list) and len(value) > 1 and step.op != "remove":
            raise InvalidValue(f"{node.path}: a filter chooses one element, so the value must be one object")
        if step.op == "remove" or self._assign.is_empty(value):
            self._clear(draft, element)
            return
        sent = self._assign.element(node, value[0] if isinstance(value, list) else value)
        if any(not same(constant, sent.get(name, constant)) for name, constant in element.selector.items()):
            other = chosen(node, sent)  # what was of the one kind is to be of another
            if other is None:
                self._assign.dropped(draft, step.text)
                return
            if other is not element:
                self._clear(draft, element)
                element = other
        named = self._assign.element_parts(draft, element, sent, step.verb)
        if step.op == "replace":
            self._assign.clear_rest(draft, element.subs, named, "replace")

    def _clear(self, draft: Draft, element: Element) -> None:
        for slot in element.subs.values():
            self._assign.clear(draft, slot, "replace", weak=False)


def _step(op: str, path: PatchPath, value: Any, text: str) -> Step:
    sub = path.path.sub or path.sub
    return Step(op, path.filter, None if sub is None else sub.lower(), value, text)


def _fits(node: Plural, element: Element, condition: Filter, draft: Draft) -> bool:
    """Tell whether an element fulfils a path's filter, each of its attributes compared as the target compares it."""

    def bind(slot: Slot, test: Comparison | Presence) -> BoundFilter:
        return slot_condition(slot, test) if slot.readable else FALSE

    now = {slot.attribute: values[0] for slot in element.subs.values() if (values := draft.now(slot.attribute))}
    return holds(element_condition(node, element, condition, bind), Parts(now))  # type: ignore[arg-type]


def _agrees(element: Element, name: str, sent: Any, seen: Mapping[str, Any], draft: Draft) -> bool:
    """Tell whether what was sent of an element is what it has."""
    slot = element.subs.get(name)
    if slot is None or name not in seen:
        return same(sent, seen.get(name))
    try:
        wanted = slot.accept(sent)
    except Unfit:
        return False
    form = normaliser(slot.definition)
    return form(wanted) == form(draft.now(slot.attribute)[0])


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
