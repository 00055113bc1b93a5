"""The people of a notebook, and what a value of theirs must be like."""

from isthmus.spi import AttributeDefinition, AttributeType, InvalidValue, MisconfiguredConnector, ObjectType, Operation

PERSON = ObjectType(
    name="person",
    anchor=("login",),
    attributes=(
        AttributeDefinition(name="login", required=True, unique=True),
        AttributeDefinition(name="name"),
        AttributeDefinition(name="age", type=AttributeType.INTEGER),
        AttributeDefinition(name="active", type=AttributeType.BOOLEAN),
        AttributeDefinition(name="phones", multivalued=True),
    ),
    operations=frozenset(
        {Operation.IMPORT, Operation.LOOKUP, Operation.CREATE, Operation.UPDATE, Operation.DELETE},
    ),
)

_CLASSES = {AttributeType.STRING: str, AttributeType.INTEGER: int, AttributeType.BOOLEAN: bool}


def definition(name: str) -> AttributeDefinition:
    found = PERSON.attribute(name)
    if found is None:
        raise MisconfiguredConnector(f"people in a notebook have no attribute {name!r}")
    return found


def check(name: str, values: tuple[object, ...]) -> None:
    """Raise what is wrong with the values of an attribute; the message never repeats a value."""
    attribute = definition(name)
    if len(values) > 1 and not attribute.multivalued:
        raise InvalidValue(f"{name} takes one value", attribute=name)
    if not values and attribute.required:
        raise InvalidValue(f"{name} needs a value", attribute=name)
    if any(type(value) is not _CLASSES[attribute.type] for value in values):
        raise InvalidValue(f"a value of {name} is not of type {attribute.type}", attribute=name)
