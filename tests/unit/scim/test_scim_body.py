"""A body is read only if it means one thing."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.scim.body import MAX_DEPTH, check_content_type, parse_json
from isthmus.scim.errors import InvalidSyntax, UnsupportedMediaType


def nested(levels: int) -> bytes:
    """`levels` objects, one within another."""
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_an_object_is_read() -> None:
    assert parse_json(b' {"userName": "b\\u00e4r", "emails": [{"value": null}], "n": 1} \n') == {
        "userName": "bär",
        "emails": [{"value": None}],
        "n": 1,
    }
    assert parse_json(b"{}") == {}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"[]", "not an object"),
        (b'"x"', "not an object"),
        (b"null", "not an object"),
        (b"not json", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a": 1} x', "not valid JSON"),
        (b'{"a": 1}{"b": 2}', "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": Infinity}', "not valid JSON"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": 1e-99999}', "out of range"),
        (b'{"a": 0e255555555555555555555555555555}', "out of range"),
        (b'{"a": 1.5e-255555555555555555555555555555}', "out of range"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b'{"a": "\x00"}', "not valid JSON"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('{"a": "ä"}'.encode("latin-1"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": 1', "not valid JSON"),
        (b"userName=x&active=true", "not valid JSON"),
    ],
)
def test_what_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidSyntax, match=reason) as caught:
        parse_json(raw)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidSyntax")


def test_depth_is_limited() -> None:
    assert parse_json(nested(MAX_DEPTH))
    assert parse_json(nested(3), max_depth=3)
    for raw in (nested(MAX_DEPTH + 1), b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}"):
        with pytest.raises(InvalidSyntax, match="too deeply"):
            parse_json(raw)


@pytest.mark.parametrize("levels", [1000, 1025, 10_000, 1_000_000])
def test_ten_thousand_levels_are_answered(levels: int) -> None:
    for raw in (nested(levels), b'{"a":' + b"[" * levels, b"[" * levels + b"]" * levels):
        with pytest.raises(InvalidSyntax):
            parse_json(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a" :2}',
        b'{"a" :1,"a" :2}',
        b'{"a":1,"a"\n:2}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"y":{"a":1,"b":2,"a":3}}]}',
        b'{"x":":","a":1,"a" :2}',  # the string looks like one more name
        b'{"x":"\\":","a":1,"a":2}',
        b'{"userName":"a","USERNAME":"b"}',
        b'{"a":1.5,"a":2.5}',
    ],
)
def test_a_name_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidSyntax, match="twice"):
        parse_json(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":":","b":"\\":","c":": \\" :"}',
        b'{"a" : {"a" : 1}, "b":[{"a":1},{"a":2}]}',
        b'{":":1,"\\":":2}',
        b'{"urn:x":{"Name":1,"name":2}}',  # a target's columns may differ in case only
    ],
)
def test_what_only_looks_like_a_name_twice_is_read(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


texts = st.text(alphabet='ab":\\ ,{}\t\n', max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(texts, values, max_size=4),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :"), ("\n,", "\t:")]),
)
def test_every_object_is_read_as_it_was_written(value: dict[str, object], separators: tuple[str, str]) -> None:
    raw = json.dumps(value, separators=separators).encode()
    if len({name.lower() for name in value}) == len(value):
        assert parse_json(raw) == value
    else:
        with pytest.raises(InvalidSyntax):
            parse_json(raw)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5), st.sampled_from([":", " :", "\n:", ": "]))
def test_a_name_twice_is_found_wherever_it_stands(pairs: list[tuple[str, str]], colon: str) -> None:
    inner = "{" + ",".join(f"{json.dumps(name)}{colon}{json.dumps(value)}" for name, value in pairs) + "}"
    raw = f'{{"x":[{inner}]}}'.encode()
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        assert parse_json(raw) == {"x": [dict(pairs)]}
    else:
        with pytest.raises(InvalidSyntax, match="twice"):
            parse_json(raw)


def test_numbers_lose_nothing() -> None:
    read = parse_json(
        b'{"a":0.1,"b":12345678901234567890.12,"c":123456789012345678901234,"d":1.50,"e":9223372036854775807}'
    )
    assert read == {
        "a": 0.1,
        "b": Decimal("12345678901234567890.12"),
        "c": 123456789012345678901234,
        "d": 1.5,
        "e": 2**63 - 1,
    }
    assert [type(value) for value in read.values()] == [float, Decimal, int, float, int]


def test_no_value_is_quoted() -> None:
    with pytest.raises(InvalidSyntax) as caught:
        parse_json(b'{"password": "hunter2hunter2", }')
    assert "hunter2" not in caught.value.detail
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "application/scim+json",
        "application/json",
        "Application/SCIM+JSON; Charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json; charset=utf8",
        "application/scim+json; profile=x",
    ],
)
def test_content_types_that_are_taken(header: str | None) -> None:
    check_content_type(header)


@pytest.mark.parametrize(
    "header", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", "text/json; charset=utf-8"]
)
def test_other_content_types_are_415(header: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_content_type(header)


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "latin1", '"us-ascii"', ""])
def test_other_charsets_are_400(charset: str) -> None:
    with pytest.raises(InvalidSyntax):
        check_content_type(f"application/scim+json; charset={charset}")
