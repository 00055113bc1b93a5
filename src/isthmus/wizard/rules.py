"""What disable and delete mean, from what an operator types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from isthmus.config.errors import ConfigError, nearest
from isthmus.mapping.activity import Activity, no_way_back
from isthmus.mapping.definition import Deprovisioning, ResourceTypeDefinition
from isthmus.spi import AttributeType, ObjectType


def deprovisioning(text: str, object_type: ObjectType) -> Deprovisioning:
    """Return what `nothing`, `delete` or `ATTRIBUTE=VALUE[,ATTRIBUTE=VALUE]` means."""
    if text == "nothing":
        return Deprovisioning(action="nothing")
    if text == "delete":
        return Deprovisioning(action="delete")
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        found = object_type.attribute(name.strip())
        if not equals or found is None:
            known = [one.name for one in object_type.attributes]
            hint = f"; {nearest(name.strip(), known, what='attributes')}" if equals else ""
            raise ConfigError(f"{text!r} is neither nothing, delete nor ATTRIBUTE=VALUE{hint}")
        if found.name in values:
            raise ConfigError(f"{text!r} gives {found.name} two values")
        values[found.name] = _typed(found.name, value.strip(), found.type)
    rule = Deprovisioning(action="set", values=values, restore=_other_words(values, object_type))
    for where, problem in Activity(_only(object_type, rule), object_type, None).problems:
        raise ConfigError(f"{where[-1]}: {problem}")
    return rule


def _only(object_type: ObjectType, rule: Deprovisioning) -> ResourceTypeDefinition:
    return ResourceTypeDefinition(object_type=object_type.name, attributes=(), disable=rule)


def _other_words(values: Mapping[str, Any], object_type: ObjectType) -> dict[str, Any]:
    """Return what takes the values back where an attribute has just one other: Y for N."""
    others = {}
    for name, value in values.items():
        found = object_type.attribute(name)
        choices = () if found is None else found.choices
        if len(choices) == 2 and value in choices:
            others[name] = choices[1 - choices.index(value)]
    return others


def lasting(document: Mapping[str, Any], object_type: ObjectType, connector: str) -> list[str]:
    """Return notes on what disable and delete write that enabling and reviving do not take back."""
    notes = []
    for name in ("disable", "delete"):
        rule = document["resource_types"][0][name]
        lacking = no_way_back(None if rule is None else msgspec.convert(rule, Deprovisioning), object_type)
        if lacking:
            keys = ", ".join(f"{json.dumps(one, ensure_ascii=False)} = ..." for one in lacking)
            notes.append(
                f"{' and '.join(lacking)} will stay as {name} writes it when people come back: say in "
                f"connectors/{connector}.toml what is written then, by restore = {{ {keys} }} beside values"
            )
    return notes


def _typed(name: str, text: str, type: AttributeType) -> Any:
    if type is AttributeType.BOOLEAN:
        if text.casefold() not in ("true", "false", "1", "0"):
            raise ConfigError(f"{name} is a boolean, and {text!r} is neither true nor false")
        return text.casefold() in ("true", "1")
    if type is AttributeType.INTEGER:
        try:
            return int(text)
        except ValueError as exc:
            raise ConfigError(f"{name} holds whole numbers, and {text!r} is none") from exc
    return text
