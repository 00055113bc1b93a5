"""The compile step: from a definition and a discovered object type to a layout, or to the list of what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from isthmus.mapping.catalogue import SERVER_OWNED, extension_urn, has_own_schema, own_names, schemas_of
from isthmus.mapping.composing import Misfit, flow_composite, own_composite
from isthmus.mapping.definition import Flow, ResourceTypeDefinition
from isthmus.mapping.escaping import escaped, unescaped
from isthmus.mapping.layout import (
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
from isthmus.mapping.problems import Where, nearest_hint
from isthmus.mapping.slots import active_slot, clash, dn_slot, external_id_slot, flow_slot, own_slot, password_slot
from isthmus.scim.errors import InvalidPath
from isthmus.scim.filter import parse_path
from isthmus.scim.schema import ScimAttribute, ScimSchema
from isthmus.scim.syntax import And, Comparison, Filter, PatchPath
from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Operation

_DISCRIMINATORS = frozenset({"type", "primary", "display", "$ref"})


@dataclass(slots=True)
class _Draft:
    """What the flows say about one top-level attribute, before it becomes a node."""

    attribute: ScimAttribute
    path: str
    subs: dict[str, Slot] = field(default_factory=dict)
    elements: list[tuple[dict[str, str | bool], dict[str, Slot]]] = field(default_factory=list)
    whole: Slot | None = None
    link: Link | None = None
    composite: Composite | None = None
    simple: Slot | None = None


class LayoutCompiler:
    """Compile one definition; every problem is collected in `problems` as (where, message)."""

    def __init__(
        self,
        definition: ResourceTypeDefinition,
        object_type: ObjectType,
        *,
        published: Iterable[str],
        keys: frozenset[str],
        strict: bool,
        groups: bool = False,
    ) -> None:
        self._groups = groups
        self.problems: list[tuple[Where, str]] = []
        self._definition = definition
        self._object_type = object_type
        self._published = tuple(published)
        self._keys = keys
        self._tolerant = not strict
        self.schemas = schemas_of(definition, object_type)
        self._main, self._extensions = self.schemas
        self._own_names = own_names(definition) if has_own_schema(definition.name) else {}
        self._urn = extension_urn(definition.name)
        self._drafts: dict[tuple[str, str], _Draft] = {}
        self._attributes = {attribute.name: attribute for attribute in object_type.attributes}

    def compile(self) -> Layout:
        for path, flow in self._definition.flows.items():
            definition = self._attributes.get(flow.attribute)
            if definition is not None:  # unknown names are reported by the caller, for all uses of names at once
                self._flow(path, flow, definition)
        main = self._section(self._main)
        extensions = [self._section(schema) for schema in self._extensions]
        return Layout(main, extensions, self._own_section(main), tolerant=self._tolerant)

    def _problem(self, path: str, message: str) -> None:
        self.problems.append((("flows", path), message))

    def _flow(self, path: str, flow: Flow, definition: AttributeDefinition) -> None:
        try:
            parsed = parse_path(path)
        except InvalidPath as exc:
            self._problem(path, f"is not a SCIM path: {exc.detail}")
            return
        if flow.direction != "import" and definition.readonly:
            self._problem(
                path, f'writes {definition.name!r}, which the target computes itself; use direction = "import"'
            )
            return
        if parsed.path.urn is None and parsed.path.name.lower() == "externalid" and parsed.path.sub is None:
            self._simple(path, flow, definition, None, ScimAttribute(name="externalId", case_exact=True))
            return
        found = self._known(path, parsed)
        if found is None:
            return
        schema, attribute = found
        if flow.sub_attributes and definition.type is not AttributeType.COMPLEX:
            self._problem(path, f"{definition.name!r} is not made of parts; leave out sub_attributes")
        elif definition.type is AttributeType.COMPLEX and attribute.type == "complex":
            self._composite(path, flow, definition, schema, attribute, parsed)
        elif attribute.type == "complex":
            self._complex(path, flow, definition, schema, attribute, parsed)
        elif parsed.path.sub is not None or parsed.filter is not None:
            self._problem(path, f"{attribute.name} has no sub-attributes")
        else:
            self._simple(path, flow, definition, schema, attribute)

    def _known(self, path: str, parsed: PatchPath) -> tuple[ScimSchema, ScimAttribute] | None:
        urn, name = parsed.path.urn, parsed.path.name
        if name.lower() in SERVER_OWNED:
            self._problem(path, f"{name} belongs to the server; no flow can serve it")
            return None
        if urn is not None and urn.lower() == self._urn.lower():
            self._problem(path, "the extension carries every selected attribute by itself; it needs no flow")
            return None
        schemas = (self._main, *self._extensions)
        for schema in schemas:
            if urn is not None and urn.lower() != schema.id.lower():
                continue
            attribute = schema.attribute(name)
            if attribute is not None:
                return schema, attribute
        names = [attribute.name for schema in schemas for attribute in schema.attributes]
        self._problem(path, f"{name} is no attribute of a SCIM {self._definition.name}{nearest_hint(name, names)}")
        return None

    def _make(
        self, path: str, flow: Flow, definition: AttributeDefinition, scim: ScimAttribute, single: bool
    ) -> Slot | None:
        reason = clash(scim.type, definition, invert=flow.invert) or _exposed(scim, definition)
        if reason is not None:
            self._problem(path, f"cannot be served by {definition.name!r}: {reason}")
            return None
        return flow_slot(
            path,
            definition,
            scim,
            direction=flow.direction,
            invert=flow.invert,
            single=single,
            tolerant=self._tolerant,
            key=definition.name in self._keys,
        )

    def _simple(
        self,
        path: str,
        flow: Flow,
        definition: AttributeDefinition,
        schema: ScimSchema | None,
        attribute: ScimAttribute,
    ) -> None:
        slot = self._make(path, flow, definition, attribute, single=not attribute.multi_valued)
        if slot is None:
            return
        draft = self._draft(schema or self._main, attribute)
        if draft.simple is not None:
            self._twice(path, draft.simple)
        else:
            draft.simple = slot

    def _composite(
        self,
        path: str,
        flow: Flow,
        definition: AttributeDefinition,
        schema: ScimSchema,
        attribute: ScimAttribute,
        parsed: PatchPath,
    ) -> None:
        if parsed.filter is not None or parsed.path.sub is not None:
            self._problem(
                path,
                f"{definition.name!r} is made of parts: write {attribute.name} alone, and which part is which in "
                "sub_attributes",
            )
            return
        if flow.invert:
            self._problem(path, f"only a boolean can be turned round, and {definition.name!r} is made of parts")
            return
        shown = attribute.name if schema is self._main else f"{schema.id}:{attribute.name}"
        try:
            node = flow_composite(
                shown,
                definition,
                attribute,
                names=flow.sub_attributes,
                direction=flow.direction,
                tolerant=self._tolerant,
            )
        except Misfit as exc:
            self._problem(path, f"cannot be served by {definition.name!r}: {exc}")
            return
        draft = self._draft(schema, attribute)
        if draft.composite is not None or draft.whole is not None or draft.elements or draft.subs:
            self._problem(path, f"{attribute.name} is already served by other flows; use one for all its values")
        draft.composite = node

    def _complex(
        self,
        path: str,
        flow: Flow,
        definition: AttributeDefinition,
        schema: ScimSchema,
        attribute: ScimAttribute,
        parsed: PatchPath,
    ) -> None:
        sub_name = parsed.path.sub or parsed.sub
        if sub_name is None and attribute.sub("value") is not None:
            sub_name = "value"
        if sub_name is None:
            parts = ", ".join(sub.name for sub in attribute.sub_attributes)
            self._problem(path, f"{attribute.name} is made of sub-attributes; name one of {parts}")
            return
        sub = attribute.sub(sub_name)
        if sub is None:
            names = [sub.name for sub in attribute.sub_attributes]
            self._problem(path, f"{attribute.name} has no sub-attribute {sub_name}{nearest_hint(sub_name, names)}")
            return
        draft = self._draft(schema, attribute)
        if draft.composite is not None:
            self._problem(path, f"{attribute.name} is already served as a whole by {draft.composite.slot.attribute!r}")
            return
        if definition.type is AttributeType.REFERENCE or attribute.name == "members":
            self._link(path, flow, definition, attribute, sub, draft)
            return
        if parsed.filter is not None and not attribute.multi_valued:
            self._problem(path, f"{attribute.name} has one value only; a filter cannot choose among them")
            return
        if attribute.multi_valued:
            self._plural(path, flow, definition, draft, sub, parsed.filter)
            return
        slot = self._make(path, flow, definition, sub, single=True)
        if slot is not None and draft.subs.setdefault(sub.name.lower(), slot) is not slot:
            self._twice(path, draft.subs[sub.name.lower()])

    def _link(
        self,
        path: str,
        flow: Flow,
        definition: AttributeDefinition,
        attribute: ScimAttribute,
        sub: ScimAttribute,
        draft: _Draft,
    ) -> None:
        own = has_own_schema(self._definition.name) and attribute.sub("$ref") is not None
        if definition.type is not AttributeType.REFERENCE or (attribute.name not in {"manager", "members"} and not own):
            reason = (
                "members need a reference attribute"
                if attribute.name == "members"
                else clash("string", definition, invert=False)
            )
            self._problem(path, f"cannot be served by {definition.name!r}: {reason}")
        elif sub.name != "value":
            self._problem(path, f"a reference is mapped as a whole: write {attribute.name}")
        elif draft.link is not None:
            self._twice(path, draft.link.slot)
        elif definition.multivalued and not attribute.multi_valued:
            self._problem(path, f"{attribute.name} is one reference, and {definition.name!r} may hold several")
        else:
            slot = flow_slot(path, definition, attribute, direction=flow.direction, single=not attribute.multi_valued)
            draft.link = Link(slot, plural=attribute.multi_valued)

    def _plural(
        self,
        path: str,
        flow: Flow,
        definition: AttributeDefinition,
        draft: _Draft,
        sub: ScimAttribute,
        selecting: Filter | None,
    ) -> None:
        if sub.name.lower() in _DISCRIMINATORS:
            self._problem(path, f"{sub.name} tells values apart and is not stored; use it in the path's filter")
            return
        selector = {} if selecting is None else _selector(selecting)
        if selector is None:
            self._problem(path, 'a flow chooses by constants only, as in emails[type eq "work"].value')
            return
        unknown = [name for name in selector if draft.attribute.sub(name) is None]
        if unknown:
            self._problem(path, f"{draft.attribute.name} has no sub-attribute {unknown[0]}")
            return
        whole = selecting is None and definition.multivalued and sub.name == "value"
        slot = self._make(path, flow, definition, sub, single=not whole)
        if slot is None:
            return
        if whole:
            if draft.whole is not None or draft.elements:
                self._problem(
                    path, f"{draft.attribute.name} is already served by other flows; use one for all its values"
                )
            draft.whole = slot
            return
        if draft.whole is not None:
            self._problem(path, f"{draft.attribute.name} is already served as a whole by {draft.whole.attribute!r}")
            return
        for chosen, subs in draft.elements:
            if chosen == selector:
                if subs.setdefault(sub.name.lower(), slot) is not slot:
                    self._twice(path, subs[sub.name.lower()])
                return
        draft.elements.append((selector, {sub.name.lower(): slot}))

    def _twice(self, path: str, other: Slot) -> None:
        self._problem(path, f"is the same path as {other.path!r}, which is already served by {other.attribute!r}")

    def _draft(self, schema: ScimSchema, attribute: ScimAttribute) -> _Draft:
        return self._drafts.setdefault((schema.id, attribute.name), _Draft(attribute, attribute.name))

    def _section(self, schema: ScimSchema) -> Section:
        nodes: dict[str, Node] = {}
        main = schema is self._main
        if main:
            nodes |= {name: ServerOwned(name) for name in SERVER_OWNED}
            if self._groups and self._definition.name == "User":
                nodes["groups"] = Memberships("groups")
            own = self._drafts.get((schema.id, "externalId"))
            nodes["externalId"] = Simple(external_id_slot() if own is None or own.simple is None else own.simple)
        prefix = "" if main else f"{schema.id}:"
        for attribute in schema.attributes:
            if attribute.name in nodes:
                continue
            draft = self._drafts.get((schema.id, attribute.name))
            path = prefix + attribute.name
            if draft is None and main and attribute.name in self._own_names:
                own_path, definition = attribute.name, self._attributes[self._own_names[attribute.name]]
                nodes[own_path] = self._own_node(own_path, own_path, definition, open=True)
            else:
                nodes[attribute.name] = Unmapped(path) if draft is None else _node(draft, path)
        if main and isinstance(nodes.get("password"), Unmapped) and Operation.PASSWORD in self._object_type.operations:
            nodes["password"] = Simple(password_slot("password", "password"))
        if main and isinstance(nodes.get("active"), Unmapped) and self._shows_active():
            disable = self._definition.disable
            nodes["active"] = Activation(active_slot(writable=disable is not None and disable.action != "nothing"))
        return Section(schema.id, nodes, aliases=_aliases(nodes) if main else {})

    def _shows_active(self) -> bool:
        return self._definition.name == "User" or self._definition.disable is not None

    def _own_section(self, main: Section) -> Section:
        nodes: dict[str, Node] = {}
        aliases: dict[str, str] = {}
        elsewhere = {name: main.nodes[shown] for shown, own in self._own_names.items() for name in (shown, own)}
        plain = self._definition.own_names == "plain"
        unmapped_only = self._definition.own_names == "unmapped"
        flowing = {flow.attribute for flow in self._definition.flows.values()} if unmapped_only else set()
        for name in self._published:
            if name in self._own_names.values() or name in flowing:
                continue
            shown, other = (name, escaped(name)) if plain else (escaped(name), name)
            nodes[shown] = self._own_node(f"{self._urn}:{shown}", shown, self._attributes[name], open=False)
            if other != shown:
                aliases[other] = shown
        if not (unmapped_only or has_own_schema(self._definition.name)) or self._object_type.dn is not None:
            nodes.setdefault("-dn-", Simple(dn_slot(self._urn)))
        if Operation.PASSWORD in self._object_type.operations and not unmapped_only:
            nodes.setdefault(
                "export_password", Simple(password_slot(f"{self._urn}:export_password", "export_password"))
            )
        return Section(self._urn, nodes, open=False, aliases=aliases, elsewhere=elsewhere, removable=unmapped_only)

    def _own_node(self, path: str, name: str, definition: AttributeDefinition, *, open: bool) -> Node:
        """Return the node of an attribute that is published under its own name."""
        if definition.type is AttributeType.COMPLEX:
            return own_composite(path, name, definition, tolerant=self._tolerant, open=open)
        slot = own_slot(path, definition, name=name, tolerant=self._tolerant, key=definition.name in self._keys)
        reference = definition.type is AttributeType.REFERENCE
        return Link(slot, plural=definition.multivalued) if reference else Simple(slot)


def _aliases(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return the target's own spelling of names that were escaped."""
    return {own: name for name in nodes if (own := unescaped(name)) != name and own not in nodes}


def _exposed(scim: ScimAttribute, definition: AttributeDefinition) -> str | None:
    if scim.returned == "never" and not definition.secret:
        return "a password belongs into an attribute that the connector treats as secret"
    return None


def _node(draft: _Draft, path: str) -> Node:
    attribute = draft.attribute
    if draft.simple is not None:
        return Activation(draft.simple) if attribute.name == "active" else Simple(draft.simple)
    if draft.link is not None:
        return draft.link
    if draft.composite is not None:
        return draft.composite
    known = frozenset(sub.name.lower() for sub in attribute.sub_attributes)
    if draft.whole is not None:
        return Plural(path, (), draft.whole, known, has_primary=attribute.sub("primary") is not None)
    if draft.elements:
        chosen = next((i for i, (selector, _) in enumerate(draft.elements) if selector.get("primary") is True), 0)
        elements = tuple(
            Element(path, s, subs, known, primary=i == chosen) for i, (s, subs) in enumerate(draft.elements)
        )
        return Plural(path, elements, None, known, has_primary=attribute.sub("primary") is not None)
    if draft.subs:
        return Complex(path, draft.subs, known)
    return Unmapped(path)


def _selector(condition: Filter) -> dict[str, str | bool] | None:
    parts = condition.parts if isinstance(condition, And) else (condition,)
    selector: dict[str, str | bool] = {}
    for part in parts:
        if not isinstance(part, Comparison) or part.operator != "eq" or part.path.sub is not None:
            return None
        name, value = part.path.name.lower(), part.value
        if name == "primary":
            if str(value).lower() not in {"true", "false"}:
                return None
            selector[name] = str(value).lower() == "true"
        elif isinstance(value, str) and name != "value":
            selector[name] = value
        else:
            return None
    return selector
