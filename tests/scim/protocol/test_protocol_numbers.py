"""Numbers of more than 64 bits, which a decimal column holds, are shown as they are in every kind of answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from harness import OWN, Client, quoted

HUGE = ["123456789012345678901234567890", "-99999999999999999999", "18446744073709551616.25", "9223372036854775808"]


@pytest.fixture(params=HUGE)
def number(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def person(app: Client, number: str) -> Iterator[str]:
    body = f'{{"userName":"rich","{OWN}":{{"salary":{number}}}}}'
    answer = app("POST", "/Users", body.encode())
    assert answer.status == 201, answer
    yield answer.id
    app.delete(answer.id)


def test_every_answer_shows_it_whole(app: Client, person: str, number: str) -> None:
    find = quoted('userName eq "rich"')
    paths = [
        f"/Users/{person}",
        f"/Users/{person}?excludedAttributes=emails",
        f"/Users/{person}?attributes={OWN}:salary",
        f"/Users?filter={find}",
        f"/Users?filter={find}&excludedAttributes=emails",
        f"/Users?excludedAttributes=emails&sortBy={OWN}:salary",
        f"/Users?attributes={OWN}:salary&count=50&cursor",
        f"/?filter={find}&attributes=userName,{OWN}:salary",
    ]
    shown = [app.get(path) for path in paths]
    change = {"op": "replace", "path": "displayName", "value": "Rich"}
    shown.append(app.patch(person, change))
    search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "excludedAttributes": ["emails"]}
    shown.append(app.post(search, "/Users/.search"))
    shown.append(app.post({**search, "sortBy": f"{OWN}:salary", "sortOrder": "descending"}, "/.search"))
    for answer in shown:
        assert answer.status == 200, answer
        found = json.loads(answer.raw, parse_float=Decimal)
        [rich] = [one for one in found.get("Resources", [found]) if one.get(OWN, {}).get("salary") is not None]
        assert rich[OWN]["salary"] == Decimal(number)


def test_it_is_found_and_replaced(app: Client, person: str, number: str) -> None:
    for operator in ("eq", "ge", "le"):
        found = app.get(f"/Users?filter={quoted(f'{OWN}:salary {operator} {number}')}&excludedAttributes=emails")
        assert found.status == 200, found
    body = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace",'
    body += f'"path":"{OWN}:salary","value":{number}}}]}}'
    assert app("PATCH", f"/Users/{person}?excludedAttributes=emails", body.encode()).status in {200, 204}
    put = f'{{"userName":"rich","{OWN}":{{"salary":{number}}}}}'
    assert app("PUT", f"/Users/{person}?excludedAttributes=emails", put.encode()).status == 200
