"""What Entra ID sends, as its documentation, its reference code and administrators' reports show it.

Sources: learn.microsoft.com "Develop and plan provisioning for a SCIM endpoint" and "Known issues and resolutions with
SCIM 2.0 protocol compliance"; github.com/AzureAD/SCIMReferenceCode; github.com/pingidentity and simpleidserver threads.
"""

from __future__ import annotations

import json
import uuid

import pytest

from harness import CORE, ENTERPRISE, OWN, PATCH_OP, Bench, Client, SqlPeople
from isthmus.connectors.memory import MemoryTarget

LEGACY_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


def found(client: Client, query: str, path: str = "/Users") -> list[str]:
    return [resource["id"] for resource in client.get(f"{path}?{query}").resources]


# -- test connection


def test_the_connection_test_finds_nobody(client: Client) -> None:
    answer = client.get(f"/Users?filter=userName+eq+%22{uuid.uuid4()}%22")
    assert answer.status == 200
    assert answer.json["totalResults"] == 0
    assert answer.json["Resources"] == []
    assert answer.headers["Content-Type"].startswith("application/scim+json")


def test_the_connection_test_of_the_connector_host_asks_for_a_placeholder(client: Client) -> None:
    for attribute in ("PLACEHOLDER", f"{OWN}:PLACEHOLDER", "placeholder"):
        answer = client.get(f"/Users?filter={attribute}%20eq%20%22{uuid.uuid4()}%22&startIndex=1&count=1")
        assert (answer.status, answer.json["totalResults"], answer.json["Resources"]) == (200, 0, [])


def test_a_random_value_for_an_attribute_of_another_type_finds_nobody(app: Client) -> None:
    answer = app.get(f"/Users?filter={OWN}:employeeNumber+eq+%22{uuid.uuid4()}%22")
    assert (answer.status, answer.json["totalResults"]) == (200, 0)


# -- lookups


def test_lookups_by_matching_attributes(client: Client, name: str) -> None:
    ident = client.created(name, externalId=name.upper(), emails=[{"type": "work", "value": f"{name}@x.org"}])
    for query in (
        f'filter=userName eq "{name}"',
        f"filter=userName%20eq%20%22{name}%22",
        f"filter=userName+eq+%22{name}%22",
        f"filter=externalId+eq+%22{name.upper()}%22",
        f"filter=externalId eq {name.upper()}",
        f'filter=emails[type eq "work"].value eq "{name}@x.org"',
        f"filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22{name}%40x.org%22",
        f'filter=id eq "{ident}"',
        f'filter=userName eq "{name}" and active eq true',
        f'filter=userName eq "{name}" and active eq "True"',
        f'filter={OWN}:login eq "{name}"',
        f'FILTER=userName eq "{name}"',
    ):
        assert found(client, query) == [ident], query


def test_external_ids_are_case_exact_and_user_names_are_not(app: Client, name: str) -> None:
    ident = app.created(name, externalId=f"{name}-X")
    assert found(app, f'filter=userName eq "{name.upper()}"') == [ident]
    assert found(app, f'filter=externalId eq "{name}-x"') == []


def test_a_reference_in_a_filter_in_either_order(client: Client, name: str) -> None:
    boss, ident = client.created(f"{name}-boss"), client.created(name)
    manager = {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss}
    assert client.patch(ident, manager).status == 200
    for condition in (
        f'id eq "{ident}" and manager eq "{boss}"',
        f'manager eq "{boss}" and id eq "{ident}"',
        f'id eq "{ident}" and {ENTERPRISE}:manager eq "{boss}"',
        f'id eq "{ident}" and manager.value eq "{boss}"',
    ):
        answer = client.get(f"/Users?filter={condition}&attributes=id")
        assert [set(resource) - {"schemas", "meta"} for resource in answer.resources] == [{"id"}], condition
    assert found(client, f'filter=id eq "{boss}" and manager eq "{boss}"&attributes=id') == []


def test_excluded_attributes(client: Client, name: str) -> None:
    ident = client.created(name, title="Clerk")
    answer = client.get(f"/Users/{ident}?excludedAttributes=members,title")
    assert answer.status == 200
    assert "title" not in answer.json
    assert answer.json["userName"] == name


# -- create


def test_the_documented_post(hr: Client, people: SqlPeople, name: str) -> None:
    answer = hr.post(
        {
            "schemas": [CORE, ENTERPRISE],
            "externalId": str(uuid.uuid4()),
            "userName": name,
            "active": True,
            "emails": [{"primary": True, "type": "work", "value": f"{name}@bjfe.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
            "roles": [],
        }
    )
    assert answer.status == 201
    assert answer.headers["location"] == answer.json["meta"]["location"]
    assert answer.json["meta"]["location"].endswith(f"/ecma2host_hr/scim/Users/{answer.id}")
    assert answer.json["emails"] == [{"value": f"{name}@bjfe.com", "type": "work", "primary": True}]
    row = people.row(name)
    assert row is not None
    assert (row["first"], row["last"], row["disabled"]) == ("givenName", "familyName", 0)


def test_a_post_with_nulls_empty_lists_and_the_fields_of_the_reference_code(client: Client, name: str) -> None:
    answer = client.post(
        {
            "schemas": [CORE, ENTERPRISE],
            "userName": name,
            "externalId": None,
            "displayName": None,
            "title": "",
            "active": "True",
            "emails": [],
            "phoneNumbers": None,
            "addresses": [None],
            "name": None,
            "roles": None,
            ENTERPRISE: None,
            "meta": {"resourceType": "User", "created": None},
            "id": "chosen-by-the-client",
        }
    )
    assert answer.status == 201, answer
    assert answer.json["active"] is True
    assert answer.id != "chosen-by-the-client"
    for absent in ("externalId", "displayName", "title", "emails", "name", ENTERPRISE):
        assert absent not in answer.json, absent


def test_the_misspelt_enterprise_urn_spoils_nothing(client: Client, name: str) -> None:
    wrong = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"
    answer = client.post({"schemas": [CORE, wrong], "userName": name, wrong: {"department": "Sales"}})
    assert answer.status == 201, answer


def test_booleans_as_text_within_roles(hr: Client, people: SqlPeople, name: str) -> None:
    role = json.dumps({"id": "18d14569-c3bd-439b-9a66-3a2aee01d14f", "value": "survey", "displayName": "Survey"})
    answer = hr.post(
        {"userName": name, "roles": [{"primary": "True", "type": "WindowsAzureActiveDirectoryRole", "value": role}]}
    )
    assert answer.status == 201, answer
    row = people.row(name)
    assert row is not None
    assert row["role"] == role, "JSON text is kept as text"
    assert answer.json["roles"][0]["value"] == role


def test_a_post_under_our_own_urn_as_the_connector_host_gets_it(client: Client, name: str) -> None:
    answer = client.post({"schemas": [CORE, OWN], OWN: {"login": name}})
    assert answer.status == 201, answer
    assert answer.json[OWN]["login"] == name
    assert answer.json["userName"] == name


def test_an_unknown_name_under_our_own_urn_is_refused(client: Client, name: str) -> None:
    detail = client.post({"schemas": [CORE, OWN], OWN: {"login": name, "logni": "x"}}).refused(400, "invalidValue")
    assert "logni" in detail
    assert client.named(name) == []


def test_a_duplicate_is_a_conflict(client: Client, name: str) -> None:
    client.created(name)
    client.post({"userName": name}).refused(409, "uniqueness")


# -- PATCH


@pytest.mark.parametrize("op", ["Add", "Replace", "add", "replace"])
def test_capitalised_operations(client: Client, name: str, op: str) -> None:
    ident = client.created(name)
    answer = client.patch(ident, {"op": op, "path": "displayName", "value": "New Name"})
    assert (answer.status, answer.json["displayName"]) == (200, "New Name")


@pytest.mark.parametrize(("text", "active"), [("False", False), ("True", True), ("false", False), (False, False)])
def test_active_as_text(client: Client, name: str, text: object, active: bool) -> None:
    ident = client.created(name, active=not active)
    answer = client.patch(ident, {"op": "Replace", "path": "active", "value": text})
    assert (answer.status, answer.json["active"]) == (200, active)
    assert client.user(ident)["active"] is active
    assert found(client, f'filter=userName eq "{name}" and active eq {str(active).lower()}') == [ident]


def test_disable_in_one_operation_without_path(client: Client, name: str) -> None:
    ident = client.created(name)
    answer = client.patch(ident, {"op": "replace", "value": {"active": False}})
    assert (answer.status, answer.json["active"]) == (200, False)


@pytest.mark.parametrize("op", ["Add", "Replace"])
def test_a_value_path_that_nothing_fits_creates_the_value(client: Client, name: str, op: str) -> None:
    ident = client.created(name)
    address = f"{name}@x.org"
    answer = client.patch(ident, {"op": op, "path": 'emails[type eq "work"].value', "value": address})
    assert answer.status == 200, answer
    assert [email["value"] for email in answer.json["emails"]] == [address]


def test_value_paths_over_several_attributes(hr: Client, people: SqlPeople, name: str) -> None:
    ident = hr.created(name)
    answer = hr.patch(
        ident,
        {"op": "Add", "path": 'addresses[type eq "work"].streetAddress', "value": "Way 1"},
        {"op": "Replace", "path": 'addresses[type eq "work"].locality', "value": "Town"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+49 (0) 170-1"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "work"].value', "value": "01/23 456"},
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "admin"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Sales"},
        {"op": "Replace", "path": "name.familyName", "value": "Smith"},
    )
    assert answer.status == 200, answer
    row = people.row(name)
    assert row is not None
    wanted = {"street": "Way 1", "city": "Town", "mobile": "+49 (0) 170-1", "phone": "01/23 456", "role": "admin"}
    wanted |= {"department": "Sales", "last": "Smith"}
    assert {key: row[key] for key in wanted} == wanted
    assert {n["type"]: n["value"] for n in answer.json["phoneNumbers"]} == {
        "mobile": "+49 (0) 170-1",
        "work": "01/23 456",
    }, "values come back as they were sent"


def test_value_paths_that_replace_and_remove(hr: Client, people: SqlPeople, name: str) -> None:
    ident = hr.created(name, phoneNumbers=[{"type": "work", "value": "1"}, {"type": "mobile", "value": "2"}])
    answer = hr.patch(ident, {"op": "Replace", "path": 'phoneNumbers[type eq "work"].value', "value": "3"})
    assert {n["type"]: n["value"] for n in answer.json["phoneNumbers"]} == {"work": "3", "mobile": "2"}
    answer = hr.patch(ident, {"op": "Remove", "path": 'phoneNumbers[type eq "work"]'})
    assert [n["type"] for n in answer.json["phoneNumbers"]] == ["mobile"]
    answer = hr.patch(ident, {"op": "Remove", "path": 'phoneNumbers[type eq "mobile"].value'})
    assert "phoneNumbers" not in answer.json
    row = people.row(name)
    assert row is not None
    assert (row["phone"], row["mobile"]) == (None, None)


def test_dotted_and_urn_keys_without_path(hr: Client, people: SqlPeople, name: str) -> None:
    """The form behind the feature flag aadOptscim062020, and the earlier one with filters in keys."""
    ident = hr.created(name)
    answer = hr.patch(
        ident,
        {
            "op": "replace",
            "value": {
                "displayName": "D",
                "name.givenName": "G",
                "name.familyName": "F",
                'emails[type eq "work"].value': f"{name}@x.org",
                'addresses[type eq "work"].locality': "Town",
                f"{ENTERPRISE}:department": "Ops",
                f"{ENTERPRISE}:employeeNumber": "77",
                f"{OWN}:vip": "yes",
                "active": "False",
            },
        },
    )
    assert answer.status == 200, answer
    row = people.row(name)
    assert row is not None
    wanted = {"display": "D", "first": "G", "last": "F", "mail": f"{name}@x.org", "city": "Town", "department": "Ops"}
    wanted |= {"staff_number": "77", "vip": "yes", "disabled": 1}
    assert {key: row[key] for key in wanted} == wanted


def test_a_whole_extension_without_path(hr: Client, people: SqlPeople, name: str) -> None:
    ident = hr.created(name)
    answer = hr.patch(ident, {"op": "Add", "value": {ENTERPRISE: {"department": "Ops", "employeeNumber": "8"}}})
    assert answer.status == 200, answer
    row = people.row(name)
    assert row is not None
    assert (row["department"], row["staff_number"]) == ("Ops", "8")


def test_extra_members_in_operations(client: Client, name: str) -> None:
    ident = client.created(name)
    answer = client(
        "PATCH",
        f"/Users/{ident}",
        {
            "schemas": [PATCH_OP],
            "id": ident,
            "externalId": "x",
            "Operations": [
                {"name": "replaceDisplayName", "op": "Replace", "path": "displayName", "value": "E", "$ref": None}
            ],
        },
    )
    assert (answer.status, answer.json["displayName"]) == (200, "E")


def test_a_patch_of_our_own_urn(client: Client, name: str) -> None:
    ident = client.created(name)
    column = "display" if client.connector == "hr" else "displayName"
    answer = client.patch(ident, {"op": "Replace", "path": f"{OWN}:{column}", "value": "Own"})
    assert answer.status == 200, answer
    assert answer.json["displayName"] == "Own"


def test_external_id_is_changed_and_removed(client: Client, name: str) -> None:
    ident = client.created(name, externalId="before")
    assert client.patch(ident, {"op": "Replace", "path": "externalId", "value": f"{name}-e"}).json["externalId"]
    assert found(client, f'filter=externalId eq "{name}-e"') == [ident]
    assert "externalId" not in client.patch(ident, {"op": "Remove", "path": "externalId"}).json


def test_user_name_is_changed_and_the_id_stays(client: Client, name: str) -> None:
    ident = client.created(name)
    answer = client.patch(ident, {"op": "Replace", "path": "userName", "value": f"{name}-new"})
    assert (answer.status, answer.json["userName"], answer.id) == (200, f"{name}-new", ident)
    assert client.named(name) == []
    assert [user["id"] for user in client.named(f"{name}-new")] == [ident]


def test_cleared_values_read_back_as_absent(client: Client, name: str) -> None:
    ident = client.created(name, displayName="D", title="T")
    assert "displayName" not in client.patch(ident, {"op": "Replace", "path": "displayName", "value": ""}).json
    assert "title" not in client.patch(ident, {"op": "Replace", "path": "title", "value": None}).json
    user = client.user(ident)
    assert "displayName" not in user
    assert "title" not in user


# -- manager


@pytest.mark.parametrize("form", ["text", "object", "array", "reference", "own path"])
def test_the_manager_is_set_in_every_form(client: Client, name: str, form: str) -> None:
    boss, ident = client.created(f"{name}-boss"), client.created(name)
    path = f"{ENTERPRISE}:manager"
    operation = {
        "text": {"op": "Add", "path": path, "value": boss},
        "object": {"op": "Replace", "path": path, "value": {"value": boss}},
        "array": {"op": "Add", "path": path, "value": [{"$ref": None, "value": boss}]},
        "reference": {"op": "Add", "path": path, "value": {"$ref": f"../Users/{boss}", "value": boss}},
        "own path": {"op": "Add", "path": "manager", "value": boss},
    }[form]
    answer = client.patch(ident, operation)
    assert answer.status == 200, answer
    assert answer.json[ENTERPRISE]["manager"]["value"] == boss
    assert answer.json[ENTERPRISE]["manager"]["$ref"].endswith(f"/Users/{boss}")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ""},
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": {"value": ""}},
        {"op": "Remove", "path": f"{ENTERPRISE}:manager"},
        {"op": "Remove", "path": "manager"},
        {"op": "Replace", "value": {f"{ENTERPRISE}:manager": None}},
    ],
)
def test_the_manager_is_cleared_in_every_form(client: Client, name: str, operation: object) -> None:
    boss = client.created(f"{name}-boss")
    ident = client.created(name, **{ENTERPRISE: {"manager": {"value": boss}}})
    assert client.user(ident)[ENTERPRISE]["manager"]["value"] == boss
    answer = client.patch(ident, operation)
    assert answer.status == 200, answer
    assert "manager" not in answer.json.get(ENTERPRISE, {})


def test_an_unknown_manager_is_named(client: Client, name: str) -> None:
    ident, nobody = client.created(name), str(uuid.uuid4())
    answer = client.patch(ident, {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": nobody})
    assert nobody in answer.refused(400, "invalidValue")


# -- groups


def group_with(app: Client, name: str, *members: str) -> str:
    return app.created(name, "/Groups", schemas=[LEGACY_GROUP], members=[{"value": ident} for ident in members])


def members_of(app: Client, ident: str) -> set[str]:
    answer = app.get(f"/Groups/{ident}")
    assert answer.status == 200
    return {member["value"] for member in answer.json["members"]}


def test_a_group_is_created_with_the_legacy_urn(app: Client, name: str) -> None:
    answer = app.post(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", LEGACY_GROUP],
            "externalId": str(uuid.uuid4()),
            "displayName": name,
            "members": [],
            "meta": {"resourceType": "Group"},
        },
        "/Groups",
    )
    assert answer.status == 201, answer
    assert answer.json["members"] == []


def test_group_lookups_leave_members_out(app: Client, name: str) -> None:
    user = app.created(f"{name}-u")
    ident = group_with(app, name, user)
    [group] = app.get(f'/Groups?excludedAttributes=members&filter=displayName eq "{name}"').resources
    assert group["id"] == ident
    assert "members" not in group
    assert "members" not in app.get(f"/Groups/{ident}?excludedAttributes=members").json


def test_membership_is_asked_for_with_a_filter(app: Client, name: str) -> None:
    one, other = app.created(f"{name}-1"), app.created(f"{name}-2")
    ident = group_with(app, name, one)
    assert found(app, f'filter=id eq "{ident}" and members eq "{one}"&attributes=id', "/Groups") == [ident]
    assert found(app, f'filter=members eq "{one}" and id eq "{ident}"&attributes=id', "/Groups") == [ident]
    assert found(app, f'filter=id eq "{ident}" and members eq "{other}"&attributes=id', "/Groups") == []


def test_members_are_added_and_removed_one_by_one(app: Client, target: MemoryTarget, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(3)]
    ident = group_with(app, name)
    for user in users:
        answer = app.patch(
            ident, {"op": "Add", "path": "members", "value": [{"$ref": None, "value": user}]}, path="/Groups"
        )
        assert (answer.status, answer.raw) == (204, b"")
    assert members_of(app, ident) == set(users)
    answer = app.patch(ident, {"op": "Remove", "path": "members", "value": [{"value": users[0]}]}, path="/Groups")
    assert answer.status == 204
    assert members_of(app, ident) == set(users[1:])
    answer = app.patch(ident, {"op": "remove", "path": f'members[value eq "{users[1]}"]'}, path="/Groups")
    assert answer.status == 204
    assert members_of(app, ident) == {users[2]}
    kept = target.get("group", (name,))
    assert kept is not None
    assert len(kept["members"]) == 1


def test_a_member_added_twice_is_a_member_once(app: Client, name: str) -> None:
    user = app.created(f"{name}-u")
    ident = group_with(app, name, user)
    for value in ([{"value": user}], [{"value": user}, {"value": user, "display": "again"}]):
        assert app.patch(ident, {"op": "Add", "path": "members", "value": value}, path="/Groups").status == 204
    assert [member["value"] for member in app.get(f"/Groups/{ident}").json["members"]] == [user]


def test_an_unknown_member_is_named_and_nothing_is_added(app: Client, name: str) -> None:
    user, nobody = app.created(f"{name}-u"), str(uuid.uuid4())
    ident = group_with(app, name)
    answer = app.patch(
        ident, {"op": "Add", "path": "members", "value": [{"value": user}, {"value": nobody}]}, path="/Groups"
    )
    assert nobody in answer.refused(400, "invalidValue")
    assert members_of(app, ident) == set()


def test_a_member_that_is_gone_is_removed_without_complaint(app: Client, name: str) -> None:
    user, gone = app.created(f"{name}-u"), app.created(f"{name}-gone")
    ident = group_with(app, name, user, gone)
    assert app.delete(gone).status == 204
    answer = app.patch(ident, {"op": "Remove", "path": "members", "value": [{"value": gone}]}, path="/Groups")
    assert answer.status == 204, answer
    assert members_of(app, ident) == {user}


def test_a_group_is_renamed_and_deleted(app: Client, name: str) -> None:
    ident = group_with(app, name)
    answer = app.patch(ident, {"op": "Replace", "path": "displayName", "value": f"{name}-new"}, path="/Groups")
    assert answer.status == 204
    assert app.get(f"/Groups/{ident}").json["displayName"] == f"{name}-new"
    assert app("DELETE", f"/Groups/{ident}").status == 204
    app.get(f"/Groups/{ident}").refused(404)


# -- delete


def test_deleted_users_are_not_found(client: Client, name: str) -> None:
    ident = client.created(name)
    assert client.delete(ident).status == 204
    client.get(f"/Users/{ident}").refused(404)
    client.delete(ident).refused(404)
    assert client.named(name) == []


def test_schemas_and_resource_types_are_there(client: Client) -> None:
    urns = {schema["id"] for schema in client.get("/Schemas").json["Resources"]}
    assert {CORE, ENTERPRISE, OWN} <= urns
    types = {resource["name"] for resource in client.get("/ResourceTypes").json["Resources"]}
    assert "User" in types


def test_the_connector_name_is_found_in_any_case(served: Bench) -> None:
    token = served.token("hr")
    for path in ("/ecma2host_HR/scim/Users?count=0", "/ECMA2Host_hr/scim/Users?count=0", "/scim/Hr/Users?count=0"):
        answer = served.literally("GET", path, b"", {"Authorization": f"Bearer {token}"})
        assert answer.status == 200, path
