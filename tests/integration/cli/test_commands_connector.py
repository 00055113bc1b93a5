"""Commands for connectors, in this process: what they refuse and how they say it."""

from __future__ import annotations

import json
import sqlite3
import stat
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from acceptance.shell import Shell
from isthmus.config import editing
from isthmus.config.loading import load
from isthmus.config.secrets import Secrets
from isthmus.store import Store

FATE = ("--disable", "Disabled=true", "--delete", "delete")


def test_init_twice_keeps_everything_and_adds_a_name_when_asked(shell: Shell) -> None:
    before = {path: path.read_bytes() for path in shell.folder.rglob("*") if path.is_file()}
    assert "made" not in shell.good("init").out
    assert {path: path.read_bytes() for path in before} == before
    assert stat.S_IMODE((shell.folder / "tls" / "server.key").stat().st_mode) == 0o600
    report = shell.good("init", "--san", "scim.example.com", "--json").json
    assert report["created"] == []
    assert "scim.example.com" in shell.good("tls", "show").out
    assert "--san" in shell.refused("init", "--san", "not a name")
    assert "--listen" in shell.refused("init", "elsewhere", "--listen", "nowhere")
    assert "--config elsewhere connector add" in shell.good("init", "elsewhere").out


def test_add_without_a_table_names_those_the_database_has(shell: Shell) -> None:
    complaint = shell.misused("connector", "add", "hr", "--url", shell.url, *FATE)
    assert "--table" in complaint
    assert "Employees, Groups, Guests, Machines" in complaint
    assert "Notes" not in complaint, "a table without a key cannot be chosen without more"
    typed = shell.refused("connector", "add", "hr", "--url", shell.url, "--table", "Employes", *FATE)
    assert "did you mean Employees?" in typed


def test_a_table_without_primary_key_needs_an_anchor(shell: Shell) -> None:
    add = ("connector", "add", "notes", "--url", shell.url, "--disable", "nothing", "--delete", "delete")
    assert "(--anchor COLUMN)" in shell.refused(*add, "--table", "Notes")
    assert "Subject, Text" in shell.refused(*add, "--table", "Notes", "--anchor", "Id")
    assert "--table" in shell.misused(*add, "--anchor", "Subject")
    shell.good(*add, "--table", "Notes", "--anchor", "Subject")
    assert "anchor Subject" in shell.good("connector", "schema", "notes").out


def test_groups_are_never_disabled_so_nobody_is_asked(shell: Shell) -> None:
    shell.good("connector", "add", "teams", "--url", shell.url, "--table", "Groups", "--delete", "delete")
    [published] = tomllib.loads((shell.folder / "connectors" / "teams.toml").read_text())["resource_types"]
    assert (published["endpoint"], "disable" in published) == ("Groups", False)
    assert "FAIL" not in shell.good("connector", "test", "teams").out


def test_add_refuses_names_types_and_settings_that_are_not_right(hr: Shell) -> None:
    rest = ("--url", hr.url, "--table", "Employees", *FATE)
    assert "already" in hr.refused("connector", "add", "HR", *rest)
    assert "letters" in hr.refused("connector", "add", "../x", *rest)
    assert "did you mean sql?" in hr.refused("connector", "add", "x", "--type", "sqll", *rest)
    assert "key=value" in hr.refused("connector", "add", "x", *rest, "--set", "tls")
    assert "settings.tlss: unknown setting; did you mean tls?" in hr.refused(
        "connector", "add", "x", *rest, "--set", "tlss=require"
    )
    assert "did you mean Email?" in hr.refused("connector", "add", "x", *rest, "--matching", "mail")
    assert [file.name for file in (hr.folder / "connectors").iterdir()] == ["hr.toml"]


def test_a_password_never_stands_on_the_command_line(shell: Shell) -> None:
    rest = ("--table", "Employees", *FATE)
    complaint = shell.refused("connector", "add", "hr", "--url", "postgresql://me:hunter2@127.0.0.1/hr", *rest)
    assert "--password" in complaint
    assert "hunter2" not in complaint
    plain = shell.refused("connector", "add", "hr", "--url", shell.url, *rest, "--set", "password=hunter2")
    assert "isthmus secret set hr.password" in plain
    assert "hunter2" not in plain


def test_a_password_is_forgotten_if_nothing_came_of_the_connector(shell: Shell) -> None:
    add = ("connector", "add", "hr", "--url", shell.url, "--table", "Employees", "--password", "--disable", "nothing")
    shell.refused(*add, "--delete", "wrong", stdin="hunter2\n")
    assert shell.good("secret", "list", "--json").json == []
    assert "empty" in shell.refused(*add, "--delete", "delete")
    ran = shell.good(*add, "--delete", "delete", stdin="hunter2\n")
    assert shell.good("secret", "list", "--json").json == ["hr.password"]
    assert "hunter2" not in ran.text + (shell.folder / "connectors" / "hr.toml").read_text()


def test_a_password_that_was_there_before_is_kept_if_nothing_came_of_the_connector(shell: Shell) -> None:
    shell.good("secret", "set", "hr.password", stdin="used elsewhere\n")
    add = ("connector", "add", "hr", "--url", shell.url, "--table", "Employees", "--password", "--disable", "nothing")
    shell.refused(*add, "--delete", "wrong", stdin="hunter2\n")
    kept = Secrets(load(shell.folder / "isthmus.toml"), key_file=shell.folder / "home" / ".config" / "isthmus" / "key")
    assert kept.resolve({"secret": "hr.password"}).reveal() == "used elsewhere"


def test_schema_and_rebuild_take_a_changed_anchor_over(hr: Shell) -> None:
    hr.good("run", "start", "hr")
    hr.sql(
        "ALTER TABLE Employees RENAME TO Old",
        """CREATE TABLE Employees (
        ContosoLogin TEXT, FirstName TEXT, LastName TEXT, Email TEXT PRIMARY KEY, Disabled BOOLEAN)""",
        "INSERT INTO Employees SELECT ContosoLogin, FirstName, LastName, Email, Disabled FROM Old",
    )
    complaint = hr.refused("connector", "schema", "hr", "--refresh")
    assert "isthmus connector rebuild" in complaint
    assert hr.run("connector", "test", "hr").code == 1
    assert complaint in hr.good("connector", "list").out
    assert "isthmus run start hr" in hr.good("connector", "rebuild", "hr").out
    assert hr.good("connector", "schema", "hr", "--json").json["object_types"]["Employees"]["anchor"] == ["Email"]
    held = hr.run("run", "start", "hr", "--json")
    assert (held.code, held.json[0]["state"]) == (1, "held"), "whoever had the old anchors would be removed"
    hr.good("run", "release", held.json[0]["id"])
    assert hr.good("run", "start", "hr", "--json").json[0]["objects"] == 60


def test_a_rebuild_that_cannot_ask_the_target_forgets_nothing(hr: Shell) -> None:
    """Without the schema no read could be answered until the target is back."""
    hr.good("run", "start", "hr")
    known = hr.good("connector", "schema", "hr", "--json").json
    hr.database.rename(hr.database.with_suffix(".away"))
    hr.refused("connector", "rebuild", "hr")
    assert hr.good("connector", "schema", "hr", "--json").json == known


def test_config_show_holds_references_never_values(hr: Shell) -> None:
    hr.good("secret", "set", "hr.password", stdin="hunter2\n")
    file = hr.folder / "connectors" / "hr.toml"
    file.write_text(file.read_text().replace("[settings]\n", '[settings]\npassword = { secret = "hr.password" }\n'))
    for arguments in (("config", "show", "hr"), ("connector", "show", "hr", "--json")):
        shown = hr.good(*arguments)
        assert json.loads(shown.out)["settings"]["password"] == {"secret": "hr.password"}
        assert "hunter2" not in shown.text
    assert "hunter2" not in hr.good("connector", "show", "hr").text
    assert hr.good("config", "show").json["scim"]["listen"] == "127.0.0.1:8585"


def test_add_never_guesses_what_disable_and_delete_mean(shell: Shell) -> None:
    add = ("connector", "add", "hr", "--url", shell.url, "--table", "Employees")
    complaint = shell.misused(*add)
    assert "--disable and --delete" in complaint
    assert "ATTRIBUTE may be: Disabled" in complaint
    assert "give --delete:" in shell.misused(*add, "--disable", "nothing")
    assert "give --disable:" in shell.misused(*add, "--delete", "delete")
    assert "did you mean Disabled?" in shell.refused(*add, "--disable", "Disabld=true", "--delete", "delete")
    assert "neither true nor false" in shell.refused(*add, "--disable", "Disabled=maybe", "--delete", "delete")
    assert "neither nothing, delete nor" in shell.refused(*add, "--disable", "nothing", "--delete", "drop")
    assert not (shell.folder / "connectors" / "hr.toml").exists()


def test_pause_and_resume_keep_the_comments_of_the_file(hr: Shell) -> None:
    file = hr.folder / "connectors" / "hr.toml"
    file.write_text(f"# mine\n{file.read_text()}")
    before = file.read_text()
    hr.good("connector", "pause", "HR")
    assert "paused" in hr.good("connector", "list").out
    assert "connector resume hr" in hr.refused("run", "start", "hr")
    hr.good("connector", "resume", "hr")
    assert file.read_text() == before
    names = [operation for operation, actor in hr.audited() if actor.startswith("operator ")]
    assert names == ["add connector", "pause connector", "resume connector"]


def test_pause_ends_imports_under_way(hr: Shell) -> None:
    with Store.open(hr.folder / "state") as store:
        running = store.runs.request("hr", "full", "people", "test")
        assert store.runs.claim() is not None
        queued = store.runs.request("hr", "full", "people", "test")
        hr.good("connector", "pause", "hr")
        states = [store.runs.get(run.id) for run in (running, queued)]
        assert [(run.state, run.cancel_requested) for run in states if run] == [("running", True), ("cancelled", True)]


def test_a_connector_that_cannot_be_removed_has_no_tokens_any_more(hr: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does one whose removal is killed in the midst: tokens must not open another connector of the same name."""

    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted", "hr.toml")

    hr.good("token", "create", "hr")
    with monkeypatch.context() as patch:
        patch.setattr(editing, "remove_connector", fail)
        assert "not permitted" in hr.refused("connector", "remove", "hr", "--yes")
    assert [token["state"] for token in hr.good("token", "list", "hr", "--json").json] == ["revoked"]
    hr.good("connector", "remove", "hr", "--yes")


def test_people_bring_their_groups_and_child_tables(shell: Shell, tmp_path: Path) -> None:
    database = tmp_path / "crowd.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("""
            CREATE TABLE people (
              id integer PRIMARY KEY, login text NOT NULL UNIQUE, boss integer REFERENCES people (id));
            CREATE TABLE groups (id integer PRIMARY KEY, name text NOT NULL);
            CREATE TABLE group_members (
              group_id integer NOT NULL REFERENCES groups (id), person_id integer NOT NULL REFERENCES people (id),
              PRIMARY KEY (group_id, person_id));
            CREATE TABLE emails (
              person_id integer NOT NULL REFERENCES people (id), address text NOT NULL,
              PRIMARY KEY (person_id, address));
            CREATE TABLE tools (id integer PRIMARY KEY, owner integer REFERENCES people (id));
            CREATE TABLE clubs (id integer PRIMARY KEY, name text NOT NULL);
            CREATE TABLE club_people (
              club integer NOT NULL REFERENCES clubs (id), person integer NOT NULL REFERENCES people (id),
              PRIMARY KEY (club, person));
        """)
    add = ("connector", "add", "crowd", "--url", f"sqlite:///{database}", "--disable", "nothing", "--delete", "delete")
    assert "the target has clubs, groups, people, tools" in shell.misused(*add)
    ran = shell.good(*add, "--table", "people")
    assert "not published: the groups in clubs" in ran.err
    assert "members <-> members" in ran.out
    document = tomllib.loads((shell.folder / "connectors" / "crowd.toml").read_text())
    assert document["settings"]["object_types"] == [
        {
            "name": "people",
            "reference_columns": [{"column": "boss", "object_type": "people"}],
            "child_tables": [{"attribute": "emails", "table": "emails"}],
        },
        {
            "name": "groups",
            "child_tables": [{"attribute": "members", "table": "group_members", "reference_to": "people"}],
        },
    ]
    users, groups = document["resource_types"]
    assert (users["endpoint"], groups["endpoint"]) == ("Users", "Groups")
    assert users["flows"]["manager"] == {"attribute": "boss"}
    assert set(users["attributes"]) == {"id", "login", "boss", "emails"}
    assert groups["flows"] == {"displayName": {"attribute": "name"}, "members": {"attribute": "members"}}
    assert groups["delete"] == {"action": "delete"}
    assert "FAIL" not in shell.good("connector", "test", "crowd").out
