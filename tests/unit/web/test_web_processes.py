"""What child processes are given and do first."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from isthmus.config.documents import Configuration, ConnectorDocument, HostDocument, LogSettings
from isthmus.config.listening import ListenAddress
from isthmus.config.loading import load
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.web import claim, logs
from isthmus.web.claim import Claim, claimant
from isthmus.web.errors import AddressInUse, AlreadyServing, CannotServe
from isthmus.web.logs import AccessLog
from isthmus.web.paths import parse
from isthmus.web.process import Task, TlsFiles, clear_header_variables, refuse_root
from isthmus.web.proxies import Networks
from isthmus.web.sockets import open_listener
from isthmus.web.supervisor import Supervisor, to_import
from ports import free_port


def test_a_task_is_the_configuration() -> None:
    configuration = Configuration(
        path=Path("/etc/isthmus/isthmus.toml"),
        host=HostDocument(public_url="https://x.example"),
        connectors={"hr": ConnectorDocument(type="sql", settings={"url": "sqlite://", "password": {"secret": "a"}})},
        names={"hr": "HR"},
    )
    task = Task.of(configuration, TlsFiles("/c", "/k"))
    received = msgspec.json.decode(task.encode(), type=Task)
    assert received == task
    assert received.configuration() == configuration


def test_header_variables_are_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "x")
    monkeypatch.setenv("http_proxy", "x")
    clear_header_variables()
    assert "HTTP_PROXY" not in os.environ
    assert "http_proxy" not in os.environ


def test_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(CannotServe, match="--allow-root"):
        refuse_root(allow_root=False)
    refuse_root(allow_root=True)


def test_one_claim_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert claimant(folder) is None
    with Claim(folder, scim="127.0.0.1:1", operations="127.0.0.1:2"):
        found = claimant(folder)
        assert found is not None
        assert found.pid == os.getpid()
        with pytest.raises(AlreadyServing), Claim(folder, scim="", operations=""):
            raise AssertionError("it was given twice")
    assert claimant(folder) is None


def test_who_only_asks_who_serves_does_not_count_as_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands ask several times a second while they wait for an import; a restart meets them now and then."""
    asking = (tmp_path / claim.FILE_NAME).open("w")
    with asking:
        fcntl.flock(asking, fcntl.LOCK_SH)

        def has_asked(_seconds: float) -> None:
            fcntl.flock(asking, fcntl.LOCK_UN)

        monkeypatch.setattr(claim, "time", SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=has_asked))
        with Claim(tmp_path, scim="127.0.0.1:1", operations="127.0.0.1:2"):
            assert claimant(tmp_path) is not None


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        with pytest.raises(AddressInUse, match=r"scim\.listen"):
            open_listener(ListenAddress("127.0.0.1", other.getsockname()[1]), purpose="scim.listen")


def test_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "scim.sock"
    first = open_listener(ListenAddress(path=str(path)), purpose="scim.listen")
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(AddressInUse):
        open_listener(ListenAddress(path=str(path)), purpose="scim.listen")
    first.close()  # as if its process had been killed: the file stays
    open_listener(ListenAddress(path=str(path)), purpose="scim.listen").close()
    path.unlink()
    path.write_text("mine")
    with pytest.raises(CannotServe, match="not a socket"):
        open_listener(ListenAddress(path=str(path)), purpose="scim.listen")
    assert path.read_text() == "mine"


def test_networks() -> None:
    networks = Networks(["10.0.0.0/8", "2001:db8::/32"])
    assert networks.contains("10.255.0.1")
    assert networks.contains("::ffff:10.0.0.1")
    assert networks.contains("2001:db8::1")
    assert not networks.contains("11.0.0.1")
    assert not networks.contains("not an address")


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [
        ("/ecma2host_a_b/scim/Users/x", "a_b", ("Users", "x")),
        ("/ecma2host_scim/scim", "scim", ()),
        ("/scim/ecma2host_x/scim", "ecma2host_x", ("scim",)),
    ],
)
def test_paths(path: str, name: str, rest: tuple[str, ...]) -> None:
    found = parse(path)
    assert found is not None
    assert (found.name, found.rest) == (name, rest)


@pytest.mark.parametrize("form", ["json", "console"])
def test_control_characters_forge_no_log_line(form: str) -> None:
    reading, writing = os.pipe()
    AccessLog(LogSettings(format=form), writing).write({"path": "a\nlevel=error \x1b[31m", "status": 404})  # type: ignore[arg-type]
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        written = stream.read()
    assert written.count(b"\n") == 1
    assert b"\x1b" not in written


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("acting", ["\x7f", "\x9b31m", "\x85", "\u2028", "\u202e", "\u2066", "\ud800"])
def test_nothing_in_a_log_line_acts_on_a_terminal(form: str, acting: str) -> None:
    reading, writing = os.pipe()
    settings = LogSettings(format=form)  # type: ignore[arg-type]
    AccessLog(settings, writing).write({"path": f"Zoë {acting}x", "status": 404})
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        written = stream.read()
    assert acting[0] not in written
    if form == "json":
        assert json.loads(written)["path"] == f"Zoë {acting}x"
    event = {"event": "x", "level": "info", "reason": f"Zoë {acting}x"}
    assert acting[0] not in (logs._json if form == "json" else logs._console)(None, "", event).decode()


def test_server_processes_do_without_rich() -> None:
    code = "import sys, isthmus.web.logs; sys.exit('rich' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    code = "import isthmus.web.logs, rich; rich.get_console"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


class Importing:
    """A child that imports until it is told that it has ended."""

    def __init__(self, connectors: list[str]) -> None:
        self.connectors = connectors
        self.code: int | None = None
        self.pid = 0

    def ended(self) -> int | None:
        return self.code

    def overdue(self) -> None:
        """Nobody has asked it to end."""

    def close(self) -> None:
        """Nothing was opened."""


def test_connectors_that_come_while_all_importers_work_are_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are put on their timers by the next one: nothing else would ever import them."""
    settings = tmp_path / "isthmus.toml"
    settings.write_text(
        f'[scim]\nlisten = "127.0.0.1:{free_port()}"\n[operations]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
    started: list[Importing] = []

    def start(_module: str, connectors: list[str]) -> Importing:
        started.append(Importing(connectors))
        return started[-1]

    supervisor = Supervisor(load(settings))
    try:
        monkeypatch.setattr(supervisor, "_child", start)
        supervisor._import("a", "b")
        supervisor._import()
        supervisor._import("c")
        supervisor._import("d", "c")
        assert [each.connectors for each in started] == [["a", "b"], []]
        supervisor._look_at_importers()
        assert len(started) == 2
        started[0].code = 0
        supervisor._look_at_importers()
        assert [each.connectors for each in started] == [["a", "b"], [], ["c", "d"]]
        for each in started:
            each.code = 0
        supervisor._look_at_importers()
        assert len(started) == 3
    finally:
        supervisor.close()


def test_what_a_reload_puts_on_timers_and_imports() -> None:
    """Also where connectors come, are resumed and are read otherwise in the same moment."""

    def configured(**connectors: ConnectorDocument) -> Configuration:
        names = {key: key.upper() for key in connectors}
        return Configuration(path=Path("isthmus.toml"), host=HostDocument(), connectors=connectors, names=names)

    definition = ResourceTypeDefinition(object_type="people", attributes=("login",))
    same, document = ConnectorDocument(type="sql"), ConnectorDocument(type="sql", paused=True)
    before = configured(a=same, b=document, c=same, d=same, e=same)
    now = configured(
        a=same,
        b=msgspec.structs.replace(document, paused=False),
        c=msgspec.structs.replace(same, autosync_minutes=5.0),
        d=msgspec.structs.replace(same, resource_types=(definition,)),
        f=same,
    )
    assert to_import(before, now) == ["B", "C", "D", "F"]
    assert to_import(now, now) == []
