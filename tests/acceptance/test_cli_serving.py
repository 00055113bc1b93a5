"""Commands beside a running server and a real database server: progress, outages, passwords."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.command import PROGRAM, wait_for
from acceptance.shell import Shell
from connectors.servers.postgresql import PostgresServer
from serving import Served

FATE = ("--disable", "Disabled=true", "--delete", "delete")


class Beside(Shell):
    """A shell on the configuration that a server serves."""

    def __init__(self, served: Served) -> None:
        super().__init__(served.configuration)
        self.served = served
        home = served.folder / "home"
        self.environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


@pytest.fixture
def beside(postgresql: PostgresServer, tmp_path: Path) -> Iterator[Beside]:
    """Give a running server on an empty configuration, and a database with 3,000 people."""
    served = Served(tmp_path / "served", connectors={})
    shell = Beside(served)
    name = postgresql.create_database()
    shell.server_url = f"postgresql://{postgresql.user}@{postgresql.host}:{postgresql.port}/{name}"  # type: ignore[attr-defined]
    with postgresql.connect(name, administrator=False) as connection:
        connection.execute(
            'CREATE TABLE people (login text PRIMARY KEY, "Given Name" text NOT NULL, mail text, "Disabled" boolean)'
        )
        connection.execute(
            "INSERT INTO people SELECT 'login' || i, 'First', 'm' || i || '@example.com', false "
            "FROM generate_series(1, 3000) i"
        )
    try:
        yield shell
    finally:
        served.close()


def test_from_a_database_server_to_a_running_host(beside: Beside, postgresql: PostgresServer) -> None:
    url = beside.server_url  # type: ignore[attr-defined]
    add = ("connector", "add", "hr", "--url", url, "--table", "people", *FATE)
    refused = beside.refused(*add, "--password", stdin="wrong password\n")
    assert "wrong password" not in refused
    assert re.search(r"refuses|authentication", refused), refused
    assert beside.good("secret", "list", "--json").json == []

    ran = beside.terminal(*add, answers=[("(empty: none): ", f"{postgresql.password}\n")])
    assert ran.code == 0, ran.out
    assert postgresql.password not in ran.out, "nothing is echoed"
    assert beside.good("secret", "list", "--json").json == ["hr.password"]
    assert postgresql.password not in (beside.folder / "connectors" / "hr.toml").read_text()

    beside.good("token", "create", "hr")
    beside.served.start()
    ran = beside.good("run", "start", "hr")
    assert "done: 3000 objects" in ran.out
    assert ran.err == "", "a bar only where somebody watches"
    [newest, *_] = beside.good("run", "list", "hr", "--json").json
    assert newest["state"] == "done"
    # the server's own first import may have read everything before; either way the people are there
    assert beside.good("connector", "list", "--json").json[0]["objects"] == 3000
    assert beside.good("search", "hr", 'userName eq "login42"').out.endswith("1 of 1\n")

    checks = {one["check"]: one["state"] for one in beside.good("doctor", "--json").json}
    assert set(checks.values()) == {"ok"}, checks
    assert {"SCIM listener", "operations listener", "hr: token"} <= checks.keys()

    assert "already works on" in beside.refused("serve", "--allow-root")

    postgresql.stop()
    try:
        assert beside.run("connector", "test", "hr").code == 1
        failing = {one["check"]: one for one in beside.run("doctor", "--json").json if one["state"] == "failure"}
        assert list(failing) == ["hr: target"]
        assert "cannot be reached" in failing["hr: target"]["message"]
        assert beside.good("search", "hr", 'userName eq "login42"').out.endswith("1 of 1\n"), "reads go on"
        assert "cannot be reached" in beside.refused("search", "hr", 'userName eq "nobody"')
        failed = beside.run("run", "start", "hr")
        assert failed.code == 1
        assert "cannot be reached" in failed.text
    finally:
        postgresql.start()


def test_a_pause_and_a_revoked_token_reach_the_running_server(hr: Shell, tmp_path: Path) -> None:
    document = (hr.folder / "connectors" / "hr.toml").read_text()
    served = Served(tmp_path / "served", connectors={"hr": document})
    try:
        served.start()
        client = served.client()
        assert client.request("GET", "/Users?count=1").status == 200
        served.run("connector", "pause", "hr")
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "new"}
        wait_for(lambda: "paused" in client.request("POST", "/Users", body).text.decode(), "writes are refused")
        assert client.request("GET", "/Users?count=1").status == 200
        served.run("connector", "resume", "hr")
        wait_for(lambda: client.request("POST", "/Users", body).status == 400, "FirstName is missing, and judged again")
        [token] = json.loads(served.run("token", "list", "--json"))
        served.run("token", "revoke", token["id"])
        wait_for(lambda: client.request("GET", "/Users?count=1").status == 401, "the token ends")
        client.close()
    finally:
        served.close()


def test_a_terminal_shows_objects_rate_and_time_left(hr: Shell) -> None:
    hr.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO Employees "
        "(ContosoLogin, FirstName, LastName) SELECT 'more' || i, 'First', 'Last' FROM n"
    )
    hr.good("run", "start", "hr")
    shown = hr.terminal("run", "start", "hr").out
    assert "import hr" in shown
    assert re.search(r"\d+/30060", shown), shown
    assert re.search(r"[\d,]+/s", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)
    assert shown.rstrip().endswith("done: 30060 objects, 0 changed, 0 removed")


def test_ctrl_c_cancels_an_import_that_this_command_carries_out(hr: Shell) -> None:
    hr.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO Employees "
        "(ContosoLogin, FirstName, LastName) SELECT 'more' || i, 'First', 'Last' FROM n"
    )
    ran = hr.terminal("run", "start", "hr", interrupted_at="/s")
    assert ran.code == 1
    assert "cancelled: " in ran.out
    assert "interrupted by operator" in ran.out
    assert "Traceback" not in ran.out
    assert hr.good("run", "list", "--json").json[0]["state"] == "cancelled"
    assert "done" in hr.good("run", "start", "hr").out, "and the next one is not in its way"


def test_a_command_that_is_killed_leaves_a_run_that_the_next_one_ends(hr: Shell) -> None:
    hr.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO Employees "
        "(ContosoLogin, FirstName, LastName) SELECT 'more' || i, 'First', 'Last' FROM n"
    )
    process = subprocess.Popen(
        [str(PROGRAM), "run", "start", "hr"],
        cwd=hr.folder,
        env=hr.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    state = hr.folder / "state" / "isthmus.db"
    deadline = time.monotonic() + 30
    while running(state) != "running":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert "done: 60060 objects" in hr.good("run", "start", "hr").out
    assert [run["state"] for run in hr.good("run", "list", "--json").json] == ["done", "failed"]


def running(database: Path) -> str:
    import sqlite3
    from contextlib import closing

    if not database.exists():
        return ""
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        row = connection.execute("SELECT state FROM runs ORDER BY queued DESC LIMIT 1").fetchone()
    return "" if row is None else str(row[0])
