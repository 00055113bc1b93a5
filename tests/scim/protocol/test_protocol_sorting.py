"""Sorting (RFC 7644 3.4.2.3)."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from harness import ENTERPRISE, OWN, Client, quoted
from isthmus.connectors.memory import MemoryTarget


def listed(client: Client, name: str, sort: str, order: str = "", path: str = "/Users", **more: Any) -> list[Any]:
    attribute = "userName" if path == "/Users" else "displayName"
    condition = f'{attribute} sw "{name}"'
    query = f"filter={quoted(condition)}&sortBy={quoted(sort)}"
    query += f"&sortOrder={order}" if order else ""
    query += "".join(f"&{key}={value}" for key, value in more.items())
    return client.get(f"{path}?{query}").resources


def names(found: list[Any], name: str) -> list[str]:
    return [user["userName"].removeprefix(f"{name}-") for user in found]


def test_texts_by_their_rule_of_case(app: Client, name: str) -> None:
    for key, display, title in [("1", "beta", "b"), ("2", "Alpha", "B"), ("3", "ÉCLAIR", "a"), ("4", "gamma", "A")]:
        app.created(f"{name}-{key}", displayName=display, title=title)
    assert names(listed(app, name, "displayName"), name) == ["2", "1", "4", "3"]
    assert names(listed(app, name, "displayName", "descending"), name) == ["3", "4", "1", "2"]
    assert names(listed(app, name, "title"), name) == ["4", "2", "3", "1"], "costCentre is case-exact"
    assert names(listed(app, name, "USERNAME", "Descending"), name) == ["4", "3", "2", "1"]


def test_absent_values_are_last_or_first(app: Client, name: str) -> None:
    app.created(f"{name}-1", displayName="b")
    app.created(f"{name}-2")
    app.created(f"{name}-3", displayName="a")
    app.created(f"{name}-4")
    assert names(listed(app, name, "displayName"), name) == ["3", "1", "2", "4"]
    assert names(listed(app, name, "displayName", "descending"), name) == ["2", "4", "1", "3"]


def test_sub_attributes_and_urns(app: Client, name: str) -> None:
    app.created(f"{name}-1", name={"familyName": "b", "givenName": "x"}, emails=[{"type": "work", "value": f"z{name}"}])
    app.created(f"{name}-2", name={"familyName": "a", "givenName": "y"}, emails=[{"type": "work", "value": f"a{name}"}])
    for sort in ("name.familyName", "emails", "emails.value", "urn:ietf:params:scim:schemas:core:2.0:User:emails.value",
                 f"{OWN}:mail"):  # fmt: skip
        assert names(listed(app, name, sort), name) == ["2", "1"], sort
    assert names(listed(app, name, "name.givenName"), name) == ["1", "2"]


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("employeeNumber", [None, -5, 0, 3, 20, 2**62]),
        ("salary", [None, Decimal("-1.5"), Decimal(2), Decimal("2.25"), Decimal(10), Decimal("1e3")]),
        ("hiredAt", [None, *(datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))]),
        ("active", [None, False, True]),
        ("rooms", [None, 1, 7, 30]),
    ],
)
def test_values_of_every_type(app: Client, target: MemoryTarget, name: str, attribute: str, values: list[Any]) -> None:
    order = list(range(len(values)))
    random.Random(attribute).shuffle(order)
    for index in order:
        value = values[index]
        target.put("user", {"login": (f"{name}-{index}",), attribute: () if value is None else (value,)})
    app.bench.imported("app")
    wanted = [str(index) for index in [*range(1, len(values)), 0]]
    assert names(listed(app, name, f"{OWN}:{attribute}"), name) == wanted
    assert names(listed(app, name, f"{OWN}:{attribute}", "descending"), name) == wanted[::-1]


def test_of_several_values_the_first_counts(app: Client, target: MemoryTarget, name: str) -> None:
    target.put("user", {"login": (f"{name}-1",), "phones": ("5", "1")})
    target.put("user", {"login": (f"{name}-2",), "phones": ("3", "9")})
    app.bench.imported("app")
    assert names(listed(app, name, f"{OWN}:phones"), name) == ["2", "1"]


def test_the_primary_value_counts(hr: Client, name: str) -> None:
    hr.created(f"{name}-1", phoneNumbers=[{"type": "mobile", "value": "1"}, {"type": "work", "value": "9"}])
    hr.created(f"{name}-2", phoneNumbers=[{"type": "mobile", "value": "5"}])
    hr.created(f"{name}-3", phoneNumbers=[{"type": "work", "value": "7"}])
    shown = hr.named(f"{name}-1")[0]["phoneNumbers"]
    [primary] = [each["value"] for each in shown if each.get("primary")]
    assert primary == "9"
    assert names(listed(hr, name, "phoneNumbers"), name) == ["2", "3", "1"]
    assert names(listed(hr, name, "addresses.locality"), name) == ["1", "2", "3"], "none has one: the order of rows"


def test_what_the_host_keeps(app: Client, name: str) -> None:
    ids = [app.created(f"{name}-{n}", externalId=f"{9 - n}") for n in range(4)]
    assert [user["id"] for user in listed(app, name, "id")] == sorted(ids)
    assert names(listed(app, name, "externalId"), name) == ["3", "2", "1", "0"]
    assert names(listed(app, name, "meta.created"), name) == ["0", "1", "2", "3"]
    app.bench.endpoint("app")  # the same moment to the millisecond falls back to the order of rows
    app.patch(ids[0], {"op": "replace", "path": "title", "value": "x"})
    modified = [user["meta"]["lastModified"] for user in listed(app, name, "meta.lastModified", "descending")]
    assert modified == sorted(modified, reverse=True)


def test_active_as_it_is_shown(app: Client, name: str) -> None:
    for key, active in (("1", True), ("2", False), ("3", True)):
        app.created(f"{name}-{key}", active=active)
    assert names(listed(app, name, "active"), name) == ["2", "1", "3"]
    assert names(listed(app, name, "active", "descending"), name) == ["1", "3", "2"]


def test_sorted_before_paging_without_repeats_or_losses(app: Client, name: str) -> None:
    chance = random.Random(7)
    for n in range(23):
        more = {} if n % 5 == 0 else {"displayName": chance.choice("abc")}
        app.created(f"{name}-{n:02}", **more)
    for order in ("ascending", "descending"):
        whole = [user["id"] for user in listed(app, name, "displayName", order, count=1000)]
        pages = [listed(app, name, "displayName", order, startIndex=at, count=4) for at in range(1, 25, 4)]
        paged = [user["id"] for page in pages for user in page]
        assert paged == whole
        assert len(set(whole)) == 23


def test_all_types_in_one_order(app: Client, name: str) -> None:
    app.created(f"{name}-b", "/Groups")
    app.created(f"{name}-1", displayName=f"{name}-c")
    app.created(f"{name}-a", "/Groups")
    app.created(f"{name}-2", displayName=f"{name}-b")
    app.created(f"{name}-3")
    asked = {"filter": f'displayName sw "{name}" or userName sw "{name}"', "sortBy": "displayName"}
    found = app.post(asked, "/.search").resources
    assert [each.get("displayName", "").removeprefix(f"{name}-") for each in found] == ["a", "b", "b", "c", ""]
    assert [each["meta"]["resourceType"] for each in found] == ["Group", "User", "Group", "User", "User"]
    pages = [app.post({**asked, "startIndex": at, "count": 2}, "/.search").resources for at in (1, 3, 5)]
    assert [each for page in pages for each in page] == found
    backwards = app.post({**asked, "sortOrder": "descending"}, "/.search").resources
    assert [each["id"] for each in backwards] == [found[i]["id"] for i in (4, 3, 1, 2, 0)]
    only_users = app.post({**asked, "sortBy": "userName"}, "/.search").resources
    assert [each["meta"]["resourceType"] for each in only_users] == ["User"] * 3 + ["Group"] * 2


@pytest.mark.parametrize(
    ("sort", "hint"),
    [
        ("userNam", "userName"),
        ("nickName", "mapped"),
        ("name", "name.familyName"),
        ("manager", "refers"),
        (f"{ENTERPRISE}:manager", "refers"),
        (f"{OWN}:manager", "refers"),
        (f"{OWN}:pin", "never returned"),
        ("password", "never returned"),
        ("emails.display", "display"),
        ("meta", "meta"),
        ("meta.location", "created"),
        ("schemas", "schemas"),
        ("title eq", "attribute"),
        ('emails[type eq "work"].value', "attribute"),
        ("userName,title", "attribute"),
    ],
)
def test_what_has_no_order_is_refused(app: Client, sort: str, hint: str) -> None:
    assert hint in app.get(f"/Users?sortBy={quoted(sort)}").refused(400, "invalidValue")


def test_groups_are_sorted_by_name_and_not_by_members(app: Client, name: str) -> None:
    for letter in "cab":
        app.created(f"{name}-{letter}", "/Groups")
    found = listed(app, name, "displayName", path="/Groups")
    assert [each["displayName"][-1] for each in found] == ["a", "b", "c"]
    app.get("/Groups?sortBy=members").refused(400, "invalidValue")


def test_an_order_without_an_attribute_sorts_nothing(app: Client, name: str) -> None:
    ids = [app.created(f"{name}-{n}") for n in "ba"]
    condition = f'userName sw "{name}"'
    query = f"/Users?filter={quoted(condition)}&sortOrder=descending"
    assert [each["id"] for each in app.get(query).resources] == ids
    app.get("/Users?sortBy=userName&sortOrder=upwards").refused(400, "invalidValue")


def test_an_index_far_into_a_sorted_list(app: Client) -> None:
    assert app.get("/Users?sortBy=userName&startIndex=99900&count=100").resources == []
    assert "cursor" in app.get("/Users?sortBy=userName&startIndex=100001").refused(400, "tooMany")
    assert app.get("/Users?startIndex=100001").resources == []
