"""What a directory can do to the host: 503 or the right error in time, recovery by itself, nothing lost or doubled.

What is there at the end is counted by `ldapsearch`.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.certificates import write_certificates
from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import PEOPLE, SlapdServer, Variant, ldif
from directories import directory_host
from harness import Answer, Bench, Client
from isthmus.connectors.ldap import connector_type

WAIT = 1.0
"""`operation_timeout` and `connect_timeout` of the connector; an answer must not take much longer."""
LIMITS = f"operation_timeout = {WAIT}\nconnect_timeout = {WAIT}\n"
CLEAR = 'tls = "none"\n' + LIMITS


@pytest.fixture
def server() -> Iterator[SlapdServer]:
    """Give a server of the test's own, which it may harm."""
    made = slapd_server(Variant(accesslog=True))
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def host(tmp_path: Path, server: SlapdServer) -> Iterator[Bench]:
    with directory_host(tmp_path, server, settings=CLEAR) as made:
        made.client("people").created("first", name={"familyName": "first"}, displayName="first")
        yield made


def person(uid: str) -> dict[str, Any]:
    return {"userName": uid, "displayName": uid, "name": {"familyName": uid}}


def entry(uid: str) -> str:
    """Return a person as somebody else adds it."""
    values = {"objectClass": ["inetOrgPerson"], "uid": [uid], "cn": [uid], "sn": [uid]}
    return ldif(f"uid={uid},{PEOPLE}", {"changetype": ["add"], **values})


def stored(server: SlapdServer) -> list[str]:
    found = server.search(PEOPLE, "(objectClass=inetOrgPerson)", ["uid"])
    return sorted(values["uid"][0].decode() for values in found.values())


def everyone(client: Client) -> list[str]:
    return sorted(user["userName"] for user in client.get("/Users?count=1000").resources)


def refused(act: Any) -> str:
    """Check that the answer is "later", and comes in time."""
    began = time.monotonic()
    answer: Answer = act()
    assert time.monotonic() - began < 2 * WAIT + 8
    return answer.refused(503)


@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_a_server_that_does_not_answer(host: Bench, server: SlapdServer, how: str) -> None:
    client = host.client("people")
    settle_at_once(host)
    (first,) = client.get("/Users").resources
    server.stop() if how == "stopped" else server.pause()
    try:
        refused(lambda: client.get("/Users?filter=userName%20eq%20%22nobody%22"))
        refused(lambda: client.post(person("new")))
        refused(lambda: client.patch(first["id"], {"op": "replace", "path": "title", "value": "x"}))
        assert client.user(first["id"])["userName"] == "first", "the space answers"
        assert everyone(client) == ["first"]
    finally:
        server.start() if how == "stopped" else server.resume()
    assert harness.until(lambda: client.post(person("new")).status in {201, 409}, timeout=20)
    assert client.patch(first["id"], {"op": "replace", "path": "title", "value": "y"}).status in {200, 204}
    assert stored(server) == everyone(client) == ["first", "new"]


def settle_at_once(host: Bench) -> None:
    """Let repair read at once: these servers were killed or went on, so that no write is under way in them any more."""
    target = host.host.target("people")
    target.__dict__["type"] = dataclasses.replace(connector_type, settle_seconds=0.5)


def test_killed_in_a_stream_of_creates(host: Bench, server: SlapdServer) -> None:
    """Clients that try again until it succeeds: each person is there once."""
    settle_at_once(host)
    answers: dict[str, list[int]] = {}
    begun = threading.Event()
    names = [f"w{number}" for number in range(240)]
    deadline = time.monotonic() + 60

    def send(mine: list[str]) -> None:
        client = host.client("people")
        for name in mine:
            got = answers.setdefault(name, [])
            while not got or got[-1] not in {201, 409}:
                assert time.monotonic() < deadline, f"{name}: {got}"
                got.append(client.post(person(name)).status)
            if len(answers) > 40:
                begun.set()

    failures: list[BaseException] = []

    def caught(mine: list[str]) -> None:
        try:
            send(mine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=caught, args=(names[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert begun.wait(30)
        server.kill()
        server.start()
        begun.clear()
    for thread in threads:
        thread.join(70)
    assert not failures
    assert any(503 in got for got in answers.values()), "nobody met the killed server"
    assert all(set(got) <= {201, 409, 503} for got in answers.values())
    # A create whose answer was lost ends as 409 (it is there) or 201 (it was not): never as two entries.
    assert stored(server) == sorted(["first", *names]) == everyone(host.client("people"))
    assert not host.unfinished()


def test_an_empty_database_removes_nobody(host: Bench, server: SlapdServer) -> None:
    client = host.client("people")
    for name in ("a", "b"):
        client.created(name, displayName=name, name={"familyName": name})
    server.stop()
    server.wipe()
    server.start()
    assert _import_of(host, "inetOrgPerson").state == "held", "an operator decides"
    assert everyone(client) == ["a", "b", "first"]


def test_a_replaced_certificate(tmp_path: Path, server: SlapdServer) -> None:
    trusted = server.folder / "trusted.pem"
    shutil.copy(server.ca, trusted)
    server.ca = str(trusted)
    with directory_host(tmp_path, server, settings='tls = "starttls"\n' + LIMITS) as host:
        client = host.client("people")
        client.created("first", displayName="x", name={"familyName": "x"})
        server.stop()
        write_certificates(server.folder)
        server.start()
        assert "certificate" in refused(lambda: client.post(person("new")))
        assert "certificate" in (host.host.target("people").attention.reason or ""), "an operator is told"
        shutil.copy(server.folder / "ca.pem", trusted)
        assert client.post(person("new")).status == 201, "without a restart"
        assert stored(server) == everyone(client) == ["first", "new"]


def test_a_changed_password(host: Bench, server: SlapdServer) -> None:
    client = host.client("people")
    change = {"changetype": ["modify"], "replace": ["userPassword"], "userPassword": ["another"]}
    server.modify(ldif(server.user, change))
    server.stop()
    server.start()
    said = refused(lambda: client.post(person("new")))
    assert server.password not in said
    assert everyone(client) == ["first"]
    server.modify(ldif(server.user, {**change, "userPassword": [server.password]}))
    assert client.post(person("new")).status == 201, "without a restart"
    assert stored(server) == everyone(client) == ["first", "new"]


def test_an_administrative_limit(tmp_path: Path) -> None:
    """An import that a limit ends is a failed one; nobody is removed by it."""
    server = slapd_server(Variant(size_limit="size.soft=20 size.hard=20 size.prtotal=20"))
    try:
        server.start()
        with directory_host(tmp_path, server, settings=CLEAR) as host:
            client = host.client("people")
            for number in range(15):
                client.created(f"p{number}", displayName="x", name={"familyName": "x"})
            server.modify("".join(entry(f"q{number}") for number in range(15)))
            before = everyone(client)
            done = _import_of(host, "inetOrgPerson")
            assert done.state == "failed"
            assert "limit" in done.message
            assert set(before) <= set(everyone(client))
            assert client.post(person("new")).status == 201, "a limit of searches is none of writes"
    finally:
        server.remove()


def _import_of(host: Bench, scope: str) -> Any:
    requested = harness.scheduling.request_import(host.host, "people", kind="full", requested_by="test")
    found = [harness.scheduling.execute_next(host.host) for _ in requested]
    return next(run for run in found if run is not None and run.scope == scope)


def test_a_read_only_replica(tmp_path: Path, server: SlapdServer) -> None:
    """Writes are refused with the way out in the text, or go to the writable server if the settings name it."""
    server.modify(entry("first"))
    replica = slapd_server(Variant(referral=server.url))
    try:
        replica.load(server)
        replica.start(filled=False)
        with directory_host(tmp_path / "alone", replica, settings=CLEAR) as host:
            client = host.client("people")
            assert len(client.named("first")) == 1
            assert "follow_referrals" in refused(lambda: client.post(person("new")))
        both = f'{CLEAR}follow_referrals = true\nother_urls = ["{server.url}"]\n'
        with directory_host(tmp_path / "both", replica, settings=both) as host:
            assert host.client("people").post(person("new")).status == 201
        assert stored(server) == ["first", "new"]
        assert stored(replica) == ["first"]
    finally:
        replica.remove()
