"""The name of an entry: for a new one, after a change, and of the containers above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.connectors.ldap.dn import BadName, parse, split, text
from isthmus.connectors.ldap.layout import Layout
from isthmus.connectors.ldap.link import Entry
from isthmus.spi import InvalidValue, Value

CONTAINERS: dict[str, str] = {
    "ou": "organizationalUnit",
    "o": "organization",
    "l": "locality",
    "c": "country",
    "dc": "domain",
}
"""The class of a missing container, by the attribute that names it."""


def checked(layout: Layout, dn: str) -> str:
    """Return the canonical form of a DN that was given for an entry of this type.

    Raises:
        InvalidValue: it is no DN, or not where entries of this type are.
    """
    try:
        if not parse(dn):
            raise BadName("the empty DN names no entry")
        key = layout.names.key(dn)
    except BadName as exc:
        raise InvalidValue(f"-dn-: {exc}", attribute="-dn-") from exc
    if "\x00" in dn or "\\00" in dn:
        raise InvalidValue("-dn- cannot hold the character NUL", attribute="-dn-")
    if not layout.located(key):
        bases = "; ".join(layout.bases)
        raise InvalidValue(f"-dn- is not below the base DNs of object type {layout.name} ({bases})", attribute="-dn-")
    return key


def new_dn(layout: Layout, given: str | None, attributes: Mapping[str, Sequence[Value]]) -> str:
    """Return the DN of a new entry."""
    if given is None:
        if layout.template is None:
            raise InvalidValue(
                f"object type {layout.name}: a new entry needs -dn-, or set dn_template", attribute="-dn-"
            )
        given = layout.template.fill(attributes)
    checked(layout, given)
    return given


def own_values(layout: Layout, dn: str) -> dict[str, bytes]:
    """Return the values in an entry's own name, by column name."""
    found = {}
    for kind, value in parse(dn)[0]:
        column = layout.by_alias.get(kind.casefold())
        if column is not None:
            found[column.name] = value.encode()
    return found


def own_kinds(layout: Layout, dn: str) -> set[str]:
    """Return which attributes make an entry's own name, those that are not published too."""
    known = layout.by_alias
    folded = (kind.casefold() for kind, _ in parse(dn)[0])
    return {known[kind].name if kind in known else kind for kind in folded}


def naming_columns(layout: Layout, dn: str | None) -> set[str]:
    """Return the columns whose change may change the entry's name."""
    names = set(layout.template.attributes) if layout.template is not None else set()
    if dn is not None:
        names |= own_values(layout, dn).keys()
    return names


def renamed(
    layout: Layout, entry: Entry, before: Mapping[str, Sequence[Value]], after: Mapping[str, Sequence[Value]]
) -> str:
    """Return the DN of an entry whose attributes have changed.

    An entry that is where the template puts it follows the template, to another container too. Any other keeps its
    place, and only its own name follows.
    """
    if layout.template is not None:
        try:
            follows = layout.names.key(layout.template.fill(before)) == layout.names.key(entry.dn)
        except InvalidValue:
            follows = False
        if follows:
            dn = layout.template.fill(after)
            checked(layout, dn)
            return dn
    own = {name.casefold(): name for name in own_values(layout, entry.dn)}
    (first, *above) = parse(entry.dn)
    pairs = []
    for kind, value in first:
        name = next((n for n in own.values() if n.casefold() == kind.casefold()), None)
        changed = name is not None and name in after and tuple(after[name]) != tuple(before.get(name, ()))
        if name is None or not changed:
            pairs.append((kind, value))
            continue
        given = [str(v) for v in after[name]]
        if not given:
            raise InvalidValue(f"{name} names the entry and cannot be cleared", attribute=name)
        pairs.append((kind, value if any(g.casefold() == value.casefold() for g in given) else given[0]))
    if any("\x00" in value for _, value in pairs):
        raise InvalidValue("a name cannot hold the character NUL", attribute=next(iter(own.values()), None))
    dn = text((tuple(pairs), *above))
    checked(layout, dn)
    return dn


def containers(layout: Layout, dn: str) -> list[tuple[str, str, str, str]]:
    """Return (DN, class, attribute, value) of each container above an entry up to its base, the outermost first.

    Raises:
        InvalidValue: one of them is of a kind that is not made.
    """
    found = []
    _, parent = split(dn)
    while parent and layout.names.key(parent) not in layout.bases:
        names = parse(parent)
        kind, value = names[0][0]
        made = CONTAINERS.get(kind.casefold())
        if made is None or len(names[0]) > 1:
            break
        found.append((parent, made, kind, value))
        parent = text(names[1:])
    return found[::-1]
