"""Writing references that several columns of an object's own table hold together."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.layout import CompositeReference, Layout
from isthmus.connectors.sql.values import text_of
from isthmus.spi import AttributeChange, Attributes, Identity, InvalidValue, Reference, Value


def spread(layout: Layout, attributes: Attributes) -> Attributes:
    """Return the attributes of a new object with a value for each column in place of references of several."""
    if not layout.composites:
        return attributes
    result = {name: values for name, values in attributes.items() if name not in layout.composites}
    for name, composite in layout.composites.items():
        values = attributes.get(name)
        if not values:
            if composite.definition.required:
                raise InvalidValue(f"{layout.target} needs a value for {name}", attribute=name)
            continue
        for column, text in zip(composite.columns, _key(composite, values), strict=True):
            given = result.get(column.name)
            if column.name not in layout.hidden and given:
                _check_shared(composite, column, column.key(given[0]), text)
                continue
            result[column.name] = (Reference((text,)),)
    return result


def spread_changes(
    layout: Layout, identity: Identity, changes: Sequence[AttributeChange]
) -> tuple[list[AttributeChange], dict[str, tuple[str, ...]]]:
    """Return the changes column by column, and the columns to clear if all of several have certain values.

    The latter are given the values to compare by `remove` of their changes.
    """
    if not layout.composites:
        return list(changes), {}
    anchor = dict(zip((c.name for c in layout.anchor), identity.anchor.values, strict=True))
    for change in changes:
        if change.name in anchor and (values := change.replace or change.add):
            anchor[change.name] = text_of(values[0])
    result: list[AttributeChange] = []
    conditions: dict[str, tuple[str, ...]] = {}
    for change in changes:
        composite = layout.composites.get(change.name)
        if composite is None:
            result.append(change)
            continue
        own = [column for column in composite.columns if column.name in layout.hidden]
        values = change.add if change.replace is None else change.replace
        if values:
            for column, text in zip(composite.columns, _key(composite, values), strict=True):
                if column in own:
                    result.append(AttributeChange(column.name, replace=(Reference((text,)),)))
                else:
                    _check_shared(composite, column, column.fold(anchor[column.name]), text)
            continue
        if composite.definition.required:
            raise InvalidValue(f"{change.name} of {layout.target} needs a value", attribute=change.name)
        if change.replace is not None:
            result += [AttributeChange(column.name, replace=()) for column in own if column.nullable]
        elif change.remove:
            # One column without a value is enough: then there is no reference.
            first = next(column for column in own if column.nullable)
            conditions[first.name] = tuple(c.name for c in own)
            if all(
                column in own or column.fold(anchor[column.name]) == column.fold(text)
                for column, text in zip(composite.columns, _key(composite, change.remove), strict=True)
            ):
                result += [
                    AttributeChange(column.name, remove=(Reference((text,)),))
                    for column, text in zip(composite.columns, _key(composite, change.remove), strict=True)
                    if column in own
                ]
    return result, conditions


def _key(composite: CompositeReference, values: Sequence[Value]) -> tuple[str, ...]:
    name = composite.definition.name
    if composite.definition.readonly:
        raise InvalidValue(f"{name} is computed by the database", attribute=name)
    if len(values) > 1:
        raise InvalidValue(f"{name} takes one value, not {len(values)}", attribute=name)
    value = values[0]
    if not isinstance(value, Reference) or len(value.key) != len(composite.columns):
        raise InvalidValue(
            f"{name} takes a reference to a {composite.definition.reference_to}, whose key has "
            f"{len(composite.columns)} parts",
            attribute=name,
        )
    return value.key


def _check_shared(composite: CompositeReference, column: Column, mine: str, text: str) -> None:
    if column.fold(mine) != column.fold(text):
        raise InvalidValue(
            f"{composite.definition.name} must have the same {column.name} as the object itself",
            attribute=composite.definition.name,
        )
