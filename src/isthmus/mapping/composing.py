"""Make composites: decide which parts of a target's attribute stand behind which sub-attributes of SCIM."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.mapping.conditions import DESCRIBING
from isthmus.mapping.escaping import escaped
from isthmus.mapping.layout import Composite, Slot
from isthmus.mapping.problems import nearest_hint
from isthmus.mapping.slots import clash, flow_slot, own_slot
from isthmus.scim.schema import ScimAttribute
from isthmus.spi import AttributeDefinition


class Misfit(Exception):
    """The attribute cannot stand there; the text says why."""


def flow_composite(
    path: str,
    definition: AttributeDefinition,
    attribute: ScimAttribute,
    *,
    names: Mapping[str, str],
    direction: str = "both",
    tolerant: bool = True,
) -> Composite:
    """Return the node of a flow from a complex attribute of SCIM to an attribute made of parts.

    `names`: the part behind a sub-attribute, where it is not called the same (ignoring case).

    Raises:
        Misfit: names, types or numbers of values that do not fit.
    """
    if definition.multivalued and not attribute.multi_valued:
        raise Misfit(f"{attribute.name} has one value, and {definition.name!r} may hold several")
    chosen = _chosen(definition, attribute, names)
    parts: dict[str, Slot] = {}
    for sub in attribute.sub_attributes:
        part = chosen.get(sub.name.lower())
        if part is None:
            continue
        reason = clash(sub.type, part, invert=False)
        if reason is not None:
            raise Misfit(f"{sub.name} cannot be served by its part {part.name!r}: {reason}")
        parts[sub.name.lower()] = flow_slot(f"{path}.{sub.name}", part, sub, direction=direction, tolerant=tolerant)
    if not parts.keys() - DESCRIBING and {sub.name for sub in attribute.sub_attributes} - DESCRIBING:
        found = ", ".join(part.name for part in definition.sub_attributes)
        subs = ", ".join(sub.name for sub in attribute.sub_attributes)
        raise Misfit(f"none of its parts ({found}) is called like one of {subs}; say which is which in sub_attributes")
    slot = flow_slot(path, definition, attribute, direction=direction, single=not attribute.multi_valued)
    known = frozenset(sub.name.lower() for sub in attribute.sub_attributes)
    return Composite(path, slot, parts, known, plural=attribute.multi_valued)


def _chosen(
    definition: AttributeDefinition, attribute: ScimAttribute, names: Mapping[str, str]
) -> dict[str, AttributeDefinition]:
    """Return the part behind each sub-attribute, by its name in lower case."""
    parts = {part.name: part for part in definition.sub_attributes}
    chosen: dict[str, AttributeDefinition] = {}
    for name, target in names.items():
        if target not in parts:
            raise Misfit(f"it has no part {target!r}{nearest_hint(target, parts)}")
        sub = attribute.sub(name)
        if sub is None:
            hint = nearest_hint(name, [each.name for each in attribute.sub_attributes])
            raise Misfit(f"{attribute.name} has no sub-attribute {name!r}{hint}")
        chosen[sub.name.lower()] = parts[target]
    taken = {part.name for part in chosen.values()}
    for part in definition.sub_attributes:
        if part.name not in taken:
            chosen.setdefault(part.name.lower(), part)
    return chosen


def own_composite(
    path: str, name: str, definition: AttributeDefinition, *, tolerant: bool = True, open: bool = False
) -> Composite:
    """Return the node of an attribute made of parts that are shown under their own names, in the target's types."""
    parts: dict[str, Slot] = {}
    for part in definition.sub_attributes:
        shown = escaped(part.name)
        parts.setdefault(shown.lower(), own_slot(f"{path}.{shown}", part, name=shown, tolerant=tolerant))
    slot = own_slot(path, definition, name=name)
    return Composite(path, slot, parts, frozenset(parts), plural=definition.multivalued, open=open)
