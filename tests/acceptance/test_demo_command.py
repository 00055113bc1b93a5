"""`isthmus demo`, the whole of it: the real server, real requests over TLS, real rows."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from rich.console import Console

from acceptance.command import isthmus, processes_naming, start, wait_for
from isthmus.demo.client import ScimClient
from isthmus.demo.people import generate
from isthmus.demo.table import PeopleTable, parse_url
from isthmus.demo.walk import Walk
from isthmus.spi import Secret

STEPS = 9
Running = Callable[..., tuple[subprocess.Popen[bytes], Path]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Start a demo that stays up and wait until it serves; ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / "demo.log"
        process = start("demo", "--port", "0", *arguments, folder=tmp_path, log=log)
        started.append(process)
        wait_for(lambda: "four commands" in log.read_text() or process.poll() is not None, f"the demo serves ({log})")
        assert process.poll() is None, log.read_text()
        return process, log

    yield run
    for process in started:
        process.kill()
        process.wait()
    wait_for(lambda: not processes_naming(str(tmp_path)), "no process is left")


def test_the_walk_is_as_it_should_be(tmp_path: Path) -> None:
    ran = isthmus("demo", "--once", "--port", "0", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("✓") == STEPS
    assert "✗" not in ran.stdout
    assert "1,000 generated people" in ran.stdout
    with sqlite3.connect(tmp_path / "demo" / "hr.db") as connection:
        assert connection.execute("SELECT count(*) FROM Employees").fetchone() == (1001,)
    assert processes_naming(str(tmp_path)) == []
    assert {path.name for path in tmp_path.iterdir()} == {"demo"}, "the demo touches its own folder only"


def test_it_can_be_run_again_in_the_same_folder(tmp_path: Path) -> None:
    for _ in range(2):
        ran = isthmus("demo", "--once", "--port", "0", "--people", "20", folder=tmp_path)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_walk_that_differs_is_told_and_ends_with_1(tmp_path: Path, running: Running) -> None:
    _, log = running("--no-walk", "--people", "5", "--token", "a-token-for-the-test")
    port = int(re.findall(r"https://localhost:(\d+)/", log.read_text())[0])
    url = sa.URL.create("sqlite", database=str(tmp_path / "demo" / "hr.db"))
    with sqlite3.connect(tmp_path / "demo" / "hr.db") as connection:
        connection.execute(
            "CREATE TRIGGER meddling AFTER INSERT ON Employees"
            " BEGIN UPDATE Employees SET FirstName = 'Other' WHERE ContosoLogin = new.ContosoLogin; END"
        )
    table = PeopleTable(url)
    table.open("Employees")
    client = ScimClient(
        port=port,
        base_path="/ecma2host_hr/scim",
        token=Secret("a-token-for-the-test"),
        ca=tmp_path / "demo" / "tls" / "ca.crt",
    )
    with (tmp_path / "walk.txt").open("w") as stream:
        walk = Walk(Console(file=stream, width=200), client, table, base="", existing=generate(1)[0])
        walk.run()
    client.close()
    table.close()
    assert walk.differences == 2, "the created row, and the one added behind our back"
    assert "column FirstName is 'Other'" in (tmp_path / "walk.txt").read_text()


def test_ctrl_c_stops_everything_in_order(tmp_path: Path, running: Running) -> None:
    process, log = running("--people", "5")
    process.send_signal(signal.SIGINT)
    assert process.wait(45) == 0, log.read_text()
    assert processes_naming(str(tmp_path)) == []


def test_a_killed_demo_leaves_no_server_behind(tmp_path: Path, running: Running) -> None:
    process, _ = running("--no-walk", "--people", "5")
    process.kill()
    process.wait()
    wait_for(lambda: not processes_naming(str(tmp_path)), "the server ends with the demo", seconds=45)


def test_the_curl_commands_it_shows_work(tmp_path: Path, running: Running) -> None:
    _, log = running("--no-walk", "--people", "5")
    commands = re.findall(r"^  (curl .*)$", log.read_text(), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert " -k" not in command
        ran = subprocess.run(["bash", "-c", f"{command} --fail -sS"], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        assert ran.stdout


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_same_walk_against_a_server(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(kind)
    database = server.create_database()
    text = f"{kind}://{server.user}:{quote(server.password, safe='')}@{server.host}:{server.port}/{database}"
    engine = sa.create_engine(parse_url(text), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE isthmus_demo_employees (precious INTEGER)"))
        connection.execute(sa.text("INSERT INTO isthmus_demo_employees VALUES (42)"))
    ran = isthmus("demo", "--once", "--port", "0", "--database", text, folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("✓") == STEPS
    assert "isthmus_demo_employees_2" in ran.stdout, "the taken name is left alone"
    assert server.password not in ran.stdout + ran.stderr
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["isthmus_demo_employees"]
        assert connection.execute(sa.text("SELECT precious FROM isthmus_demo_employees")).scalar_one() == 42
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--database", "oracle://me:secret-word@127.0.0.1/x"), "--database takes"),
        (("--database", "postgresql://me:secret-word@127.0.0.1:1/x"), "cannot be opened"),
        (("--token", "short"), "at least 12 characters"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ran = isthmus("demo", "--once", "--port", "0", *arguments, folder=tmp_path)
    assert ran.returncode == 1
    assert message in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "secret-word" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("port", ["-1", "65534"])
def test_three_ports_must_be_there(port: str, tmp_path: Path) -> None:
    ran = isthmus("demo", "--once", "--port", port, folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--port" in ran.stderr
    assert not list(tmp_path.iterdir())
