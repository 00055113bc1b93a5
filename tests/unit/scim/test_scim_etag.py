"""If-Match and If-None-Match (RFC 9110 13.1, RFC 7644 3.14)."""

from __future__ import annotations

import pytest

from isthmus.scim.errors import InvalidSyntax, PreconditionFailed
from isthmus.scim.etag import check_if_match, check_if_none_match, matches, not_modified, parse_entity_tags

CURRENT = 'W/"42"'


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ('W/"42"', True),
        ('"42"', True),
        ('w/"42"', True),
        ("42", True),
        ("*", True),
        (" * ", True),
        ('"1", W/"42"', True),
        ('W/"1",W/"42" , "3"', True),
        ('W/"421"', False),
        ('"4"', False),
        ('"1", "2"', False),
        ('"*"', False),
        ('""', False),
        ('"a,b", "42"', True),
        ('"42', False),
    ],
)
def test_tags_are_compared_weakly(header: str, match: bool) -> None:
    if header == '"42':
        with pytest.raises(InvalidSyntax):
            matches(header, CURRENT)
        return
    assert matches(header, CURRENT) is match


def test_tags_with_commas_and_blanks_stay_whole() -> None:
    assert parse_entity_tags('"a, b", W/"c"').tags == ("a, b", "c")


@pytest.mark.parametrize("header", ["", " ", '"a" "b"', 'W/"a', ",", '"a",,"b"'])
def test_what_is_no_list_is_400(header: str) -> None:
    with pytest.raises(InvalidSyntax):
        parse_entity_tags(header)


def test_a_resource_that_does_not_exist_matches_nothing() -> None:
    assert not matches("*", None)
    assert not matches(CURRENT, None)


def test_if_match() -> None:
    check_if_match(None, CURRENT)
    check_if_match("", CURRENT)
    check_if_match('"1", "42"', CURRENT)
    for header, current in [('"1"', CURRENT), ("*", None)]:
        with pytest.raises(PreconditionFailed) as caught:
            check_if_match(header, current)
        assert caught.value.status == 412


def test_if_none_match() -> None:
    check_if_none_match(None, CURRENT)
    check_if_none_match("*", None)
    check_if_none_match('"1"', CURRENT)
    for header in ("*", CURRENT):
        with pytest.raises(PreconditionFailed):
            check_if_none_match(header, CURRENT)


def test_a_read_of_a_known_version_is_304() -> None:
    assert not_modified('W/"1", W/"42"', CURRENT)
    assert not_modified("*", CURRENT)
    assert not not_modified('W/"1"', CURRENT)
    assert not not_modified(None, CURRENT)
