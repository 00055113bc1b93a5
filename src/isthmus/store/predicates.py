"""Turn a `Predicate` into one SQL condition over `objects AS o`. Every value is bound; names of attributes too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.store.folding import instant, number
from isthmus.store.predicate import (
    All,
    AnyOf,
    Constant,
    KeyEquals,
    LinkTo,
    Negated,
    Predicate,
    Present,
    Pseudo,
    ReferredBy,
    SomeElement,
    Test,
)
from isthmus.store.statements import id_head

MAX_DEPTH = 40
"""How deeply `All`, `AnyOf` and `Negated` may be nested: SQLite's parser has a stack of 100 and uses two per level."""

_AT_ONCE = 100

_COLUMNS = {
    Pseudo.ID: "o.id",
    Pseudo.EXTERNAL_ID: "o.external_id",
    Pseudo.CREATED: "o.created",
    Pseudo.MODIFIED: "o.modified",
    Pseudo.VERSION: "o.number",
    Pseudo.DN: "o.dn",
}
_SIGNS = {"eq": "=", "ne": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_NUMBER = "CASE {type} WHEN 'integer' THEN {value} WHEN 'real' THEN {value} WHEN 'text' THEN number({value}) END"
_BOOLEAN = "CASE {type} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
_DATETIME = "CASE {type} WHEN 'text' THEN instant({value}) END"
_FOLDED = "CASE {type} WHEN 'text' THEN fold({value}) END"
_EXACT = "CASE {type} WHEN 'text' THEN {value} END"
_VERSION = "CAST({value} AS TEXT)"  # a number in its column, a text in SCIM


class Condition:
    """A condition with its parameters. `candidates` is a statement that names every row that can meet it, or None."""

    def __init__(self, predicate: Predicate, space: int) -> None:
        """Compile the predicate.

        Raises:
            ValueError: it is nested more deeply than `MAX_DEPTH`.
        """
        self.parameters: dict[str, Any] = {}
        self._space = self._bind(space)
        self._within: str | None = None  # the object whose members are meant, inside of a SomeElement
        self.where = self._sql(predicate, 0)
        found = self._candidates(predicate)
        self.candidates = None if found is None else _union(found)

    def _bind(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def holds(self, predicate: Predicate) -> str:
        """Return another condition as an expression that is 1 or 0; its parameters join this one's."""
        return self._sql(predicate, 0)

    def first(self, attribute: str, form: str, *, part: str | None = None, primary: str | None = None) -> str:
        """Return the form over the first value of the attribute that is not empty; NULL if there is none.

        The form's {value} and {type} become the value and its JSON type, as in `_any`. With `part` the values are
        objects, and the first that has that member counts; one whose member `primary` is true comes before the others.
        """
        if attribute in _COLUMNS:
            column = _COLUMNS[Pseudo(attribute)]
            return f"CASE WHEN {column} <> '' THEN {form.format(value=column, type=f'typeof({column})')} END"
        source = self._source(attribute, "v")
        if part is None:
            shown = form.format(value="v.value", type="v.type")
            return f"(SELECT {shown} FROM {source} v.type <> 'null' AND v.value <> '' ORDER BY v.id LIMIT 1)"
        shown = form.format(value="m.value", type="m.type")
        order = "e.id"
        if primary is not None:
            marked = f"SELECT 1 FROM json_each(e.value) AS p WHERE p.key = {self._bind(primary)} AND p.type = 'true'"
            order = f"EXISTS ({marked}) DESC, e.id"
        elements = f"(SELECT v.id, v.value FROM {source} v.type = 'object') AS e"
        return (
            f"(SELECT {shown} FROM {elements}, json_each(e.value) AS m "
            f"WHERE m.key = {self._bind(part)} AND m.type <> 'null' AND m.value <> '' ORDER BY {order} LIMIT 1)"
        )

    def _sql(self, predicate: Predicate, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise ValueError(f"the condition is nested more than {MAX_DEPTH} levels deep")
        match predicate:
            case Constant(value=value):
                return "1" if value else "0"
            case All(parts=parts):
                return _joined([self._sql(part, depth + 1) for part in parts], "AND", "1")
            case AnyOf(parts=parts):
                return _joined([self._sql(part, depth + 1) for part in parts], "OR", "0")
            case Negated(part=part):
                return f"NOT {self._sql(part, depth + 1)}"
            case SomeElement(attribute=attribute, part=part):
                return self._element(attribute, part, depth)
            case KeyEquals() | LinkTo() | ReferredBy() if self._within is not None:
                raise ValueError("members of an element have neither keys nor links")
            case KeyEquals(attribute=attribute, value=value):
                return (
                    f"EXISTS (SELECT 1 FROM keys AS k WHERE k.space = {self._space} AND k.attribute = "
                    f"{self._bind(attribute)} AND k.value = {self._bind(value)} AND k.row = o.row)"
                )
            case LinkTo(attribute=attribute, key=key):
                to = "" if key is None else f" AND l.key = {self._bind(key)}"
                name = self._bind(attribute)
                return f"EXISTS (SELECT 1 FROM links AS l WHERE l.row = o.row AND l.attribute = {name}{to})"
            case ReferredBy():
                return self._referred(predicate)
            case Present(attribute=attribute):
                return self._any(attribute, "{type} <> 'null' AND {value} <> ''")
            case Test():
                return self._test(predicate)

    def _referred(self, predicate: ReferredBy) -> str:
        key = "CASE WHEN o.dn IS NULL THEN o.anchor ELSE json_array(o.dn) END" if predicate.by_dn else "o.anchor"
        name, low, high = (self._bind(value) for value in (predicate.attribute, predicate.low, predicate.high))
        return (
            f"EXISTS (SELECT 1 FROM links AS l CROSS JOIN objects AS r WHERE l.attribute = {name} AND l.key = {key} "
            f"AND l.row BETWEEN {low} AND {high} AND r.row = l.row AND r.state = 'live')"
        )

    def _element(self, attribute: str, part: Predicate, depth: int) -> str:
        if self._within is not None:
            raise ValueError("an element has no elements of its own")
        source = self._source(attribute, "e")
        self._within = "e.value"
        inner = self._sql(part, depth + 2)  # a subquery takes room on the parser's stack as well
        self._within = None
        return f"EXISTS (SELECT 1 FROM {source} e.type = 'object' AND {inner})"

    def _any(self, attribute: str, form: str) -> str:
        """Return what is true if any value of the attribute meets the form, and false, never NULL, otherwise.

        The form's {value} and {type} become the value and its JSON type.
        """
        if attribute in _COLUMNS and self._within is None:
            column = _COLUMNS[Pseudo(attribute)]
            return f"coalesce(({form.format(value=column, type=f'typeof({column})')}), 0)"
        source = self._source(attribute, "v")
        return f"EXISTS (SELECT 1 FROM {source} {form.format(value='v.value', type='v.type')})"

    def _source(self, attribute: str, alias: str) -> str:
        """Return the table of an attribute's values, of which a member of an element has one, up to its condition."""
        of = self._within or "CAST(o.attributes AS TEXT)"
        if attribute.isascii() and attribute.isprintable() and not {'"', "\\"} & set(attribute):
            path = f'$."{attribute}"'
            return f"json_each({of}, {self._bind(path)}) AS {alias} WHERE"
        # A JSON path cannot quote every name: look through all of them.
        if self._within is not None:
            return f"json_each({of}) AS {alias} WHERE {alias}.key = {self._bind(attribute)} AND"
        return f"json_each({of}) AS n, json_each(n.value) AS {alias} WHERE n.key = {self._bind(attribute)} AND"

    def _test(self, test: Test) -> str:
        if test.operator == "ne":
            return f"NOT {self._test(Test(test.attribute, 'eq', test.value, test.kind, test.case_exact))}"
        if test.operator in ("co", "sw", "ew"):
            return self._part(test)
        value: str | int | float | None
        match test.kind:
            case "number":
                left, value = _NUMBER, number(test.value)
            case "boolean":
                left, value = _BOOLEAN, int(bool(test.value))
            case "datetime":
                left, value = _DATETIME, instant(test.value)
            case _:
                left, value = self._text(test)
        if value is None:
            return "0"  # not a value of that kind: nothing compares with it
        return self._any(test.attribute, f"{left} {_SIGNS[test.operator]} {self._bind(value)}")

    def _part(self, test: Test) -> str:
        """Return the condition that a text contains, begins or ends with another."""
        left, wanted = self._text(test)
        if not wanted:
            return self._any(test.attribute, f"{left} IS NOT NULL")
        right = self._bind(wanted)
        match test.operator:
            case "co":
                return self._any(test.attribute, f"instr({left}, {right}) > 0")
            case "sw":
                return self._any(test.attribute, f"substr({left}, 1, {len(wanted)}) = {right}")
            case _:
                return self._any(test.attribute, f"substr({left}, -{len(wanted)}) = {right}")

    def _text(self, test: Test) -> tuple[str, str]:
        """Return how the text of a value is compared, and what with."""
        if test.attribute == Pseudo.VERSION and self._within is None:
            return _VERSION, str(test.value)
        if test.kind == "text" and not test.case_exact:
            return _FOLDED, str(test.value).casefold()
        return _EXACT, str(test.value)

    def _candidates(self, predicate: Predicate) -> list[str] | None:
        """Return statements that together name every row that can meet the condition; None if no index knows them."""
        match predicate:
            case KeyEquals(attribute=attribute, value=value):
                name, bound = self._bind(attribute), self._bind(value)
                return [f"SELECT row FROM keys WHERE space = {self._space} AND attribute = {name} AND value = {bound}"]
            case LinkTo(attribute=attribute, key=str() as key):
                name, bound = self._bind(attribute), self._bind(key)
                within = "row BETWEEN :low AND :high"
                return [f"SELECT row FROM links WHERE attribute = {name} AND key = {bound} AND {within}"]
            case ReferredBy(attribute=attribute, low=low, high=high, by_dn=by_dn) if low == high:
                name, row = self._bind(attribute), self._bind(low)
                links = (
                    "SELECT c.row FROM links AS l CROSS JOIN objects AS c "
                    f"WHERE l.row = {row} AND l.attribute = {name} AND c.space = {self._space} AND "
                )
                ways = ["c.anchor = l.key", "c.dn = json_extract(l.key, '$[0]')"]
                return [links + way for way in ways[: 1 + by_dn]]
            case Test(attribute=Pseudo.ID, operator="eq", kind="text", case_exact=True, value=value):
                bound = self._bind(str(value))
                head = id_head(bound)
                return [f"SELECT row FROM objects WHERE id_head = {head} AND id = {bound} AND +space = {self._space}"]
            case Constant(value=False):
                return []
            case All(parts=parts):
                return next((found for part in parts if (found := self._candidates(part)) is not None), None)
            case AnyOf(parts=parts):
                every: list[str] = []
                for part in parts:
                    found = self._candidates(part)
                    if found is None:
                        return None
                    every += found
                return every
            case _:
                return None


def _union(statements: Sequence[str]) -> str:
    """Join statements; SQLite joins at most 500 at once."""
    if not statements:
        return "SELECT 0 WHERE 0"
    if len(statements) <= _AT_ONCE:
        return " UNION ALL ".join(statements)
    size = -(-len(statements) // _AT_ONCE)
    parts = [_union(statements[start : start + size]) for start in range(0, len(statements), size)]
    return " UNION ALL ".join(f"SELECT row FROM ({part})" for part in parts)


def _joined(parts: Sequence[str], word: str, empty: str) -> str:
    """Join by halves: the depth of SQLite's expression tree grows with the logarithm, not with the number of parts."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    if len(parts) <= 64:
        return "(" + f" {word} ".join(parts) + ")"
    middle = len(parts) // 2
    return f"({_joined(parts[:middle], word, empty)} {word} {_joined(parts[middle:], word, empty)})"
