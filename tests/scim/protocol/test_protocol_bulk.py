"""Bulk requests (RFC 7644 3.7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import ENTERPRISE, PATCH_OP, Answer, Bench, Client, bench, memory_document, memory_target
from isthmus.connectors.memory import MemoryTarget

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def bulk(client: Client, *operations: Any, **more: Any) -> Answer:
    return client.post({"schemas": [BULK], **more, "Operations": list(operations)}, "/Bulk")


def results(client: Client, *operations: Any, **more: Any) -> list[dict[str, Any]]:
    answer = bulk(client, *operations, **more)
    assert answer.status == 200, answer
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]
    found: list[dict[str, Any]] = answer.json["Operations"]
    return found


def post(bulk_id: str, path: str = "/Users", **data: Any) -> dict[str, Any]:
    return {"method": "POST", "path": path, "bulkId": bulk_id, "data": data}


def group(bulk_id: str, name: str, *members: str) -> dict[str, Any]:
    return post(bulk_id, "/Groups", displayName=name, members=[{"value": each} for each in members])


def id_of(result: dict[str, Any]) -> str:
    return str(result["location"].rpartition("/")[2])


def statuses(found: list[dict[str, Any]]) -> list[str]:
    return [each["status"] for each in found]


def members(client: Client, ident: str) -> set[str]:
    return {each["value"] for each in client.get(f"/Groups/{ident}").json["members"]}


def test_each_kind_of_operation(app: Client, name: str) -> None:
    put, patched, gone = (app.created(f"{name}-{n}") for n in range(3))
    found = results(
        app,
        post("a", userName=f"{name}-new"),
        {"method": "PUT", "path": f"/Users/{put}", "data": {"userName": f"{name}-0", "title": "put"}},
        {
            "method": "PATCH",
            "path": f"/Users/{patched}",
            "data": {"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": "title", "value": "patched"}]},
        },
        {"method": "DELETE", "path": f"/Users/{gone}"},
    )
    assert statuses(found) == ["201", "200", "200", "204"]
    assert [each["method"] for each in found] == ["POST", "PUT", "PATCH", "DELETE"]
    assert found[0]["bulkId"] == "a"
    assert found[0]["location"] == app.user(id_of(found[0]))["meta"]["location"]
    for each in found[:3]:
        assert each["version"] == app.get(f"/Users/{id_of(each)}").headers["etag"]
    assert not any("response" in each for each in found)
    assert (app.user(put)["title"], app.user(patched)["title"]) == ("put", "patched")
    app.get(f"/Users/{gone}").refused(404)


def test_errors_do_not_stop_the_others(app: Client, name: str) -> None:
    taken = app.created(name)
    found = results(
        app,
        post("a", userName=name),
        post("b"),
        {"method": "PUT", "path": "/Users/nobody", "data": {"userName": "x"}},
        {"method": "PATCH", "path": f"/Users/{taken}", "data": {"Operations": [{"op": "burn"}]}},
        {"method": "DELETE", "path": f"/Users/{taken}", "version": 'W/"0"'},
        post("c", "/Nothing", userName="x"),
        post("d", userName=f"{name}-d"),
    )
    assert statuses(found) == ["409", "400", "404", "400", "412", "404", "201"]
    assert [each.get("response", {}).get("scimType") for each in found[:4]] == [
        "uniqueness", "invalidValue", None, "invalidSyntax",
    ]  # fmt: skip
    assert "location" not in found[0]
    assert found[2]["location"].endswith("/Users/nobody")
    assert found[4]["response"]["status"] == "412"
    assert app.get(f"/Users/{taken}").status == 200


def test_a_version_is_a_condition(app: Client, name: str) -> None:
    ident = app.created(name)
    version = app.get(f"/Users/{ident}").headers["etag"]
    change = {"method": "PATCH", "path": f"/Users/{ident}", "version": version}
    data = {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}
    first, second = results(app, {**change, "data": data}, {**change, "data": data["Operations"]})
    assert (first["status"], second["status"]) == ("200", "412")


def test_fail_on_errors(app: Client, name: str) -> None:
    operations = [post("a"), post("b", userName=f"{name}-b"), post("c"), post("d", userName=f"{name}-d")]
    assert statuses(results(app, *operations, failOnErrors=1)) == ["400"]
    assert statuses(results(app, *operations, failOnErrors=2)) == ["400", "201", "400"]
    assert app.named(f"{name}-d") == []
    app.delete(app.named(f"{name}-b")[0]["id"])
    assert statuses(results(app, *operations, failOnErrors=3)) == ["400", "201", "400", "201"]


# -- references


@pytest.mark.parametrize("forward", [False, True])
def test_references_backward_and_forward(app: Client, name: str, forward: bool) -> None:
    boss = post("boss", userName=f"{name}-boss")
    report = post("report", userName=name, **{ENTERPRISE: {"manager": {"value": "bulkId:boss"}}})
    team = group("team", name, "bulkId:boss", "bulkId:report")
    operations = [team, report, boss] if forward else [boss, report, team]
    found = {each["bulkId"]: each for each in results(app, *operations)}
    assert {each["status"] for each in found.values()} == {"201"}
    assert app.user(id_of(found["report"]))[ENTERPRISE]["manager"]["value"] == id_of(found["boss"])
    assert members(app, id_of(found["team"])) == {id_of(found["boss"]), id_of(found["report"])}


def test_the_order_of_the_answer_is_that_of_the_request(app: Client, name: str) -> None:
    found = results(app, group("g", name, "bulkId:u"), post("u", userName=name))
    assert [each["bulkId"] for each in found] == ["g", "u"]


def test_references_in_paths_and_patches(app: Client, name: str) -> None:
    existing = app.created(name, "/Groups")
    without = {"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:u1"]'}]}
    found = results(
        app,
        {"method": "PATCH", "path": f"/Groups/{existing}", "data": {"Operations": [
            {"op": "add", "path": "members", "value": [{"value": "bulkId:u1"}, {"value": "bulkId:u2"}]}]}},
        {"method": "PATCH", "path": "/Users/bulkId:u1", "data": {"Operations": [
            {"op": "add", "path": "title", "value": "by reference"}]}},
        post("u1", userName=f"{name}-1"),
        post("u2", userName=f"{name}-2"),
        {"method": "PATCH", "path": f"/Groups/{existing}", "data": without},
        {"method": "DELETE", "path": "/Users/bulkId:u2"},
    )  # fmt: skip
    assert statuses(found) == ["200", "200", "201", "201", "200", "204"]
    first = id_of(found[2])
    assert id_of(found[1]) == first
    assert app.user(first)["title"] == "by reference"
    assert first not in members(app, existing)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_circles_are_closed_afterwards(app: Client, name: str, size: int) -> None:
    operations = [group(f"g{n}", f"{name}-{n}", f"bulkId:g{(n + 1) % size}") for n in range(size)]
    found = results(app, *operations)
    assert statuses(found) == ["201"] * size
    ids = [id_of(each) for each in found]
    for n in range(size):
        assert members(app, ids[n]) == {ids[(n + 1) % size]}
        assert found[n]["version"] == app.get(f"/Groups/{ids[n]}").headers["etag"]


def test_a_circle_through_single_values(app: Client, name: str) -> None:
    found = results(
        app,
        post("a", userName=f"{name}-a", **{ENTERPRISE: {"manager": {"value": "bulkId:b"}}}),
        post("b", userName=f"{name}-b", **{ENTERPRISE: {"manager": {"value": "bulkId:a"}}}),
    )
    assert statuses(found) == ["201", "201"]
    a, b = (id_of(each) for each in found)
    assert app.user(a)[ENTERPRISE]["manager"]["value"] == b
    assert app.user(b)[ENTERPRISE]["manager"]["value"] == a


def test_a_circle_that_cannot_be_closed(app: Client, name: str) -> None:
    app.created(f"{name}-b", "/Groups")
    found = results(app, group("a", f"{name}-a", "bulkId:b"), group("b", f"{name}-b", "bulkId:a"))
    assert statuses(found) == ["409", "409"], "b is there already, so a cannot refer to the new one"
    assert "bulkId 'b'" in found[0]["response"]["detail"]
    found = results(app, group("b", f"{name}-b", "bulkId:a"), group("a", f"{name}-a2", "bulkId:b"))
    assert statuses(found) == ["409", "409"]
    assert "created, but without" in found[1]["response"]["detail"]
    assert members(app, id_of(found[1])) == set()


def test_a_long_chain(app: Client, name: str) -> None:
    count = 150
    operations = [group(f"g{n}", f"{name}-{n}", *([f"bulkId:g{n + 1}"] if n < count else [])) for n in range(count + 1)]
    found = results(app, *operations)
    assert set(statuses(found)) == {"201"}
    assert members(app, id_of(found[0])) == {id_of(found[1])}


def test_references_that_lead_nowhere(app: Client, name: str) -> None:
    found = results(
        app,
        group("g", name, "bulkId:nobody"),
        post("u"),
        group("h", f"{name}-h", "bulkId:u"),
        {"method": "DELETE", "path": "/Users/bulkId:u"},
        post("twice", userName=f"{name}-1"),
        post("twice", userName=f"{name}-2"),
        group("i", f"{name}-i", "bulkId:twice"),
    )
    assert statuses(found) == ["400", "400", "409", "409", "201", "400", "201"]
    assert "nobody" in found[0]["response"]["detail"]
    assert members(app, id_of(found[6])) == {id_of(found[4])}


# -- limits and messages


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"",
        {},
        {"Operations": []},
        {"Operations": {}},
        {"Operations": [1]},
        {"Operations": [{"path": "/Users"}]},
        {"Operations": [{"method": "GET", "path": "/Users/1"}]},
        {"Operations": [{"method": "DELETE", "path": "/Users/1"}], "failOnErrors": 0},
        {"Operations": [{"method": "DELETE", "path": "/Users/1"}], "failOnErrors": "one"},
        {"Operations": [{"method": "DELETE", "path": "/Users/1"}], "failOnErrors": True},
    ],
)
def test_what_is_no_bulk_request(app: Client, body: Any) -> None:
    app.post(body, "/Bulk").refused(400, "invalidSyntax")


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"method": "POST", "path": "/Users", "data": {"userName": "x"}}, "invalidSyntax"),
        ({"method": "POST", "path": "/Users", "bulkId": "", "data": {"userName": "x"}}, "invalidSyntax"),
        ({"method": "POST", "path": "/Users", "bulkId": 7, "data": {"userName": "x"}}, "invalidSyntax"),
        ({"method": "POST", "path": "/Users/1", "bulkId": "a", "data": {}}, "invalidPath"),
        ({"method": "POST", "bulkId": "a", "data": {}}, "invalidPath"),
        ({"method": "PUT", "path": "/Users", "data": {}}, "invalidPath"),
        ({"method": "DELETE", "path": "/Users/1/2"}, "invalidPath"),
        ({"method": "PUT", "path": "/Users/1"}, "invalidValue"),
        ({"method": "PUT", "path": "/Users/1", "data": "x"}, "invalidValue"),
        ({"method": "PATCH", "path": "/Users/1", "version": 1, "data": {}}, "invalidSyntax"),
    ],
)
def test_an_operation_that_is_none(app: Client, operation: Any, scim_type: str) -> None:
    [found] = results(app, operation)
    assert (found["status"], found["response"]["scimType"]) == ("400", scim_type)


def test_nothing_but_resources_within_a_bulk_request(app: Client) -> None:
    for path in ("/Bulk", "/.search", "/Me", "/Schemas"):
        [found] = results(app, post("a", path, userName="x"))
        assert found["status"] == "404", path


def test_names_in_any_case(app: Client, name: str) -> None:
    sent = {"Method": "post", "Path": "Users", "BULKID": "a", "Data": {"userName": name}}
    answer = app.post({"operations": [sent]}, "/Bulk")
    assert statuses(answer.json["Operations"]) == ["201"]


def test_strict_wants_the_schema_of_the_message(served: Bench) -> None:
    served.client("strict").post({"Operations": [post("a", userName="x")]}, "/Bulk").refused(400, "invalidSyntax")


def test_limits_are_stated_and_kept(app: Client, served: Bench) -> None:
    stated = app.get("/ServiceProviderConfig").json["bulk"]
    scim = served.host.configuration.host.scim
    assert stated == {
        "supported": True,
        "maxOperations": scim.bulk_max_operations,
        "maxPayloadSize": scim.bulk_max_payload_bytes,
    }
    many = [{"method": "DELETE", "path": f"/Users/{n}"} for n in range(stated["maxOperations"])]
    assert len(results(app, *many)) == stated["maxOperations"]
    bulk(app, *many, {"method": "DELETE", "path": "/Users/x"}).refused(413)
    large = json.dumps({"Operations": many}).encode()
    padded = large[:-1] + b" " * (stated["maxPayloadSize"] - len(large)) + b"}"
    assert app.post(padded, "/Bulk").status == 200
    app.post(b" " + padded, "/Bulk").refused(413)


def test_the_audit_has_each_operation(app: Client, served: Bench, name: str) -> None:
    [made, _] = results(app, post("a", userName=name), post("b"))
    ident = id_of(made)
    results(app, {"method": "DELETE", "path": f"/Users/{ident}"})
    assert [record.operation for record in served.audit(object_id=ident)] == ["create", "delete"]
    assert served.unfinished() == []


def test_the_guard_counts_each_operation(memory: tuple[str, MemoryTarget], served: Bench, name: str) -> None:
    served.reconfigure("strict", memory_document(memory[0], guard="provider_objects = 2\nprovider_share = 0.0"))
    app = served.client("strict")
    for n in range(4):
        memory[1].put("user", {"login": (f"{name}-{n}",)})
    served.imported("strict")
    ids = [app.named(f"{name}-{n}")[0]["id"] for n in range(4)]
    found = results(app, *({"method": "DELETE", "path": f"/Users/{ident}"} for ident in ids))
    assert statuses(found) == ["204", "204", "503", "503"]
    assert app.get(f"/Users/{ids[3]}").status == 200


def test_what_was_not_begun_in_time(tmp_path: Path, name: str) -> None:
    """A target that hangs takes the time of the operations behind it, and they say so."""
    host = "[scim]\nrequest_timeout = 2.6\nbody_timeout = 1\n"
    with memory_target() as (key, target):
        documents = {"slow": memory_document(key, timeout=2, guard="provider_objects = 100")}
        with bench(tmp_path, documents, host=host) as slow, target.weather.hang():
            found = results(slow.client("slow"), *(post(f"u{n}", userName=f"{name}-{n}") for n in range(4)))
            assert slow.unfinished() == []
    assert statuses(found) == ["503"] * 4
    details = [each["response"]["detail"] for each in found]
    assert "before the target had answered" in details[0]
    assert ["before this operation was begun" in detail for detail in details[1:]] == [True] * 3, details
