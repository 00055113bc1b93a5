"""What a SCIM request means for the target: plain data that the engine carries out.

Values may be confidential, so no plan shows them in its repr; `secret` attributes must not be journalled either
(`ResourceType.secret_attributes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from isthmus.spi import AttributeChange, Attributes, Secret, Value


class Unset(Enum):
    """Says "the request does not name it", where None means "cleared"."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentObject:
    """The object a PUT or PATCH is judged on, as fresh as the engine can have it.

    `references`: ids by attribute; an attribute may be left out where loading it is not worth it (a group's members):
    no plan needs it, because member changes are additions and removals. `active` None: worked out from the attributes.
    """

    id: str
    attributes: Attributes = field(repr=False)
    references: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    external_id: str | None = None
    dn: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceChange:
    """Change a reference attribute by the SCIM ids sent; `replace` excludes the others, as in `AttributeChange`."""

    attribute: str
    replace: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlan:
    """Create one object. `references`: (attribute, id as sent), still to be resolved to the target's keys.

    The values of a disable flow are already among `attributes` when `active` is False.
    """

    attributes: dict[str, tuple[Value, ...]] = field(repr=False)
    references: tuple[tuple[str, str], ...] = ()
    password: Secret | None = None
    external_id: str | None = None
    active: bool | None = None
    dn: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """Change one object. `changes` has every attribute the request names, also where the value is the current one.

    `active` False: the request disables (with action *set* its values are already in `changes`, with *delete* the
    engine deletes); True: it enables; None: it says nothing about it, or nothing shall happen. `clears_members`: a
    multi-valued reference is emptied as a whole.
    """

    changes: tuple[AttributeChange, ...] = field(default=(), repr=False)
    references: tuple[ReferenceChange, ...] = ()
    password: Secret | None = None
    external_id: str | Unset | None = UNSET
    active: bool | None = None
    new_dn: str | None = None
    warnings: tuple[str, ...] = ()
    clears_members: bool = False
