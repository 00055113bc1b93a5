"""An object type whose attributes are made of parts, and how the tests publish it."""

from __future__ import annotations

from typing import Any

from mapping_samples import T, attribute

from isthmus.mapping.definition import Flow, ResourceTypeDefinition
from isthmus.mapping.plans import CurrentObject
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.spi import AttributeDefinition, Complex, ObjectType, Operation, Value


def made_of(name: str, *parts: AttributeDefinition, **facts: Any) -> AttributeDefinition:
    return attribute(name, T.COMPLEX, sub_attributes=parts, **facts)


PERSON = ObjectType(
    name="Persons",
    anchor=("Login",),
    operations=frozenset(Operation),
    attributes=(
        attribute("Login", required=True, unique=True),
        made_of(
            "emails",
            attribute("value", required=True),
            attribute("type"),
            attribute("display", case_exact=True),
            attribute("primary", T.BOOLEAN),
            multivalued=True,
        ),
        made_of(  # other names, a number for a truth, a key that the target makes, a part that SCIM has no name for
            "Telephones",
            attribute("row", T.INTEGER, readonly=True, generated=True),
            attribute("number", required=True, case_exact=True),
            attribute("kind"),
            attribute("preferred", T.INTEGER),
            attribute("note"),
            multivalued=True,
        ),
        made_of(
            "addresses",
            attribute("type"),
            attribute("streetAddress"),
            attribute("locality"),
            attribute("postalCode"),
            multivalued=True,
        ),
        made_of("Roles", attribute("value"), multivalued=True),
        made_of("FullName", attribute("givenName"), attribute("familyName"), attribute("Suffix")),
        made_of(
            "Facts",
            attribute("text"),
            attribute("whole", T.INTEGER),
            attribute("share", T.DECIMAL),
            attribute("on", T.BOOLEAN),
            attribute("since", T.DATETIME),
            attribute("seal", T.BINARY),
            multivalued=True,
        ),
    ),
)

FLOWS = {
    "userName": Flow(attribute="Login"),
    "emails": Flow(attribute="emails"),
    "phoneNumbers": Flow(
        attribute="Telephones", sub_attributes={"value": "number", "type": "kind", "primary": "preferred"}
    ),
    "addresses": Flow(attribute="addresses"),
    "roles": Flow(attribute="Roles"),
    "name": Flow(attribute="FullName", sub_attributes={"honorificSuffix": "Suffix"}),
}


def persons(*, strict: bool = False, object_type: ObjectType = PERSON, **changes: Any) -> ResourceType:
    settings: dict[str, Any] = {
        "object_type": "Persons",
        "attributes": tuple(each.name for each in object_type.attributes),
        "flows": FLOWS,
    }
    return compile_resource_type(
        ResourceTypeDefinition(**(settings | changes)), object_type, shape=1, strict=strict, names={"Persons": "User"}
    )


def c(**parts: Any) -> Complex:
    return Complex(parts)


WORK = c(type="work", value="w@x", primary=True)
HOME = c(type="home", value="h@x")
OFFICE = c(row=7, number="+1", kind="work", preferred=1, note="ring twice")
CELL = c(row=8, number="+2", kind="mobile", preferred=0)

PRESENT: dict[str, tuple[Value, ...]] = {
    "Login": ("jdoe",),
    "emails": (WORK, HOME),
    "Telephones": (OFFICE, CELL),
    "addresses": (c(type="work", streetAddress="Main 1", locality="Ulm"),),
    "Roles": (c(value="Reader"),),
    "FullName": (c(givenName="Jane", familyName="Doe", Suffix="III"),),
    "Facts": (),
}


def present(**attributes: tuple[Value, ...]) -> CurrentObject:
    return CurrentObject(id="the-id", attributes={**PRESENT, **attributes})


def changes(plan: Any) -> dict[str, Any]:
    """Return what a plan changes: a tuple replaces, a pair of sets takes away and adds."""
    return {
        change.name: change.replace if change.replace is not None else (set(change.remove), set(change.add))
        for change in plan.changes
    }


def applied(plan: Any, current: CurrentObject) -> dict[str, tuple[Value, ...]]:
    """Return the attributes as a target has them after the plan."""
    after = dict(current.attributes)
    for change in plan.changes:
        if change.replace is not None:
            after[change.name] = change.replace
        else:
            kept = [value for value in after.get(change.name, ()) if value not in change.remove]
            after[change.name] = (*kept, *(value for value in change.add if value not in kept))
    return after
