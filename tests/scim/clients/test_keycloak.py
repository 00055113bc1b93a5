"""What Keycloak's plug-ins send: mitodl/keycloak-scim (issue 134) and scim-for-keycloak (issues 132, 134 and 73)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from harness import CORE, PATCH_OP, Client
from isthmus.connectors.memory import MemoryTarget

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def members_of(app: Client, ident: str) -> list[str]:
    return [member["value"] for member in app.get(f"/Groups/{ident}").json["members"]]


def test_an_id_of_its_own_in_a_post_is_ignored(app: Client, name: str) -> None:
    own = str(uuid.uuid4())
    user = app.post({"schemas": [CORE], "id": own, "externalId": own, "userName": name, "active": True})
    assert user.status == 201, user
    assert user.id != own
    assert user.json["externalId"] == own
    group = app.post({"schemas": [GROUP], "id": own, "displayName": name, "members": []}, "/Groups")
    assert group.status == 201, group
    assert group.id != own
    app.get(f"/Users/{own}").refused(404)
    assert app.get(group.json["meta"]["location"].rpartition("/scim")[2]).status == 200


def test_a_put_of_a_group_without_members_keeps_them(app: Client, target: MemoryTarget, name: str) -> None:
    user = app.created(f"{name}-u")
    ident = app.created(name, "/Groups", members=[{"value": user}])
    body = {"schemas": [GROUP], "id": ident, "externalId": "kc-7", "displayName": f"{name}-2"}
    answer = app("PUT", f"/Groups/{ident}", body)
    assert (answer.status, answer.json["displayName"]) == (200, f"{name}-2")
    assert members_of(app, ident) == [user]
    kept = target.get("group", (f"{name}-2",))
    assert kept is not None
    assert len(kept["members"]) == 1


def test_a_put_of_a_group_with_members_replaces_them(app: Client, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(3)]
    ident = app.created(name, "/Groups", members=[{"value": users[0]}, {"value": users[1]}])
    body = {"schemas": [GROUP], "id": ident, "displayName": name}
    for members in (users[1:], users[:1], []):
        values = [{"value": each, "display": "any", "$ref": f"https://kc.example.com/Users/{each}"} for each in members]
        answer = app("PUT", f"/Groups/{ident}", {**body, "members": values})
        assert answer.status == 200, answer
        assert {member["value"] for member in answer.json["members"]} == set(members)
        assert set(members_of(app, ident)) == set(members)


@pytest.mark.parametrize("path", ["members", None])
def test_a_patch_of_the_full_member_list(app: Client, target: MemoryTarget, name: str, path: str | None) -> None:
    """The whole list comes with every change, most of it members already."""
    users = [app.created(f"{name}-{number}") for number in range(4)]
    ident = app.created(name, "/Groups", members=[{"value": each} for each in users[:3]])

    def patch(op: str, members: list[str]) -> None:
        values = [{"value": each, "type": "User"} for each in members]
        value: Any = values if path else {"members": values}
        operation = {"op": op, "value": value} | ({"path": path} if path else {})
        answer = app("PATCH", f"/Groups/{ident}", {"schemas": [PATCH_OP], "Operations": [operation]})
        assert (answer.status, answer.raw) == (204, b""), answer

    patch("replace", users[1:])
    assert set(members_of(app, ident)) == set(users[1:])
    patch("add", users)
    assert sorted(members_of(app, ident)) == sorted(users), "who is a member already is not one twice"
    kept = target.get("group", (name,))
    assert kept is not None
    assert len(kept["members"]) == 4


def test_one_unknown_member_spoils_the_whole_list(app: Client, name: str) -> None:
    user, nobody = app.created(f"{name}-u"), str(uuid.uuid4())
    ident = app.created(name, "/Groups", members=[{"value": user}])
    whole = [{"value": nobody}, {"value": user}]
    answer = app.patch(ident, {"op": "replace", "path": "members", "value": whole}, path="/Groups")
    assert nobody in answer.refused(400, "invalidValue")
    assert members_of(app, ident) == [user]
