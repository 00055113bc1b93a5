"""`POST .search` and lists of all types (RFC 7644 3.4.2.1, 3.4.3), and what an answer shows (3.9)."""

from __future__ import annotations

from typing import Any

import pytest

from harness import CORE, ENTERPRISE, OWN, OWN_GROUP, Bench, Client, quoted

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


def search(client: Client, path: str = "/.search", **asked: Any) -> Any:
    return client.post({"schemas": [SEARCH], **asked}, path)


def test_a_type_is_searched_as_by_get(app: Client, name: str) -> None:
    wanted = [app.created(f"{name}-{n}", title="x") for n in range(3)]
    asked = {"filter": f'userName sw "{name}-"', "startIndex": 2, "count": 1, "attributes": ["userName"]}
    found = search(app, "/Users/.search", **asked)
    query = f"/Users?filter={quoted(asked['filter'])}&startIndex=2&count=1&attributes=userName"
    assert found.json == app.get(query).json
    assert [user["id"] for user in found.resources] == wanted[1:2]
    assert found.resources[0].keys() == {"schemas", "id", "userName"}
    without = search(app, "/users/.search", filter=asked["filter"], excludedAttributes=["title", "meta"])
    assert all(not {"title", "meta"} & user.keys() and "userName" in user for user in without.resources)
    assert (without.total, len(without.resources)) == (3, 3)


def test_the_root_searches_all_types(app: Client, name: str) -> None:
    user = app.created(name, displayName=name)
    group = app.created(name, "/Groups")
    condition = f'displayName eq "{name}"'
    by_both = search(app, filter=condition)
    assert [(each["id"], each["meta"]["resourceType"]) for each in by_both.resources] == [
        (user, "User"), (group, "Group"),
    ]  # fmt: skip
    for path in ("/", ""):
        assert app.get(f"{path}?filter={quoted(condition)}").json == by_both.json
    assert app("HEAD", "/").status == 200
    pages = [search(app, filter=condition, startIndex=at, count=1) for at in (1, 2, 3)]
    assert [[each["id"] for each in page.resources] for page in pages] == [[user], [group], []]
    assert {page.total for page in pages} == {2}


def test_the_root_lists_everything_page_by_page(app: Client, name: str) -> None:
    for n in range(3):
        app.created(f"{name}-{n}")
        app.created(f"{name}-{n}", "/Groups")
    users, groups = app.get("/Users?count=0").total, app.get("/Groups?count=0").total
    total = users + groups
    seen = [each["id"] for at in range(1, total + 1, 2) for each in search(app, startIndex=at, count=2).resources]
    assert len(seen) == len(set(seen)) == total
    ids = [each["id"] for path in ("/Users", "/Groups") for each in app.get(f"{path}?count=1000").resources]
    assert seen == ids


@pytest.mark.parametrize(
    ("condition", "users", "groups"),
    [
        ("title pr", False, False),
        ("not (title pr)", True, True),
        ('title ne "x"', True, True),
        ("title eq null", True, True),
        ("title ne null", False, False),
        ('userName sw "{name}"', True, False),
        ("members pr", False, False),
        ('emails[type eq "work"] or displayName pr', False, True),
        ('meta.resourceType eq "Group"', False, True),
    ],
)
def test_an_attribute_of_another_type_has_no_value(
    app: Client, name: str, condition: str, users: bool, groups: bool
) -> None:
    user, group = app.created(name), app.created(name, "/Groups")
    condition = f'({condition.replace("{name}", name)}) and (id eq "{user}" or id eq "{group}")'
    if "emails[" in condition:
        condition = condition.replace('emails[type eq "work"]', 'emails[value co "@"]')
    found = {each["id"] for each in search(app, filter=condition).resources}
    assert (user in found, group in found) == (users, groups)


def test_an_attribute_that_no_type_has_is_refused(app: Client) -> None:
    assert "userName" in search(app, filter='userNam eq "x"').refused(400, "invalidFilter")
    search(app, filter="userName eq").refused(400, "invalidFilter")
    search(app, sortBy="userNam").refused(400, "invalidValue")


def test_a_search_of_one_missing_asks_the_target(app: Client, target: Any, name: str) -> None:
    target.put("user", {"login": (name,)})
    for path in ("/.search", "/Users/.search"):
        assert [each["userName"] for each in search(app, path, filter=f'userName eq "{name}"').resources] == [name]


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"[]", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        ({"schemas": ["urn:other"]}, "invalidSyntax"),
        ({"count": "ten"}, "invalidValue"),
        ({"attributes": [1]}, "invalidSyntax"),
        ({"filter": 1}, "invalidValue"),
        ({"sortOrder": "up"}, "invalidValue"),
        ({"cursor": 5}, "invalidCursor"),
    ],
)
def test_what_is_no_search_request(app: Client, body: Any, scim_type: str) -> None:
    app.post(body, "/.search").refused(400, scim_type)


def test_numbers_are_brought_within_bounds(app: Client, name: str) -> None:
    app.created(name)
    first = search(app, startIndex=-3, count=1)
    assert (first.json["startIndex"], len(first.resources)) == (1, 1)
    assert search(app, startIndex=0, count=-1).resources == []
    assert search(app, count=0).json["itemsPerPage"] == 0
    assert search(app, count=10**30).status == 200
    far = search(app, startIndex=10**18)
    assert (far.status, far.resources) == (200, [])


def test_a_token_that_reads_may_search_and_nothing_else(served: Bench, app: Client, name: str) -> None:
    ident = app.created(name)
    _, secret = served.host.tokens.create("app", name=f"reader {name}", scope="read")
    token = secret.reveal()

    def send(path: str, body: Any) -> Any:
        return served.request("app", "POST", path, body, token=token)

    assert send("/.search", {"filter": f'id eq "{ident}"'}).total == 1
    assert send("/Users/.search", {"filter": f'id eq "{ident}"'}).total == 1
    send("/Users", {"userName": f"{name}2"}).refused(403)
    send("/Bulk", {"Operations": [{"method": "DELETE", "path": f"/Users/{ident}"}]}).refused(403)
    assert app.get(f"/Users/{ident}").status == 200


def test_strict_wants_the_schema_of_the_message(served: Bench) -> None:
    strict = served.client("strict")
    strict.post({"count": 1}, "/.search").refused(400, "invalidSyntax")
    assert strict.post({"schemas": [SEARCH], "count": 1}, "/.search").status == 200


# -- what an answer shows


def test_attributes_of_the_answers_to_writes(app: Client, name: str) -> None:
    made = app.post({"userName": name, "title": "x"}, "/Users?attributes=userName")
    assert (made.status, made.json.keys()) == (201, {"schemas", "id", "userName"})
    at = f"/Users/{made.id}"
    put = app("PUT", f"{at}?excludedAttributes=meta,{OWN}", {"userName": name, "title": "y"})
    assert put.json["title"] == "y"
    assert not {"meta", OWN} & put.json.keys()
    change = {"Operations": [{"op": "replace", "path": "title", "value": "z"}]}
    assert app("PATCH", f"{at}?attributes=title", change).json.keys() == {"schemas", "id", "title"}
    assert app("PATCH", f"{at}?attributes={CORE}:title", change).json["title"] == "z"
    assert app("PATCH", f"{at}?attributes=nothing", change).json.keys() == {"schemas", "id"}


def test_a_group_is_shown_where_attributes_are_named(app: Client, name: str) -> None:
    group, user = app.created(name, "/Groups"), app.created(name)
    add = {"op": "add", "path": "members", "value": [{"value": user}]}
    assert app.patch(group, add, path="/Groups").status == 204
    shown = app("PATCH", f"/Groups/{group}?attributes=displayName", {"Operations": [add]})
    assert (shown.status, shown.json.keys()) == (200, {"schemas", "id", "displayName"})
    without = app.get(f"/Groups/{group}?excludedAttributes=members").json
    assert "members" not in without
    assert "members" not in without.get(OWN_GROUP, {})


def test_sub_attributes_of_extensions(app: Client, name: str) -> None:
    boss = app.created(f"{name}-boss")
    ident = app.created(name, **{ENTERPRISE: {"manager": {"value": boss}}})
    shown = app.get(f"/Users/{ident}?attributes={ENTERPRISE}:manager").json
    assert shown.keys() == {"schemas", "id", ENTERPRISE}
    assert shown[ENTERPRISE]["manager"]["value"] == boss


def test_a_parameter_that_stands_twice(app: Client, name: str) -> None:
    one, other = app.created(name, displayName="D", title="T"), app.created(f"{name}-2")
    shown = app.get(f"/Users/{one}?attributes=userName&attributes=title").json
    assert (shown["userName"], shown["title"]) == (name, "T")
    assert "displayName" not in shown
    shown = app.get(f"/Users/{one}?excludedAttributes=title&excludedAttributes=displayName,{OWN}").json
    assert not {"title", "displayName", OWN} & shown.keys()
    first, second = (quoted(f'userName eq "{each}"') for each in (name, f"{name}-2"))
    for more in ("", "&sortBy=userName"):
        assert app.get(f"/Users?filter={first}&filter={first}{more}").total == 1
        app.get(f"/Users?filter={first}&FILTER={second}{more}").refused(400, "invalidValue")
        app.get(f"/Users?count=1&count=2{more}").refused(400, "invalidValue")
        assert app.get(f"/Users?filter={second}&_=1&_=2{more}").resources[0]["id"] == other
