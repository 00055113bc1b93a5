"""POST, PUT and PATCH bodies to plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from isthmus.mapping.assigning import Assigner
from isthmus.mapping.draft import Draft
from isthmus.mapping.layout import (
    Activation,
    Complex,
    Composite,
    Layout,
    Link,
    Node,
    Plural,
    Section,
    Simple,
    Slot,
    slots_of,
)
from isthmus.mapping.patching import Patcher
from isthmus.mapping.plans import CreatePlan, CurrentObject, UpdatePlan
from isthmus.mapping.settling import Settler
from isthmus.scim.errors import InvalidSyntax
from isthmus.scim.filter import parse_path
from isthmus.scim.patch import PatchOperation


class Planner:
    """Compiled once for each resource type; nothing here reads or writes anything."""

    def __init__(self, layout: Layout, settler: Settler, *, strict: bool, anchor: Collection[str]) -> None:
        self._layout = layout
        self._settler = settler
        self._assigner = Assigner(layout, strict=strict, anchor=anchor)
        self._patcher = Patcher(self._assigner)
        self._strict = strict
        self._partial = frozenset(
            node for section in layout.sections for node in section.nodes.values() if _says_part(node)
        )

    def create(self, body: Mapping[str, Any]) -> CreatePlan:
        _require_object(body)
        draft = Draft(None)
        self._assigner.body(draft, body, "create", lambda key, value: self._patcher.by_key(draft, "create", key, value))
        own = self._layout.extension.urn.lower()
        return self._settler.create(draft, by_own_names=any(key.lower().startswith(own) for key in body))

    def replace(self, body: Mapping[str, Any], current: CurrentObject) -> UpdatePlan:
        _require_object(body)
        draft = Draft(current)
        self._assigner.body(draft, body, "put", lambda key, value: self._patcher.by_key(draft, "put", key, value))
        if self._strict:
            self._clear_left_out(draft, body)
        return self._settler.update(draft, current)

    def patch(self, operations: Iterable[PatchOperation], current: CurrentObject) -> UpdatePlan:
        draft = Draft(current, patch=True)
        self._patcher.apply(draft, operations)
        return self._settler.update(draft, current)

    def depends_on_values(self, operation: PatchOperation) -> bool:
        """Tell whether an operation is judged on the values the target has now."""
        if operation.path is not None:
            by_value = operation.op == "remove" and operation.value is not None
            return self._patcher.chooses(operation.path, by_value=by_value)
        return isinstance(operation.value, dict) and any(
            "[" in key and self._patcher.chooses(parse_path(key)) for key in operation.value
        )

    def judged_on_values(self, operations: Iterable[PatchOperation]) -> bool:
        """Tell whether an operation names what holds only part of a value, or only some of the values, of the target.

        What stays, and what has to be taken away, is what the target has now, which the space may not know yet.
        """
        return bool(self._partial) and any(self._on_part(operation) for operation in operations)

    def _on_part(self, operation: PatchOperation) -> bool:
        if operation.path is not None:
            place = self._layout.locate(operation.path.path)
            return place.whole or place.node in self._partial
        return any(True for _ in self._parts(operation.value))

    def keeps_parts(self, body: Mapping[str, Any]) -> bool:
        """Tell whether a PUT leaves parts of a value, or some of the values, as the target has them now."""
        return bool(self._partial) and any(
            not isinstance(node, Composite) or self._is_partial(node, value) for node, value in self._parts(body)
        )

    def _is_partial(self, node: Composite, value: Any) -> bool:
        if node.plural:  # an element that comes back as it is shown keeps what is not shown of it
            return sum(slot.writable for slot in node.parts.values()) < len(node.slot.definition.sub_attributes)
        named = {key.lower() for key in value} if isinstance(value, dict) else {"value"}
        shown = {slot.attribute for key, slot in node.parts.items() if key in named}
        every = {part.name for part in node.slot.definition.sub_attributes}
        return not self._strict and not self._assigner.is_empty(value) and shown != every

    def _parts(self, body: Mapping[str, Any]) -> Iterator[tuple[Node | None, Any]]:
        """Yield what a body names of `_partial`, and what it says of it; None where a key is a path itself."""
        for key, value in body.items():
            section = self._layout.section(key)
            within = value if section is not None and isinstance(value, dict) else {key: value}
            for name, said in within.items():
                found = (section or self._layout.main).find(name)
                if found in self._partial:
                    yield found, said
                elif found is None and any(mark in name for mark in ".[:"):
                    yield None, said

    def _clear_left_out(self, draft: Draft, body: Mapping[str, Any]) -> None:
        """Clear what a strict PUT leaves out (RFC 7644 3.5.1 allows it); `active` and the password keep their values.

        The ECMA2Host extension is judged only if it was sent: a client that has never heard of it leaves it alone.
        """
        sent = {key.lower(): value for key, value in body.items()}
        named = frozenset(draft.values)  # by whatever path
        for section in self._layout.sections:
            if section is self._layout.main:
                within = sent
            else:
                value = sent.get(section.urn.lower())
                if section is self._layout.extension and value is None:
                    continue
                within = {key.lower(): part for key, part in value.items()} if isinstance(value, dict) else {}
            self._clear_section(draft, section, within, named)

    def _clear_section(self, draft: Draft, section: Section, sent: Mapping[str, Any], named: Collection[str]) -> None:
        for name, node in section.nodes.items():
            if name.lower() in sent or isinstance(node, Activation):
                continue
            match node:
                case Simple(slot=slot) | Composite(slot=slot):
                    if slot.attribute not in {"#dn", *named} and slot.readable and not slot.definition.required:
                        self._assigner.clear(draft, slot, "put", weak=True)
                case Link(slot=slot):
                    if not slot.definition.required and slot.attribute not in {
                        pair.attribute for pair in draft.reference_changes()
                    }:
                        draft.link(slot, ())
                case Complex(subs=subs):
                    self._assigner.clear_rest(draft, _without(subs, named), set(), "put")
                case Plural(elements=elements, whole=whole):
                    for element in elements:
                        self._assigner.clear_rest(draft, _without(element.subs, named), set(), "put")
                    if whole is not None and whole.attribute not in named and not whole.definition.required:
                        self._assigner.clear(draft, whole, "put", weak=True)
                case _:
                    pass


def _says_part(node: Node) -> bool:
    """Tell whether a node holds part of a value, or one of the several values that the target's attribute may have."""
    return isinstance(node, Composite) or any(
        slot.single and slot.writable and slot.definition.multivalued for slot in slots_of(node)
    )


def _without(subs: Mapping[str, Slot], attributes: Collection[str]) -> dict[str, Slot]:
    return {name: slot for name, slot in subs.items() if slot.attribute not in attributes}


def _require_object(body: object) -> None:
    if not isinstance(body, dict):
        raise InvalidSyntax("the body must be a JSON object")
