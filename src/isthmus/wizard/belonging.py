"""Which of the suggested object types belong to the one that was chosen, as settings of an SQL connector."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Table = dict[str, Any]


def as_settings(value: Any) -> Any:
    """Return a settings dataclass as it stands in a configuration file: without what is left at its default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {field.name: as_settings(each) for field, each in given if each != field.default}
    if isinstance(value, tuple | list):
        return [as_settings(each) for each in value]
    return value


def belonging(suggested: Sequence[Mapping[str, Any]], chosen: Table) -> list[Table]:
    """Return the chosen object type with what is suggested for it, then those whose members it is.

    References and child tables that lead to any other type are left out: as plain columns they can be published,
    as references to what is not published they would lead nowhere.
    """
    name = chosen["name"]
    known = {each["name"]: each for each in suggested}
    first = {**known.get(name, {}), **chosen}
    if chosen.get("anchor"):
        # Child tables are found by foreign keys to the primary key: with another anchor they must be named.
        first.pop("child_tables", None)
        return [_without_strangers(first, {name})]
    types = [first, *(each for each in suggested if each["name"] != name and name in _members(each))]
    kept = {each["name"] for each in types}
    return [_without_strangers(each, kept) for each in types]


def _members(table: Mapping[str, Any]) -> set[str]:
    return {child["reference_to"] for child in table.get("child_tables", ()) if child.get("reference_to")}


def _without_strangers(table: Mapping[str, Any], kept: set[str]) -> Table:
    result = dict(table)
    _keep(
        result,
        "reference_columns",
        (each for each in table.get("reference_columns", ()) if each["object_type"] in kept),
    )
    _keep(
        result,
        "child_tables",
        (
            each
            for each in table.get("child_tables", ())
            if not each.get("reference_to") or each["reference_to"] in kept
        ),
    )
    return result


def _keep(table: Table, name: str, values: Iterable[Any]) -> None:
    found = list(values)
    if found:
        table[name] = found
    else:
        table.pop(name, None)
