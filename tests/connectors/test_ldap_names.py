"""Names with every character that means something (RFC 4514, RFC 4515), through a whole life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.slapd import PEOPLE, SlapdServer
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import AlreadyExists, AttributeChange, Call, InvalidValue, NotFound, TargetRejected, TargetUnavailable

NAMES = (
    "a,b", "a+b", 'a"b', "a\\b", "a<b", "a>b", "a;b", "a=b", "#a", "a#b", " a", "a ", " a ", "a  b", "a*b", "(a)", "*",
    "a)(uid=*", "a/b", "a\nb", "\ta", "a\x7fb", "\x01", "é", "ÀÉÎ", "ß", "ẞ", "名字", "👩🏽‍🚀",
    "a\\2cb", "a\\,b", ",", "+", "=",
    "\\", "#", "##", "%2C", "{uid}", "cn=x,dc=y", "O'Neil", "a" * 200,
)  # fmt: skip


def call() -> Call:
    return Call(timeout=20)


@pytest.fixture
def connector(plain_slapd: SlapdServer) -> Iterator[Any]:
    plain_slapd.remove_all()
    person = LdapObjectType(
        name="person",
        structural_class="inetOrgPerson",
        bases=(PEOPLE,),
        dn_template=f"uid={{uid}},ou={{departmentNumber}},{PEOPLE}",
    )
    made = connector_type.open(plain_slapd.settings(object_types=(person,), create_parents=True, delete_children=True))
    yield made
    made.close()


def stored(server: SlapdServer) -> list[tuple[str, list[str]]]:
    found = server.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid"])
    return [(dn, [v.decode() for v in values["uid"]]) for dn, values in found.items()]


def test_life_of_hostile_names(connector: Any, plain_slapd: SlapdServer) -> None:
    for number, name in enumerate(NAMES):
        other = NAMES[(number + 7) % len(NAMES)]
        given = {"uid": (name,), "cn": (name,), "sn": (name,), "departmentNumber": (f"d {name}",)}
        made = connector.create("person", given, call=call())
        assert made.attributes["uid"] == (name,)
        ((dn, uids),) = stored(plain_slapd)
        assert uids == [name], f"{name!r}: stored as {uids!r} in {dn!r}"
        for attribute in ("uid", "cn", "sn", "departmentNumber"):
            value = given[attribute][0]
            found = connector.find("person", attribute, value, attributes=(attribute,), call=call())
            assert [f.identity for f in found] == [made.identity], f"find by {attribute} = {value!r}"
        assert [f.identity for f in connector.find("person", "dn", made.identity.dn, attributes=(), call=call())] == [
            made.identity
        ]
        with pytest.raises(AlreadyExists):
            connector.create("person", given, call=call())
        # Renamed and moved in one change, the rest changed with it.
        changes = [
            AttributeChange("uid", replace=(other + "x",)),
            AttributeChange("departmentNumber", replace=("d " + name,)),
            AttributeChange("title", replace=("disabled",)),
        ]
        renamed = connector.update("person", made.identity, changes, call=call())
        assert renamed.identity.anchor == made.identity.anchor
        assert renamed.attributes["uid"] == (other + "x",)
        ((_, uids),) = stored(plain_slapd)
        assert uids == [other + "x"]
        assert connector.read("person", made.identity, attributes=("title",), call=call()).attributes["title"] == (
            "disabled",
        )
        connector.delete("person", renamed.identity, call=call())
        assert stored(plain_slapd) == []
        plain_slapd.remove_all()


def test_a_client_names_entries(connector: Any, plain_slapd: SlapdServer) -> None:
    given = {"cn": ("X",), "sn": ("X",)}
    made = connector.create("person", given, dn=f"cn=a\\, b + UID=ab , {PEOPLE}", call=call())
    ((dn, _),) = stored(plain_slapd)
    assert made.identity.dn == f"cn=a\\, b+uid=ab,{PEOPLE}"
    assert dn.casefold().endswith(PEOPLE)
    moved = connector.update("person", made.identity, [], new_dn=f"uid=moved\\2c away,{PEOPLE}", call=call())
    assert moved.identity.dn == f"uid=moved\\, away,{PEOPLE}"
    assert moved.identity.anchor == made.identity.anchor
    for wrong in ("no dn", "", "uid=x", "uid=x,dc=elsewhere", f"uid=a\\00b,{PEOPLE}", PEOPLE[1:], f"=x,{PEOPLE}"):
        with pytest.raises(InvalidValue):
            connector.create("person", given, dn=wrong, call=call())
        with pytest.raises(InvalidValue):
            connector.update("person", moved.identity, [], new_dn=wrong, call=call())


def test_a_value_cannot_escape_its_name(connector: Any, plain_slapd: SlapdServer) -> None:
    """A NUL ends text in some places; whatever happens, nothing lands elsewhere."""
    given = {"uid": (f"x,{PEOPLE}\x00",), "cn": ("x",), "sn": ("x",), "departmentNumber": ("d",)}
    with pytest.raises(InvalidValue):
        connector.create("person", given, call=call())
    assert stored(plain_slapd) == []


def test_missing_containers_are_made_only_if_set(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    person = LdapObjectType(
        name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},ou={{l}},{PEOPLE}"
    )
    connector: Any = connector_type.open(plain_slapd.settings(object_types=(person,)))
    with pytest.raises(InvalidValue, match="create_parents"):
        connector.create("person", {"uid": ("a",), "cn": ("a",), "sn": ("a",), "l": ("Oslo",)}, call=call())
    connector.close()


def test_entries_below_are_deleted_only_if_set(connector: Any, plain_slapd: SlapdServer) -> None:
    given = {"uid": ("a",), "cn": ("a",), "sn": ("a",), "departmentNumber": ("d",)}
    careful: Any = connector_type.open(
        plain_slapd.settings(object_types=(LdapObjectType(name="inetOrgPerson", bases=(PEOPLE,)),))
    )
    made = connector.create("person", given, call=call())
    plain_slapd.add(f"ou=devices,{made.identity.dn}", {"objectClass": ["organizationalUnit"], "ou": ["devices"]})
    plain_slapd.add(f"ou=x,ou=devices,{made.identity.dn}", {"objectClass": ["organizationalUnit"], "ou": ["x"]})
    with pytest.raises(TargetRejected, match="delete_children"):
        careful.delete("inetOrgPerson", made.identity, call=call())
    connector.delete("person", made.identity, call=call())
    assert stored(plain_slapd) == []
    careful.close()


def test_refused_change_gives_the_name_back(connector: Any, plain_slapd: SlapdServer) -> None:
    given = {"uid": ("a",), "cn": ("a",), "sn": ("a",), "departmentNumber": ("d",)}
    made = connector.create("person", given, call=call())
    changes = [AttributeChange("uid", replace=("b",)), AttributeChange("x121Address", replace=("not a number",))]
    with pytest.raises(InvalidValue):
        connector.update("person", made.identity, changes, call=call())
    assert stored(plain_slapd) == [(f"uid=a,ou=d,{PEOPLE}", ["a"])]


def test_a_name_that_cannot_be_given_back_is_no_refusal(connector: Any, plain_slapd: SlapdServer) -> None:
    """The time is used up between the new name and the rest: what became of it is to be found out."""
    given = {"uid": ("jo",), "cn": ("jo",), "sn": ("jo",), "departmentNumber": ("d",)}
    made = connector.create("person", given, call=call())

    def told(text: str) -> None:
        if text.startswith("modify person"):
            late.deadline = 0.0

    late = Call(timeout=20, on_sent=told)
    changes = [AttributeChange("uid", replace=("joe",)), AttributeChange("title", replace=("x",))]
    with pytest.raises(TargetUnavailable, match="could not be given its former name back") as caught:
        connector.update("person", made.identity, changes, call=late)
    assert caught.value.outcome_unknown
    ((_, uids),) = stored(plain_slapd)
    assert uids == ["joe"]
    found = connector.read("person", made.identity, attributes=("uid", "title"), call=call())
    assert (found.attributes["uid"], found.attributes["title"]) == (("joe",), ())


def test_an_entry_outside_the_template_keeps_its_place(connector: Any, plain_slapd: SlapdServer) -> None:
    values = {"objectClass": ["inetOrgPerson"], "cn": ["a"], "sn": ["a"], "uid": ["a"], "departmentNumber": ["d"]}
    plain_slapd.add(f"uid=a,{PEOPLE}", values)
    (found,) = connector.find("person", "uid", "a", attributes=(), call=call())
    changes = [AttributeChange("uid", replace=("b",)), AttributeChange("departmentNumber", replace=("e",))]
    renamed = connector.update("person", found.identity, changes, call=call())
    assert renamed.identity.dn == f"uid=b,{PEOPLE}"


def test_letters_alone_change_without_a_rename(connector: Any, plain_slapd: SlapdServer) -> None:
    made = connector.create(
        "person", {"uid": ("bob",), "cn": ("a",), "sn": ("a",), "departmentNumber": ("d",)}, call=call()
    )
    changed = connector.update("person", made.identity, [AttributeChange("uid", replace=("Bob",))], call=call())
    assert changed.identity == made.identity
    assert changed.attributes["uid"] == ("Bob",)


def test_a_name_of_another_kind_takes_nothing_away(connector: Any, plain_slapd: SlapdServer) -> None:
    """The client names the entry by cn from now on; nobody said that it has no uid any more."""
    given = {"uid": ("jo",), "cn": ("Jo",), "sn": ("a",), "departmentNumber": ("d",)}
    made = connector.create("person", given, call=call())
    by_cn = connector.update("person", made.identity, [], new_dn=f"cn=Jo Ann,ou=d,{PEOPLE}", call=call())
    found = plain_slapd.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid", "cn"])
    assert found == {f"cn=Jo Ann,ou=d,{PEOPLE}": {"uid": [b"jo"], "cn": [b"Jo", b"Jo Ann"]}}
    both = f"cn=Jo Ann+uid=joe,ou=d,{PEOPLE}"
    connector.update("person", by_cn.identity, [AttributeChange("uid", replace=("joe",))], new_dn=both, call=call())
    ((_, values),) = plain_slapd.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid", "cn"]).items()
    assert values == {"uid": [b"joe"], "cn": [b"Jo", b"Jo Ann"]}


def test_an_entry_that_is_deleted_while_it_is_moved(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    for name in ("a", "b"):
        plain_slapd.add(f"ou={name},{PEOPLE}", {"objectClass": ["organizationalUnit"], "ou": [name]})
    person = LdapObjectType(name="person", structural_class="inetOrgPerson", bases=(PEOPLE,))
    connector: Any = connector_type.open(plain_slapd.settings(object_types=(person,)))
    given = {"uid": ("jo",), "cn": ("Jo",), "sn": ("a",)}
    made = connector.create("person", given, dn=f"uid=jo,ou=a,{PEOPLE}", call=call())

    def told(text: str) -> None:
        if text.startswith("modifyDN"):
            plain_slapd.delete(f"uid=jo,ou=a,{PEOPLE}")

    late = Call(timeout=20, on_sent=told)
    with pytest.raises(NotFound):
        connector.update("person", made.identity, [], new_dn=f"uid=jo,ou=b,{PEOPLE}", call=late)
    made = connector.create("person", given, dn=f"uid=jo,ou=a,{PEOPLE}", call=call())
    with pytest.raises(InvalidValue, match="create it, or set create_parents"):
        connector.update("person", made.identity, [], new_dn=f"uid=jo,ou=c,{PEOPLE}", call=call())
    connector.close()


def test_a_name_that_is_not_published_stays_as_well(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    person = LdapObjectType(
        name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), attributes=("uid", "sn", "mail")
    )
    given = {"objectClass": ["inetOrgPerson"], "sn": ["Ray"], "uid": ["ann"], "mobile": ["123"], "cn": ["Ann"]}
    connector: Any = connector_type.open(plain_slapd.settings(object_types=(person,)))
    for former in ("mobile=123", "cn=Ann"):
        plain_slapd.remove_all()
        plain_slapd.add(f"{former},{PEOPLE}", given)
        (found,) = connector.find("person", "uid", "ann", attributes=(), call=call())
        connector.update("person", found.identity, [], new_dn=f"uid=ann,{PEOPLE}", call=call())
        ((dn, values),) = plain_slapd.search(PEOPLE, "(objectClass=inetOrgPerson)", ["cn", "mobile"]).items()
        assert (dn, values) == (f"uid=ann,{PEOPLE}", {"cn": [b"Ann"], "mobile": [b"123"]})
    connector.close()


@pytest.mark.parametrize("name", ["cn=Second", "cn=Third", "uid=new"])
def test_a_refused_change_leaves_every_value(connector: Any, plain_slapd: SlapdServer, name: str) -> None:
    """The name that is given back has stood in the entry before, has not, or is of another kind."""
    values = {"objectClass": ["inetOrgPerson"], "cn": ["First", "Second"], "sn": ["a"], "uid": ["a"]}
    plain_slapd.add(f"cn=First,{PEOPLE}", values)
    (found,) = connector.find("person", "uid", "a", attributes=(), call=call())
    wrong = AttributeChange("x121Address", replace=("not a number",))
    with pytest.raises(InvalidValue):
        connector.update("person", found.identity, [wrong], new_dn=f"{name},{PEOPLE}", call=call())
    ((dn, after),) = plain_slapd.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid", "cn"]).items()
    assert (dn, {n: sorted(v) for n, v in after.items()}) == (
        f"cn=First,{PEOPLE}",
        {"uid": [b"a"], "cn": [b"First", b"Second"]},
    )
