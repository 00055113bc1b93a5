"""What SailPoint's SCIM 2.0 connector asks and sends (its connector guide; AzureAD SCIM-SDK issue 327)."""

from __future__ import annotations

import pytest

from harness import CORE, ENTERPRISE, Client

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def test_discovery_of_everything_it_aggregates(app: Client) -> None:
    configuration = app.get("/ServiceProviderConfig")
    assert configuration.status == 200
    for feature in ("patch", "bulk", "filter", "changePassword", "sort", "etag"):
        assert isinstance(configuration.json[feature]["supported"], bool)
    assert configuration.json["patch"]["supported"] is True
    schemas = {schema["id"]: schema for schema in app.get("/Schemas").resources}
    for kind, endpoint, urn in (("User", "/Users", CORE), ("Group", "/Groups", GROUP)):
        found = app.get(f"/ResourceTypes/{kind}")
        assert found.status == 200, found
        assert (found.json["id"], found.json["endpoint"], found.json["schema"]) == (kind, endpoint, urn)
        assert app.get(f"/Schemas/{urn}").json["attributes"] == schemas[urn]["attributes"]
        for extension in found.json["schemaExtensions"]:
            assert extension["schema"] in schemas
    assert {kind["id"] for kind in app.get("/ResourceTypes").resources} == {"User", "Group"}


def test_entitlements_are_the_groups_of_a_user(app: Client, name: str) -> None:
    """It aggregates `groups` of accounts and matches `value` with the groups it knows."""
    user = app.created(name)
    idents = {app.created(f"{name}-{number}", "/Groups", members=[{"value": user}]) for number in range(2)}
    [account] = app.get(f'/Users?filter=userName eq "{name}"&startIndex=1&count=100').resources
    assert {group["value"] for group in account["groups"]} == idents
    assert {group["type"] for group in account["groups"]} == {"direct"}
    for group in account["groups"]:
        assert app.get(f"/Groups/{group['value']}").json["displayName"] == group["display"]
    groups = {attribute["name"]: attribute for attribute in app.get(f"/Schemas/{CORE}").json["attributes"]}["groups"]
    assert groups["mutability"] == "readOnly"


@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_single_complex_value_that_is_absent_is_made_by_replace(app: Client, name: str, op: str) -> None:
    boss, ident = app.created(f"{name}-boss"), app.created(name)
    answer = app.patch(
        ident,
        {"op": op, "path": "name", "value": {"givenName": "Ann", "familyName": "Lee"}},
        {"op": op, "path": f"{ENTERPRISE}:manager", "value": {"value": boss}},
    )
    assert answer.status == 200, answer
    assert (answer.json["name"]["givenName"], answer.json["name"]["familyName"]) == ("Ann", "Lee")
    assert answer.json[ENTERPRISE]["manager"]["value"] == boss


def test_entitlements_are_given_and_taken_through_the_group(app: Client, name: str) -> None:
    user = app.created(name)
    ident = app.created(f"{name}-g", "/Groups")
    given = app.patch(ident, {"op": "add", "path": "members", "value": [{"value": user}]}, path="/Groups")
    assert given.status == 204, given
    assert [group["value"] for group in app.user(user)["groups"]] == [ident]
    taken = app.patch(ident, {"op": "remove", "path": f'members[value eq "{user}"]'}, path="/Groups")
    assert taken.status == 204, taken
    assert "groups" not in app.user(user)


def test_accounts_are_aggregated_page_by_page(app: Client, name: str) -> None:
    made = {app.created(f"{name}-{number}") for number in range(5)}
    seen: set[str] = set()
    start = 1
    while True:
        page = app.get(f'/Users?startIndex={start}&count=2&filter=userName sw "{name}-"').json
        seen |= {user["id"] for user in page["Resources"]}
        start += page["itemsPerPage"]
        if start > page["totalResults"]:
            break
    assert seen == made
