"""A watched directory over SCIM: what another client changes by ldapmodify is shown at once, whatever breaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, LdapPrograms, SlapdServer, Variant, ldif
from connectors.test_ldap_deltas import CHANGES, change, delete, others_write, person, rename, unit
from connectors.test_ldap_scim import document
from harness import OWN, until
from serving import Served
from watching import WatchingHost

NOW = 30.0
"""Seconds at the very most; what is promised is one, on a machine that does nothing else."""


class Watching(WatchingHost):
    """A host that watches the connector `people`."""

    def __init__(self, made: harness.Bench) -> None:
        super().__init__(made)
        self.client = made.client("people")

    def states(self) -> set[str]:
        return {run.state for run in self.bench.host.store.runs.watches()}

    def begun(self) -> None:
        until(lambda: self.states() == {"watching"} and len(self.bench.host.store.runs.watches()) == 2, timeout=30)

    def name_of(self, uid: str) -> str | None:
        """Return what the space has, without asking the directory."""
        found = [each for each in self.listed("Users") if each["userName"] == uid]
        return found[0]["name"]["familyName"] if found else None

    def listed(self, what: str) -> list[Any]:
        return self.client.get(f"/{what}?count=1000").resources

    def names(self) -> list[str]:
        return sorted(each[OWN]["-dn-"] for each in self.listed("Users"))


def there(server: LdapPrograms) -> list[str]:
    found = server.search(PEOPLE, "(objectClass=inetOrgPerson)", ["1.1"])
    return sorted(dn.lower() for dn in found)


@contextmanager
def hosted(tmp_path: Path, server: LdapPrograms, more: str = "") -> Iterator[harness.Bench]:
    folder = tmp_path / "isthmus"
    (folder / "secrets").mkdir(parents=True)
    secret = folder / "secrets" / "directory"
    secret.touch(0o600)
    secret.write_text(server.password)
    os.environ.pop("ISTHMUS_KEY_FILE", None)
    text = document(server, secret).replace(
        'tls = "none"', f'tls = "none"\nping_after = 1.0\nconnect_timeout = 1.0\n{more}', 1
    )
    with harness.bench(tmp_path, {"people": text}) as made:
        yield made


@contextmanager
def watching(tmp_path: Path, server: LdapPrograms, more: str = "") -> Iterator[Watching]:
    with hosted(tmp_path, server, more) as made:
        found = Watching(made)
        try:
            yield found
        finally:
            found.stop()


@pytest.fixture
def host(tmp_path: Path, slapd: SlapdServer) -> Iterator[Watching]:
    slapd.remove_all()
    with watching(tmp_path, slapd) as found:
        found.begun()
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[SlapdServer, Watching]]:
    """A server of its own, to be stopped and killed."""
    server = slapd_server(Variant(syncprov=True))
    try:
        server.start()
        with watching(tmp_path, server) as found:
            found.begun()
            yield server, found
    finally:
        server.remove()


def test_what_another_client_changes_is_shown_at_once(host: Watching, slapd: SlapdServer) -> None:
    slapd.modify(person("ann"))
    until(lambda: host.name_of("ann"), timeout=NOW)
    runs = host.bench.host.store.runs
    before = [run.id for run in runs.list(connector="people")]
    for turn in range(5):
        slapd.modify(change(f"uid=ann,{PEOPLE}", "sn", f"Turn {turn}"))
        until(lambda turn=turn: host.name_of("ann") == f"Turn {turn}", timeout=NOW)
    assert [run.id for run in runs.list(connector="people")] == before, "the watch told it, and no import"
    slapd.modify(rename(f"uid=ann,{PEOPLE}", "uid=anna"))
    until(lambda: host.names() == [f"uid=anna,{PEOPLE}"], timeout=NOW)
    slapd.modify(unit("other") + rename(f"uid=anna,{PEOPLE}", "uid=anna", f"ou=other,{PEOPLE}"))
    until(lambda: host.names() == [f"uid=anna,ou=other,{PEOPLE}"], timeout=NOW)
    slapd.modify(delete(f"uid=anna,ou=other,{PEOPLE}"))
    until(lambda: host.names() == [], timeout=NOW)


def test_a_renamed_container(host: Watching, slapd: SlapdServer) -> None:
    """The server tells of the container only; its entries have other names, or are not where we look any more."""
    slapd.modify(unit("left") + person("eve", f"ou=left,{PEOPLE}") + person("bob"))
    until(lambda: host.names() == there(slapd) and len(host.names()) == 2, timeout=NOW)
    slapd.modify(rename(f"ou=left,{PEOPLE}", "ou=west"))
    until(lambda: f"uid=eve,ou=west,{PEOPLE}" in host.names(), timeout=NOW)
    slapd.modify(rename(f"ou=west,{PEOPLE}", "ou=west", SUFFIX))
    until(lambda: host.names() == [f"uid=bob,{PEOPLE}"], timeout=NOW)
    slapd.modify(rename(f"uid=eve,ou=west,{SUFFIX}", "uid=eve", PEOPLE) + delete(f"ou=west,{SUFFIX}"))
    until(lambda: host.names() == there(slapd) and len(host.names()) == 2, timeout=NOW)


def test_members_of_a_group_are_shown_at_once(host: Watching, slapd: SlapdServer) -> None:
    """Many changes of one group are read together, as often as it takes."""
    slapd.modify("".join(person(f"p{number}") for number in range(60)))
    group = f"cn=all,{GROUPS}"
    slapd.add(group, {"objectClass": ["groupOfNames"], "cn": ["all"], "member": [f"uid=p0,{PEOPLE}"]})
    until(lambda: len(host.listed("Users")) == 60 and host.listed("Groups"), timeout=NOW)
    slapd.modify(
        "".join(
            ldif(group, {"changetype": ["modify"], "add": ["member"], "member": [f"uid=p{number},{PEOPLE}"]})
            for number in range(1, 60)
        )
    )
    until(lambda: len(host.listed("Groups")[0].get("members", ())) == 60, timeout=NOW)


def test_writes_of_ours_while_others_write(host: Watching, slapd: SlapdServer) -> None:
    """Creates and changes from both sides; at the end the space is the directory, and nobody is there twice."""
    failures: list[BaseException] = []

    def run(action: Callable[[int], None]) -> threading.Thread:
        def each() -> None:
            try:
                for turn in range(40):
                    action(turn)
            except BaseException as exc:
                failures.append(exc)

        thread = threading.Thread(target=each)
        thread.start()
        return thread

    slapd.modify(person("both"))
    until(lambda: host.name_of("both"), timeout=NOW)
    (both,) = host.client.named("both")

    def ours(turn: int) -> None:
        made = host.client.post({"userName": f"o{turn}", "displayName": "o", "name": {"familyName": f"{turn}"}})
        assert made.status == 201, made
        if turn % 3 == 0:
            assert host.client.delete(made.id).status == 204
        answer = host.client.patch(both["id"], {"op": "replace", "path": "displayName", "value": f"ours {turn}"})
        assert answer.status == 200, answer

    def theirs(turn: int) -> None:
        slapd.modify(person(f"t{turn}") + change(f"uid=both,{PEOPLE}", "cn", f"theirs {turn}"))

    for thread in [run(ours), run(theirs)]:
        thread.join()
    assert not failures

    def equal() -> bool:
        found = slapd.search(PEOPLE, "(uid=both)", ["cn"])
        (values,) = found.values()
        name = host.client.user(both["id"])["displayName"]
        return host.names() == there(slapd) and name == values["cn"][0].decode()

    until(equal, timeout=NOW)


def test_slapd_is_killed_and_started_again(own: tuple[SlapdServer, Watching]) -> None:
    server, host = own
    server.modify(person("before") + person("gone"))
    until(lambda: host.name_of("gone"), timeout=NOW)
    server.kill()
    until(lambda: host.states() == {"waiting"}, timeout=NOW)
    server.start()
    server.modify(person("after") + delete(f"uid=gone,{PEOPLE}"))
    until(lambda: host.states() == {"watching"}, timeout=60)
    until(lambda: host.names() == there(server), timeout=NOW)
    server.modify(person("later"))
    until(lambda: host.name_of("later"), timeout=NOW)


def test_slapd_hangs(own: tuple[SlapdServer, Watching]) -> None:
    """A connection that is silent is tried; one that does not answer is given up."""
    server, host = own
    server.pause()
    try:
        until(lambda: host.states() == {"waiting"}, timeout=30)
    finally:
        server.resume()
    until(lambda: host.states() == {"watching"}, timeout=60)
    server.modify(person("after"))
    until(lambda: host.name_of("after"), timeout=NOW)


def test_a_server_that_cannot_be_watched(tmp_path: Path, plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    with watching(tmp_path, plain_slapd) as host:
        runs = host.bench.host.store.runs
        until(lambda: len(runs.watches()) == 2 and all(run.message for run in runs.watches()), timeout=NOW)
        for run in runs.watches():
            assert run.state == "waiting"
            assert "does not offer content synchronisation" in run.message
            assert "imports by timer go on" in run.message


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
import harness
from connectors.test_ldap_watching import Watching
host = Watching(harness.Bench(Path({folder!r})))
print("ready", flush=True)
sys.stdin.read()
host.stop()
"""


def test_a_killed_process_is_taken_over_from(tmp_path: Path, slapd: SlapdServer) -> None:
    slapd.remove_all()
    with hosted(tmp_path, slapd) as made:
        tests = str(Path(__file__).parent.parent)
        script = CHILD.format(tests=tests, folder=str(made.folder))
        child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            runs = made.host.store.runs
            until(lambda: [run.state for run in runs.watches()] == ["watching"] * 2, timeout=60)
            first = {run.owner for run in runs.watches()}
            host = Watching(made)
            try:
                slapd.modify(person("one"))
                until(lambda: host.name_of("one"), timeout=NOW)
                assert {run.owner for run in runs.watches()} == first, "only one process watches"
                child.send_signal(signal.SIGKILL)
                child.wait(10)
                until(lambda: [run.state for run in runs.watches()] == ["watching"] * 2, timeout=30)
                assert {run.owner for run in runs.watches()} == {made.host.store.owner}
                slapd.modify(person("two") + delete(f"uid=one,{PEOPLE}"))
                until(lambda: host.names() == there(slapd) == [f"uid=two,{PEOPLE}"], timeout=NOW)
            finally:
                host.stop()
        finally:
            child.kill()
            child.wait(10)
            child.stdout.close()
            assert child.stdin is not None
            child.stdin.close()


def test_a_watch_while_others_write(host: Watching, slapd: SlapdServer) -> None:
    """Thousands of changes by four other clients; a moment later the space is the directory."""
    slapd.modify("".join(person(f"p{number}") for number in range(100)))
    until(lambda: len(host.names()) == 100, timeout=NOW)
    with others_write(slapd, CHANGES // (4 * 4)):
        pass

    def equal() -> bool:
        users = [each for start in range(1, 100_000, 1000) for each in page(start)]
        shown = {each[OWN]["-dn-"]: each["name"]["familyName"] for each in users}
        return shown == stored

    def page(start: int) -> list[Any]:
        return host.client.get(f"/Users?startIndex={start}&count=1000").resources if start <= len(stored) + 999 else []

    found = slapd.search(PEOPLE, "(objectClass=inetOrgPerson)", ["sn"])
    stored = {dn.lower(): values["sn"][0].decode() for dn, values in found.items()}
    until(equal, timeout=30)
    assert not [run for run in host.bench.host.store.runs.list(connector="people") if run.kind == "full"]


@pytest.mark.slow
def test_a_served_host_watches(tmp_path: Path, slapd: SlapdServer) -> None:
    """The installed program: changes are seen, commands and metrics tell of the watch, a killed process is replaced."""
    slapd.remove_all()
    secret = tmp_path / "isthmus" / "secrets" / "directory"
    served = Served(tmp_path, connectors={"people": document(slapd, secret)})
    secret.parent.mkdir(exist_ok=True)
    secret.touch(0o600)
    secret.write_text(slapd.password)

    def watched() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{served.operations_port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return False
        scopes = ("inetOrgPerson", "groupOfNames")
        return all(f'isthmus_watching{{connector="people",scope="{scope}"}} 1.0' in text for scope in scopes)

    def watches() -> list[Any]:
        return [run for run in served.json("run", "list") if run["kind"] == "watch"]

    try:
        served.start()
        client = served.client("people")

        def names() -> list[str]:
            return sorted(each["userName"] for each in client.request("GET", "/Users?count=100").json["Resources"])

        until(watched, timeout=30)
        slapd.modify(person("ann"))
        until(lambda: names() == ["ann"], timeout=NOW)
        assert set(served.json("connector", "show", "people")["watches"]) == {"inetOrgPerson", "groupOfNames"}
        before = {run["owner"] for run in watches()}
        kinds = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in served.tree()}
        (operations,) = [pid for pid, line in kinds.items() if b"operations_server" in line]
        os.kill(operations, signal.SIGKILL)
        slapd.modify(person("bob") + delete(f"uid=ann,{PEOPLE}"))
        until(lambda: names() == ["bob"], timeout=30)
        # each scope is taken over by itself: the other may still stand as the killed process left it
        until(lambda: before.isdisjoint(run["owner"] for run in watches() if run["state"] == "watching"), timeout=30)
        until(watched, timeout=30)
        client.close()
        assert served.stop() == 0
        assert {run["state"] for run in watches()} == {"done", "failed"}
    finally:
        served.close()
