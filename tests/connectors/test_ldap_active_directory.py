"""The rules of Active Directory, by Samba: accounts, passwords, links, ranges, deletions that leave tombstones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.samba import SambaServer
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, ldif
from harness import ENTERPRISE, OWN
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.connectors.ldap.changing import Changing
from isthmus.connectors.ldap.connecting import Connecting
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.reading import all_ranges
from isthmus.spi import (
    AlreadyExists,
    AttributeChange,
    Call,
    ConnectorObject,
    Identity,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Reference,
    Secret,
    TargetRejected,
    Unsupported,
    Watermark,
    WatermarkExpired,
)

USER = LdapObjectType(
    name="user",
    bases=(PEOPLE,),
    dn_template=f"CN={{cn}},{PEOPLE}",
    filter="(!(employeeType=hidden))",
    attributes=(
        "cn", "sAMAccountName", "sn", "title", "manager", "memberOf", "userAccountControl", "unicodePwd",
        "employeeType",
    ),
)  # fmt: skip
GROUP = LdapObjectType(
    name="group",
    bases=(GROUPS,),
    dn_template=f"CN={{cn}},{GROUPS}",
    attributes=("cn", "sAMAccountName", "member", "memberOf", "managedBy"),
)
ENABLED, DISABLED = 512, 514


def call(timeout: float = 60) -> Call:
    return Call(timeout=timeout)


@pytest.fixture
def server(samba: SambaServer) -> SambaServer:
    samba.remove_all()
    return samba


@pytest.fixture
def connector(server: SambaServer) -> Iterator[Any]:
    made = connector_type.open(server.settings(object_types=(USER, GROUP)))
    yield made
    made.close()


def person(connector: Any, name: str, **more: Any) -> ConnectorObject:
    values = {"cn": (name,), "sAMAccountName": (name.lower(),), **more}
    return connector.create("user", values, password=None, call=call())  # type: ignore[no-any-return]


def group(connector: Any, name: str, *members: ConnectorObject) -> ConnectorObject:
    values = {"cn": (name,), "sAMAccountName": (name,), "member": tuple(map(to, members))}
    return connector.create("group", values, call=call())  # type: ignore[no-any-return]


def to(existing: ConnectorObject) -> Reference:
    return Reference((str(existing.identity.dn),))


def stored(server: SambaServer, dn: str, *names: str) -> dict[str, list[bytes]]:
    """Return what ldapsearch shows of one entry."""
    found = server.search(dn, "(objectClass=*)", names, scope="base")
    return next(iter(found.values()), {})


def members(server: SambaServer, of: ConnectorObject) -> set[str]:
    found = stored(server, str(of.identity.dn), "member").get("member", ())
    return {value.decode().casefold() for value in found}


# -- recognition and schema


def test_it_is_refused_without_the_setting(server: SambaServer) -> None:
    connector = connector_type.open(server.settings(object_types=(USER,), allow_active_directory=False))
    with pytest.raises(MisconfiguredConnector, match=r"go round in a loop.*allow_active_directory"):
        connector.test(call=call())
    connector.close()


def test_what_the_content_rules_of_its_schema_tell(server: SambaServer) -> None:
    """`sAMAccountName` is of no class of users; what the server sets by itself is not asked for."""
    whole = connector_type.open(
        server.settings(object_types=(LdapObjectType(name="user"), LdapObjectType(name="group")))
    )
    types = whole.read_schema(call=call()).object_types
    whole.close()
    user, groups = types["user"], types["group"]
    names = {each.name: each for each in user.attributes}
    assert user.anchor == ("objectGUID",)
    assert [each.name for each in user.attributes if each.required] == ["cn"]
    assert names["sAMAccountName"].unique
    assert names["unicodePwd"].secret
    assert "replPropertyMetaData" not in names
    assert "unicodePwd" not in {each.name for each in groups.attributes}
    assert [each.name for each in groups.attributes if each.required] == ["cn"]


def test_a_base_that_is_the_domain_itself_is_read_without_referrals(server: SambaServer) -> None:
    """Its searches refer to the configuration partition unless they are told not to."""
    whole = connector_type.open(server.settings(object_types=(LdapObjectType(name="user", attributes=("cn",)),)))
    (scope,) = whole.scopes()
    pages = whole.import_full(scope, attributes={"user": ("cn",)}, page_size=3, call=call())
    shown = {str(each.attributes["cn"][0]) for page in pages for each in page.objects}
    found = whole.find("user", "cn", "administrator", attributes=("cn",), call=call())
    assert [each.identity.dn for each in found] == [f"cn=administrator,cn=users,{SUFFIX}"]
    whole.close()
    there = server.search(SUFFIX, "(objectClass=user)", ["cn"])
    assert shown == {values["cn"][0].decode() for values in there.values()}
    assert len(shown) > 3


def test_a_plain_connection_is_refused_with_the_cure(server: SambaServer) -> None:
    connector = connector_type.open(server.settings(object_types=(USER,), tls="none"))
    with pytest.raises(MisconfiguredConnector, match="use ldaps:// or tls = 'starttls'"):
        connector.test(call=call())
    connector.close()


def test_types_that_the_server_keeps_for_itself_are_not_suggested(server: SambaServer, connector: Any) -> None:
    """Nor is the domain: its base would be above everything that can be read."""
    group(connector, "staff", person(connector, "One"))
    looking: Any = connector_type.open(server.settings())
    types = {each.name: each for each in looking.suggest(call=call())["object_types"].values}
    assert {"user", "group"} <= set(types)
    assert not {name for name in types if name.startswith(("domain", "ipsec", "dfs", "msDFSR"))}
    assert PEOPLE in types["user"].bases
    assert list(types)[:2] == ["user", "group"]
    assert {"user", "group"} <= set(looking.read_schema(call=call()).object_types)
    looking.close()


# -- passwords


@pytest.mark.parametrize("encryption", ["starttls", "ldaps"])
def test_a_password_works(server: SambaServer, encryption: str) -> None:
    url = server.tls_url if encryption == "ldaps" else server.url
    connector: Any = connector_type.open(server.settings(object_types=(USER,), url=url))
    values = {"cn": ("Ann Öne",), "sAMAccountName": ("ann",), "userAccountControl": (ENABLED,)}
    made = connector.create("user", values, password=Secret('First "wörd" 7'), call=call())
    assert server.lets_in(made.identity.dn, 'First "wörd" 7')
    connector.set_password("user", made.identity, Secret("Second word 8"), call=call())
    assert server.lets_in(made.identity.dn, "Second word 8")
    assert not server.lets_in(made.identity.dn, 'First "wörd" 7')
    for weak in ("short", "all letters alike"):
        with pytest.raises(InvalidValue, match="password") as refused:
            connector.set_password("user", made.identity, Secret(weak), call=call())
        assert weak not in str(refused.value)
    with pytest.raises(InvalidValue, match="password"):
        connector.create("user", {"cn": ("Weak",), "sAMAccountName": ("weak",)}, password=Secret("short"), call=call())
    assert not server.search(PEOPLE, "(cn=Weak)")
    connector.close()


# -- disabled accounts

CONTROL = "userAccountControl"
EXPIRES_NOT, SMART_CARD = 0x10000, 0x40000
UNTOUCHED = EXPIRES_NOT | SMART_CARD


def control(server: SambaServer, of: ConnectorObject) -> int:
    return int(stored(server, str(of.identity.dn), "userAccountControl")["useraccountcontrol"][0])


def shown(connector: Any, of: ConnectorObject) -> tuple[Any, ...]:
    found = connector.read("user", of.identity, attributes=("accountDisabled",), call=call())
    return tuple(found.attributes["accountDisabled"])


def disable(connector: Any, of: ConnectorObject, disabled: bool, *more: AttributeChange) -> ConnectorObject:
    changes = [AttributeChange("accountDisabled", replace=(disabled,)), *more]
    return connector.update("user", of.identity, changes, call=call())  # type: ignore[no-any-return]


def test_an_account_is_disabled_and_its_other_flags_stay(server: SambaServer, connector: Any) -> None:
    ann = person(connector, "Ann", userAccountControl=(ENABLED | UNTOUCHED,), accountDisabled=(True,))
    assert ann.attributes["accountDisabled"] == (True,)
    assert control(server, ann) == DISABLED | UNTOUCHED
    assert shown(connector, ann) == (True,)
    for disabled in (False, False, True, True):
        title = AttributeChange("title", replace=("Engineer",))
        assert disable(connector, ann, disabled, title).attributes["accountDisabled"] == (disabled,)
        assert control(server, ann) == (DISABLED if disabled else ENABLED) | UNTOUCHED
        assert shown(connector, ann) == (disabled,)
    assert stored(server, str(ann.identity.dn), "title")["title"] == [b"Engineer"]
    whole = AttributeChange("userAccountControl", replace=(ENABLED,))
    assert disable(connector, ann, True, whole).attributes["userAccountControl"] == (DISABLED,)
    assert control(server, ann) == DISABLED


def test_a_new_account_is_enabled_if_that_is_said(server: SambaServer, connector: Any) -> None:
    for name, more, wanted in (
        ("One", {"accountDisabled": (False,)}, ENABLED),
        ("Two", {"accountDisabled": (True,)}, DISABLED),
        ("Three", {}, DISABLED | 0x20),  # the directory's own choice: disabled, may do without a password
    ):
        values = {"cn": (name,), "sAMAccountName": (name,), **more}
        made = connector.create("user", values, password=Secret("First word 7") if more else None, call=call())
        assert control(server, made) == wanted, name


def test_a_flag_that_others_set_meanwhile_is_kept(
    server: SambaServer, connector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes between our reading of the number and our change of it: that is refused, and tried again."""
    ann = person(connector, "Ann", accountDisabled=(True,))
    read, others = Changing._present, [DISABLED | EXPIRES_NOT, DISABLED | SMART_CARD]

    def reading(self: Changing, dn: str, change: Change) -> list[bytes]:
        found = read(self, dn, change)
        if others:
            server.modify(ldif(dn, {"changetype": ["modify"], "replace": [CONTROL], CONTROL: [str(others.pop(0))]}))
        return found

    monkeypatch.setattr(Changing, "_present", reading)
    disable(connector, ann, False)
    assert not others
    assert control(server, ann) == ENABLED | SMART_CARD


# -- links


def test_members_that_are_there_or_gone_already(server: SambaServer, connector: Any) -> None:
    """The server's answers to both are those of other faults: entryAlreadyExists and unwillingToPerform."""
    one, two = person(connector, "One"), person(connector, "Two")
    staff = group(connector, "staff", one)

    def change(**how: Any) -> None:
        connector.update("group", staff.identity, [AttributeChange("member", **how)], call=call())

    change(add=(to(one), to(two)))
    assert members(server, staff) == {one.identity.dn, two.identity.dn}
    change(add=(to(two),))
    change(remove=(to(one),))
    change(remove=(to(one),))
    assert members(server, staff) == {two.identity.dn}
    change(remove=(to(one), to(two)), add=())
    assert members(server, staff) == set()
    change(add=(to(one),), remove=(to(two),))
    assert members(server, staff) == {one.identity.dn}
    read = connector.read("user", one.identity, attributes=("memberOf",), call=call())
    assert read.attributes["memberOf"] == (to(staff),)


def test_a_member_that_is_not_there_is_not_a_group_that_is_not_there(server: SambaServer, connector: Any) -> None:
    """The server answers noSuchObject: the host would forget the group if that were passed on."""
    staff, gone = group(connector, "staff"), Reference((f"cn=gone,{PEOPLE}",))
    with pytest.raises(InvalidValue) as refused:
        connector.update("group", staff.identity, [AttributeChange("member", add=(gone,))], call=call())
    assert refused.value.attribute == "member"
    with pytest.raises(InvalidValue, match="refused"):
        connector.create("group", {"cn": ("other",), "sAMAccountName": ("other",), "member": (gone,)}, call=call())
    with pytest.raises(InvalidValue, match="no entry ou=none"):
        connector.create("group", {"cn": ("other",)}, dn=f"cn=other,ou=none,{GROUPS}", call=call())
    connector.delete("group", staff.identity, call=call())
    with pytest.raises(NotFound):
        connector.update("group", staff.identity, [AttributeChange("member", add=(gone,))], call=call())


def test_a_refusal_that_has_nothing_to_do_with_members_stays_one(server: SambaServer, connector: Any) -> None:
    """A person cannot be a plain member of the primary group: a code that a member who is there already has too."""
    one = person(connector, "One")
    declared = LdapObjectType(name="group", bases=(f"cn=users,{SUFFIX}",), attributes=("cn", "member"))
    users: Any = connector_type.open(server.settings(object_types=(declared,)))
    (primary,) = users.find("group", "cn", "Domain Users", attributes=("cn",), call=call())
    with pytest.raises((TargetRejected, AlreadyExists)) as refused:
        users.update("group", primary.identity, [AttributeChange("member", add=(to(one),))], call=call())
    assert "all the time" not in str(refused.value)
    users.close()


def test_a_renamed_person_stays_a_member(server: SambaServer, connector: Any) -> None:
    boss = person(connector, "Boss")
    one = person(connector, "One", manager=(to(boss),))
    staff = group(connector, "staff", boss)
    named = connector.update("user", boss.identity, [AttributeChange("cn", replace=("Chief, Jr.",))], call=call())
    assert named.identity.anchor == boss.identity.anchor
    assert members(server, staff) == {f"cn=chief\\, jr.,{PEOPLE}"}
    read = connector.read("user", one.identity, attributes=("manager",), call=call())
    assert read.attributes["manager"] == (to(named),)


def test_values_in_ranges(server: SambaServer, connector: Any) -> None:
    """Samba gives ranges only when asked; Active Directory by itself, from 1,500 values on."""
    names = [f"cn=c{i},{PEOPLE}" for i in range(600)]
    server.run("ldapadd", text="".join(ldif(name, {"objectClass": ["contact"]}) for name in names))
    staff = group(connector, "staff")
    change = AttributeChange("member", add=tuple(Reference((name,)) for name in names))
    connector.update("group", staff.identity, [change], call=call())
    read = connector.read("group", staff.identity, attributes=("member",), call=call())
    assert {each.key[0] for each in read.attributes["member"]} == set(names) == members(server, staff)
    dn = str(staff.identity.dn)
    link = Connecting(server.settings()).connect(10)
    try:
        (part,) = link.search(dn, 0, "(objectClass=*)", ["cn", "member;range=0-499"], seconds=10).entries
        assert len(part.values["member;range=0-499"]) == 500
        whole = all_ranges(link, part, lambda: 10.0)
        assert {value.decode().casefold() for value in whole.values["member"]} == set(names)
        assert set(whole.values) == {"cn", "member"}
        (part,) = link.search(dn, 0, "(objectClass=*)", ["member;range=0-499"], seconds=10).entries
        server.delete(dn)
        with pytest.raises(Exception, match="renamed or deleted while its member was read"):
            all_ranges(link, part, lambda: 10.0)
    finally:
        link.close()


# -- deletions


def test_what_is_below_is_deleted_with_it_only_if_set(server: SambaServer) -> None:
    declared = LdapObjectType(
        name="organizationalUnit", bases=(PEOPLE,), dn_template=f"ou={{ou}},{PEOPLE}", attributes=("ou",)
    )
    for whole in (False, True):
        connector: Any = connector_type.open(server.settings(object_types=(declared,), delete_children=whole))
        if not whole:
            made = connector.create("organizationalUnit", {"ou": ("team",)}, call=call())
            server.add(f"ou=inner,ou=team,{PEOPLE}", {"objectClass": ["organizationalUnit"]})
            server.add(f"cn=kid,ou=inner,ou=team,{PEOPLE}", {"objectClass": ["user"], "sAMAccountName": ["kid"]})
            with pytest.raises(TargetRejected, match="delete_children"):
                connector.delete("organizationalUnit", made.identity, call=call())
            assert len(server.search(PEOPLE, "(objectClass=*)", ["1.1"])) == 4
        else:
            connector.delete("organizationalUnit", made.identity, call=call())
        connector.close()
    assert len(server.search(PEOPLE, "(objectClass=*)", ["1.1"])) == 1


# -- deltas


class Host:
    """What the engine does with a connector's imports, in short."""

    def __init__(self, server: SambaServer, **settings: Any) -> None:
        self.server = server
        self.connector: Any = connector_type.open(server.settings(object_types=(USER,), **settings))
        (self.scope,) = self.connector.scopes()
        self.space: dict[tuple[str, ...], ConnectorObject] = {}
        self.mark: Watermark | None = None

    def full(self) -> None:
        self.mark = self.connector.current_watermark(self.scope, call=call())
        self.space = {}
        self._take(self.connector.import_full(self.scope, attributes={"user": ("sn",)}, page_size=50, call=call()))

    def delta(self) -> None:
        wanted = {"user": ("sn",)}
        self._take(
            self.connector.import_delta(self.scope, since=self.mark, attributes=wanted, page_size=50, call=call())
        )

    def _take(self, pages: Any) -> None:
        for page in pages:
            for gone in page.deleted:
                self.space.pop(gone.anchor.values, None)
            for each in page.objects:
                self.space[each.identity.anchor.values] = each
            self.mark = page.watermark or self.mark

    def shown(self) -> dict[str, str]:
        return {str(o.identity.dn): str(next(iter(o.attributes["sn"]), "")) for o in self.space.values()}

    def stored(self) -> dict[str, str]:
        """Return what ldapsearch shows."""
        found = self.server.search(PEOPLE, "(&(objectClass=user)(!(employeeType=hidden)))", ["sn"])
        return {dn.casefold(): values.get("sn", [b""])[0].decode() for dn, values in found.items()}


@pytest.fixture
def host(server: SambaServer) -> Iterator[Host]:
    made = Host(server)
    yield made
    made.connector.close()


def add(server: SambaServer, *names: str, below: str = PEOPLE) -> None:
    def values(name: str) -> dict[str, Sequence[str]]:
        return {"objectClass": ["user"], "sAMAccountName": [name], "sn": ["first"]}

    server.run("ldapadd", text="".join(ldif(f"cn={name},{below}", values(name)) for name in names))


def rename(server: SambaServer, dn: str, rdn: str, *, above: str | None = None) -> None:
    values: dict[str, Sequence[str]] = {"changetype": ["modrdn"], "newrdn": [rdn], "deleteoldrdn": ["1"]}
    server.modify(ldif(dn, {**values, "newsuperior": [above]} if above else values))


def replace(server: SambaServer, dn: str, name: str, value: str) -> None:
    server.modify(ldif(dn, {"changetype": ["modify"], "replace": [name], name: [value]}))


def test_a_delta_tells_of_everything(server: SambaServer, host: Host) -> None:
    for unit in ("a", "b"):
        server.add(f"ou={unit},{PEOPLE}", {"objectClass": ["organizationalUnit"]})
    server.add(f"ou=away,{GROUPS}", {"objectClass": ["organizationalUnit"]})
    add(server, "changed", "renamed", "moved-out", "hidden", "deleted", "same")
    add(server, "in-a", "also-in-a", below=f"ou=a,{PEOPLE}")
    add(server, "in-b", below=f"ou=b,{PEOPLE}")
    add(server, "away", "away-too", below=f"ou=away,{GROUPS}")
    host.full()
    assert host.shown() == host.stored()
    assert len(host.space) == 9
    host.delta()
    assert host.shown() == host.stored()

    add(server, "new")
    replace(server, f"cn=changed,{PEOPLE}", "sn", "second")
    replace(server, f"cn=hidden,{PEOPLE}", "employeeType", "hidden")
    rename(server, f"cn=renamed,{PEOPLE}", "cn=renamed now")
    rename(server, f"cn=moved-out,{PEOPLE}", "cn=moved-out", above=f"ou=away,{GROUPS}")
    rename(server, f"cn=away-too,ou=away,{GROUPS}", "cn=moved-in", above=PEOPLE)
    server.delete(f"cn=deleted,{PEOPLE}")
    rename(server, f"ou=a,{PEOPLE}", "ou=a renamed")
    rename(server, f"ou=b,{PEOPLE}", "ou=b", above=GROUPS)
    host.delta()
    assert host.shown() == host.stored()
    rename(server, f"ou=away,{GROUPS}", "ou=back", above=PEOPLE)
    host.delta()
    assert host.shown() == host.stored()
    assert f"cn=away,ou=back,{PEOPLE}" in host.shown()


def test_a_deleted_tree_and_a_restart(server: SambaServer, host: Host) -> None:
    server.add(f"ou=a,{PEOPLE}", {"objectClass": ["organizationalUnit"]})
    add(server, "one", "two", below=f"ou=a,{PEOPLE}")
    host.full()
    server.run("ldapmodify", "-e", "!1.2.840.113556.1.4.805", text=ldif(f"ou=a,{PEOPLE}", {"changetype": ["delete"]}))
    server.stop()
    server.start()
    host.delta()
    assert host.shown() == host.stored() == {}


def test_numbers_of_another_server_are_none(host: Host) -> None:
    host.full()
    assert host.mark is not None
    server, _, number = host.mark.token.rpartition("|")
    wrong = [f"{server}|{int(number) + 100_000}", f"usn:CN=NTDS Settings,CN=OTHER#00|{number}", f"{server}|x"]
    wrong.append(server.partition("#")[0] + "#0123|" + number)
    for token in wrong:
        host.mark = Watermark(token)
        with pytest.raises(WatermarkExpired):
            host.delta()


def test_it_must_be_possible_to_see_what_was_deleted(server: SambaServer) -> None:
    """A connector of another anchor, for a tombstone keeps little else."""
    declared = LdapObjectType(name="user", bases=(PEOPLE,), attributes=("cn", "sn"), anchor="sAMAccountName")
    connector: Any = connector_type.open(server.settings(object_types=(declared,), delta="usn"))
    (scope,) = connector.scopes()
    with pytest.raises(Unsupported, match="objectGUID"):
        connector.current_watermark(scope, call=call())
    connector.close()


def test_changes_by_others_while_deltas_run(server: SambaServer, host: Host) -> None:
    add(server, *(f"p{i}" for i in range(20)))
    host.full()
    text = []
    for turn in range(10):
        for i in range(20):
            dn = f"cn=p{i},{PEOPLE}"
            text.append(ldif(dn, {"changetype": ["modify"], "replace": ["sn"], "sn": [f"{turn}"]}))
        extra = {"objectClass": ["user"], "sAMAccountName": [f"x{turn}"], "sn": ["new"]}
        text.append(ldif(f"cn=x{turn},{PEOPLE}", {"changetype": ["add"], **extra}))
        text.append(ldif(f"cn=p{turn},{PEOPLE}", {"changetype": ["delete"]}))
        again = {"objectClass": ["user"], "sAMAccountName": [f"p{turn}"], "sn": ["again"]}
        text.append(ldif(f"cn=p{turn},{PEOPLE}", {"changetype": ["add"], **again}))
    failures: list[BaseException] = []

    def others() -> None:
        try:
            server.modify("".join(text))
        except BaseException as exc:
            failures.append(exc)

    writing = threading.Thread(target=others)
    writing.start()
    deltas = 0
    while writing.is_alive():
        host.delta()
        deltas += 1
    writing.join()
    assert not failures
    assert deltas > 1
    host.delta()
    assert host.shown() == host.stored()
    assert len(host.space) == 30


# -- over SCIM

FLOWS = {
    "userName": "sAMAccountName", "displayName": "cn", "name.familyName": "sn", "name.givenName": "givenName",
    "title": "title", 'emails[type eq "work"].value': "mail", f"{ENTERPRISE}:manager": "manager",
}  # fmt: skip


def document(server: SambaServer, secret: Path) -> str:
    return f"""type = "ldap"
timeout = 20
[settings]
url = "{server.tls_url}"
user = "{server.user}"
password = {{ file = "{secret}" }}
tls_ca = "{server.ca}"
allow_active_directory = true
[[settings.object_types]]
name = "user"
bases = ["{PEOPLE}"]
dn_template = "CN={{cn}},{PEOPLE}"
[[settings.object_types]]
name = "group"
bases = ["{GROUPS}"]
dn_template = "CN={{sAMAccountName}},{GROUPS}"
[[resource_types]]
object_type = "user"
attributes = [
    "sAMAccountName", "cn", "sn", "givenName", "mail", "title", "manager", "userAccountControl", "accountDisabled",
]
matching = ["sAMAccountName", "mail"]
delete = {{ action = "delete" }}
[resource_types.disable]
action = "set"
[resource_types.flows]
active = {{ attribute = "accountDisabled", invert = true }}
{harness.flows(FLOWS)}
[[resource_types]]
object_type = "group"
name = "Group"
endpoint = "Groups"
attributes = ["sAMAccountName", "member"]
matching = ["sAMAccountName"]
delete = {{ action = "delete" }}
[resource_types.flows]
"displayName" = {{ attribute = "sAMAccountName" }}
"members" = {{ attribute = "member" }}
"""


@pytest.fixture
def bench(tmp_path: Path, server: SambaServer) -> Iterator[harness.Bench]:
    secrets = tmp_path / "isthmus" / "secrets"
    secrets.mkdir(parents=True)
    secret = secrets / "directory"
    secret.touch(0o600)
    secret.write_text(server.password)
    with harness.bench(tmp_path, {"people": document(server, secret)}) as made:
        yield made


def imported(bench: harness.Bench, kind: str) -> None:
    """Run an import of each type."""
    for run in harness.scheduling.request_import(bench.host, "people", kind=kind, requested_by="test"):
        done = harness.scheduling.execute_next(bench.host)
        assert done is not None
        assert done.state == "done", (run, done)


def test_a_life_over_scim(bench: harness.Bench, server: SambaServer) -> None:
    client = bench.client("people")
    boss = client.post({"userName": "boss", "displayName": "The Boss", "password": "First word 7"}).id
    manager = {ENTERPRISE: {"manager": {"value": boss}}}
    own = {OWN: {"userAccountControl": ENABLED | EXPIRES_NOT}}
    given = {"userName": "ann", "displayName": "Ann", "password": "First word 7", "active": True}
    made = client.post({**given, **own, **manager})
    assert made.status == 201, made
    dn = f"cn=ann,{PEOPLE}"
    assert stored(server, dn)["manager"][0].decode().casefold() == f"cn=the boss,{PEOPLE}"
    assert int(stored(server, dn)["useraccountcontrol"][0]) == ENABLED | EXPIRES_NOT
    assert server.lets_in(dn, "First word 7")
    assert client.user(made.id)[ENTERPRISE]["manager"]["value"] == boss
    client.post({"userName": "ANN", "displayName": "Another"}).refused(409, "uniqueness")
    client.post({"userName": "other", "displayName": "ann"}).refused(409, "uniqueness")

    group = client.post({"displayName": "staff", "members": [{"value": made.id}]}, "/Groups")
    assert group.status == 201, group
    assert [each["value"] for each in client.user(made.id)["groups"]] == [group.id]

    assert client.patch(made.id, {"op": "replace", "path": "active", "value": False}).status in {200, 204}
    assert int(stored(server, dn)["useraccountcontrol"][0]) == DISABLED | EXPIRES_NOT
    assert not server.lets_in(dn, "First word 7")
    assert client.user(made.id)["active"] is False
    both = (
        {"op": "replace", "path": "active", "value": True},
        {"op": "replace", "path": "displayName", "value": "Anna"},
    )
    assert client.patch(made.id, *both).status in {200, 204}
    dn = f"cn=anna,{PEOPLE}"
    assert server.lets_in(dn, "First word 7")
    assert client.patch(made.id, {"op": "replace", "path": "password", "value": "Second word 8"}).status in {200, 204}
    assert server.lets_in(dn, "Second word 8")
    refused = client.patch(made.id, {"op": "replace", "path": "password", "value": "tiny"})
    assert "tiny" not in refused.refused(400, "invalidValue")
    imported(bench, "full")
    assert [each["value"] for each in client.get(f"/Groups/{group.id}").json["members"]] == [made.id]

    assert client.delete(made.id).status == 204
    assert not stored(server, dn)
    imported(bench, "delta")
    assert {each["userName"] for each in client.get("/Users").resources} == {"boss"}
    assert not client.get(f"/Groups/{group.id}").json.get("members")
    assert client("DELETE", f"/Groups/{group.id}").status == 204
    assert not server.search(GROUPS, "(objectClass=group)")


def test_an_entry_is_found_by_its_anchor_when_others_have_moved_it(server: SambaServer, connector: Any) -> None:
    one = person(connector, "One")
    rename(server, str(one.identity.dn), "cn=moved")
    assert one.identity.dn == f"cn=one,{PEOPLE}"
    changed = connector.update("user", one.identity, [AttributeChange("title", replace=("x",))], call=call())
    assert changed.identity == Identity(one.identity.anchor, f"cn=moved,{PEOPLE}")
    assert stored(server, f"cn=moved,{PEOPLE}", "title")["title"] == [b"x"]
