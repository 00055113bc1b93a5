"""The walk: what an identity provider sends, step by step, and what each step must leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.demo.client import Answer, Request
from isthmus.demo.people import Person

ECMA = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Row = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step is judged by: the answer, and the table's row before and after."""

    answer: Answer
    before: Row
    after: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`check` yields one sentence for each thing that differs from what it should be."""

    title: str
    why: str
    request: Request
    login: str
    check: Callable[[Outcome], Iterator[str]]
    prepare: Callable[[], None] | None = None
    """Runs before the request; the row *before* is read before it."""
    result: str = ""
    """What the reader should see in the answer, said once the step was right."""


def differs(what: str, found: object, wanted: object) -> Iterator[str]:
    """Yield a sentence if the two differ."""
    if found != wanted:
        yield f"{what} is {found!r}, should be {wanted!r}"


def test_connection(unknown: str) -> Step:
    def check(outcome: Outcome) -> Iterator[str]:
        yield from differs("status", outcome.answer.status, 200)
        yield from differs("totalResults", outcome.answer.body.get("totalResults"), 0)
        yield from differs("Resources", outcome.answer.body.get("Resources"), [])

    return Step(
        title="Test connection",
        why="Entra looks for somebody who cannot exist: a right answer is an empty list, not an error",
        request=Request("GET", "/Users", filter=f'PLACEHOLDER eq "{unknown}"'),
        login=unknown,
        check=check,
        result="empty list",
    )


def match(person: Person) -> Step:
    def check(outcome: Outcome) -> Iterator[str]:
        yield from _found(outcome.answer, person)
        yield from differs("the row", outcome.after, outcome.before)

    return Step(
        title="Match an existing person",
        why="before it creates anybody, Entra asks whether the application knows them",
        request=Request("GET", "/Users", filter=f'{ECMA}:ContosoLogin eq "{person.login}"'),
        login=person.login,
        check=check,
        result="found once, nothing changed",
    )


def create(person: Person) -> Step:
    row = person.row()

    def check(outcome: Outcome) -> Iterator[str]:
        yield from differs("status", outcome.answer.status, 201)
        if not outcome.answer.body.get("id"):
            yield "the answer has no id"
        yield from differs("the row before", outcome.before, None)
        yield from _columns(outcome.after, row)

    return Step(
        title="Create a person",
        why="the attributes travel under the URN that Microsoft's host uses; each is a column",
        request=Request("POST", "/Users", body=_new(person)),
        login=person.login,
        check=check,
        result="one new row",
    )


def update_with_paths(id: str, person: Person, *, last_name: str, email: str) -> Step:
    operations = [
        {"op": "Replace", "path": f"{ECMA}:LastName", "value": last_name},
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": email},
    ]

    def check(outcome: Outcome) -> Iterator[str]:
        yield from _patched(outcome)
        yield from _columns(outcome.after, {**(outcome.before or {}), "LastName": last_name, "Email": email})

    return Step(
        title="Update, Entra's older PATCH",
        why="capitalised operations, one path each; Add on a value that exists replaces it",
        request=Request("PATCH", f"/Users/{id}", body=_patch(operations)),
        login=person.login,
        check=check,
        result="two columns changed",
    )


def update_without_path(id: str, person: Person, *, first_name: str, text_id: str) -> Step:
    value = {"name.givenName": first_name, f"{ECMA}:textID": text_id}

    def check(outcome: Outcome) -> Iterator[str]:
        yield from _patched(outcome)
        yield from _columns(outcome.after, {**(outcome.before or {}), "FirstName": first_name, "textID": text_id})

    return Step(
        title="Update, Entra's newer PATCH",
        why="with ?aadOptscim062020 in the tenant URL: one operation without path, dotted and URN keys",
        request=Request("PATCH", f"/Users/{id}", body=_patch([{"op": "replace", "value": value}])),
        login=person.login,
        check=check,
        result="two columns changed",
    )


def disable(id: str, person: Person) -> Step:
    operations = [{"op": "Replace", "path": "active", "value": "False"}]

    def check(outcome: Outcome) -> Iterator[str]:
        yield from _patched(outcome)
        if outcome.answer.body:
            yield from differs("active", outcome.answer.body.get("active"), False)
        yield from _columns(outcome.after, {**(outcome.before or {}), "Disabled": True})

    return Step(
        title="Disable",
        why="unassigned in Entra: active is false, as text; the disable flow sets the column Disabled",
        request=Request("PATCH", f"/Users/{id}", body=_patch(operations)),
        login=person.login,
        check=check,
        result="disabled, row kept",
    )


def delete(id: str, person: Person) -> Step:
    def check(outcome: Outcome) -> Iterator[str]:
        yield from differs("status", outcome.answer.status, 204)
        if outcome.before is None:
            yield "there was no row to delete"
        yield from differs("the row after", outcome.after, None)

    return Step(
        title="Delete",
        why="deleted in Entra: the delete flow of this connector removes the row",
        request=Request("DELETE", f"/Users/{id}"),
        login=person.login,
        check=check,
        result="row gone",
    )


def duplicate(person: Person) -> Step:
    def check(outcome: Outcome) -> Iterator[str]:
        yield from differs("status", outcome.answer.status, 409)
        yield from differs("scimType", outcome.answer.body.get("scimType"), "uniqueness")
        yield from differs("the row", outcome.after, outcome.before)

    return Step(
        title="A duplicate is refused",
        why="somebody with this login exists: 409, and the row stays as it is",
        request=Request("POST", "/Users", body=_new(person)),
        login=person.login,
        check=check,
        result="nothing changed",
    )


def behind_our_back(person: Person, insert: Callable[[Mapping[str, Any]], None]) -> Step:
    def check(outcome: Outcome) -> Iterator[str]:
        yield from _found(outcome.answer, person)
        yield from differs("the row before", outcome.before, None)
        yield from _columns(outcome.after, person.row())

    return Step(
        title="Somebody added behind our back",
        why="a row inserted a moment ago by another program is found at once: no double is created",
        request=Request("GET", "/Users", filter=f'userName eq "{person.login}"'),
        login=person.login,
        check=check,
        prepare=lambda: insert(person.row()),
        result="found in the database itself",
    )


def _found(answer: Answer, person: Person) -> Iterator[str]:
    yield from differs("status", answer.status, 200)
    yield from differs("totalResults", answer.body.get("totalResults"), 1)
    for found in answer.resources:
        if not found.get("id"):
            yield "the answer has no id"
        yield from differs("ContosoLogin in the answer", found.get(ECMA, {}).get("ContosoLogin"), person.login)


def _patched(outcome: Outcome) -> Iterator[str]:
    if outcome.answer.status not in (200, 204):
        yield f"status is {outcome.answer.status}, should be 200 or 204"


def _columns(found: Row, wanted: Mapping[str, Any]) -> Iterator[str]:
    if found is None:
        yield "there is no row"
        return
    for name, value in wanted.items():
        yield from differs(f"column {name}", found.get(name), value)


def _new(person: Person) -> dict[str, Any]:
    # Entra leaves the extension out of `schemas` although it sends its attributes.
    columns = {name: value for name, value in person.row().items() if name != "Disabled"}
    return {"schemas": [CORE], "active": True, "meta": {"resourceType": "User"}, ECMA: columns}


def _patch(operations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": operations}
