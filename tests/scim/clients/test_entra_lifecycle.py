"""The life of a person and a group as Entra ID's provisioning service replays it, request by request.

Sources: learn.microsoft.com "Develop and plan provisioning for a SCIM endpoint" (requests and responses of both
dialects, with and without `aadOptscim062020`), its SCIM compatibility page, and the reference code's collection.
"""

from __future__ import annotations

import uuid
from typing import Any

from harness import CORE, ENTERPRISE, PATCH_OP, Answer, Client, quoted
from isthmus.connectors.memory import MemoryTarget
from isthmus.spi import Reference

LEGACY_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
HEADERS = {
    "Content-Type": "application/scim+json; charset=utf-8",
    "Accept": "application/scim+json",
    "User-Agent": "azure-ad-provisioning/1.0",
}


class Entra:
    """The provisioning service: what it sends, and what it takes for an answer."""

    def __init__(self, app: Client) -> None:
        self._app = app

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        return self._app(method, path, body, HEADERS)

    def match(self, path: str, condition: str, more: str = "") -> list[Any]:
        answer = self.send("GET", f"{path}?{more}filter={quoted(condition)}")
        assert answer.status == 200, answer
        assert answer.json["totalResults"] == len(answer.json["Resources"])
        return list(answer.json["Resources"])

    def create(self, path: str, body: Any) -> str:
        answer = self.send("POST", path, body)
        assert answer.status == 201, answer
        assert answer.headers["location"].endswith(f"{path}/{answer.id}")
        return answer.id

    def patch(self, path: str, *operations: Any, status: int = 200) -> Any:
        answer = self.send("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})
        assert answer.status == status, answer
        return answer.json if answer.raw else None

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status == 200, answer
        return answer.json


def test_the_life_of_a_person_and_a_group(app: Client, target: MemoryTarget, name: str) -> None:
    entra = Entra(app)

    # the administrator tests the connection, before and after there is anybody
    assert entra.match("/Users", f'userName eq "{uuid.uuid4()}"') == []
    assert entra.match("/Groups", f'displayName eq "{uuid.uuid4()}"', "excludedAttributes=members&") == []

    # a manager and a person are looked for, and made
    ids = {}
    for who in (f"{name}-boss", name):
        assert entra.match("/Users", f'userName eq "{who}"') == []
        ids[who] = entra.create(
            "/Users",
            {
                "schemas": [CORE, ENTERPRISE],
                "externalId": f"ext-{who}",
                "userName": who,
                "active": True,
                "displayName": f"Person {who}",
                "emails": [{"primary": True, "type": "work", "value": f"{who}@contoso.com"}],
                "meta": {"resourceType": "User"},
                "name": {"formatted": "Given Family", "familyName": "Family", "givenName": "Given"},
                "roles": [],
            },
        )
        assert [user["id"] for user in entra.match("/Users", f'userName eq "{who}"')] == [ids[who]]
    boss, person = ids[f"{name}-boss"], ids[name]
    user = entra.get(f"/Users/{person}")
    assert (user["externalId"], user["active"], user["name"]["familyName"]) == (f"ext-{name}", True, "Family")

    # changed, in the dialect of operations with a path
    user = entra.patch(
        f"/Users/{person}",
        {"op": "Replace", "path": "displayName", "value": "Changed Name"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": f"{name}@new.example"},
        {"op": "Add", "path": "name.givenName", "value": "Changed"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": [{"$ref": None, "value": boss}]},
    )
    assert (user["displayName"], user["name"]["givenName"]) == ("Changed Name", "Changed")
    assert user["emails"][0]["value"] == f"{name}@new.example"
    assert user[ENTERPRISE]["manager"]["value"] == boss
    kept = target.get("user", (name,))
    assert kept is not None
    assert kept["manager"] == (Reference((f"{name}-boss",), "user"),)
    query = f'id eq "{person}" and manager eq "{boss}"'
    assert [each["id"] for each in entra.match("/Users", query, "attributes=id&")] == [person]

    # and in the other one, without a path
    user = entra.patch(
        f"/Users/{person}",
        {
            "op": "replace",
            "value": {
                "displayName": "Twice Changed",
                "name.familyName": "Other",
                'emails[type eq "work"].value': "a@b.c",
            },
        },
    )
    assert (user["displayName"], user["name"]["familyName"]) == ("Twice Changed", "Other")
    assert (user["name"]["givenName"], user["emails"][0]["value"]) == ("Changed", "a@b.c")

    # the manager is cleared
    user = entra.patch(f"/Users/{person}", {"op": "Remove", "path": f"{ENTERPRISE}:manager"})
    assert "manager" not in user.get(ENTERPRISE, {})
    assert entra.match("/Users", query, "attributes=id&") == []

    # a group is looked for and made, renamed, and gets members
    team = f"team-{name}"
    assert entra.match("/Groups", f'displayName eq "{team}"', "excludedAttributes=members&") == []
    group = entra.create(
        "/Groups",
        {"schemas": [GROUP, LEGACY_GROUP], "externalId": f"ext-{team}", "displayName": team, "members": [],
         "meta": {"resourceType": "Group"}},
    )  # fmt: skip
    found = entra.match("/Groups", f'displayName eq "{team}"', "excludedAttributes=members&")
    assert [(each["id"], "members" in each) for each in found] == [(group, False)]
    assert "members" not in entra.get(f"/Groups/{group}?excludedAttributes=members")
    entra.patch(f"/Groups/{group}", {"op": "Replace", "path": "displayName", "value": f"{team}-2"}, status=204)
    entra.patch(f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"value": person}]}, status=204)
    entra.patch(
        f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"$ref": None, "value": boss}]}, status=204
    )
    assert {member["value"] for member in entra.get(f"/Groups/{group}")["members"]} == {person, boss}
    assert [each["value"] for each in entra.get(f"/Users/{person}")["groups"]] == [group]
    asked = entra.match("/Groups", f'id eq "{group}" and members eq "{person}"', "attributes=id&")
    assert [each["id"] for each in asked] == [group]

    # one member goes, the other stays
    entra.patch(f"/Groups/{group}", {"op": "Remove", "path": "members", "value": [{"value": person}]}, status=204)
    assert [member["value"] for member in entra.get(f"/Groups/{group}")["members"]] == [boss]
    assert entra.match("/Groups", f'id eq "{group}" and members eq "{person}"', "attributes=id&") == []
    entra.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{boss}"]'}, status=204)
    assert entra.get(f"/Groups/{group}")["members"] == []

    # the person is disabled, still found, enabled, disabled again and deleted
    for value, active in (("False", False), ("True", True), (False, False)):
        user = entra.patch(f"/Users/{person}", {"op": "Replace", "path": "active", "value": value})
        assert user["active"] is active
        assert [each["active"] for each in entra.match("/Users", f'userName eq "{name}"')] == [active]
    kept = target.get("user", (name,))
    assert kept is not None
    assert kept["active"] == (False,)
    for path in (f"/Users/{person}", f"/Groups/{group}", f"/Users/{boss}"):
        assert entra.send("DELETE", path).status == 204
        assert entra.send("GET", path).status == 404
    assert entra.match("/Users", f'userName eq "{name}"') == []
    assert target.get("user", (name,)) is None
    assert target.get("group", (f"{team}-2",)) is None
