"""Which schemas a resource type is made of: SCIM's own for User and Group, and one of ours for any other name."""

from __future__ import annotations

from dataclasses import replace

from isthmus.scim import urns
from isthmus.scim.group_schema import GROUP
from isthmus.scim.schema import ScimSchema
from isthmus.scim.user_schema import ENTERPRISE_USER, USER

_OTHER = "urn:isthmus:params:scim:schemas:2.0:"
SERVER_OWNED = ("schemas", "id", "meta", "groups")
"""Attributes no client assigns (RFC 7643 3.1 and 4.1.2): a flow cannot serve them."""


def schemas_of(name: str) -> tuple[ScimSchema, tuple[ScimSchema, ...]]:
    """Return the schema of a resource type and its extensions other than ours.

    A type that is neither User nor Group may use any attribute of User, under a URN of its own.
    """
    if name == "User":
        return USER, (ENTERPRISE_USER,)
    if name == "Group":
        return GROUP, ()
    return replace(USER, id=_OTHER + name, name=name, description=f"Objects of type {name}"), ()


def extension_urn(name: str) -> str:
    """Return the URN under which the target's attributes have their own names."""
    return urns.ecma2host(name)
