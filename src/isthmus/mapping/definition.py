"""How an object type is published: the typed part of a connector's configuration that the compile step reads."""

from __future__ import annotations

from typing import Literal

import msgspec

Scalar = str | int | float | bool | None


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Join a SCIM path (`userName`, `emails[type eq "work"].value`) and an attribute of the target.

    `invert` turns a boolean round on the way (`active` against a column `Disabled`). `sub_attributes`: for an attribute
    that is made of parts, the part behind each sub-attribute of SCIM that is not called like it (ignoring case).
    """

    attribute: str
    direction: Literal["both", "import", "export"] = "both"
    invert: bool = False
    sub_attributes: dict[str, str] = {}


class Deprovisioning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What disable (`active` = false) or delete (DELETE) does in the target.

    With `set`, `values` are the target's attributes to write; `restore` is written when the object is enabled or
    revived (left out: booleans are turned round, other attributes are left).
    """

    action: Literal["nothing", "set", "delete"]
    values: dict[str, Scalar] = {}
    restore: dict[str, Scalar] = {}


class ResourceTypeDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Publish an object type of the target as a SCIM resource type.

    `attributes`: the selected ones; only these are read, stored and published. `matching`: attributes by which clients
    find an object before they create one; each is indexed and looked up in the target. `flows`: by SCIM path.
    `own_names`: how names of the target that SCIM does not allow are shown (`escaping`); both forms are understood.
    `unmapped`: escaped, and only those that no flow shows, so that nothing is published twice.
    """

    object_type: str
    name: str = "User"
    endpoint: str = "Users"
    attributes: tuple[str, ...]
    matching: tuple[str, ...] = ()
    own_names: Literal["escaped", "plain", "unmapped"] = "escaped"
    flows: dict[str, Flow] = {}
    disable: Deprovisioning | None = None
    delete: Deprovisioning | None = None

    @property
    def has_members(self) -> bool:
        """Tell whether these are groups whose members are published."""
        names = (path.lower().rpartition(":")[2].partition(".")[0] for path in self.flows)
        return self.name == "Group" and "members" in names
