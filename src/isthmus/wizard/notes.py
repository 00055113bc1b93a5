"""What an operator should look at in a suggested definition."""

from __future__ import annotations

from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.mapping.suggesting import looks_secret
from isthmus.spi import ObjectType

PEOPLE = "Users"
GROUPS = "Groups"


def group_notes(definition: ResourceTypeDefinition) -> list[str]:
    lacking = [path for path in ("displayName", "members") if path not in definition.flows]
    if not lacking:
        return []
    what = f"no attribute of the groups in {definition.object_type} looks like {' or '.join(lacking)}"
    return [f"{what}: add a flow, since clients send nothing else of a group"]


def notes_on(object_type: ObjectType, definition: ResourceTypeDefinition) -> list[str]:
    notes = []
    missing = [one.name for one in object_type.attributes if one.required and one.name not in definition.attributes]
    if missing:
        notes.append(
            f"not published, since they look like secrets, but every row needs a value: {', '.join(missing)}; "
            "creates will fail until they are added to 'attributes', named as password_column (SQL), or get a default "
            "in the target"
        )
    reached = {flow.attribute for flow in definition.flows.values()}
    alone = [one.name for one in object_type.attributes if one.required and one.name not in (*missing, *reached)]
    if alone and definition.endpoint == PEOPLE:
        notes.append(
            f"{', '.join(alone)} must have a value and no flow brings one: clients send it under the ECMA2Host "
            "extension (Entra), or add a flow"
        )
    name = definition.flows.get("userName")
    shared = [path for path, flow in definition.flows.items() if path != "userName" and flow == name]
    if name is not None and shared:
        notes.append(
            f"userName and {', '.join(shared)} are both {name.attribute}: who is sent with different values is refused "
            "(400); if your identity provider does that, take the flow out that it should not set"
        )
    hidden = [one.name for one in object_type.attributes if looks_secret(one) and one.name not in missing]
    if hidden:
        notes.append(f"not published, since they look like secrets: {', '.join(hidden)}")
    if not definition.matching:
        notes.append("no matching attribute could be suggested; name one with --matching, or doubles may be made")
    if definition.endpoint == GROUPS:
        notes += group_notes(definition)
    if definition.endpoint == PEOPLE and "userName" not in definition.flows:
        notes.append("no attribute looks like userName; add a flow for it if your identity provider is not Entra")
    generated = [
        one for one in object_type.anchor if (found := object_type.attribute(one)) is not None and found.generated
    ]
    if generated and object_type.correlation_attribute is None and not definition.matching:
        notes.append("the target makes the anchor and nothing else identifies a row: set a correlation_attribute")
    return notes
