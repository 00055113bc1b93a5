"""What Okta sends, as its developer documentation, its SPEC test and the published references of implementers show it.

With the rows that hold for every client: how queries, bodies and paths are spelt.
"""

from __future__ import annotations

import pytest

from harness import CORE, PATCH_OP, Bench, Client, SqlPeople, quoted

OKTA_HEADERS = {
    "Content-Type": "application/scim+json; charset=utf-8",
    "Accept-Charset": "utf-8",
    "Accept": "application/scim+json; charset=utf-8",
    "User-Agent": "Okta SCIM Client 1.0.0",
}
POST_HEADERS = {**OKTA_HEADERS, "Content-Type": "application/json; charset=utf-8"}


def okta_user(name: str, **more: object) -> dict[str, object]:
    """Return the user of Okta's documentation."""
    return {
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
        **more,
    }


# -- the life of a user


def test_the_first_call_shows_a_complete_user(client: Client, name: str) -> None:
    client.created(name, name={"givenName": "A", "familyName": "B"}, emails=[{"type": "work", "value": f"{name}@x"}])
    answer = client("GET", "/Users?startIndex=1&count=2", None, OKTA_HEADERS)
    body = answer.json
    assert answer.status == 200
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    assert body["startIndex"] == 1
    assert body["itemsPerPage"] == len(body["Resources"]) <= 2
    assert isinstance(body["totalResults"], int)
    shown = body["Resources"][0]
    assert {"id", "userName", "active", "meta", "schemas"} <= set(shown)


def test_match_create_read(client: Client, name: str) -> None:
    query = f"/Users?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100"
    nobody = client("GET", query, None, OKTA_HEADERS)
    assert (nobody.status, nobody.json["totalResults"], nobody.json["Resources"]) == (200, 0, [])
    made = client("POST", "/Users", okta_user(name), POST_HEADERS)
    assert made.status == 201, made
    assert made.headers["Content-Type"].startswith("application/scim+json")
    assert "password" not in made.json
    assert made.json["externalId"] == f"00u{name}"
    again = client("GET", query, None, OKTA_HEADERS).json
    assert [user["id"] for user in again["Resources"]] == [made.id]
    assert client("GET", f"/Users/{made.id}", None, OKTA_HEADERS).json["userName"] == name


def test_put_of_the_whole_user_changes_it_and_keeps_the_password_out(
    hr: Client, served: Bench, people: SqlPeople, name: str
) -> None:
    made = hr("POST", "/Users", okta_user(name), POST_HEADERS)
    changed = {**made.json, "id": made.id, "groups": [], "name": {"givenName": "Another", "familyName": "User"}}
    answer = hr("PUT", f"/Users/{made.id}", changed, OKTA_HEADERS)
    assert (answer.status, answer.json["name"]["givenName"], answer.id) == (200, "Another", made.id)
    row = people.row(name)
    assert row is not None
    assert (row["first"], row["last"]) == ("Another", "User")
    assert b"1mz050nq-Marker-Okta" not in served.stored_bytes()


def test_a_user_is_deactivated_and_activated_by_put(client: Client, name: str) -> None:
    made = client("POST", "/Users", okta_user(name), POST_HEADERS)
    for active in (False, True, False):
        body = okta_user(name, id=made.id, active=active)
        del body["password"]
        answer = client("PUT", f"/Users/{made.id}", body, OKTA_HEADERS)
        assert (answer.status, answer.json["active"]) == (200, active)
        assert client.user(made.id)["active"] is active


def test_a_user_is_deactivated_by_the_catalogue_s_patch(client: Client, name: str) -> None:
    ident = client("POST", "/Users", okta_user(name), POST_HEADERS).id
    body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"active": False}}]}
    answer = client("PATCH", f"/Users/{ident}", body, OKTA_HEADERS)
    assert (answer.status, answer.json["active"]) == (200, False)
    assert [user["active"] for user in client.named(name)] == [False], "it stays listed"


def test_put_changes_the_user_name(client: Client, name: str) -> None:
    ident = client("POST", "/Users", okta_user(name), POST_HEADERS).id
    answer = client("PUT", f"/Users/{ident}", okta_user(f"{name}-new", id=ident), OKTA_HEADERS)
    assert (answer.status, answer.id, answer.json["userName"]) == (200, ident, f"{name}-new")


def test_put_keeps_what_it_leaves_out_and_clears_null_and_empty_lists(client: Client, name: str) -> None:
    ident = client.created(
        name, title="Clerk", displayName="D", emails=[{"type": "work", "value": f"{name}@x.org"}], externalId="e"
    )
    user = client.put(ident, {"schemas": [CORE], "userName": name, "displayName": None}).json
    assert "displayName" not in user
    assert (user["title"], user["externalId"]) == ("Clerk", "e")
    assert user["emails"][0]["value"] == f"{name}@x.org"
    assert "emails" not in client.put(ident, {"userName": name, "emails": []}).json


# -- errors as Okta reads them


def test_a_duplicate_user(client: Client, name: str) -> None:
    assert client("POST", "/Users", okta_user(name), POST_HEADERS).status == 201
    client("POST", "/Users", okta_user(name), POST_HEADERS).refused(409, "uniqueness")


def test_an_unknown_user(client: Client) -> None:
    client("GET", "/Users/010101001010101011001010101011", None, OKTA_HEADERS).refused(404)


def test_a_wrong_token(served: Bench, client: Client) -> None:
    answer = served.request(client.connector, "GET", "/Users", token="not-the-right-token")
    answer.refused(401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


# -- groups


def test_group_push(app: Client, name: str) -> None:
    users = [app.created(f"{name}-{number}") for number in range(3)]
    made = app("POST", "/Groups", {"schemas": [], "displayName": name, "members": []}, POST_HEADERS)
    assert made.status == 201, made
    rename = {"op": "replace", "value": {"id": made.id, "displayName": f"{name}-2"}}
    add = {"op": "add", "path": "members", "value": [{"value": users[0], "display": f"{name}-0"}]}
    answer = app.patch(made.id, rename, add, path="/Groups")
    assert answer.status == 204, answer
    group = app.get(f"/Groups/{made.id}").json
    assert group["displayName"] == f"{name}-2"
    assert [member["value"] for member in group["members"]] == [users[0]]
    replaced = [{"value": user, "display": "x"} for user in users[1:]]
    assert app.patch(made.id, {"op": "replace", "path": "members", "value": replaced}, path="/Groups").status == 204
    assert {m["value"] for m in app.get(f"/Groups/{made.id}").json["members"]} == set(users[1:])
    gone = {"op": "remove", "path": f'members[value eq "{users[1]}"]'}
    assert app.patch(made.id, gone, path="/Groups").status == 204
    assert [m["value"] for m in app.get(f"/Groups/{made.id}").json["members"]] == [users[2]]
    assert app("DELETE", f"/Groups/{made.id}", None, OKTA_HEADERS).status == 204


def test_group_put_without_members_keeps_them(app: Client, name: str) -> None:
    """Keycloak's plug-in sends groups so (mitodl/keycloak-scim 134)."""
    user = app.created(name)
    ident = app.created(f"{name}-g", "/Groups", members=[{"value": user}])
    answer = app("PUT", f"/Groups/{ident}", {"id": ident, "displayName": f"{name}-h"}, OKTA_HEADERS)
    assert answer.status == 200, answer
    group = app.get(f"/Groups/{ident}").json
    assert (group["displayName"], [member["value"] for member in group["members"]]) == (f"{name}-h", [user])


def test_a_whole_group_as_authentik_patches_it(app: Client, name: str) -> None:
    user = app.created(name)
    ident = app.created(f"{name}-g", "/Groups")
    assert app.get(f"/Groups/{ident}").json["members"] == [], "authentik compares members only if they are there"
    whole = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": ident, "displayName": f"{name}-h"}
    assert app.patch(ident, {"op": "replace", "value": whole}, path="/Groups").status == 204
    assert app.patch(ident, {"op": "add", "path": "members", "value": [{"value": user}]}, path="/Groups").status == 204
    group = app.get(f"/Groups/{ident}").json
    assert (group["displayName"], len(group["members"])) == (f"{name}-h", 1)


# -- every client


def test_plus_is_a_blank_in_filters(client: Client, name: str) -> None:
    ident = client.created(f"{name} x")
    answer = client.get(f"/Users?filter=userName+eq+%22{name}+x%22")
    assert [user["id"] for user in answer.resources] == [ident]
    assert client.get(f"/Users?filter=userName+eq+%22{name}%2Bx%22").total == 0


def test_a_slash_before_the_query(client: Client, name: str) -> None:
    ident = client.created(name)
    assert [user["id"] for user in client.get(f"/Users/?filter=userName eq {quoted(name)}").resources] == [ident]


def test_unknown_query_parameters(client: Client, name: str) -> None:
    client.created(name)
    answer = client.get(f'/Users?filter=userName eq "{name}"&api-version=1.0&aadOptscim062020=&=&flag')
    assert answer.total == 1


def test_keys_of_bodies_in_any_case(client: Client, name: str) -> None:
    answer = client.post({"Schemas": [CORE], "USERNAME": name, "DisplayName": "D", "NAME": {"GivenName": "G"}})
    assert answer.status == 201, answer
    assert (answer.json["userName"], answer.json["displayName"]) == (name, "D")
    assert answer.json["name"]["givenName"] == "G"
    patched = client(
        "PATCH",
        f"/Users/{answer.id}",
        {"SCHEMAS": [PATCH_OP], "operations": [{"OP": "replace", "Path": "displayname", "VALUE": "E"}]},
    )
    assert (patched.status, patched.json["displayName"]) == (200, "E")


@pytest.mark.parametrize(("query", "start", "shown"), [("startIndex=0", 1, 1), ("startIndex=-5", 1, 1)])
def test_start_below_one_is_one(client: Client, name: str, query: str, start: int, shown: int) -> None:
    client.created(name)
    body = client.get(f'/Users?filter=userName eq "{name}"&{query}').json
    assert (body["startIndex"], len(body["Resources"])) == (start, shown)


@pytest.mark.parametrize("count", ["0", "-1", "-100"])
def test_a_count_of_nothing_asks_for_totals(client: Client, name: str, count: str) -> None:
    client.created(name)
    body = client.get(f'/Users?filter=userName eq "{name}"&count={count}').json
    assert (body["totalResults"], body["itemsPerPage"], body["Resources"]) == (1, 0, [])


def test_a_count_above_the_maximum_is_cut_down(client: Client, name: str) -> None:
    client.created(name)
    maximum = client.get("/ServiceProviderConfig").json["filter"]["maxResults"]
    body = client.get(f"/Users?count={maximum * 1000}").json
    assert len(body["Resources"]) == min(body["totalResults"], maximum)


def test_ids_and_meta_of_the_client_are_ignored(client: Client, name: str) -> None:
    mine = {"id": "mine", "meta": {"resourceType": "Robot", "location": "x"}, "schemas": [CORE]}
    made = client.post({**mine, "userName": name})
    assert made.status == 201, made
    assert made.id != "mine"
    assert made.json["meta"]["resourceType"] == "User"
    answer = client.put(made.id, {**mine, "userName": name, "displayName": "D"})
    assert (answer.status, answer.id) == (200, made.id)


def test_patch_of_read_only_attributes(client: Client, name: str) -> None:
    ident = client.created(name)
    client.patch(ident, {"op": "replace", "path": "id", "value": "other"}).refused(400, "mutability")
    client.patch(ident, {"op": "replace", "path": "meta.resourceType", "value": "x"}).refused(400, "mutability")
    assert client.patch(ident, {"op": "replace", "path": "id", "value": ident}).status == 200


def test_values_come_back_exactly_as_sent(client: Client, name: str) -> None:
    for value in ("+1 (555) 010-9999 x12", "  inner  blanks kept", "Ünïcödé 漢字 🙂", 'quotes " and \\ and /', "a\tb"):
        answer = client.post({"userName": f"{name}{abs(hash(value))}", "displayName": value})
        if answer.status == 400:
            assert value == "a\tb"
            continue
        assert answer.json["displayName"] == value
        assert client.user(answer.id)["displayName"] == value


def test_pages_until_the_total_is_seen_show_everyone_once(client: Client, name: str) -> None:
    """authentik's and OneLogin's loops end only if totals are exact."""
    for number in range(7):
        client.created(f"{name}-{number}")
    seen: list[str] = []
    total, start = 1, 1
    while len(seen) < total:
        body = client.get(f'/Users?filter=userName sw "{name}-"&startIndex={start}&count=3').json
        total = body["totalResults"]
        seen += [user["userName"] for user in body["Resources"]]
        start += len(body["Resources"])
        assert body["Resources"], "no page before the end is empty"
    assert sorted(seen) == [f"{name}-{number}" for number in range(7)]
