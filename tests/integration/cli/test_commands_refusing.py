"""Commands called wrongly or in vain, in this process: one line, and the right exit code."""

from __future__ import annotations

import pytest

from acceptance.shell import Shell


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("conector",), "Did you mean 'connector'"),
        (("connector", "lst"), "Did you mean 'list'"),
        (("connector", "list", "--jsn"), "--json"),
        (("token", "create"), "Missing argument 'name'; see 'isthmus token create --help'"),
        (("token", "create", "hr", "--scope", "all"), "'read', 'write'"),
        (("token", "create", "hr", "--days", "nan"), "--days"),
        (("audit", "--since", "yesterday"), "2026-01-31T12:00"),
        (("audit", "--limit", "0"), "--limit"),
        (("run", "start", "hr", "--kind", "half"), "'full', 'delta'"),
        (("journal", "resolve", "x", "perhaps"), "'done', 'not-done'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_and_exit_code_2(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    complaint = shell.misused(*arguments)
    assert words in complaint
    assert "--help'" in complaint


def test_config_check_finds_a_secret_that_is_not_stored_and_an_exposed_key(hr: Shell) -> None:
    file = hr.folder / "connectors" / "hr.toml"
    file.write_text(file.read_text().replace("[settings]\n", '[settings]\npassword = { secret = "hr.pasword" }\n'))
    (hr.folder / "tls" / "server.key").chmod(0o644)
    ran = hr.run("config", "check")
    lines = ran.err.splitlines()
    assert ran.code == 1
    assert f"{file}:6: settings.password: no secret" in lines[0]
    assert f"chmod 600 {hr.folder / 'tls' / 'server.key'}" in lines[1]
    assert "no secret" in hr.refused("run", "start", "hr"), "not called a bug of the connector"


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ('attribute = "FirstName"', 'attribute = "FistName"', "has no attribute 'FistName'; did you mean 'FirstName'?"),
        ("userName =", "usrName =", "usrName is no attribute of a SCIM User; did you mean 'userName'?"),
        ("[type eq", "[typ eq", "emails has no sub-attribute typ"),
        ("matching = [", 'matching = ["Nobody", ', "has no attribute 'Nobody'"),
        ('url = "sqlite:', 'url = "postgresql://me:hunter2@db/hr#', "'url' holds a password"),
    ],
    ids=["attribute", "flow", "path", "matching", "url"],
)
def test_config_check_compares_a_connector_with_what_is_known_of_its_target(
    right: str, wrong: str, complaint: str, hr: Shell
) -> None:
    hr.good("connector", "schema", "hr", "--refresh")
    file = hr.folder / "connectors" / "hr.toml"
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    hr.database.rename(hr.folder / "away.db")  # what is known of it decides
    found = hr.refused("config", "check")
    assert found.startswith(f"{file}:"), found
    assert complaint in found
    assert "hunter2" not in found


def test_config_check_asks_whether_the_target_has_what_the_file_names_now(hr: Shell) -> None:
    hr.good("connector", "schema", "hr", "--refresh")
    hr.sql("ALTER TABLE Employees ADD COLUMN Floor TEXT")
    file = hr.folder / "connectors" / "hr.toml"
    text = file.read_text().replace("attributes = [", 'attributes = ["Floor", ', 1)
    text = text.replace("[[resource_types]]", '[[settings.object_types]]\nname = "Machines"\n\n[[resource_types]]', 1)
    text += """
[[resource_types]]
object_type = "Machines"
name = "Machine"
endpoint = "Machines"
attributes = ["Owner"]
delete = { action = "nothing" }
"""
    file.write_text(text)
    assert "good" in hr.good("config", "check").out


def test_config_check_makes_no_store(shell: Shell) -> None:
    assert "good" in shell.good("config", "check").out
    assert list((shell.folder / "state").iterdir()) == []


def test_an_unknown_connector_is_answered_with_the_nearest(hr: Shell) -> None:
    for arguments in (
        ("connector", "show", "hrr"),
        ("connector", "pause", "hrr"),
        ("connector", "remove", "hrr", "--yes"),
        ("token", "create", "hrr"),
        ("search", "hrr"),
        ("config", "show", "hrr"),
        ("audit", "--connector", "hrr"),
    ):
        assert "there is no connector hrr; did you mean hr?" in hr.refused(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "revoke", "x"),
        ("token", "rotate", "x"),
        ("secret", "remove", "x"),
        ("run", "cancel", "x"),
        ("run", "release", "x"),
        ("journal", "show", "x"),
        ("journal", "resolve", "x", "done"),
        ("guard", "show", "x"),
        ("guard", "release", "x"),
        ("guard", "cancel", "x"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_refused_with_exit_code_1(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert "'x'" in shell.refused(*arguments)


def test_what_a_target_holds_does_not_steer_the_terminal(hr: Shell) -> None:
    hr.sql("UPDATE Employees SET ContosoLogin = 'a' || char(27) || '[2Jb' WHERE ContosoLogin = 'login001'")
    hr.good("run", "start", "hr")
    shown = hr.good("search", "hr", 'userName sw "a"').out
    assert "\x1b" not in shown
    assert r"a\x1b[2Jb" in shown


def test_json_is_all_that_is_on_standard_output(hr: Shell) -> None:
    for arguments in (
        ("connector", "list"),
        ("connector", "show", "hr"),
        ("connector", "test", "hr"),
        ("connector", "schema", "hr"),
        ("run", "start", "hr"),
        ("run", "list"),
        ("search", "hr", 'userName eq "login001"'),
        ("journal", "list"),
        ("guard", "show"),
        ("token", "create", "hr"),
        ("token", "list"),
        ("tls", "show"),
        ("doctor",),
        ("audit",),
    ):
        ran = hr.good(*arguments, "--json")
        assert ran.json is not None
        assert ran.err == "", arguments


def test_a_typing_error_in_a_file_is_named_with_line_and_key(hr: Shell) -> None:
    file = hr.folder / "connectors" / "hr.toml"
    good = file.read_text()
    file.write_text(good.replace("matching =", "matchng ="))
    line = 1 + good.splitlines().index('matching = ["ContosoLogin"]')
    expected = f"{file}:{line}: resource_types[0].matchng: unknown key; did you mean matching?"
    assert hr.refused("connector", "list") == expected
    assert hr.refused("config", "check") == expected
    checked = hr.run("config", "check", "--json")
    assert (checked.code, checked.json) == (1, {"ok": False, "problems": [expected]})
    file.write_text("type = [\n")
    assert str(file) in hr.refused("doctor")
    file.write_text(good)
    assert "with 1 connector" in hr.good("config", "check").out
