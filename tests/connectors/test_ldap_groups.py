"""A lifecycle for each kind of group, compared with what ldapsearch shows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.fixtures import slapd_server
from connectors.servers.process import until
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, LdapPrograms, SlapdServer, Variant, ldif
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.connectors.ldap.dn import Names
from isthmus.spi import AttributeChange, Call, ConnectorObject, Identity, InvalidValue, Reference, TargetUnavailable

PERSON = LdapObjectType(
    name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},{PEOPLE}"
)


def call() -> Call:
    return Call(timeout=20)


def group(structural: str, **more: Any) -> LdapObjectType:
    return LdapObjectType(
        name="group", structural_class=structural, bases=(GROUPS,), dn_template=f"cn={{cn}},{GROUPS}", **more
    )


class Kind:
    """One kind of group on a server."""

    def __init__(self, server: SlapdServer, declared: LdapObjectType, attribute: str, **settings: Any) -> None:
        self.server = server
        self.attribute = attribute
        self.connector: Any = connector_type.open(server.settings(object_types=(PERSON, declared), **settings))
        self.extra = {"gidNumber": (1000,)} if declared.structural_class == "posixGroup" else {}

    def person(self, uid: str) -> ConnectorObject:
        return self.connector.create("person", {"uid": (uid,), "cn": (uid,), "sn": (uid,)}, call=call())

    def group(self, name: str, *members: ConnectorObject) -> ConnectorObject:
        given = {"cn": (name,), **self.extra}
        if members:
            given[self.attribute] = tuple(map(to, members))
        return self.connector.create("group", given, call=call())

    def change(self, changed: ConnectorObject, **how: Any) -> ConnectorObject:
        return self.connector.update("group", changed.identity, [AttributeChange(self.attribute, **how)], call=call())

    def members(self, of: ConnectorObject) -> set[str]:
        found = self.connector.read("group", of.identity, attributes=(self.attribute,), call=call())
        return {each.key[0] for each in found.attributes[self.attribute]}

    def stored(self, name: str) -> set[str]:
        """Return what ldapsearch shows."""
        (values,) = self.server.search(GROUPS, f"(cn={name})", [self.attribute]).values()
        return {each.decode() for each in values.get(self.attribute.lower(), ())}


def to(found: ConnectorObject) -> Reference:
    assert found.identity.dn is not None
    return Reference((found.identity.dn,), found.object_type)


@pytest.fixture(params=["groupOfNames", "groupOfUniqueNames", "posixGroup"])
def kind(request: pytest.FixtureRequest, slapd: SlapdServer) -> Iterator[Kind]:
    slapd.remove_all()
    attribute = {"groupOfNames": "member", "groupOfUniqueNames": "uniqueMember", "posixGroup": "memberUid"}
    more = {"member_uid_type": "person"} if request.param == "posixGroup" else {}
    made = Kind(slapd, group(request.param, **more), attribute[request.param])
    yield made
    made.connector.close()


def test_lifecycle(kind: Kind) -> None:
    one, two, three = kind.person("one"), kind.person("two"), kind.person("three")
    empty = kind.group("empty")
    assert kind.members(empty) == set()
    made = kind.group("made", one, two)
    assert kind.members(made) == {one.identity.dn, two.identity.dn}

    changed = kind.change(made, add=(to(three),), remove=(to(one),))
    assert kind.attribute not in changed.attributes, "the list may be long; the host knows it by the same change"
    assert kind.members(made) == {two.identity.dn, three.identity.dn}
    kind.change(made, add=(to(three),), remove=(to(one),))  # again: nothing is left to do, and nothing is wrong
    kind.change(made, remove=(to(two), to(three)))
    assert kind.members(made) == set()
    kind.change(made, add=(to(one),))
    assert kind.members(made) == {one.identity.dn}
    kind.change(made, replace=(to(two), to(three)))
    assert kind.members(made) == {two.identity.dn, three.identity.dn}
    shown = {"two", "three"} if kind.attribute == "memberUid" else {two.identity.dn, three.identity.dn}
    assert kind.stored("made") == shown
    kind.change(made, replace=())
    assert kind.members(made) == set()
    assert [f.identity for f in find(kind, two)] == []
    kind.change(made, add=(to(two),))
    assert [f.identity for f in find(kind, two)] == [made.identity]
    kind.connector.delete("group", made.identity, call=call())
    assert not kind.server.search(GROUPS, "(cn=made)")


def find(kind: Kind, member: ConnectorObject) -> list[ConnectorObject]:
    return list(kind.connector.find("group", kind.attribute, to(member), attributes=(), call=call()))


def test_import_gives_references(kind: Kind) -> None:
    one = kind.person("one")
    made = kind.group("made", one)
    scope = next(s for s in kind.connector.scopes() if s.key == "group")
    pages = kind.connector.import_full(scope, attributes={"group": (kind.attribute,)}, page_size=10, call=call())
    found = {o.identity: o for page in pages for o in page.objects}
    assert [v.key for v in found[made.identity].attributes[kind.attribute]] == [(one.identity.dn,)]


@pytest.mark.parametrize("which", ["plain_slapd", "directory_389"])
def test_a_member_in_another_spelling(request: pytest.FixtureRequest, which: str) -> None:
    """Letters, several blanks in a name and those between names make no difference to the server."""
    server: LdapPrograms = request.getfixturevalue(which)
    server.remove_all()
    name = f"cn=Anna  Maria,{PEOPLE}"
    server.add(name, {"objectClass": ["inetOrgPerson"], "cn": ["Anna  Maria"], "sn": ["x"]})
    others = (name, f"CN = anna   MARIA , {PEOPLE.upper()}", f"cn=Anna Maria,{PEOPLE}")
    for number, member in enumerate(others):
        server.add(
            f"cn=g{number},{GROUPS}", {"objectClass": ["groupOfNames"], "cn": [f"g{number}"], "member": [member]}
        )
    connector: Any = connector_type.open(server.settings(object_types=(PERSON, group("groupOfNames"))))
    (person,) = connector.find("person", "sn", "x", attributes=(), call=call())
    groups = connector.find("group", "member", to(person), attributes=("member",), call=call())
    connector.close()
    assert len(server.search(GROUPS, f"(member={name})", ["1.1"])) == 3, "what the server says"
    assert [each.attributes["member"] for each in groups] == [(Reference((person.identity.dn,)),)] * 3


def test_a_member_uid_that_nobody_has_is_kept(slapd: SlapdServer) -> None:
    slapd.remove_all()
    kind = Kind(slapd, group("posixGroup", member_uid_type="person"), "memberUid")
    one = kind.person("one")
    slapd.add(
        f"cn=made,{GROUPS}", {"objectClass": ["posixGroup"], "cn": ["made"], "gidNumber": ["5"], "memberUid": ["ghost"]}
    )
    (made,) = kind.connector.find("group", "cn", "made", attributes=("memberUid",), call=call())
    (ghost,) = made.attributes["memberUid"]
    kind.change(made, add=(to(one),))
    assert kind.stored("made") == {"ghost", "one"}
    kind.change(made, remove=(ghost,))
    assert kind.stored("made") == {"one"}
    with pytest.raises(InvalidValue):
        kind.change(made, add=(Reference((f"uid=nobody,{PEOPLE}",)),))
    kind.connector.close()


def test_member_of_is_read_as_references(slapd: SlapdServer) -> None:
    slapd.remove_all()
    kind = Kind(slapd, group("groupOfNames"), "member")
    one = kind.person("one")
    made = kind.group("made", one)
    found = kind.connector.read("person", one.identity, attributes=("memberOf",), call=call())
    assert [v.key[0] for v in found.attributes["memberOf"]] == [made.identity.dn]
    with pytest.raises(InvalidValue):
        kind.connector.update("person", one.identity, [AttributeChange("memberOf", add=(to(made),))], call=call())
    kind.connector.close()


def test_references_follow_a_renamed_entry_where_that_is_set(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member", mend_references=True)
    one, boss = kind.person("one"), kind.person("boss")
    made = kind.group("made", one, boss)
    kind.connector.update("person", one.identity, [AttributeChange("manager", replace=(to(boss),))], call=call())
    renamed = kind.connector.update("person", boss.identity, [AttributeChange("uid", replace=("chief",))], call=call())
    assert renamed.identity.anchor == boss.identity.anchor
    assert kind.stored("made") == {one.identity.dn, f"uid=chief,{PEOPLE}"}
    found = kind.connector.read("person", one.identity, attributes=("manager",), call=call())
    assert found.attributes["manager"][0].key == (f"uid=chief,{PEOPLE}",)
    kind.connector.close()
    del made


def test_without_that_they_name_nobody(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member")
    one = kind.person("one")
    kind.group("made", one)
    kind.connector.update("person", one.identity, [AttributeChange("uid", replace=("first",))], call=call())
    assert kind.stored("made") == {f"uid=one,{PEOPLE}"}
    kind.connector.close()


def test_many_references_follow_in_pages_and_only_those(plain_slapd: SlapdServer) -> None:
    """Spelled as they may be; groups of somebody else's name, and of names that begin alike, stay."""
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member", mend_references=True, create_parents=True)
    one, other = kind.person("one"), kind.person("one more")
    spelled = f"UID=One, {PEOPLE.upper()}"
    entries = [
        ldif(f"cn=g{i},{GROUPS}", {"objectClass": ["groupOfNames"], "cn": [f"g{i}"], "member": [spelled]})
        for i in range(250)
    ]
    plain_slapd.run("ldapadd", text="".join(entries))
    kind.group("others", other)
    moved = f"uid=one\\, the first,ou=moved,{PEOPLE}"
    renamed = kind.connector.update("person", one.identity, [], new_dn=moved, call=call())
    assert renamed.identity.dn == moved
    found = plain_slapd.search(GROUPS, "(cn=g*)", ["member"])
    assert len(found) == 250
    assert {Names().key(value.decode()) for values in found.values() for value in values["member"]} == {moved}
    assert kind.stored("others") == {other.identity.dn}
    kind.connector.close()


def test_member_uids_follow_a_renamed_person(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("posixGroup", member_uid_type="person"), "memberUid", mend_references=True)
    one, other = kind.person("one"), kind.person("other")
    kind.group("made", one, other)
    kind.connector.update("person", one.identity, [AttributeChange("uid", replace=("first",))], call=call())
    assert kind.stored("made") == {"first", "other"}
    kind.connector.close()


def test_a_reference_that_cannot_be_mended_is_told() -> None:
    """The new name is there: the host must read the entry again, and not take the change for refused."""
    access = f'access to attrs=member by dn.exact="cn=isthmus,{SUFFIX}" read by * none'
    server = slapd_server(Variant(access=access))
    try:
        server.start()
        kind = Kind(server, group("groupOfNames"), "member", mend_references=True)
        one = kind.person("one")
        server.add(f"cn=made,{GROUPS}", {"objectClass": ["groupOfNames"], "cn": ["made"], "member": [one.identity.dn]})
        with pytest.raises(TargetUnavailable, match=r"uid=first,.* has its new name, but .*access") as told:
            kind.connector.update("person", one.identity, [AttributeChange("uid", replace=("first",))], call=call())
        assert told.value.outcome_unknown
        assert server.search(PEOPLE, "(uid=first)")
        assert kind.stored("made") == {f"uid=one,{PEOPLE}"}
        kind.connector.close()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def refint() -> Iterator[SlapdServer]:
    server = slapd_server(Variant(refint=True))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.mark.parametrize("mended", [False, True])
def test_references_that_the_server_mends(refint: SlapdServer, mended: bool) -> None:
    """slapd's refint overlay does it after its answer; our own mending beside it disturbs nothing."""
    refint.remove_all()
    kind = Kind(refint, group("groupOfNames"), "member", mend_references=mended)
    one, boss = kind.person("one"), kind.person("boss")
    made = kind.group("made", one, boss)
    kind.connector.update("person", one.identity, [AttributeChange("manager", replace=(to(boss),))], call=call())

    def manager() -> set[str]:
        (values,) = refint.search(PEOPLE, "(uid=one)", ["manager"]).values()
        return {Names().key(value.decode()) for value in values.get("manager", ())}

    def followed(name: str | None) -> bool:
        named = {name} - {None}
        return {Names().key(each) for each in kind.stored("made")} == {one.identity.dn, *named} and manager() == named

    for name in ("chief", "Chief, Jr. + Söhne", "boss"):
        boss = kind.connector.update("person", boss.identity, [AttributeChange("uid", replace=(name,))], call=call())
        until(functools.partial(followed, boss.identity.dn), what="slapd mending the references")
    assert kind.members(made) == {one.identity.dn, boss.identity.dn}
    kind.connector.delete("person", boss.identity, call=call())
    until(lambda: followed(None), what="slapd removing the references")
    kind.connector.close()


def test_many_members_go_in_portions(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member", members_at_once=100)
    made = kind.group("made")
    everyone = tuple(Reference((f"uid=p{i},{PEOPLE}",)) for i in range(1050))
    kind.change(made, add=everyone[:1000])
    assert len(kind.members(made)) == 1000
    # Some are there already, some are new; some that go were never there.
    kind.change(made, add=everyone[900:], remove=everyone[:450])
    assert kind.members(made) == {each.key[0] for each in everyone[450:]}
    kind.change(made, remove=everyone)
    assert kind.members(made) == set()
    kind.connector.close()


@pytest.mark.parametrize("permissive", [True, False])
def test_values_that_are_there_already_are_no_failure(
    plain_slapd: SlapdServer, monkeypatch: pytest.MonkeyPatch, permissive: bool
) -> None:
    """Also on a server without the permissive modify control: then the rest is sent."""
    from isthmus.connectors.ldap import changing

    if not permissive:
        monkeypatch.setattr(changing, "_HIDDEN_SUPPORT", set())
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member")
    one, two, three = (Reference((f"uid={n},{PEOPLE}",)) for n in ("one", "two", "three"))
    made = kind.group("made")
    kind.change(made, replace=(one, two))
    kind.change(
        made, add=(Reference((f"UID=Two , {PEOPLE}",)), three), remove=(Reference((f"uid=none,{PEOPLE}",)), one)
    )
    assert kind.members(made) == {two.key[0], three.key[0]}
    kind.connector.close()


def test_identity_is_found_after_a_move_by_others(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    kind = Kind(plain_slapd, group("groupOfNames"), "member")
    one = kind.person("one")
    plain_slapd.add(f"ou=left,{PEOPLE}", {"objectClass": ["organizationalUnit"], "ou": ["left"]})
    plain_slapd.modify(
        ldif(str(one.identity.dn), {"changetype": ["modrdn"], "newrdn": ["uid=uno"], "deleteoldrdn": ["1"],
                                    "newsuperior": [f"ou=left,{PEOPLE}"]})
    )  # fmt: skip
    changed = kind.connector.update("person", one.identity, [AttributeChange("title", replace=("x",))], call=call())
    assert changed.identity == Identity(one.identity.anchor, f"uid=uno,ou=left,{PEOPLE}")
    kind.connector.delete("person", one.identity, call=call())
    assert not plain_slapd.search(PEOPLE, "(uid=uno)")
    kind.connector.close()
