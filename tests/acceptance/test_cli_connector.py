"""`isthmus init` and `isthmus connector ...` as a person and as a script use them."""

from __future__ import annotations

import tomllib

import pytest

from acceptance.shell import Shell
from connectors.servers.slapd import GROUPS, PEOPLE, SlapdServer

FATE = ("--disable", "Disabled=true", "--delete", "delete")


def test_add_asks_the_target_and_writes_a_file_to_edit(shell: Shell) -> None:
    ran = shell.good("connector", "add", "hr", "--url", shell.url, "--table", "Employees", *FATE)
    assert "note: not published, since they look like secrets: Password" in ran.err
    assert "userName <-> ContosoLogin" in ran.out
    document = tomllib.loads((shell.folder / "connectors" / "hr.toml").read_text())
    [published] = document["resource_types"]
    assert "Password" not in published["attributes"]
    assert published["matching"] == ["ContosoLogin"]
    assert published["disable"] == {"action": "set", "values": {"Disabled": True}}
    shown = shell.good("connector", "show", "hr").out
    assert "https://127.0.0.1:8585/ecma2host_hr/scim" in shown
    assert "set Disabled=yes" in shown
    assert "{" not in shown, "no notation of the program's own language"


def test_a_script_that_does_not_say_what_disable_and_delete_mean_is_refused(shell: Shell) -> None:
    complaint = shell.misused("connector", "add", "hr", "--url", shell.url, "--table", "Employees")
    assert "--disable and --delete" in complaint
    assert "ATTRIBUTE may be: Disabled" in complaint
    assert list((shell.folder / "connectors").iterdir()) == []


def test_at_a_terminal_what_is_missing_is_asked_for_until_it_is_right(shell: Shell) -> None:
    ran = shell.terminal(
        "connector",
        "add",
        answers=[
            ("Name of the connector", "h r\n"),
            ("Name of the connector", "hr\n"),
            ("URL, without", "postgresql://me:hunter2@db/hr\n"),
            ("URL, without", f"{shell.url}.nowhere\n"),
            ("URL, without", f"{shell.url}\n"),
            ("holds the people", "Employes\n"),
            ("holds the people", "Employees\n"),
            ("active=false do", "Disable=true\n"),
            ("active=false do", "Disabled=true\n"),
            ("DELETE do", "perhaps\n"),
            ("DELETE do", "delete\n"),
        ],
    )
    assert ran.code == 0, ran.out
    assert "leave the password out of the URL" in ran.out
    assert "hr.db.nowhere: there is no such file" in ran.out
    assert "did you mean Employees?" in ran.out
    assert "made" in ran.out
    assert "ATTRIBUTE may be: Disabled" in ran.out
    published = tomllib.loads((shell.folder / "connectors" / "hr.toml").read_text())["resource_types"][0]
    assert published["delete"] == {"action": "delete"}


def test_at_a_terminal_a_directory_is_asked_for_account_and_authority(shell: Shell, slapd: SlapdServer) -> None:
    pytest.importorskip("ldap", reason="python-ldap is not installed")
    slapd.remove_all()
    person = {"objectClass": ["inetOrgPerson"], "cn": ["Ann"], "sn": ["Archer"], "uid": ["ann"]}
    slapd.add(f"uid=ann,{PEOPLE}", person)
    slapd.add(f"cn=staff,{GROUPS}", {"objectClass": ["groupOfNames"], "cn": ["staff"], "member": [f"uid=ann,{PEOPLE}"]})
    ran = shell.terminal(
        "connector",
        "add",
        "people",
        answers=[
            ("URL, without", f"{slapd.url}\n"),
            ("DN of the connector's account", f"{slapd.user}\n"),
            ("Password of people", f"{slapd.password}\n"),
            ("PEM file of the authority", f"{slapd.ca}\n"),
            ("URL, without", "\n"),
            ("DN of the connector's account", "\n"),
            ("Password of people", "wrong\n"),
            ("URL, without", "\n"),
            ("DN of the connector's account", "\n"),
            ("Password of people", f"{slapd.password}\n"),
            ("entries that are people", "inetOrgPerson\n"),
            ("active=false do", "nothing\n"),
            ("DELETE do", "delete\n"),
        ],
    )
    assert ran.code == 0, ran.out
    assert "the directory refuses the log-in" in ran.out
    assert "1 of inetOrgPerson" in ran.out
    assert slapd.password not in ran.out
    document = tomllib.loads((shell.folder / "connectors" / "people.toml").read_text())
    assert list(document["settings"]) == ["url", "user", "password", "tls_ca", "object_types"]
    assert document["settings"]["password"] == {"secret": "people.password"}


def test_ctrl_c_at_a_question_changes_nothing(shell: Shell) -> None:
    ran = shell.terminal("connector", "add", "hr", answers=[("URL, without", "\x03")])
    assert ran.code != 0
    assert "Traceback" not in ran.out
    assert list((shell.folder / "connectors").iterdir()) == []


def test_remove_asks_first_and_ends_tokens_and_space(hr: Shell) -> None:
    hr.good("run", "start", "hr")
    hr.good("token", "create", "hr")
    assert "--yes" in hr.misused("connector", "remove", "hr")
    assert hr.terminal("connector", "remove", "hr", answers=[("[y/N]", "n\n")]).code == 1
    assert hr.good("connector", "list", "--json").json[0]["objects"] == 60
    hr.good("connector", "remove", "hr", "--yes")
    assert hr.good("connector", "list", "--json").json == []
    assert [token["state"] for token in hr.good("token", "list", "--json").json] == ["revoked"]
    assert hr.sql("SELECT count(*) FROM Employees") == [(60,)]
    assert "remove connector" in hr.good("audit", "--connector", "hr").out, "also of one that is gone"
