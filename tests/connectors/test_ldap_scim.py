"""People and groups of a directory over SCIM: the whole host, compared with what ldapsearch shows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.directory389 import Directory389
from connectors.servers.slapd import GROUPS, PEOPLE, LdapPrograms, SlapdServer, ldif
from harness import ENTERPRISE, OWN, Client
from isthmus.config.loading import load
from isthmus.wizard import adding


def document(server: LdapPrograms, secret: Path) -> str:
    return f"""type = "ldap"
timeout = 6
[settings]
url = "{server.url}"
user = "{server.user}"
password = {{ file = "{secret}" }}
tls = "none"
[[settings.object_types]]
name = "inetOrgPerson"
bases = ["{PEOPLE}"]
dn_template = "uid={{uid}},{PEOPLE}"
[[settings.object_types]]
name = "groupOfNames"
bases = ["{GROUPS}"]
dn_template = "cn={{cn}},{GROUPS}"
[[resource_types]]
object_type = "inetOrgPerson"
attributes = ["uid", "cn", "sn", "givenName", "mail", "employeeType", "manager", "title"]
matching = ["uid", "mail"]
disable = {{ action = "set", values = {{ employeeType = "disabled" }}, restore = {{ employeeType = "staff" }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
{harness.flows({
    "userName": "uid", "displayName": "cn", "name.familyName": "sn", "name.givenName": "givenName", "title": "title",
    'emails[type eq "work"].value': "mail", f"{ENTERPRISE}:manager": "manager",
})}
[[resource_types]]
object_type = "groupOfNames"
name = "Group"
endpoint = "Groups"
attributes = ["cn", "member"]
matching = ["cn"]
delete = {{ action = "delete" }}
[resource_types.flows]
"displayName" = {{ attribute = "cn" }}
"members" = {{ attribute = "member" }}
"""  # fmt: skip


@pytest.fixture(params=["openldap", "389"])
def server(request: pytest.FixtureRequest) -> LdapPrograms:
    found: SlapdServer | Directory389 = request.getfixturevalue(
        {"openldap": "slapd", "389": "directory_389"}[request.param]
    )
    found.remove_all()
    return found


@pytest.fixture
def bench(tmp_path: Path, server: LdapPrograms) -> Iterator[harness.Bench]:
    folder = tmp_path / "isthmus"
    (folder / "secrets").mkdir(parents=True)
    secret = folder / "secrets" / "directory"
    secret.touch(0o600)
    secret.write_text(server.password)
    os.environ.pop("ISTHMUS_KEY_FILE", None)
    with harness.bench(tmp_path, {"people": document(server, secret)}) as made:
        yield made


def stored(server: LdapPrograms, uid: str) -> tuple[str, dict[str, list[bytes]]] | None:
    found = server.search(PEOPLE, f"(uid={uid})")
    return next(iter(found.items())) if found else None


def person(name: str, **more: object) -> dict[str, object]:
    return {"userName": name, "displayName": name, "name": {"familyName": name}, **more}


def test_a_life(bench: harness.Bench, server: LdapPrograms) -> None:
    client = bench.client("people")
    boss = client.post(person("boss")).id
    manager = {ENTERPRISE: {"manager": {"value": boss}}}
    made = client.post(
        person("bjensen", emails=[{"type": "work", "value": "b@example.org"}], **manager)
    )  # fmt: skip
    assert made.status == 201, made
    dn, values = stored(server, "bjensen") or ("", {})
    assert dn.casefold() == f"uid=bjensen,{PEOPLE}"
    assert values["mail"] == [b"b@example.org"]
    assert [v.decode().casefold() for v in values["manager"]] == [f"uid=boss,{PEOPLE}"]
    shown = client.user(made.id)
    assert shown[ENTERPRISE]["manager"]["value"] == boss
    assert shown[OWN]["-dn-"] == f"uid=bjensen,{PEOPLE}"
    client.post(person("BJensen")).refused(409, "uniqueness")

    assert client.patch(made.id, {"op": "replace", "path": "active", "value": False}).status in {200, 204}
    assert (stored(server, "bjensen") or ("", {}))[1]["employeetype"] == [b"disabled"]
    assert client.patch(made.id, {"op": "replace", "path": "userName", "value": "barbara"}).status in {200, 204}
    assert stored(server, "bjensen") is None
    assert stored(server, "barbara") is not None
    assert client.user(made.id)["userName"] == "barbara", "a renamed person keeps the id"
    client.patch(made.id, {"op": "replace", "path": "userName", "value": "boss"}).refused(409, "uniqueness")
    assert client.delete(made.id).status == 204
    assert stored(server, "barbara") is None
    assert client.get(f"/Users/{made.id}").status == 404


def test_nobody_is_created_with_the_second_address_of_another(bench: harness.Bench, server: LdapPrograms) -> None:
    values = {"uid": ["ann"], "cn": ["ann"], "sn": ["ann"], "mail": ["a@example.org", "b@example.org"]}
    server.add(f"uid=ann,{PEOPLE}", {"objectClass": ["inetOrgPerson"], **values})
    client = bench.client("people")
    for taken in ("A@example.org", "b@example.org"):
        answer = client.post(person("eve", emails=[{"type": "work", "value": taken}]))
        assert "mail" in answer.refused(409, "uniqueness")
    assert stored(server, "eve") is None


def test_groups(bench: harness.Bench, server: LdapPrograms) -> None:
    client = bench.client("people")
    one, two = client.post(person("one")).id, client.post(person("two")).id
    group = client.post({"displayName": "staff", "members": [{"value": one}]}, "/Groups")
    assert group.status == 201, group

    def members() -> set[str]:
        (values,) = server.search(GROUPS, "(cn=staff)", ["member"]).values()
        return {v.decode().casefold() for v in values.get("member", ())} - {server.user.casefold()}

    assert members() == {f"uid=one,{PEOPLE}"}
    answer = client.patch(group.id, {"op": "add", "path": "members", "value": [{"value": two}]}, path="/Groups")
    assert answer.status in {200, 204}, answer
    assert members() == {f"uid=one,{PEOPLE}", f"uid=two,{PEOPLE}"}
    for member in (one, two):
        path = f'members[value eq "{member}"]'
        assert client.patch(group.id, {"op": "remove", "path": path}, path="/Groups").status in {200, 204}
    assert members() == set()
    assert not client.get(f"/Groups/{group.id}").json.get("members")
    assert client.delete(one).status == 204


def test_imports_show_what_others_did(bench: harness.Bench, server: LdapPrograms) -> None:
    client: Client = bench.client("people")
    values = {"objectClass": ["inetOrgPerson"], "cn": ["x"], "sn": ["x"]}
    for uid in ("p1", "p2", "p3"):
        server.add(f"uid={uid},{PEOPLE}", {**values, "uid": [uid]})
    assert len(client.named("p1")) == 1, "found live, before any import"
    for kind in ("full", "delta"):
        for run in harness.scheduling.request_import(bench.host, "people", kind=kind, requested_by="test"):
            done = harness.scheduling.execute_next(bench.host)
            assert done is not None
            assert done.state == "done", (run, done)
        if kind == "full":
            assert {u["userName"] for u in client.get("/Users").resources} == {"p1", "p2", "p3"}
            server.modify(ldif(f"uid=p1,{PEOPLE}", {"changetype": ["delete"]}))
            rename = {"changetype": ["modrdn"], "newrdn": ["uid=p2 renamed"], "deleteoldrdn": ["1"]}
            server.modify(ldif(f"uid=p2,{PEOPLE}", rename))
    assert {u["userName"] for u in client.get("/Users").resources} == {"p2 renamed", "p3"}


def test_the_wizard_learns_from_what_is_there(tmp_path: Path, server: LdapPrograms) -> None:
    """Base DN, DN template and class come from the entries; a person only says what disable and delete mean."""
    for uid in ("p1", "p2"):
        values = {"objectClass": ["inetOrgPerson"], "cn": [uid], "sn": [uid], "uid": [uid]}
        server.add(f"uid={uid},{PEOPLE}", values)
    server.add(f"cn=g,{GROUPS}", {"objectClass": ["groupOfNames"], "cn": ["g"], "member": [f"uid=p1,{PEOPLE}"]})
    folder = harness.new_folder(tmp_path, {})
    (folder / "secrets").mkdir(exist_ok=True)
    secret = folder / "secrets" / "directory"
    secret.touch(0o600)
    secret.write_text(server.password)
    settings = {"user": server.user, "password": {"file": str(secret)}, "tls": "none"}
    answers = adding.Answers(name="people", type="ldap", url=server.url, settings=settings, table="inetOrgPerson")
    draft = adding.discover(load(folder / "isthmus.toml"), answers)
    written = adding.complete(draft, disable="employeeType=disabled", delete="delete")
    assert written["settings"]["object_types"] == [
        {"name": "inetOrgPerson", "bases": [PEOPLE], "dn_template": f"uid={{uid}},{PEOPLE}"},
        {"name": "groupOfNames", "bases": [GROUPS], "dn_template": f"cn={{cn}},{GROUPS}"},
    ]
    resource_type, groups = written["resource_types"]
    assert groups["endpoint"] == "Groups"
    assert {path: flow["attribute"] for path, flow in groups["flows"].items()} == {
        "displayName": "cn", "members": "member",
    }  # fmt: skip
    assert groups["delete"] == {"action": "delete"}
    assert resource_type["flows"]["userName"]["attribute"] == "uid"
    assert resource_type["flows"]["displayName"]["attribute"] == "cn", "everybody needs one"
    assert resource_type["flows"]['emails[type eq "work"].value']["attribute"] == "mail"
    assert "uid" in resource_type["matching"]
    everything = adding.discover(load(folder / "isthmus.toml"), dataclasses.replace(answers, table=None))
    assert {"inetOrgPerson", "groupOfNames"} <= set(everything.schema.object_types)
    assert everything.choices[0] == "inetOrgPerson"
    assert "2 of inetOrgPerson" in everything.reason
    chosen = adding.choose(everything, "inetOrgPerson")
    assert adding.complete(chosen, disable="employeeType=disabled", delete="delete") == written
    alone = adding.choose(everything, "groupOfNames")
    assert [each["name"] for each in alone.settings["object_types"]] == ["groupOfNames"]


def test_the_wizard_publishes_one_kind_of_groups(tmp_path: Path, slapd: SlapdServer) -> None:
    """posixGroup names its members by uid: those of the people that are published with it."""
    slapd.remove_all()
    values = {"objectClass": ["inetOrgPerson"], "cn": ["p1"], "sn": ["p1"], "uid": ["p1"]}
    slapd.add(f"uid=p1,{PEOPLE}", values)
    for gid in ("1", "2"):
        group = {"objectClass": ["posixGroup"], "cn": [f"g{gid}"], "gidNumber": [gid], "memberUid": ["p1"]}
        slapd.add(f"cn=g{gid},{GROUPS}", group)
    folder = harness.new_folder(tmp_path, {})
    (folder / "secrets").mkdir(exist_ok=True)
    secret = folder / "secrets" / "directory"
    secret.touch(0o600)
    secret.write_text(slapd.password)
    settings = {"user": slapd.user, "password": {"file": str(secret)}, "tls": "none"}
    answers = adding.Answers(name="people", type="ldap", url=slapd.url, settings=settings, table="inetOrgPerson")
    draft = adding.discover(load(folder / "isthmus.toml"), answers)
    _, declared = draft.settings["object_types"]
    assert (declared["name"], declared["member_uid_type"]) == ("posixGroup", "inetOrgPerson")
    assert draft.groups is not None
    assert draft.groups.flows["members"].attribute == "memberUid"
    slapd.add(f"cn=n,{GROUPS}", {"objectClass": ["groupOfNames"], "cn": ["n"], "member": [f"uid=p1,{PEOPLE}"]})
    draft = adding.discover(load(folder / "isthmus.toml"), answers)
    assert draft.groups is not None
    assert draft.groups.object_type == "posixGroup", "the more frequent one"
    assert any("groupOfNames" in note for note in draft.notes)
