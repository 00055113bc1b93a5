"""What the wizard can offer: tables whose rows are objects, the tables that belong to them, and the references between.

Names are only a hint where keys leave open what a table is for; an operator looks it all over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from isthmus.connectors.sql.database import Database
from isthmus.connectors.sql.facts import ColumnFacts, ForeignKey, KeyFacts
from isthmus.connectors.sql.reflecting import inspected
from isthmus.connectors.sql.settings import ChildTable, ReferenceColumn, SqlObjectType
from isthmus.spi import AttributeType, Call, Suggestion

_SYSTEM = {"information_schema", "pg_catalog", "mysql", "performance_schema", "sys"}
_PEOPLE = ("person", "people", "user", "employee", "account", "staff", "member")
_GROUPS = ("group", "team", "role", "unit", "department")
_ORDERS = {"pos", "position", "ord", "ordinal", "seq", "sequence", "sort", "sortorder", "rank"}

# What SCIM calls several values of a person, by the names that tables have for it.
_SEVERAL = {
    "emails": ("email", "emails", "mail", "mails", "emailaddress", "emailaddresses", "mailaddresses"),
    "phoneNumbers": ("phone", "phones", "phonenumber", "phonenumbers", "telephone", "telephones"),
    "addresses": ("address", "addresses"),
    "ims": ("im", "ims", "messenger", "messengers"),
    "photos": ("photo", "photos"),
    "entitlements": ("entitlement", "entitlements", "permission", "permissions"),
    "roles": ("role", "roles"),
}


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: Sequence[ColumnFacts]
    keys: KeyFacts
    pointing: tuple[ForeignKey, ...]
    """Foreign keys that hold the primary key of a table."""

    def others(self, used: set[str]) -> list[ColumnFacts]:
        return [c for c in self.columns if c.name not in used]


def suggest(database: Database, call: Call) -> Mapping[str, Suggestion]:
    schema = database.settings.schema
    with inspected(database, call) as inspector:
        schemas = sorted(name for name in inspector.get_schema_names() if name not in _SYSTEM)
        names = sorted(database.tables(inspector, schema))
        columns = database.column_facts(inspector, schema, names) if names else {}
        keys = database.keys(inspector, schema, names) if names else {}
    return {
        "object_types": Suggestion(suggested_types(columns, keys), "tables that have a primary key"),
        "schema": Suggestion(tuple(schemas), "schemas that the account may see"),
    }


def suggested_types(
    columns: Mapping[str, Sequence[ColumnFacts]], keys: Mapping[str, KeyFacts]
) -> tuple[SqlObjectType, ...]:
    """Return object types, people first, then groups; tables that only belong to them are no types of their own."""
    tables = {name: _Table(name, each, keys[name], _pointing(keys[name], keys)) for name, each in columns.items()}
    referred = {key.table for each in tables.values() for key in each.pointing if key.table != each.name}
    links = {name: each for name, each in tables.items() if name not in referred and _is_link(each)}
    owned = {
        name: each for name, each in tables.items() if name not in referred and name not in links and _is_child(each)
    }
    types = {
        name: SqlObjectType(name=name, reference_columns=_references(each))
        for name, each in tables.items()
        if each.keys.primary and name not in links and name not in owned
    }
    for each in owned.values():
        _own(types, each.pointing[0].table, _child_table(each))
    for each in links.values():
        _own(types, *_membership(each))
    return tuple(sorted(types.values(), key=lambda each: (_rank(each.name), each.name)))


def _own(types: dict[str, SqlObjectType], owner: str, child: ChildTable) -> None:
    """Add a child table to its owner, under a name that is free."""
    if owner not in types:
        return
    taken = {each.attribute for each in types[owner].child_tables}
    if child.attribute in taken:
        child = replace(child, attribute=child.table)
    types[owner] = replace(types[owner], child_tables=(*types[owner].child_tables, child))


def _pointing(own: KeyFacts, keys: Mapping[str, KeyFacts]) -> tuple[ForeignKey, ...]:
    return tuple(
        key for key in own.foreign if key.table in keys and set(key.referred) == set(keys[key.table].primary) != set()
    )


def _references(table: _Table) -> tuple[ReferenceColumn, ...]:
    found = []
    for key in table.pointing:
        if set(key.columns) <= set(table.keys.primary):
            continue
        if len(key.columns) == 1:
            found.append(ReferenceColumn(column=key.columns[0], object_type=key.table))
    return tuple(found)


def _is_link(table: _Table) -> bool:
    """Whether a row says no more than that two objects belong together."""
    if len(table.pointing) != 2:
        return False
    used = {name for key in table.pointing for name in key.columns}
    if set(table.pointing[0].columns) == set(table.pointing[1].columns):
        return False
    keyed = not table.keys.primary or set(table.keys.primary) == used
    rest = table.others(used)
    numbered = len(table.keys.primary) == 1 and any(c.name in table.keys.primary and c.generated for c in rest)
    return (keyed or numbered) and all(c.generated or c.computed for c in rest)


def _is_child(table: _Table) -> bool:
    """Whether rows are values of other objects: named for such values, and keyed by their owner or by a number.

    Keys alone do not tell e-mails from salaries, which nobody means to publish, or to delete with their owner.
    """
    if len(table.pointing) != 1 or table.pointing[0].table == table.name:
        return False
    key, primary = table.pointing[0], set(table.keys.primary)
    if not _values(table) or _several(table.name, key.table) is None:
        return False
    numbered = len(primary) == 1 and any(c.name in primary and c.generated for c in table.columns)
    return numbered or not primary or set(key.columns) < primary


def _values(table: _Table) -> list[ColumnFacts]:
    used = {name for key in table.pointing for name in key.columns}
    primary = set(table.keys.primary)
    return [c for c in table.others(used) if not (c.generated and c.name in primary) and not c.computed]


def _child_table(table: _Table) -> ChildTable:
    order = next(
        (
            c.name
            for c in _values(table)
            if _plain(c.name) in _ORDERS and c.codec.type is AttributeType.INTEGER and len(_values(table)) > 1
        ),
        None,
    )
    name = _several(table.name, table.pointing[0].table) or table.name
    return ChildTable(attribute=name, table=table.name, order_column=order)


def _membership(table: _Table) -> tuple[str, ChildTable]:
    first, second = table.pointing
    ranks = _rank(first.table), _rank(second.table)
    if ranks != (0, 0) and (ranks[0] == 0 or (ranks[1] == 1 and ranks[0] != 1)):
        first, second = second, first  # people belong to the other; so does anything to a group
    same = first.table == second.table
    name = "members" if _rank(second.table) == 0 and not same else table.name if same else second.table
    return first.table, ChildTable(
        attribute=name,
        table=table.name,
        owner_columns=first.columns if same else (),
        columns=second.columns if same else (),
        reference_to=second.table,
    )


def _several(name: str, owner: str) -> str | None:
    """Return what SCIM calls the values in a table of this name, alone or after the name of their owner."""
    plain, of = _plain(name), _plain(owner)
    endings = {plain, plain.removeprefix(of), plain.removeprefix(of.removesuffix("s"))}
    if of == "people":
        endings.add(plain.removeprefix("person"))
    return next((several for several, words in _SEVERAL.items() if endings & set(words)), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _rank(name: str) -> int:
    """Return 0 for what looks like people, 1 for what looks like groups; of two words the last one says what it is."""
    plain = _plain(name)
    people, groups = (max(plain.rfind(word) for word in words) for words in (_PEOPLE, _GROUPS))
    if people == groups:  # neither is there
        return 2
    return 0 if people > groups else 1
