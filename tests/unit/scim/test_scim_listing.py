"""Parameters of list requests (RFC 7644 3.4.2) and search bodies (3.4.3)."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.scim import urns
from isthmus.scim.errors import InvalidSyntax, InvalidValue
from isthmus.scim.listing import ListRequest, parse_list_request, parse_search_request
from isthmus.scim.projection import Projection


def test_nothing_asked_for() -> None:
    assert parse_list_request({}, max_results=50) == ListRequest(count=50)


@pytest.mark.parametrize(
    ("sent", "start"),
    [
        ("1", 1),
        ("11", 11),
        ("0", 1),
        ("-5", 1),
        ("", 1),
        (" 7 ", 7),
        ("+3", 3),
        ("9" * 5000, 2**62),
        ("-" + "9" * 5000, 1),
    ],
)
def test_start_index(sent: str, start: int) -> None:
    assert parse_list_request({"startIndex": sent}).start_index == start


@pytest.mark.parametrize(
    ("sent", "count"), [("10", 10), ("0", 0), ("-1", 0), ("100", 100), ("101", 100), ("9" * 30, 100), ("", 100)]
)
def test_count(sent: str, count: int) -> None:
    assert parse_list_request({"count": sent}, max_results=100).count == count


@pytest.mark.parametrize("sent", ["x", "1.0", "1e3", "0x10", "\uff11", "1 2", "--1", "null", "9_9"])
@pytest.mark.parametrize("name", ["startIndex", "count"])
def test_what_is_no_number_is_400(name: str, sent: str) -> None:
    with pytest.raises(InvalidValue, match=name):
        parse_list_request({name: sent})


def test_names_have_no_case_and_foreign_ones_are_ignored() -> None:
    parsed = parse_list_request(
        {
            "FILTER": "a pr",
            "startindex": "2",
            "Count": "3",
            "excludedattributes": "members",
            "SORTBY": "userName",
            "sortorder": "Descending",
            "aadOptscim062020": "",
            "foo": ["1", "2"],
        }
    )
    assert parsed == ListRequest(
        filter="a pr",
        start_index=2,
        count=3,
        projection=Projection.parse(None, "members"),
        sort_by="userName",
        sort_order="descending",
    )


def test_an_empty_filter_is_none() -> None:
    assert parse_list_request({"filter": ""}).filter is None
    assert parse_list_request({"filter": " "}).filter is None


def test_a_parameter_twice() -> None:
    assert parse_list_request({"attributes": ["userName", "id"]}).projection == Projection.parse("userName,id", None)
    assert parse_list_request({"count": "1", "COUNT": "1"}).count == 1
    sent: dict[str, Any]
    for sent in ({"filter": ["a pr", "b pr"]}, {"count": ["1", "2"]}, {"count": "1", "Count": "2"}):
        with pytest.raises(InvalidValue):
            parse_list_request(sent)


def test_sort_order_is_one_of_two() -> None:
    with pytest.raises(InvalidValue, match="sortOrder"):
        parse_list_request({"sortOrder": "up"})


def test_a_search_body() -> None:
    parsed = parse_search_request(
        {
            "schemas": [urns.SEARCH_REQUEST],
            "attributes": ["displayName", "userName"],
            "FILTER": "a pr",
            "startIndex": 0,
            "count": 500,
        }
    )
    assert parsed == ListRequest(filter="a pr", projection=Projection.parse("displayName,userName", None), count=200)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"schemas": [urns.PATCH_OP]}, InvalidSyntax),
        ({"schemas": "x"}, InvalidSyntax),
        ({"attributes": [1]}, InvalidSyntax),
        ({"attributes": 1}, InvalidValue),
        ({"count": True}, InvalidValue),
        ({"count": 1.5}, InvalidValue),
        ({"filter": {}}, InvalidValue),
        ({"cursor": "x", "startIndex": {}}, InvalidValue),
        ({"cursor": "x", "startIndex": [1]}, InvalidValue),
        ({"startIndex": {}}, InvalidValue),
        ({"sortBy": [], "sortOrder": {}}, InvalidValue),
    ],
)
def test_a_broken_search_body(body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_search_request(body)
