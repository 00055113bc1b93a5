"""The body of a PATCH (RFC 7644 3.5.2), as the RFC has it and as clients send it."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.scim import urns
from isthmus.scim.errors import InvalidPath, InvalidSyntax, InvalidValue, NoTarget, ScimError, TooLarge
from isthmus.scim.filter import parse_path
from isthmus.scim.patch import MAX_OPERATIONS, PatchOperation, parse_operations

ENTERPRISE = urns.ENTERPRISE_USER


def body(*operations: Any) -> dict[str, Any]:
    return {"schemas": [urns.PATCH_OP], "Operations": list(operations)}


def one(operation: dict[str, Any], *, strict: bool = False) -> PatchOperation:
    (parsed,) = parse_operations(body(operation), strict=strict)
    return parsed


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("sent", "verb"), [("Add", "add"), ("Replace", "replace"), ("REMOVE", "remove"), ("add", "add")]
)
def test_verbs_have_no_case(sent: str, verb: str, strict: bool) -> None:
    assert one({"op": sent, "path": "title", "value": "x"}, strict=strict).op == verb


def test_names_of_members_have_no_case_and_foreign_ones_are_ignored() -> None:
    sent = {
        "SCHEMAS": [urns.PATCH_OP],
        "operations": [{"OP": "add", "Path": "title", "VALUE": "x", "name": "addTitle"}],
    }
    wanted = [PatchOperation("add", parse_path("title"), "x", "title")]
    assert parse_operations(sent) == wanted
    assert parse_operations(sent, strict=True) == wanted


def test_operations_keep_their_order() -> None:
    parsed = parse_operations(body(*({"op": "add", "path": f"a{i}", "value": i} for i in range(50))))
    assert [operation.value for operation in parsed] == list(range(50))


def test_a_value_arrives_as_sent() -> None:
    roles = '{"id":"18d14569","value":"User"}'  # Entra sends a role as JSON within a string: it stays text
    assert one({"op": "Replace", "path": 'roles[primary eq "True"].value', "value": roles}).value == roles
    assert one({"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u1"}]}).value == [
        {"$ref": None, "value": "u1"}
    ]
    assert one({"op": "replace", "path": "active", "value": "False"}).value == "False"
    assert one({"op": "replace", "path": "title", "value": None}).value is None


def test_entra_removes_named_members_with_a_value() -> None:
    parsed = one({"op": "Remove", "path": "members", "value": [{"value": "u1"}]})
    assert (parsed.op, str(parsed.path.path if parsed.path else ""), parsed.value) == (
        "remove",
        "members",
        [{"value": "u1"}],
    )
    assert one({"op": "remove", "path": "members"}).value is None


def test_without_a_path_the_keys_can_be_read_as_paths() -> None:
    value = {
        "displayName": "Babs",
        "name.givenName": "Barbara",
        'emails[type eq "work"].value': "b@example.com",
        f"{ENTERPRISE}:employeeNumber": "7",
        f"{ENTERPRISE}:manager.value": "m1",
        ENTERPRISE: {"department": "Tours"},
        "active": False,
    }
    parsed = one({"op": "replace", "value": value})
    assert parsed.path is None
    assert parsed.value == value
    for key in value:
        assert str(parse_path(key).path).startswith(key.partition("[")[0])


@pytest.mark.parametrize("path", [None, "", " "])
def test_an_empty_path_counts_as_none(path: str | None) -> None:
    assert one({"op": "add", "path": path, "value": {"title": "x"}}).path is None
    with pytest.raises(NoTarget):
        one({"op": "remove", "path": path})


def test_strict_wants_the_schema_and_no_empty_path() -> None:
    operation = {"op": "add", "path": "title", "value": "x"}
    for schemas in (None, [], "x", [urns.USER]):
        sent = {"schemas": schemas, "Operations": [operation]}
        assert parse_operations(sent)
        with pytest.raises(InvalidSyntax):
            parse_operations(sent, strict=True)
    with pytest.raises(InvalidPath):
        one({"op": "add", "path": "", "value": {"a": 1}}, strict=True)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({}, InvalidSyntax),
        ({"schemas": [urns.PATCH_OP]}, InvalidSyntax),
        ({"Operations": None}, InvalidSyntax),
        ({"Operations": []}, InvalidSyntax),
        ({"Operations": {"op": "add"}}, InvalidSyntax),
        ({"Operations": ["add"]}, InvalidSyntax),
        ({"Operations": [None]}, InvalidSyntax),
        ({"Operations": [{}]}, InvalidSyntax),
        ({"Operations": [{"op": None}]}, InvalidSyntax),
        ({"Operations": [{"op": 1}]}, InvalidSyntax),
        ({"Operations": [{"op": "move", "path": "a"}]}, InvalidSyntax),
        ({"Operations": [{"op": "", "path": "a"}]}, InvalidSyntax),
        ({"Operations": [{"op": "add", "path": "a.b.c", "value": 1}]}, InvalidPath),
        ({"Operations": [{"op": "add", "path": ["a"], "value": 1}]}, InvalidPath),
        ({"Operations": [{"op": "remove", "path": "emails["}]}, InvalidPath),
        ({"Operations": [{"op": "remove"}]}, NoTarget),
        ({"Operations": [{"op": "remove", "value": {"title": "x"}}]}, NoTarget),
        ({"Operations": [{"op": "add", "path": "a"}]}, InvalidValue),
        ({"Operations": [{"op": "replace", "path": "a"}]}, InvalidValue),
        ({"Operations": [{"op": "replace"}]}, InvalidValue),
        ({"Operations": [{"op": "add", "value": "x"}]}, InvalidValue),
        ({"Operations": [{"op": "add", "value": None}]}, InvalidValue),
        ({"Operations": [{"op": "add", "value": [{"a": 1}]}]}, InvalidValue),
        ({"Operations": [{"op": "add", "path": "a", "value": 1}, {"op": "jump"}]}, InvalidSyntax),
    ],
)
def test_a_broken_request_is_refused_as_a_whole(sent: dict[str, Any], error: type[ScimError]) -> None:
    with pytest.raises(error) as caught:
        parse_operations(sent)
    assert type(caught.value) is error


def test_the_message_names_the_operation() -> None:
    with pytest.raises(InvalidPath, match="operation 2"):
        parse_operations(body({"op": "add", "path": "a", "value": 1}, {"op": "remove", "path": "/b"}))


def test_the_number_of_operations_is_limited() -> None:
    operation = {"op": "add", "path": "a", "value": 1}
    assert len(parse_operations(body(*[operation] * MAX_OPERATIONS))) == MAX_OPERATIONS
    with pytest.raises(TooLarge, match=str(MAX_OPERATIONS)):
        parse_operations(body(*[operation] * (MAX_OPERATIONS + 1)))


def test_the_request_itself_is_left_alone() -> None:
    sent = body({"op": "Add", "Path": "title", "value": {"x": [1]}})
    before = repr(sent)
    parse_operations(sent)
    assert repr(sent) == before
