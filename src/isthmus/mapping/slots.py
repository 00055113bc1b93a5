"""Make slots: decide how one attribute of the target is shown and taken at one place of a SCIM resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isthmus.mapping.layout import ACTIVE, DN, EXTERNAL_ID, PASSWORD, Slot
from isthmus.mapping.values import (
    NATIVE,
    SCIM_TYPES,
    Accept,
    Unfit,
    accept_boolean,
    accept_secret,
    acceptor,
    plain_text,
    show_datetime,
)
from isthmus.scim.schema import ScimAttribute
from isthmus.spi import AttributeDefinition, AttributeType, Value

_FITTING: dict[str, frozenset[AttributeType]] = {
    "boolean": frozenset({AttributeType.BOOLEAN, AttributeType.INTEGER}),
    "dateTime": frozenset({AttributeType.DATETIME, AttributeType.STRING}),
    "binary": frozenset({AttributeType.BINARY, AttributeType.STRING}),
    "integer": frozenset({AttributeType.INTEGER}),
    "decimal": frozenset({AttributeType.DECIMAL, AttributeType.INTEGER}),
}
"""Which types of the target can stand behind a SCIM type; SCIM's string and reference types take all but references."""


def clash(scim_type: str, definition: AttributeDefinition, *, invert: bool) -> str | None:
    """Return why the attribute cannot stand at a place of this SCIM type, or None."""
    if definition.type is AttributeType.COMPLEX:
        return "it is made of parts; only a complex attribute as a whole can"
    if definition.type is AttributeType.REFERENCE:
        return "it refers to other objects; only manager and members can"
    fitting = _FITTING.get(scim_type)
    if fitting is not None and definition.type not in fitting:
        wanted = " or ".join(sorted(fitting))
        return f"SCIM has a {scim_type} there, which needs a {wanted} attribute, and this one is a {definition.type}"
    if invert and definition.type not in _FITTING["boolean"]:
        return f"only a boolean can be turned round, and this attribute is a {definition.type}"
    return None


def flow_slot(
    path: str,
    definition: AttributeDefinition,
    scim: ScimAttribute,
    *,
    direction: str = "both",
    invert: bool = False,
    single: bool = True,
    tolerant: bool = True,
    key: bool = False,
) -> Slot:
    """Return the slot of a flow: values in the type that SCIM has at that path."""
    scim_type = scim.type
    if scim_type == "boolean":
        accept, show = _truth(definition, invert=invert, tolerant=tolerant)
    elif invert:
        accept, show = _truth(definition, invert=True, tolerant=True)
        show = _texts(show)
    else:
        accept = acceptor(definition, tolerant=tolerant, key=key, as_text=scim_type in {"string", "reference"})
        show = _shown_as(scim_type, definition)
    return Slot(
        path=path,
        name=scim.name,
        attribute=definition.name,
        definition=definition,
        scim_type=scim_type,
        accept=accept,
        show=show,
        single=single,
        invert=invert,
        readable=direction != "export" and not definition.secret,
        writable=direction != "import" and not definition.readonly,
    )


def own_slot(
    path: str, definition: AttributeDefinition, *, name: str, tolerant: bool = True, key: bool = False
) -> Slot:
    """Return the slot of an attribute under its own name, as published: values in the target's type."""
    return Slot(
        path=path,
        name=name,
        attribute=definition.name,
        definition=definition,
        scim_type=SCIM_TYPES[definition.type],
        accept=acceptor(definition, tolerant=tolerant, key=key),
        show=NATIVE[definition.type],
        single=not definition.multivalued,
        readable=not definition.secret,
        writable=not definition.readonly,
    )


def external_id_slot() -> Slot:
    """Return the slot of an `externalId` that is kept in the store."""
    return _pseudo("externalId", "externalId", EXTERNAL_ID, max_length=1024)


def dn_slot(urn: str) -> Slot:
    return _pseudo(f"{urn}:-dn-", "-dn-", DN)


def password_slot(path: str, name: str) -> Slot:
    return Slot(
        path=path,
        name=name,
        attribute=PASSWORD,
        definition=AttributeDefinition(name=PASSWORD, secret=True),
        scim_type="string",
        accept=accept_secret,
        readable=False,
    )


def active_slot(*, writable: bool) -> Slot:
    """Return the slot of an `active` that no flow serves."""
    definition = AttributeDefinition(name=ACTIVE, type=AttributeType.BOOLEAN)
    return Slot(
        path="active",
        name="active",
        attribute=ACTIVE,
        definition=definition,
        scim_type="boolean",
        accept=acceptor(definition),
        writable=writable,
    )


def _pseudo(path: str, name: str, attribute: str, max_length: int | None = None) -> Slot:
    definition = AttributeDefinition(name=attribute, max_length=max_length)
    return Slot(
        path=path,
        name=name,
        attribute=attribute,
        definition=definition,
        scim_type="string",
        accept=acceptor(definition, key=True),
    )


def _truth(
    definition: AttributeDefinition, *, invert: bool, tolerant: bool
) -> tuple[Accept, Callable[[Any], Any] | None]:
    number = definition.type is AttributeType.INTEGER

    def accept(raw: object) -> Value:
        if not tolerant and not isinstance(raw, bool):
            raise Unfit("must be true or false")
        value = bool(accept_boolean(raw)) is not invert
        return int(value) if number else value

    if invert:
        return accept, lambda value: not value
    return accept, bool if number else None


def _texts(show: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return lambda value: plain_text(value if show is None else show(value))


def _shown_as(scim_type: str, definition: AttributeDefinition) -> Callable[[Any], Any] | None:
    if definition.type is AttributeType.STRING:
        return None
    if scim_type in {"string", "reference"}:
        return plain_text
    return show_datetime if scim_type == "dateTime" else NATIVE[definition.type]
