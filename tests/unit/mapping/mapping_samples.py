"""Object types and definitions that the mapping's tests share."""

from __future__ import annotations

from typing import Any

from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition
from isthmus.mapping.plans import CreatePlan, CurrentObject, UpdatePlan
from isthmus.mapping.resource_type import ResourceType, compile_resource_type
from isthmus.scim.filter import parse_filter
from isthmus.scim.patch import parse_operations
from isthmus.spi import AttributeDefinition, Attributes, AttributeType, ObjectType, Operation, Value

T = AttributeType
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"


def attribute(name: str, type: AttributeType = T.STRING, **facts: Any) -> AttributeDefinition:
    facts.setdefault("case_exact", False)
    return AttributeDefinition(name=name, type=type, **facts)


EMPLOYEE = ObjectType(
    name="Employees",
    anchor=("Login",),
    operations=frozenset(Operation),
    attributes=(
        attribute("Login", required=True, max_length=64, unique=True),
        attribute("FirstName", max_length=40),
        attribute("LastName", required=True, max_length=40),
        attribute("Email", max_length=100),
        attribute("HomeEmail"),
        attribute("Phone"),
        attribute("Mobile"),
        attribute("Title"),
        attribute("Department"),
        attribute("Street"),
        attribute("City"),
        attribute("Number", T.INTEGER),
        attribute("Salary", T.DECIMAL),
        attribute("Hired", T.DATETIME),
        attribute("Photo", T.BINARY, max_length=16),
        attribute("Remote", T.BOOLEAN),
        attribute("Disabled", T.BOOLEAN),
        attribute("Status"),
        attribute("Role"),
        attribute("Serial", T.INTEGER, readonly=True, generated=True),
        attribute("Tags", multivalued=True),
        attribute("Manager", T.REFERENCE, reference_to="Employees"),
        attribute("Pin", secret=True),
        attribute("Code", case_exact=True),
    ),
)

FLOWS = {
    "userName": Flow(attribute="Login"),
    "name.givenName": Flow(attribute="FirstName"),
    "name.familyName": Flow(attribute="LastName"),
    'emails[type eq "work"].value': Flow(attribute="Email"),
    'emails[type eq "home"].value': Flow(attribute="HomeEmail"),
    'phoneNumbers[type eq "work"].value': Flow(attribute="Phone"),
    'phoneNumbers[type eq "mobile"].value': Flow(attribute="Mobile"),
    "title": Flow(attribute="Title"),
    "department": Flow(attribute="Department"),
    'addresses[type eq "work"].streetAddress': Flow(attribute="Street"),
    'addresses[type eq "work"].locality': Flow(attribute="City"),
    f"{ENTERPRISE}:employeeNumber": Flow(attribute="Number"),
    'roles[primary eq "True"].value': Flow(attribute="Role"),
    "manager": Flow(attribute="Manager"),
    "active": Flow(attribute="Disabled", invert=True),
}
SELECTED = (
    "Login",
    "Email",
    "Salary",
    "Hired",
    "Photo",
    "Remote",
    "Status",
    "Serial",
    "Tags",
    "Pin",
    "Code",
)


def definition(**changes: Any) -> ResourceTypeDefinition:
    settings: dict[str, Any] = {
        "object_type": "Employees",
        "attributes": SELECTED,
        "matching": ("Email",),
        "flows": FLOWS,
        "disable": Deprovisioning(action="set"),
        "delete": Deprovisioning(action="delete"),
    }
    return ResourceTypeDefinition(**(settings | changes))


def employees(*, strict: bool = False, object_type: ObjectType = EMPLOYEE, **changes: Any) -> ResourceType:
    names = {"Employees": "User", "Teams": "Group"}
    return compile_resource_type(definition(**changes), object_type, shape=1, strict=strict, names=names)


TEAM = ObjectType(
    name="Teams",
    anchor=("name",),
    operations=frozenset(Operation),
    attributes=(
        attribute("name", required=True, case_exact=True),
        attribute("displayName"),
        attribute("members", T.REFERENCE, multivalued=True),
    ),
)


def teams(*, strict: bool = False, flows: dict[str, Flow] | None = None) -> ResourceType:
    return compile_resource_type(
        ResourceTypeDefinition(
            object_type="Teams",
            name="Group",
            endpoint="Groups",
            attributes=("name", "displayName", "members"),
            flows=flows or {"displayName": Flow(attribute="name"), "members": Flow(attribute="members")},
        ),
        TEAM,
        shape=1,
        strict=strict,
        names={"Employees": "User", "Teams": "Group"},
    )


PRESENT: dict[str, tuple[Value, ...]] = {
    "Login": ("jdoe",),
    "FirstName": ("Jane",),
    "LastName": ("Doe",),
    "Email": ("jane@contoso.example",),
    "HomeEmail": (),
    "Phone": ("+1 (555) 0100",),
    "Mobile": (),
    "Title": ("Clerk",),
    "Department": ("Sales",),
    "Street": ("Main Street 1",),
    "City": ("Springfield",),
    "Number": (701,),
    "Salary": (),
    "Remote": (True,),
    "Disabled": (False,),
    "Status": (),
    "Role": (),
    "Serial": (9,),
    "Tags": ("a", "b"),
    "Code": ("Xy",),
}


def current(attributes: Attributes | None = None, **changes: Any) -> CurrentObject:
    settings: dict[str, Any] = {"id": "the-id", "external_id": "ext-1", "references": {"Manager": ["boss-id"]}}
    return CurrentObject(attributes={**PRESENT, **(attributes or {})}, **(settings | changes))


def patch(rt: ResourceType, *operations: dict[str, Any], on: CurrentObject | None = None) -> UpdatePlan:
    parsed = parse_operations(
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}
    )
    return rt.plan_patch(parsed, on or current())


def op(verb: str, path: str | None = None, value: Any = ..., **extra: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": verb, **extra}
    if path is not None:
        operation["path"] = path
    if value is not ...:
        operation["value"] = value
    return operation


def written(plan: UpdatePlan | CreatePlan) -> dict[str, tuple[Value, ...]]:
    """Return what a plan replaces, by attribute; additions and removals as ("+", ...) and ("-", ...)."""
    if isinstance(plan, CreatePlan):
        return dict(plan.attributes)
    result: dict[str, tuple[Value, ...]] = {}
    for change in plan.changes:
        if change.replace is not None:
            result[change.name] = change.replace
        else:
            removed = ("-", *change.remove) if change.remove else ()
            result[change.name] = (*removed, *(("+", *change.add) if change.add else ()))
    return result


def bind(rt: ResourceType, text: str) -> Any:
    return rt.bind(parse_filter(text))
