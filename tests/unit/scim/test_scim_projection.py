"""`attributes` and `excludedAttributes` (RFC 7644 3.9)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from isthmus.scim import urns
from isthmus.scim.errors import InvalidValue
from isthmus.scim.projection import Projection

OWN = urns.ecma2host("User")
USER: dict[str, Any] = {
    "schemas": [urns.USER, urns.ENTERPRISE_USER, OWN],
    "id": "1",
    "userName": "bjensen",
    "name": {"givenName": "Barbara", "familyName": "Jensen"},
    "emails": [{"value": "b@example.com", "type": "work"}, {"value": "babs@jensen.org", "type": "home"}],
    "members": [],
    "active": True,
    "password": "secret",
    urns.ENTERPRISE_USER: {"department": "Tours", "manager": {"value": "2", "displayName": "John"}},
    OWN: {"First Name": "Barbara", "a.b": 1, "c": 2},
    "meta": {"resourceType": "User", "version": 'W/"1"'},
}


def show(attributes: str | None = None, excluded: str | None = None, **kinds: Any) -> dict[str, Any]:
    projection = Projection.parse(attributes, excluded)
    assert projection is not None
    before = copy.deepcopy(USER)
    shown = projection.apply(USER, **kinds)
    assert before == USER
    return shown


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in USER.items() if name not in {*names, "password"}}


def only(**parts: Any) -> dict[str, Any]:
    return {"schemas": USER["schemas"], "id": "1", **parts}


@pytest.mark.parametrize(("attributes", "excluded"), [(None, None), ("", None), ("", ""), (None, "")])
def test_nothing_asked_for_is_no_projection(attributes: str | None, excluded: str | None) -> None:
    assert Projection.parse(attributes, excluded) is None


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ("userName", {"userName": "bjensen"}),
        ("USERNAME", {"userName": "bjensen"}),
        ("id", {}),
        ("nothing", {}),
        ("!!, ,", {}),
        (" userName , active ", {"userName": "bjensen", "active": True}),
        ("name", {"name": USER["name"]}),
        ("name.familyName", {"name": {"familyName": "Jensen"}}),
        ("name.familyName,NAME.GIVENNAME", {"name": USER["name"]}),
        ("name,name.familyName", {"name": USER["name"]}),
        ("name.familyName,name", {"name": USER["name"]}),
        ("name.nothing", {}),
        ("emails.value", {"emails": [{"value": "b@example.com"}, {"value": "babs@jensen.org"}]}),
        ("members", {"members": []}),
        ("members.value", {"members": []}),
        ("active.value", {}),
        ("meta.version", {"meta": {"version": 'W/"1"'}}),
        ("password", {}),
        (f"{urns.USER}:userName", {"userName": "bjensen"}),
        (f"{urns.USER}:name.givenName", {"name": {"givenName": "Barbara"}}),
        (urns.ENTERPRISE_USER, {urns.ENTERPRISE_USER: USER[urns.ENTERPRISE_USER]}),
        (f"{urns.ENTERPRISE_USER}:department", {urns.ENTERPRISE_USER: {"department": "Tours"}}),
        (f"{urns.ENTERPRISE_USER}:Manager.Value".upper(), {urns.ENTERPRISE_USER: {"manager": {"value": "2"}}}),
        (f"{urns.ENTERPRISE_USER}:nothing", {}),
        ("department", {}),  # RFC 7644 3.10: without a URN it would be an attribute of the core schema
        (f"{OWN}:First Name,{OWN}:a.b", {OWN: {"First Name": "Barbara", "a.b": 1}}),
    ],
)
def test_attributes(attributes: str, shown: dict[str, Any]) -> None:
    assert show(attributes) == only(**shown)


@pytest.mark.parametrize(
    ("excluded", "shown"),
    [
        ("members", without("members")),
        ("Members,EMAILS", without("members", "emails")),
        ("id,schemas", without()),
        ("nothing", without()),
        ("meta", without("meta")),
        ("name.familyName", {**without(), "name": {"givenName": "Barbara"}}),
        ("name.familyName,name.givenName", without("name")),
        ("name,name.familyName", without("name")),
        ("emails.type", {**without(), "emails": [{"value": "b@example.com"}, {"value": "babs@jensen.org"}]}),
        (f"{urns.USER}:userName", without("userName")),
        (urns.ENTERPRISE_USER, without(urns.ENTERPRISE_USER)),
        (
            f"{urns.ENTERPRISE_USER}:manager.displayName",
            {**without(), urns.ENTERPRISE_USER: {"department": "Tours", "manager": {"value": "2"}}},
        ),
        (
            f"{urns.ENTERPRISE_USER}:manager,{urns.ENTERPRISE_USER}:department",
            without(urns.ENTERPRISE_USER),
        ),
    ],
)
def test_excluded_attributes(excluded: str, shown: dict[str, Any]) -> None:
    assert show(None, excluded) == shown


def test_what_is_excluded_is_taken_out_of_what_is_named() -> None:
    assert show("userName,name", "name.givenName") == only(userName="bjensen", name={"familyName": "Jensen"})
    assert show(urns.ENTERPRISE_USER, f"{urns.ENTERPRISE_USER}:manager") == only(
        **{urns.ENTERPRISE_USER: {"department": "Tours"}}
    )


def test_never_always_and_on_request() -> None:
    assert "password" not in show("password")
    assert "password" not in show(None, "title")
    assert show("active", never={"active", "password"}) == only()
    assert show("active", always={"schemas", "id", "username"}) == only(userName="bjensen", active=True)
    assert "emails" not in show(None, "title", request={"emails"})
    assert show("emails.type", request={"emails"})["emails"] == [{"type": "work"}, {"type": "home"}]


@pytest.mark.parametrize(
    ("attributes", "excluded", "name", "urn", "included"),
    [
        (None, "members", "members", None, False),
        (None, "MEMBERS", "members", None, False),
        (None, "members.value", "members", None, True),
        (None, "emails", "members", None, True),
        ("userName", None, "members", None, False),
        ("members.value", None, "Members", None, True),
        ("members", "members", "members", None, False),
        ("userName", None, "id", None, True),
        (None, "id", "id", None, True),
        ("userName", None, "manager", urns.ENTERPRISE_USER, False),
        (urns.ENTERPRISE_USER, None, "manager", urns.ENTERPRISE_USER, True),
        (f"{urns.ENTERPRISE_USER}:manager.value", None, "manager", urns.ENTERPRISE_USER, True),
        (f"{urns.ENTERPRISE_USER}:department", None, "manager", urns.ENTERPRISE_USER, False),
        (None, urns.ENTERPRISE_USER, "manager", urns.ENTERPRISE_USER, False),
        (None, f"{urns.ENTERPRISE_USER}:manager", "manager", urns.ENTERPRISE_USER, False),
        (None, f"{urns.ENTERPRISE_USER}:department", "manager", urns.ENTERPRISE_USER, True),
    ],
)
def test_what_is_not_shown_need_not_be_read(
    attributes: str | None, excluded: str | None, name: str, urn: str | None, included: bool
) -> None:
    projection = Projection.parse(attributes, excluded)
    assert projection is not None
    assert projection.includes(name, urn) is included


def test_one_text_is_parsed_once() -> None:
    assert Projection.parse("userName", None) is Projection.parse("userName", "")


def test_a_list_of_absurd_length_is_refused() -> None:
    with pytest.raises(InvalidValue):
        Projection.parse("a," * 10_000, None)
