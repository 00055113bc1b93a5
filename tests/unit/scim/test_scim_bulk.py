"""Bulk messages and the references in them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.scim.bulk import BulkOperation, BulkResult, bulk_response, parse_bulk
from isthmus.scim.bulk_references import cut, ordered, references, resolved, resolved_text
from isthmus.scim.errors import InvalidSyntax, NotFound, TooLarge


def operations(*sent: Any, **more: Any) -> list[BulkOperation]:
    return list(parse_bulk({**more, "Operations": list(sent)}, max_operations=100).operations)


def post(name: str, *refers: str) -> BulkOperation:
    data = {"members": [{"value": f"bulkId:{each}"} for each in refers]}
    return BulkOperation(int(name), "POST", "Groups", bulk_id=name, data=data)


def test_operations_are_read() -> None:
    [made, put, patch, gone] = operations(
        {"method": "post", "path": "/Users", "bulkId": "a", "data": {"userName": "x"}},
        {"method": "PUT", "path": "Users/a%20b", "version": 'W\\/"1"', "data": {}},
        {"method": "PATCH", "path": "/Groups/bulkId:a", "data": [{"op": "remove", "path": "members"}]},
        {"method": "DELETE", "path": "/Users/1/", "data": {"ignored": True}},
    )
    assert (made.method, made.endpoint, made.bulk_id, made.data) == ("POST", "Users", "a", {"userName": "x"})
    assert (put.id, put.version) == ("a b", 'W/"1"')
    assert patch.data["Operations"] == [{"op": "remove", "path": "members"}]
    assert references(patch) == {"a"}
    assert (gone.id, gone.data) == ("1", None)


def test_limits() -> None:
    sent = {"method": "DELETE", "path": "/Users/1"}
    assert parse_bulk({"Operations": [sent] * 3, "failOnErrors": 2}, max_operations=3).fail_on_errors == 2
    with pytest.raises(TooLarge, match="at most 2"):
        parse_bulk({"Operations": [sent] * 3}, max_operations=2)
    with pytest.raises(InvalidSyntax):
        parse_bulk({"Operations": [sent]}, max_operations=2, strict=True)


def test_the_answer() -> None:
    [made] = operations({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}})
    done = BulkResult(operation=made, status=201, location="https://x/Users/1", version='W/"1"')
    failed = BulkResult(operation=made, status=404, error=NotFound("gone"))
    shown = bulk_response([done, failed])["Operations"]
    assert shown[0] == {
        "location": "https://x/Users/1", "method": "POST", "bulkId": "a", "version": 'W/"1"', "status": "201",
    }  # fmt: skip
    assert shown[1]["response"] == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404", "detail": "gone",
    }  # fmt: skip


def test_references_are_found_and_replaced_wherever_they_stand() -> None:
    data = {
        "displayName": "not bulkId:this",
        "manager": {"value": "bulkId:a", "$ref": "../Users/bulkId:a"},
        "Operations": [
            {"op": "remove", "path": 'members[value eq "bulkId:b"]'},
            {"op": "add", "value": {'members[value eq "bulkId:c"].display': "x", "number": 7, "none": None}},
        ],
        "members": ["bulkId:d", ["bulkId:with blank"]],
    }
    operation = BulkOperation(1, "PATCH", "Users", "bulkId:e", data=data)
    assert references(operation) == {"a", "b", "c", "d", "e", "with blank"}
    ids = {name: f"<{name}>" for name in references(operation)}
    assert resolved(data, ids) == {
        "displayName": "not bulkId:this",
        "manager": {"value": "<a>", "$ref": "../Users/<a>"},
        "Operations": [
            {"op": "remove", "path": 'members[value eq "<b>"]'},
            {"op": "add", "value": {'members[value eq "<c>"].display': "x", "number": 7, "none": None}},
        ],
        "members": ["<d>", ["<with blank>"]],
    }
    assert resolved_text("bulkId:e", ids) == "<e>"
    assert resolved_text("other", ids) == "other"


def test_what_closes_a_circle_is_cut_out() -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    data = {
        "userName": "x",
        "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}],
        "owner": {"value": "bulkId:a"},
        urn: {"manager": {"value": "bulkId:a"}, "department": "y"},
    }
    kept, added = cut(data, {"a"})
    assert kept == {"userName": "x", "members": [{"value": "bulkId:b"}], urn: {"department": "y"}}
    assert added == [
        {"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]},
        {"op": "add", "path": "owner", "value": {"value": "bulkId:a"}},
        {"op": "add", "path": f"{urn}:manager", "value": {"value": "bulkId:a"}},
    ]


@pytest.mark.parametrize("seed", range(30))
def test_any_order_creates_before_it_refers(seed: int) -> None:
    chance = random.Random(seed)
    names = [str(n) for n in range(1, 20)]
    sent = [post(name, *chance.sample(names, chance.choice([0, 0, 1, 2]))) for name in names]
    sent.append(BulkOperation(20, "PUT", "Users", "bulkId:3", data={"x": "bulkId:nobody"}))
    order = ordered(sent)
    assert sorted(each.number for each in order.operations) == list(range(1, 21))
    made: set[str] = set()
    for each in order.operations:
        later = order.deferred.get(each.number, set())
        assert references(each) - later - {"nobody"} <= made
        assert not later & made
        made.add(each.bulk_id or "")
    assert 20 not in order.deferred


def test_without_references_the_order_is_that_of_the_request() -> None:
    sent = [post(str(n)) for n in range(1, 8)]
    assert list(ordered(sent).operations) == sent


def test_a_chain_longer_than_pythons_stack() -> None:
    sent = [post(str(n), *([str(n + 1)] if n < 5000 else [])) for n in range(1, 5001)]
    order = ordered(sent)
    assert [each.number for each in order.operations] == list(range(5000, 0, -1))
    assert order.deferred == {}


TEXTS = st.sampled_from(
    ["", "bulkId:", "bulkId:a", "bulkId:b", 'x[y eq "bulkId:a"]', "/Users", "/Users/bulkId:a", "POST", "a"]
)
NAMES = TEXTS | st.just("$ref") | st.just("path")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OPERATION = JSON | st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["POST", "put", "PATCH", "DELETE", "GET", 1]),
        "path": TEXTS | JSON,
        "bulkId": st.sampled_from(["a", "b", "", 1]),
        "version": TEXTS | JSON,
        "data": JSON,
    },
)


@given(
    body=st.fixed_dictionaries(
        {}, optional={"Operations": st.lists(OPERATION, max_size=5) | JSON, "failOnErrors": JSON}
    )
)
def test_whatever_is_sent_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        request = parse_bulk(body, max_operations=4)
    except (InvalidSyntax, TooLarge):
        return
    order = ordered(request.operations)
    assert sorted(each.number for each in order.operations) == [each.number for each in request.operations]
    for each in order.operations:
        names = references(each)
        kept, added = cut(each.data, names) if isinstance(each.data, dict) else ({}, [])
        assert not references(BulkOperation(0, "POST", data=list(kept.values())))
        assert len(added) <= len(each.data or ()) * 4
        assert not references(BulkOperation(0, "POST", data=resolved(each.data, dict.fromkeys(names, "id"))))
