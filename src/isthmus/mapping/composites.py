"""Write attributes whose values are made of parts: from JSON to whole values, and PATCH as additions and removals.

An element has no name of its own, so a change of one of its parts takes the old value away and adds the new one; that
is one `AttributeChange`, which a target applies as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.mapping.conditions import DESCRIBING, part_condition
from isthmus.mapping.draft import Draft, Verb
from isthmus.mapping.elements import implied
from isthmus.mapping.index import normaliser
from isthmus.mapping.judging import holds
from isthmus.mapping.layout import Composite, Slot
from isthmus.mapping.problems import nearest_hint
from isthmus.scim.errors import InvalidPath, InvalidValue, NoTarget, NotMutable
from isthmus.scim.syntax import And, Comparison, Filter
from isthmus.spi import Complex, Value
from isthmus.spi import Simple as Part

if TYPE_CHECKING:
    from isthmus.mapping.assigning import Assigner
    from isthmus.mapping.patching import Step

Parts = dict[str, Part]


class Composites:
    """Assign to composites. Names of parts are found in any case; read-only parts in a request are passed over."""

    def __init__(self, assigner: Assigner) -> None:
        self._assign = assigner
        self._strict = assigner.strict

    # -- whole values

    def assign(self, draft: Draft, node: Composite, value: Any, verb: Verb) -> None:
        """Assign what a body, or an operation on the attribute as a whole, says."""
        if not node.slot.writable and not draft.patch:
            return  # a read-only attribute in a whole resource is ignored, whatever its value (RFC 7644 3.5.1)
        if not node.plural:
            self._one(draft, node, value, verb)
            return
        if value is None or value in ("", [], {}):
            if verb != "add" or value is None:
                self._assign.clear(draft, node.slot, verb)
            return
        self._assign.require_array(node.path, value, verb)
        made = self._elements(draft, node, value if isinstance(value, list) else [value])
        if verb == "add":
            self._add(draft, node, made)
        elif made:
            draft.assign(node.slot, tuple(made))
        else:
            self._assign.clear(draft, node.slot, verb)

    def _one(self, draft: Draft, node: Composite, value: Any, verb: Verb) -> None:
        """Assign an attribute with one value; sub-attributes that are not named stay (RFC 7644 3.5.2.3)."""
        if isinstance(value, list) and len(value) == 1 and not self._strict:
            value = value[0]
        if value is None or value in ("", [], {}):
            self._assign.clear(draft, node.slot, verb)
            return
        kept = {} if verb == "create" or (verb == "put" and self._strict) else _parts(self._there(draft, node))
        made = self._finished(node, self._merged(draft, node, kept, value))
        if made is not None:
            draft.assign(node.slot, (made,))
        else:
            self._assign.clear(draft, node.slot, verb)

    def _now(self, draft: Draft, node: Composite) -> list[Complex]:
        return [value for value in draft.now(node.slot.attribute) if isinstance(value, Complex)]

    def _there(self, draft: Draft, node: Composite) -> list[Complex]:
        """Return what a new value stands for: in a whole resource what the target has, whatever another path says."""
        values = draft.now(node.slot.attribute) if draft.patch else draft.before(node.slot.attribute)
        return [value for value in values if isinstance(value, Complex)]

    def _elements(self, draft: Draft, node: Composite, items: Iterable[Any]) -> list[Complex]:
        """Return the elements of a list, each once, of which at most one is the primary one."""
        same = normaliser(node.slot.definition)
        made: dict[str, Complex] = {}
        for item in items:
            if self._assign.is_empty(item):
                continue
            one = self._finished(node, self._merged(draft, node, {}, item))
            if one is not None:
                made.setdefault(same(one), one)
        elements = self._one_primary(draft, node, list(made.values()))
        if len(elements) > 1 and not node.slot.definition.multivalued:
            if self._strict:
                raise InvalidValue(f"{node.path} has {len(elements)} elements, and the target has room for one")
            elements.sort(key=lambda element: not _is_primary(node, element))
            draft.warn(f"{node.path} has more than one element; the target has room for one; others were dropped")
            del elements[1:]
        if len(_writable(node)) == len(node.slot.definition.sub_attributes):
            return elements
        # The present value that shows as an element does has parts as well that this path does not show.
        present: dict[object, Complex] = {}
        for one in self._there(draft, node):
            present.setdefault(_cut(node, one), one)
        return [present.get(element.parts, element) for element in elements]

    def _merged(self, draft: Draft, node: Composite, kept: Parts, sent: Any) -> Parts:
        """Return the parts of one element as sent, over those kept; null takes a part away."""
        if not isinstance(sent, dict):
            if isinstance(sent, list) or self._strict or "value" not in node.parts:
                raise InvalidValue(f"{node.path} must be an object with sub-attributes")
            sent = {"value": sent}
        parts = dict(kept)
        for key, value in sent.items():
            slot = node.parts.get(key.lower())
            if slot is None:
                self._unknown(draft, node, key, value)
            elif not slot.writable:
                continue
            elif self._assign.is_empty(value):
                parts.pop(slot.attribute, None)
            else:
                parts[slot.attribute] = self._converted(slot, value)
        return parts

    def _unknown(self, draft: Draft, node: Composite, key: str, value: Any) -> None:
        name = key.lower()
        if not node.open:
            raise InvalidValue(f"{node.path} has no sub-attribute {key!r}{nearest_hint(key, node.parts)}")
        if name not in DESCRIBING and not self._assign.is_empty(value):
            self._assign.dropped(draft, f"{node.path}.{key}", known=name in node.known)

    def _converted(self, slot: Slot, value: Any) -> Part:
        converted: Any = self._assign.convert(slot, self._assign.unwrapped(slot, value))
        return converted  # type: ignore[no-any-return]

    def _finished(self, node: Composite, parts: Parts) -> Complex | None:
        """Return the value; None if nothing is left of it but what describes it.

        Raises:
            InvalidValue: a part that every element needs is missing.
        """
        parts = {name: part for name, part in parts.items() if name not in _computed(node)}
        telling = {slot.attribute for name, slot in node.parts.items() if name not in DESCRIBING}
        if not parts or (telling and not telling & parts.keys() and not parts.keys() - _shown(node)):
            return None
        for slot in node.parts.values():
            needed = slot.definition.required and slot.writable and not slot.definition.generated
            if needed and slot.attribute not in parts:
                raise InvalidValue(f"{node.path}: every element needs {slot.name}")
        return Complex(parts)

    # -- the primary element

    def _one_primary(self, draft: Draft, node: Composite, elements: list[Complex]) -> list[Complex]:
        marked = [index for index, element in enumerate(elements) if _is_primary(node, element)]
        if len(marked) > 1:
            if self._strict:
                raise InvalidValue(f"{node.path} has {len(marked)} primary elements; at most one can be (RFC 7643 2.4)")
            draft.warn(f"{node.path} has more than one primary element; the first was taken")
            for index in marked[1:]:
                elements[index] = _unmarked(node, elements[index])
        return elements

    def _unmark_others(self, draft: Draft, node: Composite, chosen: Sequence[Complex]) -> None:
        """Take the mark from the present primary element if another gets it (RFC 7644 3.5.2)."""
        if not any(_is_primary(node, element) for element in chosen):
            return
        for present in self._now(draft, node):
            if _is_primary(node, present) and present not in chosen:
                draft.remove(node.slot, [present])
                draft.add(node.slot, [_unmarked(node, present)])

    def _add(self, draft: Draft, node: Composite, elements: Sequence[Complex]) -> None:
        """Add elements; one whose value and type are there already is that one (RFC 7643 2.4), with what is new."""
        like = _likeness(node)
        present: dict[object, Complex] = {}
        for one in self._now(draft, node):
            present.setdefault(like(one), one)
        changes: list[tuple[Complex | None, Complex | None]] = []
        for element in elements:
            alike = present.get(like(element))
            changes.append((alike, element if alike is None else _joined(node, alike, element)))
        self._change(draft, node, changes)

    def _change(self, draft: Draft, node: Composite, changes: Sequence[tuple[Complex | None, Complex | None]]) -> None:
        """Put new elements in the place of old ones; (None, new) adds, (old, None) removes.

        An old one that differs in what the target computes only is named as it is, so that the target keeps it.
        """
        slot, computed = node.slot, _computed(node)
        kept = [(old, old if new is not None and _without(old, computed) == new else new) for old, new in changes]
        come = list(dict.fromkeys(new for _, new in kept if new is not None))
        if not slot.definition.multivalued:
            if changes:
                draft.assign(slot, tuple(come[:1]))
            return
        come = self._one_primary(draft, node, come)
        stays = frozenset(come)
        gone: list[Value] = [old for old, _ in changes if old is not None and old not in stays]
        if gone:
            draft.remove(slot, gone)
        self._unmark_others(draft, node, come)
        if come:
            draft.add(slot, come)

    # -- PATCH

    def patch(self, draft: Draft, node: Composite, step: Step) -> None:
        """Carry out one operation whose path leads to the attribute, to some of its elements, or to their parts."""
        if step.condition is not None and not node.plural:
            raise InvalidPath(f"{step.text}: {node.path} has one value, so a filter has nothing to choose from")
        if step.condition is None and step.sub is None:
            self._whole(draft, node, step)
            return
        if step.sub is not None and step.sub not in node.parts:
            self._unserved(draft, node, step.sub)
            return
        changes: list[tuple[Complex | None, Complex | None]] = []
        for old, parts in self._targets(draft, node, step):
            if step.sub is None:
                changes.append((old, self._element(draft, node, parts, step)))
            else:
                changes.append((old, self._part(node, node.parts[step.sub], parts, step)))
        self._change(draft, node, changes)

    def _unserved(self, draft: Draft, node: Composite, sub: str) -> None:
        if sub not in node.known:
            raise InvalidPath(f"{node.path} has no sub-attribute {sub!r}{nearest_hint(sub, node.known)}")
        if sub not in DESCRIBING:
            self._assign.dropped(draft, f"{node.path}.{sub}")

    def _whole(self, draft: Draft, node: Composite, step: Step) -> None:
        if step.op != "remove":
            self.assign(draft, node, step.value, step.verb)
        elif step.value is None or not node.plural:
            self._assign.clear(draft, node.slot, "replace")
        else:
            items = step.value if isinstance(step.value, list) else [step.value]
            draft.remove(node.slot, self._like(draft, node, items))

    def _like(self, draft: Draft, node: Composite, items: Iterable[Any]) -> list[Value]:
        """Return the elements that agree with what was sent about any of them (Entra's remove with a value list).

        `display` is for people, and an element without the mark is as little the primary one as one marked false.
        """
        found: list[Value] = []
        by_parts: dict[tuple[str, ...], dict[tuple[str, ...], list[Complex]]] = {}
        for item in items:
            wanted = self._merged(draft, node, {}, item)
            display = node.parts.get("display")
            if display is not None and len(wanted) > 1:
                wanted.pop(display.attribute, None)
            if node.primary is not None and not _is_primary(node, Complex(wanted)):
                wanted.pop(node.primary.attribute, None)
            if not wanted:
                continue
            names = tuple(sorted(wanted))
            if names not in by_parts:
                by_parts[names] = _by_parts(node, self._now(draft, node), names)
            found += by_parts[names].get(_key(node, wanted, names), ())
        return found

    def _targets(self, draft: Draft, node: Composite, step: Step) -> list[tuple[Complex | None, Parts]]:
        """Return the elements that the path means, with their parts; where there is none, one that can be made."""
        now, condition = self._now(draft, node), step.condition
        if condition is None:
            found = now
        else:
            draft.compare(condition, now)
            bound = part_condition(node, condition, lenient=not self._strict)
            found = [element for element in now if holds(bound, element)]
        if found:
            return [(element, _parts([element])) for element in found]
        if condition is not None and self._strict and step.op in {"replace", "remove"}:
            raise NoTarget(f"{step.text}: no element fits the filter")
        if step.op == "remove":
            return []
        constants = {} if condition is None else implied(condition)
        if constants is None:
            raise NoTarget(f"{step.text}: no element fits the filter, and none can be made from it")
        return [(None, self._merged(draft, node, {}, constants))]

    def _element(self, draft: Draft, node: Composite, parts: Parts, step: Step) -> Complex | None:
        """Return what becomes of an element chosen by a filter; parts that the filter fixes stay."""
        value = step.value
        if step.op == "remove" or self._assign.is_empty(value):
            return None
        if isinstance(value, list):
            if len(value) > 1:
                raise InvalidValue(f"{node.path}: a filter chooses one element, so the value must be one object")
            value = value[0]
        if step.op == "replace":
            shown = {slot.attribute for slot in _writable(node)}
            fixed = {node.parts[name].attribute for name in _fixed(step.condition) if name in node.parts}
            parts = {name: part for name, part in parts.items() if name not in shown or name in fixed}
        return self._finished(node, self._merged(draft, node, parts, value))

    def _part(self, node: Composite, slot: Slot, parts: Parts, step: Step) -> Complex | None:
        """Return an element with one part given another value or none."""
        value = self._assign.unwrapped(slot, step.value)
        empty = step.op == "remove" or self._assign.is_empty(value)
        if not slot.writable:
            if empty or self._assign.convert(slot, value) != parts.get(slot.attribute):
                raise NotMutable(f"{slot.path} is read-only")
            return self._finished(node, parts)
        if not empty:
            return self._finished(node, {**parts, slot.attribute: self._assign.convert(slot, value)})  # type: ignore[dict-item]
        try:
            return self._finished(node, {name: part for name, part in parts.items() if name != slot.attribute})
        except InvalidValue:
            if not slot.definition.required:
                raise
            raise NotMutable(f"{slot.path}: every element needs it, so it cannot be removed") from None


def _parts(values: Sequence[Complex]) -> Parts:
    """Return the parts of the only value, none if there is none."""
    return dict(values[0].parts) if values else {}


def _shown(node: Composite) -> set[str]:
    return {slot.attribute for slot in node.parts.values()}


def _writable(node: Composite) -> list[Slot]:
    return [slot for slot in node.parts.values() if slot.writable]


def _computed(node: Composite) -> set[str]:
    """Return the parts that the target makes itself; a new value is sent without them."""
    return {part.name for part in node.slot.definition.sub_attributes if part.readonly}


def _without(value: Complex | None, names: set[str]) -> Complex | None:
    return None if value is None else Complex({name: part for name, part in value.parts if name not in names})


def _joined(node: Composite, old: Complex, new: Complex) -> Complex:
    """Return an element with what is new of it, to be written: without what the target makes itself."""
    parts = {**dict(old.parts), **dict(new.parts)}
    return Complex({name: part for name, part in parts.items() if name not in _computed(node)})


def _cut(node: Composite, value: Complex) -> tuple[tuple[str, Part], ...]:
    """Return only those parts of a value that can be written by this path."""
    shown = {slot.attribute for slot in _writable(node)}
    return tuple(part for part in value.parts if part[0] in shown)


def _is_primary(node: Composite, value: Complex) -> bool:
    slot = node.primary
    if slot is None or (mark := value.get(slot.attribute)) is None:
        return False
    return bool(mark if slot.show is None else slot.show(mark))


def _unmarked(node: Composite, value: Complex) -> Complex:
    assert node.primary is not None
    mark: Any = node.primary.accept(False)
    parts = {name: part for name, part in value.parts if name not in _computed(node)}
    return Complex({**parts, node.primary.attribute: mark})


def _by_parts(
    node: Composite, values: Iterable[Complex], names: tuple[str, ...]
) -> dict[tuple[str, ...], list[Complex]]:
    """Return the values that have all of these parts, by what they are, by the target's case rules."""
    found: dict[tuple[str, ...], list[Complex]] = {}
    for value in values:
        parts = value.as_dict()
        if all(name in parts for name in names):
            found.setdefault(_key(node, parts, names), []).append(value)
    return found


def _key(node: Composite, parts: Mapping[str, Part], names: tuple[str, ...]) -> tuple[str, ...]:
    rules = {slot.attribute: slot.definition for slot in node.parts.values()}
    return tuple([normaliser(rules[name])(parts[name]) for name in names])


def _likeness(node: Composite) -> Callable[[Complex], object]:
    """Return what is equal for two elements that count as one: value and type by their case rules, else the whole."""
    value, kind = node.parts.get("value"), node.parts.get("type")
    slots = [(slot.attribute, normaliser(slot.definition)) for slot in (value, kind) if slot is not None]

    def likeness(one: Complex) -> object:
        if value is None or one.get(value.attribute) is None:
            return one
        return tuple(None if (part := one.get(name)) is None else same(part) for name, same in slots)

    return likeness


def _fixed(condition: Filter | None) -> set[str]:
    """Return the sub-attributes that a filter compares for equality, in lower case."""
    if condition is None:
        return set()
    parts = condition.parts if isinstance(condition, And) else (condition,)
    return {
        part.path.name.lower()
        for part in parts
        if isinstance(part, Comparison) and part.operator == "eq" and part.path.name.lower() != "value"
    }
