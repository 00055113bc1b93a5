"""The walk of the full demo: references, groups and values in child tables, and what each request must leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.demo.client import Answer, Request
from isthmus.demo.full.document import ENTERPRISE
from isthmus.demo.steps import CORE, PATCH_OP, differs

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
DEVICE = "urn:isthmus:params:scim:schemas:core:2.0:Device"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

Rows = Mapping[str, list[dict[str, Any]]]
Watched = tuple[tuple[str, Mapping[str, Any]], ...]
"""Tables, and which of their rows a step is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullStep:
    """`changes`: rows that must come (+) and go (-), by table, as far as their columns are named; no others may."""

    title: str
    why: str
    request: Request
    watched: Watched = ()
    status: int = 200
    gone: Mapping[str, list[dict[str, Any]]]
    come: Mapping[str, list[dict[str, Any]]]
    check: Callable[[Answer], Iterator[str]] = lambda _: iter(())
    result: str


def judge(step: FullStep, answer: Answer, before: Rows, after: Rows) -> Iterator[str]:
    """Yield a sentence for each thing that differs from what it should be."""
    yield from differs("status", answer.status, step.status)
    for table, _ in step.watched:
        gone = [row for row in before[table] if row not in after[table]]
        come = [row for row in after[table] if row not in before[table]]
        yield from _rows(f"rows gone from {table}", gone, step.gone.get(table, []))
        yield from _rows(f"rows new in {table}", come, step.come.get(table, []))
    if answer.status == step.status:
        yield from step.check(answer)


def _rows(what: str, found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> Iterator[str]:
    left = list(found)
    for row in wanted:
        match = next((each for each in left if row.items() <= each.items()), None)
        if match is None:
            yield f"{what}: {row!r} is missing"
        else:
            left.remove(match)
    for each in left:
        yield f"{what}: {each!r} should not be there"


def step(title: str, why: str, request: Request, *watched: str, login: str, result: str, **more: Any) -> FullStep:
    """Make a step that watches the rows of one person in these tables."""
    column = {"devices": "owner"}
    rows = tuple((table, {column.get(table, "login"): login}) for table in watched)
    more = {"gone": {}, "come": {}, **more}
    return FullStep(title=title, why=why, request=request, watched=rows, result=result, **more)


def patch(path: str, *operations: dict[str, Any]) -> Request:
    return Request("PATCH", path, body={"schemas": [PATCH_OP], "Operations": list(operations)})


def new_user(login: str) -> dict[str, Any]:
    """Return a person with two e-mail addresses and a postal one."""
    return {
        "schemas": [CORE, ENTERPRISE],
        "userName": login,
        "name": {"givenName": "Mara", "familyName": "Stone"},
        "emails": [
            {"value": f"{login}@contoso.example", "type": "work", "primary": True},
            {"value": f"{login}@home.example", "type": "home"},
        ],
        "addresses": [{"type": "work", "streetAddress": "7 Mill Lane", "locality": "Leeds", "country": "GB"}],
        ENTERPRISE: {"department": "Research", "employeeNumber": "900001"},
    }
