"""What authentik's SCIM provider sends (goauthentik/authentik: authentik/providers/scim/clients).

Users by PUT, groups by a path-less PATCH of the whole object, members one operation each, cut by `bulk.maxOperations`.
"""

from __future__ import annotations

import uuid
from typing import Any

from harness import CORE, PATCH_OP, Client
from isthmus.connectors.memory import MemoryTarget

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
HEADERS = {"Content-Type": "application/scim+json", "Accept": "application/scim+json"}


def authentik_user(name: str, /, **more: Any) -> dict[str, Any]:
    return {
        "schemas": [CORE],
        "active": True,
        "emails": [{"primary": True, "type": "other", "value": f"{name}@example.com"}],
        "externalId": f"ak-{name}",
        "name": {"familyName": "B", "formatted": "A B", "givenName": "A"},
        "displayName": "A B",
        "photos": [],
        "userName": name,
        **more,
    }


def patched(app: Client, ident: str, *operations: dict[str, Any]) -> None:
    answer = app("PATCH", f"/Groups/{ident}", {"schemas": [PATCH_OP], "Operations": list(operations)}, HEADERS)
    assert answer.status in {200, 204}, answer


def member(op: str, ident: str) -> dict[str, Any]:
    return {"op": op, "path": "members", "value": [{"value": ident}]}


def test_the_configuration_says_by_how_much_operations_are_cut(app: Client) -> None:
    """0 means "no limit" to authentik; anything else must be a number that a PATCH may hold."""
    bulk = app("GET", "/ServiceProviderConfig", None, HEADERS).json["bulk"]
    assert isinstance(bulk["maxOperations"], int)
    assert bulk["maxOperations"] == 0 or bulk["maxOperations"] >= 10


def test_a_user_is_written_and_written_again_by_put(app: Client, target: MemoryTarget, name: str) -> None:
    made = app("POST", "/Users", authentik_user(name), HEADERS)
    assert made.status == 201, made
    body = authentik_user(name, id=made.id, displayName="C D", name={"familyName": "D", "givenName": "C"})
    answer = app("PUT", f"/Users/{made.id}", body, HEADERS)
    assert (answer.status, answer.id, answer.json["displayName"]) == (200, made.id, "C D")
    kept = target.get("user", (name,))
    assert kept is not None
    assert (kept["givenName"], kept["familyName"]) == (("C",), ("D",))
    assert app("DELETE", f"/Users/{made.id}", None, HEADERS).status == 204
    assert app("DELETE", f"/Users/{made.id}", None, HEADERS).status == 404


def test_a_group_is_patched_as_a_whole_without_path(app: Client, name: str) -> None:
    made = app("POST", "/Groups", {"schemas": [GROUP], "displayName": name, "externalId": f"ak-{name}"}, HEADERS)
    assert made.status == 201, made
    assert made.json["members"] == [], "its compare step looks at members only where they are present"
    user = app.created(f"{name}-u")
    patched(app, made.id, member("add", user))
    whole = {"schemas": [GROUP], "id": made.id, "externalId": f"ak-{name}", "displayName": f"{name}-2"}
    patched(app, made.id, {"op": "replace", "path": None, "value": whole})
    group = app("GET", f"/Groups/{made.id}", None, HEADERS).json
    assert (group["displayName"], group["externalId"]) == (f"{name}-2", f"ak-{name}")
    assert [each["value"] for each in group["members"]] == [user], "the whole object has no members in it"


def test_members_are_added_and_removed_one_operation_each(app: Client, target: MemoryTarget, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(5)]
    ident = app("POST", "/Groups", {"schemas": [GROUP], "displayName": name}, HEADERS).id
    patched(app, ident, *(member("add", user) for user in users))
    patched(app, ident, *(member("add", user) for user in users[:2]), *(member("remove", user) for user in users[3:]))
    assert {each["value"] for each in app.get(f"/Groups/{ident}").json["members"]} == set(users[:3])
    kept = target.get("group", (name,))
    assert kept is not None
    assert len(kept["members"]) == 3
    patched(app, ident, *(member("remove", user) for user in users[:3]))
    assert app.get(f"/Groups/{ident}").json["members"] == [], "an empty list, not an absent one"
    [listed] = app.get(f'/Groups?filter=displayName eq "{name}"').resources
    assert listed["members"] == []


def test_a_member_that_was_deleted_meanwhile_is_removed_without_complaint(app: Client, name: str) -> None:
    stays, goes = app.created(f"{name}-1"), app.created(f"{name}-2")
    ident = app.created(name, "/Groups", members=[{"value": stays}, {"value": goes}])
    assert app.delete(goes).status == 204
    assert [each["value"] for each in app.get(f"/Groups/{ident}").json["members"]] == [stays]
    patched(app, ident, member("remove", goes), member("remove", str(uuid.uuid4())))
    assert [each["value"] for each in app.get(f"/Groups/{ident}").json["members"]] == [stays]


def test_its_discovery_ends_because_totals_are_exact(app: Client, name: str) -> None:
    """It asks for pages by `startIndex` until it has seen `totalResults` groups."""
    made = {app.created(f"{name}-{number}", "/Groups") for number in range(5)}
    seen: list[str] = []
    total, start, requests = 1, 1, 0
    while len(seen) < total:
        page = app("GET", f"/Groups?startIndex={start}&count=2", None, HEADERS).json
        total = page["totalResults"]
        seen += [group["id"] for group in page["Resources"]]
        start += page["itemsPerPage"]
        requests += 1
        assert requests < 1000, "it would loop for ever"
    assert made <= set(seen)
    assert len(seen) == len(set(seen)) == total
