"""The life of people and a group as Okta's Application Integration Wizard app replays it: PUT only, never a DELETE.

Source: developer.okta.com "SCIM protocol" guides (users and groups) and Okta's SPEC test collection.
"""

from __future__ import annotations

from typing import Any

from harness import CORE, PATCH_OP, Answer, Client, quoted
from isthmus.connectors.memory import MemoryTarget

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
HEADERS = {
    "Content-Type": "application/scim+json; charset=utf-8",
    "Accept-Charset": "utf-8",
    "Accept": "application/scim+json; charset=utf-8",
    "User-Agent": "Okta SCIM Client 1.0.0",
}


def okta(app: Client, method: str, path: str, body: Any = None) -> Answer:
    headers = HEADERS if method != "POST" else {**HEADERS, "Content-Type": "application/json; charset=utf-8"}
    return app(method, path, body, headers)


def test_the_life_of_people_and_a_group(app: Client, target: MemoryTarget, name: str) -> None:
    # people are imported page by page; the first page shows a complete user
    there = {f"{name}-{number}": app.created(f"{name}-{number}", displayName="There") for number in range(3)}
    first = okta(app, "GET", "/Users?startIndex=1&count=2").json
    assert first["schemas"] == [LIST]
    assert {"id", "userName", "active", "meta", "schemas"} <= set(first["Resources"][0])
    seen: dict[str, str] = {}
    start = 1
    while True:
        page = okta(app, "GET", f"/Users?startIndex={start}&count=2").json
        seen |= {user["userName"]: user["id"] for user in page["Resources"]}
        start += page["itemsPerPage"]
        if start > page["totalResults"]:
            break
    assert there.items() <= seen.items()

    # somebody new is matched and created
    condition = quoted(f'userName eq "{name}"')
    match = f"/Users?filter={condition}&startIndex=1&count=100"
    nobody = okta(app, "GET", match).json
    assert (nobody["totalResults"], nobody["Resources"]) == (0, [])
    user: dict[str, Any] = {
        "schemas": [CORE],
        "userName": name,
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": f"{name}@okta.local", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": f"00u{name}",
        "groups": [],
        "password": "1mz050nq-Marker-Okta",
        "active": True,
    }
    made = okta(app, "POST", "/Users", user)
    assert made.status == 201, made
    ident = made.id
    assert "password" not in made.json
    okta(app, "POST", "/Users", user).refused(409, "uniqueness")

    # changed by PUT of what was read, with `id`, an empty list of groups and without the password
    read = okta(app, "GET", f"/Users/{ident}")
    assert (read.status, read.json["userName"]) == (200, name)
    whole = {**read.json, "groups": [], "name": {"givenName": "Another", "familyName": "User"}}
    changed = okta(app, "PUT", f"/Users/{ident}", whole)
    assert (changed.status, changed.id, changed.json["name"]["givenName"]) == (200, ident, "Another")
    kept = target.get("user", (name,))
    assert kept is not None
    assert (kept["givenName"], kept["familyName"]) == (("Another",), ("User",))

    # a group is pushed: created, renamed before every change of members, members replaced
    group = okta(app, "POST", "/Groups", {"schemas": [GROUP], "displayName": f"{name}-g", "members": []})
    assert (group.status, group.json["members"]) == (201, [])
    everyone = [ident, *there.values()]
    for members in (everyone[:2], everyone[1:], [ident]):
        rename = {"op": "replace", "value": {"id": group.id, "displayName": f"{name}-h"}}
        replace = {"op": "replace", "path": "members", "value": [{"value": one, "display": "x"} for one in members]}
        for operation in (rename, replace):
            body = {"schemas": [PATCH_OP], "Operations": [operation]}
            assert okta(app, "PATCH", f"/Groups/{group.id}", body).status == 204
        shown = okta(app, "GET", f"/Groups/{group.id}").json
        assert (shown["displayName"], {one["value"] for one in shown["members"]}) == (f"{name}-h", set(members))
    assert [one["value"] for one in okta(app, "GET", f"/Users/{ident}").json["groups"]] == [group.id]

    # a PUT of the user says `groups: []`, which is read-only and takes nobody out of a group
    again = okta(app, "PUT", f"/Users/{ident}", {**user, "id": ident})
    assert again.status == 200
    assert [one["value"] for one in again.json["groups"]] == [group.id]

    # deactivated by PUT, still listed, and activated again when the person comes back
    for active in (False, True, False):
        body = {**whole, "active": active}
        answer = okta(app, "PUT", f"/Users/{ident}", body)
        assert (answer.status, answer.json["active"]) == (200, active)
        assert [one["active"] for one in okta(app, "GET", match).json["Resources"]] == [active]
    kept = target.get("user", (name,))
    assert kept is not None
    assert kept["active"] == (False,)

    # the group is taken away; nobody is ever deleted
    assert okta(app, "DELETE", f"/Groups/{group.id}").status == 204
    okta(app, "GET", f"/Groups/{group.id}").refused(404)
    assert "groups" not in okta(app, "GET", f"/Users/{ident}").json
