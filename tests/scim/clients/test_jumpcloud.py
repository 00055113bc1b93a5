"""What JumpCloud sends: a test user and a test group on activation, members removed as Entra does, no extensions."""

from __future__ import annotations

import uuid

from harness import CORE, PATCH_OP, Client
from isthmus.connectors.memory import MemoryTarget

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def test_activation_makes_and_deletes_a_test_user_and_a_test_group(app: Client, target: MemoryTarget) -> None:
    mark = uuid.uuid4().hex[:8]
    name = f"jctest{mark}"
    body = {
        "schemas": [CORE],
        "userName": name,
        "name": {"givenName": "Test", "familyName": "User"},
        "displayName": "Test User",
        "emails": [{"value": f"{name}@jumpcloudtest.com", "type": "work", "primary": True}],
        "active": True,
    }
    assert app.get(f'/Users?filter=userName eq "{name}"').total == 0
    user = app.post(body)
    assert user.status == 201, user
    changed = app("PUT", f"/Users/{user.id}", {**body, "id": user.id, "name": {"givenName": "T", "familyName": "U"}})
    assert (changed.status, changed.json["name"]["givenName"]) == (200, "T")
    assert app.get(f"/Users/{user.id}").status == 200
    group = app.post({"schemas": [GROUP], "displayName": name, "members": [{"value": user.id}]}, "/Groups")
    assert group.status == 201, group
    assert [member["value"] for member in group.json["members"]] == [user.id]
    assert app("DELETE", f"/Groups/{group.id}").status == 204
    assert app("PATCH", f"/Users/{user.id}", {"schemas": [PATCH_OP], "Operations": [
        {"op": "replace", "value": {"active": False}}]}).status == 200  # fmt: skip
    assert app("DELETE", f"/Users/{user.id}").status == 204
    assert target.get("user", (name,)) is None
    assert target.get("group", (name,)) is None
    app.get(f"/Users/{user.id}").refused(404)
    app.get(f"/Groups/{group.id}").refused(404)


def test_members_are_removed_by_a_value_list(app: Client, target: MemoryTarget, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(3)]
    ident = app.created(name, "/Groups")
    for user in users:
        operation = {"op": "add", "path": "members", "value": [{"value": user}]}
        answer = app("PATCH", f"/Groups/{ident}", {"schemas": [PATCH_OP], "Operations": [operation]})
        assert (answer.status, answer.raw) == (204, b""), answer
    for left in (2, 1, 0):
        operation = {"op": "remove", "path": "members", "value": [{"value": users[left]}]}
        answer = app("PATCH", f"/Groups/{ident}", {"schemas": [PATCH_OP], "Operations": [operation]})
        assert answer.status == 204, answer
        members = app.get(f"/Groups/{ident}").json["members"]
        assert {member["value"] for member in members} == set(users[:left]), "only those named are removed"
    kept = target.get("group", (name,))
    assert kept is not None
    assert kept["members"] == ()


def test_users_without_any_extension(app: Client, name: str) -> None:
    made = app.post({"schemas": [CORE], "userName": name, "active": True, "displayName": "D"})
    assert made.status == 201, made
    answer = app("PUT", f"/Users/{made.id}", {"schemas": [CORE], "userName": name, "active": False})
    assert (answer.status, answer.json["active"], answer.json["displayName"]) == (200, False, "D")
