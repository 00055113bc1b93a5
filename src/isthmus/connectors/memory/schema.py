"""The object types that every in-memory target has."""

from __future__ import annotations

from isthmus.spi import AttributeDefinition, AttributeType, ObjectType, Operation

_ALL = frozenset(Operation)
_NO_PASSWORD = _ALL - {Operation.PASSWORD}
_LONGEST = 256

_EMAIL = (
    AttributeDefinition(name="value", required=True, case_exact=False, max_length=_LONGEST),
    AttributeDefinition(name="type", case_exact=False, max_length=32),
    AttributeDefinition(name="display"),
    AttributeDefinition(name="primary", type=AttributeType.BOOLEAN),
)
_ADDRESS = (
    AttributeDefinition(name="type", case_exact=False, max_length=32),
    AttributeDefinition(name="street"),
    AttributeDefinition(name="locality", case_exact=False),
    AttributeDefinition(name="postalCode", max_length=16),
    AttributeDefinition(name="country", case_exact=False, max_length=2),
    AttributeDefinition(name="primary", type=AttributeType.BOOLEAN),
)
_POSITION = (
    AttributeDefinition(name="title"),
    AttributeDefinition(name="grade", type=AttributeType.INTEGER),
    AttributeDefinition(name="share", type=AttributeType.DECIMAL),
    AttributeDefinition(name="acting", type=AttributeType.BOOLEAN),
    AttributeDefinition(name="since", type=AttributeType.DATETIME),
    AttributeDefinition(name="seal", type=AttributeType.BINARY, max_length=1024),
)

USER = ObjectType(
    name="user",
    anchor=("login",),
    operations=_ALL,
    attributes=(
        AttributeDefinition(name="login", required=True, unique=True, case_exact=False, max_length=_LONGEST),
        AttributeDefinition(name="serial", type=AttributeType.INTEGER, readonly=True, generated=True, unique=True),
        AttributeDefinition(name="displayName", case_exact=False),
        AttributeDefinition(name="givenName", case_exact=False, max_length=64),
        AttributeDefinition(name="familyName", case_exact=False, max_length=64),
        AttributeDefinition(name="mail", case_exact=False, unique=True, max_length=_LONGEST),
        AttributeDefinition(name="costCentre", max_length=16),
        AttributeDefinition(name="employeeNumber", type=AttributeType.INTEGER),
        AttributeDefinition(name="salary", type=AttributeType.DECIMAL),
        AttributeDefinition(name="active", type=AttributeType.BOOLEAN),
        AttributeDefinition(name="hiredAt", type=AttributeType.DATETIME),
        AttributeDefinition(name="badge", type=AttributeType.BINARY, max_length=4096),
        AttributeDefinition(name="phones", multivalued=True),
        AttributeDefinition(name="rooms", type=AttributeType.INTEGER, multivalued=True),
        AttributeDefinition(name="emails", type=AttributeType.COMPLEX, multivalued=True, sub_attributes=_EMAIL),
        AttributeDefinition(name="addresses", type=AttributeType.COMPLEX, multivalued=True, sub_attributes=_ADDRESS),
        AttributeDefinition(name="position", type=AttributeType.COMPLEX, sub_attributes=_POSITION),
        AttributeDefinition(name="manager", type=AttributeType.REFERENCE, reference_to="user"),
        AttributeDefinition(name="pin", secret=True, max_length=64, description="written, never read"),
    ),
)

GROUP = ObjectType(
    name="group",
    anchor=("name",),
    operations=_NO_PASSWORD,
    attributes=(
        AttributeDefinition(name="name", required=True, unique=True, case_exact=True, max_length=_LONGEST),
        AttributeDefinition(name="displayName", case_exact=False),
        AttributeDefinition(name="members", type=AttributeType.REFERENCE, multivalued=True),
    ),
)

ASSIGNMENT = ObjectType(
    name="assignment",
    anchor=("person", "application"),
    operations=_NO_PASSWORD,
    attributes=(
        AttributeDefinition(name="person", required=True, case_exact=False, max_length=_LONGEST),
        AttributeDefinition(name="application", required=True, case_exact=True, max_length=_LONGEST),
        AttributeDefinition(name="role"),
        AttributeDefinition(name="until", type=AttributeType.DATETIME),
    ),
)

DEVICE = ObjectType(
    name="device",
    anchor=("number",),
    operations=_NO_PASSWORD - {Operation.RENAME},
    correlation_attribute="correlation",
    attributes=(
        AttributeDefinition(name="number", type=AttributeType.INTEGER, readonly=True, generated=True, unique=True),
        AttributeDefinition(name="correlation", max_length=64),
        AttributeDefinition(name="label", required=True),
        AttributeDefinition(name="owner", type=AttributeType.REFERENCE, reference_to="user"),
    ),
)

OBJECT_TYPES = (USER, GROUP, ASSIGNMENT, DEVICE)
