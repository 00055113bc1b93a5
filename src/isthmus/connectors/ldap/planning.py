"""What a change means as modifications: pure, so that it can be shown and tested without a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import ldap

from isthmus.connectors.ldap.layout import DN, Column, Layout
from isthmus.connectors.ldap.link import Modification
from isthmus.spi import AttributeChange, Attributes, AttributeType, InvalidValue


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute's change, encoded. `replace` None: values are removed, then added.

    `bits`: those that are set and those that are cleared of a number; the value it has now is removed and the new one
    added, so that the directory refuses if others have changed it since it was read.
    """

    column: Column
    replace: list[bytes] | None = None
    add: list[bytes] = field(default_factory=list)
    remove: list[bytes] = field(default_factory=list)
    bits: tuple[int, int] | None = None

    @property
    def partial(self) -> bool:
        return self.replace is None and self.bits is None


def new_values(layout: Layout, attributes: Attributes) -> dict[str, list[bytes]]:
    """Return the values of a new entry by column name; required ones are checked."""
    found: dict[str, list[bytes]] = {}
    for name, values in attributes.items():
        column = _writable(layout, name)
        encoded = column.encode_all(values)
        if encoded:
            found[name] = encoded
    return found


def check_required(layout: Layout, values: Iterable[str]) -> None:
    given = set(values)
    for name in layout.required:
        if name not in given:
            raise InvalidValue(f"object type {layout.name}: {name} is required", attribute=name)


def plan_changes(layout: Layout, changes: Sequence[AttributeChange]) -> list[Change]:
    """Return the changes, encoded; nothing is sent if one of them cannot be.

    Raises:
        InvalidValue: a value does not fit, or the attribute cannot be written.
        MisconfiguredConnector: there is no such attribute.
    """
    planned = []
    for each in changes:
        column = _writable(layout, each.name)
        if each.replace is not None:
            values = column.encode_all(each.replace)
            if not values and column.definition.required:
                raise InvalidValue(f"{column.name} is required and cannot be cleared", attribute=column.name)
            planned.append(Change(column, replace=values))
        else:
            add, remove = column.encode_each(each.add), column.encode_each(each.remove)
            if add or remove:
                planned.append(Change(column, add=add, remove=remove))
    return planned


def _writable(layout: Layout, name: str) -> Column:
    column = layout.column(name)
    if column.definition.readonly:
        hint = "; send -dn- to name or move an entry" if name == DN else ""
        raise InvalidValue(f"object type {layout.name}: {name} is kept by the directory itself{hint}", attribute=name)
    return column


def modifications(layout: Layout, changes: Iterable[Change]) -> list[Modification]:
    """Return the modifications of one request; an emptied group keeps its placeholder."""
    found: list[Modification] = []
    for change in changes:
        wire = change.column.wire
        if change.replace is not None:
            values = change.replace or placeholder(layout, change.column)
            found.append((ldap.MOD_REPLACE, wire, values or None))
            continue
        if change.remove:
            found.append((ldap.MOD_DELETE, wire, change.remove))
        if change.add:
            found.append((ldap.MOD_ADD, wire, change.add))
    return found


def placeholder(layout: Layout, column: Column) -> list[bytes]:
    """Return what stands for "no member" where the class asks for one."""
    name = layout.placeholders.get(column.name)
    return [] if name is None else [name.encode()]


def portions(changes: Sequence[Change], size: int) -> list[list[Change]]:
    """Return the changes in requests of at most `size` members each; the first carries everything else."""
    first: list[Change] = []
    later: list[list[Change]] = []
    for change in changes:
        if not change.partial or len(change.add) + len(change.remove) <= size:
            first.append(change)
            continue
        remove, add = change.remove, change.add
        parts = [Change(change.column, remove=remove[i : i + size]) for i in range(0, len(remove), size)]
        parts += [Change(change.column, add=add[i : i + size]) for i in range(0, len(add), size)]
        first.append(parts[0])
        later += [[part] for part in parts[1:]]
    return [first, *later] if first else later


def returned(layout: Layout, changes: Iterable[Change], wanted: Iterable[str], *, generated: bool) -> list[str]:
    """Return the attributes that a write gives back.

    References of which some were added or removed are left out: the whole list may be long, and the host knows it by
    applying the same change.
    """
    partial = {c.column.name for c in changes if c.partial and c.column.definition.type is AttributeType.REFERENCE}
    names = [c.column.name for c in changes]
    if generated:
        names += layout.generated
    names += [name for name in wanted if name in layout.columns]
    return [n for n in dict.fromkeys(names) if n not in partial and not layout.columns[n].definition.secret]


def shown(changes: Iterable[Change]) -> str:
    """Return what is changed, without values."""
    parts = []
    for change in changes:
        if change.replace is not None:
            parts.append(f"replace {change.column.name}")
        if change.remove:
            parts.append(f"remove {len(change.remove)} of {change.column.name}")
        if change.add:
            parts.append(f"add {len(change.add)} to {change.column.name}")
    return ", ".join(parts) or "nothing"
