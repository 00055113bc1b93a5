"""DNs (RFC 4514), filters (RFC 4515), templates: pure text."""

from __future__ import annotations

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import ldap
import ldap.dn
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.ldap import filters
from isthmus.connectors.ldap.dn import BadName, Names, escape, is_below, outermost, parse, split, text
from isthmus.connectors.ldap.templates import template
from isthmus.spi import InvalidValue, MisconfiguredConnector

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1)


@given(TEXT)
def test_an_escaped_value_is_one_value(value: str) -> None:
    dn = f"uid={escape(value)},ou=people,dc=example,dc=org"
    assert parse(dn)[0] == (("uid", value),)
    assert len(parse(dn)) == 4
    assert ldap.dn.is_dn(dn)


@given(TEXT, TEXT)
def test_a_key_is_the_same_for_every_spelling(one: str, two: str) -> None:
    names = Names()
    key = names.key(f"cn={escape(one)}+uid={escape(two)},dc=example,dc=org")
    assert names.key(key) == key
    assert names.key(f"UID={escape(two)}+CN={escape(one)},DC=Example,dc=ORG") == key


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("UID=Bob,OU=People,DC=example,DC=org", "uid=bob,ou=people,dc=example,dc=org"),
        ("uid=bob , ou = people", "uid=bob,ou=people"),
        ("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x"),
        ("cn=\\20a\\20,dc=x", "cn=\\ a\\ ,dc=x"),
        ("cn=ÄÖ,dc=x", "cn=ÄÖ,dc=x"),
        ("cn=Anna   Maria,dc=x", "cn=anna maria,dc=x"),
        ("cn=a\\20 b+uid=  c  d,dc=x", "cn=a b+uid=c d,dc=x"),
        ("", ""),
    ],
)
def test_keys(given: str, key: str) -> None:
    assert Names().key(given) == key


def test_values_of_exact_attributes_keep_their_letters() -> None:
    names = Names(["memberUid"])
    assert names.key("memberUid=Bob,OU=X") == "memberuid=Bob,ou=x"


@pytest.mark.parametrize("wrong", ["bob", "=bob", "uid", "uid=a,,dc=x", "uid=a\\", ",", "uid=a,bob"])
def test_what_is_no_dn(wrong: str) -> None:
    with pytest.raises(BadName):
        parse(wrong)


def test_parents() -> None:
    assert split("uid=a\\,b,ou=x,dc=y") == ("uid=a\\,b", "ou=x,dc=y")
    assert split("dc=y") == ("dc=y", "")
    assert is_below("uid=a,dc=y", "dc=y")
    assert is_below("dc=y", "dc=y")
    assert not is_below("uid=a,xdc=y", "dc=y")
    assert outermost(["ou=a,dc=y", "dc=y", "dc=z", "dc=y"]) == ["dc=y", "dc=z"]
    assert text(parse("cn=a+uid=b,dc=y")) == "cn=a+uid=b,dc=y"


@given(st.binary())
def test_an_escaped_assertion_is_plain_text_without_meaning(value: bytes) -> None:
    found = filters.escaped(value)
    assert not set(found.replace("\\", "")) & set("()*\x00")
    raw = bytearray()
    at = 0
    while at < len(found):
        if found[at] == "\\":
            raw.append(int(found[at + 1 : at + 3], 16))
            at += 3
        else:
            raw += found[at].encode()
            at += 1
    assert bytes(raw) == value


def test_filters_are_joined() -> None:
    assert filters.both("(a=1)", "") == "(a=1)"
    assert filters.both("(a=1)", "(b=2)") == "(&(a=1)(b=2))"
    assert filters.both() == filters.EVERYTHING
    assert filters.either(["(a=1)", "(b=2)"]) == "(|(a=1)(b=2))"
    assert filters.equal("cn", b"*)(x=y") == "(cn=\\2a\\29\\28x=y)"


@pytest.mark.parametrize("wrong", ["a=1", "(a=1", "(a=1))", "(a=1)(b=2)", ")(", ""])
def test_filters_of_operators_are_checked(wrong: str) -> None:
    assert filters.problem(wrong)


@pytest.mark.parametrize("right", ["(a=1)", "(&(a=1)(!(b=2)))"])
def test_filters_that_are_right(right: str) -> None:
    assert filters.problem(right) is None


@given(TEXT)
def test_a_template_keeps_values_in_their_place(value: str) -> None:
    made = template("uid={uid},ou={ou},dc=example", what="test").fill({"uid": (value,), "ou": ("x",)})
    assert parse(made) == ((("uid", value),), (("ou", "x"),), (("dc", "example"),))


def test_templates_that_make_no_dn() -> None:
    for wrong in ("", "{uid}", "uid={uid", "uid=}{,dc=x", "uid={},dc=x", "people"):
        with pytest.raises(MisconfiguredConnector):
            template(wrong, what="test")


def test_a_template_without_a_value() -> None:
    made = template("uid={uid},dc=x", what="test")
    for values in ({}, {"uid": ()}, {"uid": ("a\x00b",)}):
        with pytest.raises(InvalidValue):
            made.fill(values)


def test_the_attribute_that_alone_makes_the_dn() -> None:
    assert template("uid={uid},dc=x", what="").sole_name() == "uid"
    assert template("uid={uid}-x,dc=x", what="").sole_name() is None
    assert template("uid={uid},ou={ou},dc=x", what="").sole_name() is None
    assert template("cn={cn}+uid=x,dc=x", what="").sole_name() is None
