"""Every example of RFC 7644 that is a request, sent: ids and versions are this service's, all else is as printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import ENTERPRISE, Answer, Client, bench, memory_document, memory_target, quoted

SAMPLES = Path(__file__).parent.parent / "samples"
REQUESTS = {
    path.name
    for pattern in ("*_request*.json", "*patch_op*")
    for path in SAMPLES.glob(pattern)
    if "error" not in path.name
}
BABS = ("2819c223-7f76-453a-919d-413861904646", "2819c223...413861904646", "2819c223...919d-413861904646",
        "2819c223-7f76-...413861904646")  # fmt: skip
JAMES = ("08e1d05d-121c-4561-8b96-473d93df9210", "08e1d05d...473d93df9210")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Client]:
    flows = {'emails[type eq "home"].value': "familyName"}
    with memory_target() as (name, _), bench(tmp_path, {"app": memory_document(name, more_flows=flows)}) as opened:
        yield opened.client("app")


def load(name: str, **replaced: tuple[str, ...]) -> Any:
    """Return an example with printed ids replaced by ids of this service (the keyword, with `_` for what ids have)."""
    text = (SAMPLES / name).read_text()
    for ident, printed in replaced.items():
        for each in printed:
            text = text.replace(each, ident)
    return json.loads(text)


def sent(name: str, ids: dict[str, tuple[str, ...]]) -> Any:
    return load(name, **ids)


def test_each_example_has_its_test() -> None:
    source = Path(__file__).read_text()
    assert [name for name in sorted(REQUESTS) if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", ["rfc7644-3.3-user-post_request.json", "rfc7644-3.14-user-post_request.json"])
def test_create(app: Client, name: str) -> None:
    example = load(name)
    answer = app.post(example)
    assert answer.status == 201
    shown = answer.json
    assert answer.headers["location"] == shown["meta"]["location"]
    assert answer.headers["etag"] == shown["meta"]["version"]
    assert (shown["userName"], shown["externalId"]) == ("bjensen", "bjensen")
    assert shown["name"]["givenName"] == "Barbara"
    printed = load(name.replace("request", "response"))
    assert printed["meta"].keys() == shown["meta"].keys()


def test_read_parts(app: Client) -> None:
    ident = app.post(load("rfc7644-3.3-user-post_request.json")).id
    shown = app.get(f"/Users/{ident}?attributes=userName").json
    assert shown.keys() == load("rfc7644-3.9-user-partial_response.json").keys()
    listed = app.get("/Users?attributes=userName").json
    printed = load("rfc7644-3.4.2-list_response-partial_attributes.json")
    assert printed.keys() <= listed.keys()
    assert listed["Resources"][0]["userName"] == "bjensen"


def test_search(app: Client) -> None:
    for n in range(12):
        app.created(f"smith-{n}", displayName=f"Smith, {n}")
    app.created("Smith Family", "/Groups")
    app.created("jones", displayName="Jones")
    found = app.post(load("rfc7644-3.4.3-search_request.json"), "/.search")
    printed = load("rfc7644-3.4.3-list_response-post_query.json")
    assert found.json.keys() == printed.keys()
    assert (found.json["itemsPerPage"], found.json["startIndex"], found.total) == (10, 1, 13 - (not has_names(app)))
    assert all(each.keys() <= {"schemas", "id", "userName", "displayName"} for each in found.resources)


def has_names(app: Client) -> bool:
    """Tell whether the group's name is found in lower case: its attribute is case-exact here."""
    condition = 'displayName sw "smith"'
    return bool(app.get(f"/Groups?filter={quoted(condition)}").resources)


def test_replace(app: Client) -> None:
    ident = app.post(load("rfc7644-3.3-user-post_request.json")).id
    answer = app.put(ident, sent("rfc7644-3.5.1-user-put_request.json", {ident: BABS}))
    assert (answer.status, answer.id) == (200, ident)
    assert answer.json["externalId"] == "bjensen"
    assert "bjensen@example.com" in {each["value"] for each in answer.json["emails"]}


def patched(app: Client, path: str, ident: str, name: str, ids: dict[str, tuple[str, ...]]) -> Answer:
    answer = app("PATCH", f"{path}/{ident}", sent(name, ids))
    assert answer.status in {200, 204}, answer
    return answer


def test_change_members(app: Client) -> None:
    babs, james = app.created("bjensen"), app.created("jsmith")
    group = app.created("Tour Guides", "/Groups")
    ids = {babs: BABS, james: JAMES}

    def members(example: str) -> set[str]:
        patched(app, "/Groups", group, example, ids)
        return {each["value"] for each in app.get(f"/Groups/{group}").json["members"]}

    assert members("rfc7644-3.5.2.1-patch_op-add_members.json") == {babs}
    assert members("rfc7644-3.5.2.2-patch_op-remove_and_add_one_member.json") == {james}
    assert members("rfc7644-3.5.2.3-patch_op-replace_all_members.json") == {babs, james}
    assert members("rfc7644-3.5.2.2-patch_op-remove_one_member.json") == {james}
    assert members("rfc7644-3.5.2.2-patch_op-remove_all_members.json") == set()


def test_change_a_user(app: Client) -> None:
    ident = app.created("bjensen", emails=[{"type": "work", "value": "b@example.com"}])

    def emails(example: str) -> dict[str, str]:
        shown = patched(app, "/Users", ident, example, {}).json
        return {each["type"]: each["value"] for each in shown.get("emails", [])}

    assert emails("rfc7644-3.5.2.1-patch_op-add_emails.json") == {"work": "b@example.com", "home": "babs@jensen.org"}
    assert emails("rfc7644-3.5.2.2-patch_op-remove_multi_complex_value.json") == {"home": "babs@jensen.org"}
    assert emails("rfc7644-3.5.2.3-patch_op-replace_all_email_values.json") == {
        "work": "bjensen@example.com", "home": "babs@jensen.org",
    }  # fmt: skip
    # addresses have no flow here: what nothing serves is dropped, with a warning in the audit
    assert patched(app, "/Users", ident, "rfc7644-3.5.2.3-patch_op-replace_user_work_address.json", {}).status == 200
    assert patched(app, "/Users", ident, "rfc7644-3.5.2.3-patch_op-replace_street_address.json", {}).status == 200


def bulk(app: Client, message: Any) -> list[dict[str, Any]]:
    answer = app.post(message, "/Bulk")
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.json["Operations"]
    return found


def test_bulk_with_temporary_identifiers(app: Client) -> None:
    found = bulk(app, load("rfc7644-3.7.2-bulk_request-temporary_identifier.json"))
    printed = load("rfc7644-3.7.2-bulk_response-temporary_identifier.json")["Operations"]
    assert [each.keys() for each in found] == [each.keys() for each in printed]
    assert [(each["bulkId"], each["status"]) for each in found] == [("qwerty", "201"), ("ytrewq", "201")]
    user, group = (each["location"].rpartition("/")[2] for each in found)
    assert [each["value"] for each in app.get(f"/Groups/{group}").json["members"]] == [user]


def test_bulk_with_a_manager(app: Client) -> None:
    found = bulk(app, load("rfc7644-3.7.2-bulk_request-enterprise_user.json"))
    assert [each["status"] for each in found] == ["201", "201"]
    alice, bob = (each["location"].rpartition("/")[2] for each in found)
    assert app.user(bob)[ENTERPRISE]["manager"]["value"] == alice


def test_bulk_in_a_circle(app: Client) -> None:
    found = bulk(app, load("rfc7644-3.7.1-bulk_request-circular_conflict.json"))
    assert [each["status"] for each in found] == ["201", "201"]
    ids = [each["location"].rpartition("/")[2] for each in found]
    either = " or ".join(f'id eq "{ident}"' for ident in ids)
    listed = app.get(f"/Groups?filter={quoted(either)}&sortBy=displayName").json
    printed = load("rfc7644-3.7.1-list_response-circular_reference.json")
    assert (listed["totalResults"], printed.keys() <= listed.keys()) == (2, True)
    for ours, example in zip(listed["Resources"], printed["Resources"], strict=True):
        assert ours["displayName"] == example["displayName"]
        assert ours["members"][0].keys() >= example["members"][0].keys()
    assert [each["members"][0]["value"] for each in listed["Resources"]] == ids[::-1]


def test_bulk_of_every_kind(app: Client) -> None:
    bob, dave, gone = app.created("bob"), app.created("carol"), app.created("eve")
    ids = {
        bob: ("b7c14771-226c-4d05-8860-134711653041",),
        dave: ("5d8d29d3-342c-4b5f-8683-a3cb6763ffcc",),
        gone: ("e9025315-6bea-44e1-899c-1e07454e468b",),
    }
    example = sent("rfc7644-3.7.3-bulk_request-multiple_operations.json", ids)
    stale = bulk(app, {**example, "failOnErrors": 9})
    assert [each["status"] for each in stale][1:] == ["412", "412", "412"], "the versions printed are nobody's"
    for operation, ident in zip(example["Operations"][1:], (bob, dave, gone), strict=True):
        operation["version"] = app.get(f"/Users/{ident}").headers["etag"]
    example["Operations"][0]["data"]["userName"] = "alice the second"
    found = bulk(app, example)
    printed = load("rfc7644-3.7.3-bulk_response-multiple_operations.json")["Operations"]
    assert [(each["method"], each["status"]) for each in found] == [
        (each["method"], each["status"]) for each in printed
    ]
    assert app.user(dave)["userName"] == "Dave"


def test_errors_have_the_members_of_the_examples(app: Client) -> None:
    assert app.get("/Users/nobody").json.keys() == load("rfc7644-3.12-error-not_found.json").keys()
    assert app.post(b"{", "/Bulk").json.keys() == load("rfc7644-3.7.3-error-invalid_syntax.json").keys()
    limit = app.get("/ServiceProviderConfig").json["bulk"]["maxPayloadSize"]
    large = app.post(b" " * (limit + 1), "/Bulk")
    assert (large.status, large.json.keys()) == (413, load("rfc7644-3.7.4-error-payload_too_large.json").keys())


def test_discovery_has_the_members_of_the_examples(app: Client) -> None:
    config = app.get("/ServiceProviderConfig").json
    printed = load("rfc7643-8.5-service_provider_configuration.json")
    assert printed.keys() - {"documentationUri"} <= config.keys()
    types = app.get("/ResourceTypes").json
    assert types.keys() >= load("rfc7644-4-list_response-resource_types.json").keys()
    for kind in ("user", "group"):
        example = load(f"rfc7643-8.6-resource_type-{kind}.json")
        ours = app.get(f"/ResourceTypes/{kind}").json
        assert (ours["id"], ours["endpoint"], ours["schema"]) == (example["id"], example["endpoint"], example["schema"])
    for kind in ("User", "Group"):
        ours = app.get(f"/Schemas/urn:ietf:params:scim:schemas:core:2.0:{kind}").json
        example = load(f"rfc7643-8.7.1-schema-{kind.lower()}.json")
        theirs = {each["name"] for each in example["attributes"]}
        assert {each["name"] for each in ours["attributes"]} <= theirs
