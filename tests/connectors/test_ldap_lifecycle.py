"""Whole lives over SCIM, for each kind of group and delta strategy; entries are compared by `ldapsearch`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.slapd import GROUPS, PEOPLE, LdapPrograms, SlapdServer, ldif
from directories import directory_host
from harness import ENTERPRISE, Client
from isthmus.connectors.ldap.dn import escape, parse

NAMES = (
    "a,b", "a+b", 'a"b', "a\\b", "a<b", "a>b", "a;b", "a=b", "#a", " a", "a ", "a  b", "a*b", "(a)", "*", "a)(uid=*",
    "a/b", "é", "ẞ", "名字", "👩🏽‍🚀", "a\\2cb", "a\\,b", "\\", "##", "%2C", "{uid}", "cn=x,dc=y", "O'Neil",
)  # fmt: skip
"""Every character that means something in a DN, a filter, a URL or a template."""

SERVERS = ["plain_slapd", "directory_389"]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> LdapPrograms:
    found: LdapPrograms = request.getfixturevalue(request.param)
    found.remove_all()
    return found


@pytest.fixture
def placed(tmp_path: Path, server: LdapPrograms) -> Iterator[Client]:
    """Give a client of a connector that puts people into containers by their department."""
    with directory_host(tmp_path, server, template=f"uid={{uid}},ou={{departmentNumber}},{PEOPLE}") as made:
        yield made.client("people")


def names(dn: str) -> list[tuple[str, str]]:
    """Return the (type, value) pairs of a DN; 389 shows one blank in a DN where several were sent (RFC 4518 2.6.1)."""
    return [(kind.casefold(), blanks(value)) for rdn in parse(dn) for kind, value in rdn]


def blanks(value: str) -> str:
    return re.sub(" +", " ", value)


def person(uid: str, **more: Any) -> dict[str, Any]:
    return {"userName": uid, "displayName": uid, "name": {"familyName": uid}, **more}


def only(server: LdapPrograms) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Return the only person that ldapsearch shows: the names in the DN, and the values."""
    ((dn, values),) = server.search(PEOPLE, "(objectClass=inetOrgPerson)").items()
    return names(dn), {name: [v.decode() for v in given] for name, given in values.items() if name != "userpassword"}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_life_of_hostile_names(placed: Client, server: LdapPrograms) -> None:
    """In uid, cn and ou: created, found, renamed and moved, disabled, deleted."""
    # 389 comes with a plug-in (7-bit check) that takes only ASCII for uid and mail, and trims names when it renames.
    plain = [name for name in NAMES if name.isascii() and name.strip() == name]
    tried = NAMES if isinstance(server, SlapdServer) else plain
    for number, name in enumerate(tried):
        other = tried[(number + 11) % len(tried)]
        made = placed.post(person(name, **{ENTERPRISE: {"department": f"d{name}"}}))
        assert made.status == 201, f"{name!r}: {made}"
        dn, values = only(server)
        assert dn[:2] == [("uid", blanks(name)), ("ou", blanks(f"d{name}"))], f"{name!r} is in {dn!r}"
        assert values["uid"] == values["cn"] == values["sn"] == [name]
        for path in ("userName", "displayName", f"{ENTERPRISE}:department"):
            asked = f"d{name}" if path.endswith("department") else name
            assert [u["id"] for u in placed.find(f"{path} eq {quoted(asked)}")] == [made.id], f"{path} eq {asked!r}"
        placed.post(person(name, **{ENTERPRISE: {"department": f"d{name}"}})).refused(409, "uniqueness")
        changes = [
            {"op": "replace", "path": "userName", "value": f"r{other}"},
            {"op": "replace", "path": f"{ENTERPRISE}:department", "value": f"e{other}"},
            {"op": "replace", "path": "active", "value": False},
        ]
        assert placed.patch(made.id, *changes).status in {200, 204}
        dn, values = only(server)
        assert dn[:2] == [("uid", blanks(f"r{other}")), ("ou", blanks(f"e{other}"))], f"{name!r} was renamed to {dn!r}"
        assert values["uid"] == [f"r{other}"]
        assert values["employeetype"] == ["disabled"]
        shown = placed.user(made.id)
        assert (shown["userName"], shown["active"]) == (f"r{other}", False), "with the id that it had"
        assert placed.delete(made.id).status == 204
        assert not server.search(PEOPLE, "(objectClass=inetOrgPerson)")


GROUP_KINDS = {"groupOfNames": "member", "groupOfUniqueNames": "uniquemember", "posixGroup": "memberuid"}


def uid(member: str) -> str | None:
    """Return whom a member of a group means; None for the placeholder."""
    return dict(names(member)).get("uid") if "=" in member else member


@pytest.mark.parametrize("kind", GROUP_KINDS)
def test_life_of_a_group(tmp_path: Path, server: LdapPrograms, kind: str) -> None:
    def stored(name: str) -> set[str]:
        for dn, values in server.search(GROUPS, f"(objectClass={kind})").items():
            if names(dn)[0] == ("cn", name):
                found = {v.decode() for v in values.get(GROUP_KINDS[kind], ())}
                return {dict(names(v))["uid"] for v in found if v.startswith("uid=")} | {
                    v for v in found if "=" not in v
                }
        raise AssertionError(f"there is no group {name!r}")

    with directory_host(tmp_path, server, group=kind) as made:
        client = made.client("people")
        one, two, three = (client.post(person(uid)).id for uid in ("one", "two", "three"))
        own = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Group"
        more: dict[str, Any] = {own: {"gidNumber": 77}} if kind == "posixGroup" else {}
        group = client.post({"displayName": "a, b+#\\", "members": [{"value": one}, {"value": two}], **more}, "/Groups")
        assert group.status == 201, group

        def change(*operations: Any) -> None:
            answer = client.patch(group.id, *operations, path="/Groups")
            assert answer.status in {200, 204}, answer

        assert stored("a, b+#\\") == {"one", "two"}
        change({"op": "add", "path": "members", "value": [{"value": three}, {"value": one}]})
        assert stored("a, b+#\\") == {"one", "two", "three"}, "one was a member already"
        change({"op": "remove", "path": f'members[value eq "{two}"]'})
        assert stored("a, b+#\\") == {"one", "three"}
        change({"op": "replace", "path": "displayName", "value": "renamed; (*)"})
        assert stored("renamed; (*)") == {"one", "three"}, "members stay with a renamed group"
        change({"op": "replace", "path": "members", "value": [{"value": two}]})
        assert stored("renamed; (*)") == {"two"}
        if kind != "posixGroup":
            assert client.patch(two, {"op": "replace", "path": "userName", "value": "zwei"}).status in {200, 204}
            assert stored("renamed; (*)") == {"zwei"}, "the reference follows a renamed person"
        change({"op": "remove", "path": "members"})
        assert stored("renamed; (*)") == set()
        shown = client.get(f"/Groups/{group.id}").json
        assert not shown.get("members"), "what stands for nobody is not shown"
        assert client("DELETE", f"/Groups/{group.id}").status == 204
        assert not server.search(GROUPS, f"(objectClass={kind})")


@pytest.mark.parametrize(
    ("fixture", "strategy"),
    [
        ("slapd", "accesslog"),
        ("slapd", "syncrepl"),
        ("plain_slapd", "modify_timestamp"),
        ("directory_389", "changelog"),
    ],
)
def test_others_change_what_scim_shows(
    tmp_path: Path, request: pytest.FixtureRequest, fixture: str, strategy: str
) -> None:
    """People and groups that others make, change, rename and delete, learned by each strategy."""
    server: LdapPrograms = request.getfixturevalue(fixture)
    server.remove_all()

    def entry(uid: str) -> str:
        values = {"objectClass": ["inetOrgPerson"], "uid": [uid], "cn": [uid], "sn": [uid]}
        return ldif(f"uid={escape(uid)},{PEOPLE}", {"changetype": ["add"], **values})

    def titles() -> dict[str, str]:
        """Return what ldapsearch shows: title by uid."""
        found = server.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid", "title"]).values()
        return {v["uid"][0].decode(): v.get("title", [b""])[0].decode() for v in found}

    def members() -> set[str]:
        (values,) = server.search(GROUPS, "(cn=staff)", ["member"]).values()
        return {name for member in values["member"] if (name := uid(member.decode())) is not None}

    with directory_host(tmp_path, server, settings=f'tls = "none"\ndelta = "{strategy}"') as made:
        client = made.client("people")

        def imported(kind: str) -> None:
            for _ in harness.scheduling.request_import(made.host, "people", kind=kind, requested_by="test"):
                done = harness.scheduling.execute_next(made.host)
                assert done is not None
                assert (done.state, done.kind) == ("done", kind), done

        def shown() -> dict[str, str]:
            return {u["userName"]: u.get("title", "") for u in client.get("/Users?count=100").resources}

        server.modify("".join(entry(f"p{n}") for n in range(6)))
        server.add(
            f"cn=staff,{GROUPS}", {"objectClass": ["groupOfNames"], "cn": ["staff"], "member": [f"uid=p1,{PEOPLE}"]}
        )
        imported("full")
        assert shown() == titles()
        ids = {u["userName"]: u["id"] for u in client.get("/Users?count=100").resources}
        server.modify(
            entry("new, one")
            + ldif(f"uid=p1,{PEOPLE}", {"changetype": ["modify"], "replace": ["title"], "title": ["changed"]})
            + ldif(f"uid=p2,{PEOPLE}", {"changetype": ["modrdn"], "newrdn": ["uid=p2 renamed"], "deleteoldrdn": ["1"]})
            + ldif(f"uid=p3,{PEOPLE}", {"changetype": ["delete"]})
            + ldif(f"cn=staff,{GROUPS}", {"changetype": ["modify"], "add": ["member"], "member": [f"uid=p4,{PEOPLE}"]})
        )
        imported("delta")
        expected = titles()
        if strategy == "modify_timestamp":
            assert shown() == {**expected, "p3": ""}, "it never learns of deletions; a full import does"
            imported("full")
        assert shown() == expected
        assert {u["userName"]: u["id"] for u in client.get("/Users?count=100").resources}["p2 renamed"] == ids["p2"]
        (group,) = client.get("/Groups").resources
        by_id = {u["id"]: u["userName"] for u in client.get("/Users?count=100").resources}
        assert {by_id[m["value"]] for m in group["members"]} == members() == {"p1", "p4"}
