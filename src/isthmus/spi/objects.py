"""The values that pass between host and connector. All frozen; all safe to share between threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Reference:
    """Point at another object by the name the target uses for it (its anchor or its DN)."""

    key: tuple[str, ...]
    object_type: str | None = None


Simple = str | int | Decimal | bool | datetime | bytes | Reference
"""A value without parts. datetime is timezone-aware, or naive where the target itself keeps no zone."""


@dataclass(frozen=True, slots=True, init=False)
class Complex:
    """One value made of named parts, such as an address: the value of an attribute of type `AttributeType.COMPLEX`.

    A part that has no value is left out; a part is never a reference. Parts are kept in the order of their names, so
    that equal values are equal and have equal hashes whatever order they were made in.
    """

    parts: tuple[tuple[str, Simple], ...]

    def __init__(self, parts: Mapping[str, Simple]) -> None:
        object.__setattr__(self, "parts", tuple(sorted(parts.items(), key=_name)))

    def get(self, name: str) -> Simple | None:
        """Return the part of exactly this name, or None."""
        for part, value in self.parts:
            if part == name:
                return value
        return None

    def as_dict(self) -> dict[str, Simple]:
        """Return the parts by name."""
        return dict(self.parts)


def _name(part: tuple[str, Simple]) -> str:
    return part[0]


Value = Simple | Complex
"""One value of an attribute."""

Attributes = Mapping[str, tuple[Value, ...]]
"""Values by attribute name. A name that is absent was not read; an empty tuple means: has no value."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """An object's identity for life: one or more values in their canonical text, in the order of `ObjectType.anchor`.

    The connector makes the text; equal objects must always give equal text (case rules of the target included).
    """

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("an anchor has at least one value")


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that identifies an object to its target."""

    anchor: Anchor
    dn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorObject:
    """One object as the target has it now."""

    object_type: str
    identity: Identity
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """Change one attribute.

    Either `replace` is given (the new values; `()` clears), or `add` and `remove`, of which `remove` is applied first.
    """

    name: str
    replace: tuple[Value, ...] | None = None
    add: tuple[Value, ...] = ()
    remove: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportScope:
    """What one import run reads: some object types that share one watermark."""

    key: str
    object_types: tuple[str, ...]
    partition: str | None = None
    estimated_objects: int | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where a delta import goes on; opaque to all but connectors of the type that made it, in any process."""

    token: str


@dataclass(frozen=True, slots=True)
class DeletedObject:
    """An object that the target no longer has."""

    object_type: str
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Columns:
    """Several objects of one type, attribute by attribute: `values[name][n]` is what the nth has, None for no value.

    What the attributes of a `ConnectorObject` hold, of one value at most; none of them a reference or made of parts.
    """

    anchors: Sequence[tuple[str, ...]]
    values: Mapping[str, Sequence[Value | None]]


class Columnar(Sequence[ConnectorObject], ABC):
    """The objects of an import page, which can also be had by column: for the host a third of the work.

    For connectors whose rows come by the million; any other sequence of objects does as well.
    """

    @abstractmethod
    def columns(self, indexes: Sequence[int]) -> Columns | None:
        """Return the objects at these places, none of which has a dn, or None to have them asked for one by one.

        What cannot be read is not reported here: None, and the object that is asked for by itself says what is wrong.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPage:
    """A part of an import: objects as they are now, objects that are gone, and how far this page brings the watermark.

    What is gone is taken after what is there, so an anchor stands in one of the two.

    `wire` is given by connectors that can tell "unchanged" without decoding: one byte string for each object, in the
    same order, which differs whenever the decoded object would differ. `objects` may then be a sequence that decodes an
    item each time it is indexed; the host indexes only what changed.
    """

    objects: Sequence[ConnectorObject] = ()
    deleted: Sequence[DeletedObject] = ()
    watermark: Watermark | None = None
    wire: Sequence[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Values the wizard can offer for one setting, best first, with the reason."""

    values: tuple[Any, ...]
    reason: str = ""
