"""Turn a `Predicate` into one SQL condition over `objects AS o`. Every value is bound; names of attributes too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    Test,
)

MAX_DEPTH = 40
"""How deeply `All`, `AnyOf` and `Negated` may be nested: SQLite's parser has a stack of 100 and uses two per level."""

_COLUMNS = {
    Pseudo.ID: "o.id",
    Pseudo.EXTERNAL_ID: "o.external_id",
    Pseudo.CREATED: "o.created",
    Pseudo.MODIFIED: "o.modified",
    Pseudo.VERSION: "o.number",
    Pseudo.DN: "o.dn",
}
_SIGNS = {"eq": "=", "ne": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_NUMBER = "CASE typeof({v}) WHEN 'integer' THEN {v} WHEN 'real' THEN {v} WHEN 'text' THEN number({v}) END"


class Condition:
    """A condition with its parameters. `candidates` is a statement that names every row that can meet it, or None."""

    def __init__(self, predicate: Predicate, space: int) -> None:
        """Compile the predicate.

        Raises:
            ValueError: it is nested more deeply than `MAX_DEPTH`.
        """
        self.parameters: dict[str, Any] = {}
        self._space = self._bind(space)
        self.where = self._sql(predicate, 0)
        self.candidates = self._candidates(predicate)

    def _bind(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

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
            case KeyEquals(attribute=attribute, value=value):
                return (
                    f"EXISTS (SELECT 1 FROM keys AS k WHERE k.space = {self._space} AND k.attribute = "
                    f"{self._bind(attribute)} AND k.value = {self._bind(value)} AND k.row = o.row)"
                )
            case LinkTo(attribute=attribute, key=key):
                to = "" if key is None else f" AND l.key = {self._bind(key)}"
                name = self._bind(attribute)
                return f"EXISTS (SELECT 1 FROM links AS l WHERE l.row = o.row AND l.attribute = {name}{to})"
            case Present(attribute=attribute):
                return self._any(attribute, lambda value: f"{value} IS NOT NULL AND {value} <> ''")
            case Test():
                return self._test(predicate)

    def _any(self, attribute: str, condition: Callable[[str], str]) -> str:
        """Return what is true if any value of the attribute meets the condition, and false, never NULL, otherwise."""
        if attribute in _COLUMNS:
            return f"coalesce(({condition(_COLUMNS[Pseudo(attribute)])}), 0)"
        values = "json_each(CAST(o.attributes AS TEXT), {path}) AS v WHERE"
        if attribute.isascii() and attribute.isprintable() and not {'"', "\\"} & set(attribute):
            source = values.format(path=self._bind(f'$."{attribute}"'))
        else:
            # A JSON path cannot quote every name: look through all of them.
            source = (
                "json_each(CAST(o.attributes AS TEXT)) AS n, json_each(n.value) AS v "
                f"WHERE n.key = {self._bind(attribute)} AND"
            )
        return f"EXISTS (SELECT 1 FROM {source} {condition('v.value')})"

    def _test(self, test: Test) -> str:
        if test.operator == "ne":
            return f"NOT {self._test(Test(test.attribute, 'eq', test.value, test.kind, test.case_exact))}"
        if test.operator in ("co", "sw", "ew"):
            return self._part(test)
        compared: str
        value: str | int | float | None
        match test.kind:
            case "number":
                compared, value = _NUMBER, number(test.value)
            case "boolean":
                compared, value = "CASE typeof({v}) WHEN 'integer' THEN {v} END", int(bool(test.value))
            case "datetime":
                compared, value = "instant({v})", instant(test.value)
            case "text" if not test.case_exact:
                compared, value = "fold({v})", str(test.value).casefold()
            case _:
                compared, value = _text(test.attribute), str(test.value)
        if value is None:
            return "0"  # not a value of that kind: nothing compares with it
        right = self._bind(value)
        sign = _SIGNS[test.operator]
        return self._any(test.attribute, lambda one: f"{compared.format(v=one)} {sign} {right}")

    def _part(self, test: Test) -> str:
        """Return the condition that a text contains, begins or ends with another."""
        folded = test.kind == "text" and not test.case_exact
        wanted = str(test.value).casefold() if folded else str(test.value)
        compared = "fold({v})" if folded else _text(test.attribute)
        if not wanted:
            return self._any(test.attribute, lambda one: f"typeof({one}) = 'text'")
        right = self._bind(wanted)
        form = {
            "co": "instr({text}, {right}) > 0",
            "sw": "substr({text}, 1, {length}) = {right}",
            "ew": "substr({text}, -{length}) = {right}",
        }[test.operator]
        return self._any(
            test.attribute,
            lambda one: form.format(text=compared.format(v=one), right=right, length=len(wanted)),
        )

    def _candidates(self, predicate: Predicate) -> str | None:
        match predicate:
            case KeyEquals(attribute=attribute, value=value):
                return (
                    f"SELECT row FROM keys WHERE space = {self._space} AND attribute = {self._bind(attribute)} "
                    f"AND value = {self._bind(value)}"
                )
            case LinkTo(attribute=attribute, key=str() as key):
                return (
                    f"SELECT row FROM links WHERE attribute = {self._bind(attribute)} AND key = {self._bind(key)} "
                    "AND row BETWEEN :low AND :high"
                )
            case Test(attribute=Pseudo.ID, operator="eq", kind="text", case_exact=True, value=value):
                return f"SELECT row FROM objects WHERE space = {self._space} AND id = {self._bind(str(value))}"
            case Constant(value=False):
                return "SELECT 0 WHERE 0"
            case All(parts=parts):
                return next((found for part in parts if (found := self._candidates(part)) is not None), None)
            case AnyOf(parts=parts) if 0 < len(parts) <= 200:  # SQLite joins at most 500 by UNION
                each = [self._candidates(part) for part in parts]
                if any(found is None for found in each):
                    return None
                return " UNION ".join(f"SELECT row FROM ({found})" for found in each)
            case _:
                return None


def _text(attribute: str) -> str:
    # The version is a number in its column and a text in SCIM; a number in a text attribute is not a text.
    return "CAST({v} AS TEXT)" if attribute == Pseudo.VERSION else "CASE typeof({v}) WHEN 'text' THEN {v} END"


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
