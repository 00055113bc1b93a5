"""What the directory and the way to it can do to us: stopped, hanging, killed, emptied, replaced, limited."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.certificates import write_certificates
from connectors.servers.directory389 import Directory389
from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import GROUPS, PEOPLE, SUFFIX, SlapdServer, Variant, ldif
from isthmus.connectors.ldap import LdapObjectType, LdapSettings, connector_type
from isthmus.spi import (
    AttributeChange,
    Call,
    ConnectorError,
    ConnectorObject,
    MisconfiguredConnector,
    Reference,
    Secret,
    TargetUnavailable,
)
from isthmus.testing import closed_port, relay, silent_port

PERSON = LdapObjectType(
    name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},{PEOPLE}"
)


def call(seconds: float = 20) -> Call:
    return Call(timeout=seconds)


IN_TIME = 8.0
"""Seconds after which a call that may take half a second was not given up; the machine may be busy."""


@pytest.fixture
def server() -> Iterator[SlapdServer]:
    """Give a server of the test's own, which it may harm."""
    made = slapd_server(Variant())
    try:
        made.start()
        yield made
    finally:
        made.remove()


class Opened:
    def __init__(self, settings: LdapSettings) -> None:
        self.connector: Any = connector_type.open(settings)

    def __enter__(self) -> Any:
        return self.connector

    def __exit__(self, *_: object) -> None:
        self.connector.close()


def opened(server: SlapdServer, **changes: Any) -> Opened:
    return Opened(server.settings(**{"object_types": (PERSON,), **changes}))


def create(connector: Any, uid: str, seconds: float = 20) -> ConnectorObject:
    found: ConnectorObject = connector.create("person", {"uid": (uid,), "cn": (uid,), "sn": (uid,)}, call=call(seconds))
    return found


@pytest.mark.parametrize("mode", ["plain", "starttls", "ldaps"])
def test_a_server_that_stops_answering(plain_slapd: SlapdServer, mode: str) -> None:
    """Idle connections, new ones, and the TLS handshake, which the library's own timeouts do not cover."""
    plain_slapd.remove_all()
    changes: dict[str, Any] = {"plain": {}, "starttls": {"tls": "starttls"}, "ldaps": {"url": plain_slapd.tls_url}}[
        mode
    ]
    with opened(plain_slapd, **changes) as connector, opened(plain_slapd, **changes) as fresh:
        made = create(connector, "one")
        plain_slapd.pause()
        try:
            for used in (connector, fresh):
                began = time.monotonic()
                with pytest.raises(TargetUnavailable):
                    used.read("person", made.identity, attributes=("sn",), call=call(0.5))
                assert time.monotonic() - began < IN_TIME
            with pytest.raises(TargetUnavailable) as refused:
                create(fresh, "never", seconds=0.5)
            assert not refused.value.outcome_unknown, "nothing was sent"
        finally:
            plain_slapd.resume()
        assert connector.read("person", made.identity, attributes=("sn",), call=call()) is not None
        assert fresh.read("person", made.identity, attributes=("sn",), call=call()) is not None


def test_a_write_too_long_for_the_socket(plain_slapd: SlapdServer) -> None:
    """Sending blocks where the server reads nothing and the kernel's buffers are full: the watchdog ends it."""
    plain_slapd.remove_all()
    with opened(plain_slapd) as connector:
        made = create(connector, "one")
        plain_slapd.pause()
        try:
            began = time.monotonic()
            change = AttributeChange("jpegPhoto", replace=(b"x" * 30_000_000,))
            with pytest.raises(TargetUnavailable):
                connector.update("person", made.identity, [change], call=call(0.5))
            assert time.monotonic() - began < IN_TIME
        finally:
            plain_slapd.resume()
        assert connector.read("person", made.identity, attributes=("sn",), call=call()) is not None


def test_silent_and_closed_ports(plain_slapd: SlapdServer) -> None:
    with silent_port() as silent, closed_port() as closed:
        for port, scheme in ((silent, "ldap"), (silent, "ldaps"), (closed, "ldap"), (closed, "ldaps")):
            for tls in ("none", "starttls"):
                with opened(plain_slapd, url=f"{scheme}://127.0.0.1:{port}", tls=tls) as connector:
                    began = time.monotonic()
                    with pytest.raises(TargetUnavailable):
                        connector.test(call=call(0.6))
                    assert time.monotonic() - began < IN_TIME


def test_the_next_server_answers(plain_slapd: SlapdServer) -> None:
    with closed_port() as closed, silent_port() as silent:
        others = (f"ldap://127.0.0.1:{silent}", plain_slapd.url)
        url = f"ldap://127.0.0.1:{closed}"
        with opened(plain_slapd, url=url, other_urls=others, connect_timeout=3.0) as connector:
            connector.test(call=call())
            began = time.monotonic()
            connector.read_schema(call=call())
            assert time.monotonic() - began < 3.0, "the server that answered is asked first from then on"


def test_addresses_of_a_name_that_do_not_answer(plain_slapd: SlapdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain's name stands for many servers, of which some are switched off: the others are reached in time."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # nobody accepts: once the queue is full, the kernel is as silent as a machine that is off
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        addresses = [*[(*kind, full.getsockname())] * 6, (*kind, (plain_slapd.host, plain_slapd.port))]
        resolve = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *more, **how: addresses if host == "many" else resolve(host, *more, **how),
        )
        with opened(plain_slapd, url="ldap://many", connect_timeout=4.0) as connector:
            began = time.monotonic()
            connector.read_schema(call=call())
            assert time.monotonic() - began < IN_TIME


def test_a_connection_cut_by_something_between(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    with (
        relay(plain_slapd.host, plain_slapd.port) as between,
        opened(plain_slapd, url=f"ldap://127.0.0.1:{between.port}") as connector,
    ):
        made = create(connector, "one")
        for _ in range(3):
            between.cut()
            assert connector.read("person", made.identity, attributes=("sn",), call=call()) is not None
        between.freeze()
        with pytest.raises(TargetUnavailable) as refused:
            connector.update("person", made.identity, [AttributeChange("title", replace=("x",))], call=call(0.4))
        assert refused.value.outcome_unknown
        between.thaw()
        assert create(connector, "two").attributes["uid"] == ("two",)


def test_killed_in_a_stream_of_writes(server: SlapdServer) -> None:
    """Each create has succeeded, failed, or is unknown; what succeeded is there once, what failed is not."""
    outcome: dict[str, str] = {}
    begun = threading.Event()

    def write(connector: Any, number: int) -> None:
        for i in range(200):
            uid = f"w{number}-{i}"
            try:
                create(connector, uid, seconds=5)
                outcome[uid] = "made"
            except ConnectorError as error:
                outcome[uid] = "unknown" if error.outcome_unknown else "refused"
                if not isinstance(error, TargetUnavailable):
                    outcome[uid] = f"wrong error: {error!r}"
            if len(outcome) > 40:
                begun.set()

    with opened(server) as connector:
        threads = [threading.Thread(target=write, args=(connector, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        assert begun.wait(30)
        server.kill()
        server.start()
        for thread in threads:
            thread.join(60)
        assert not [o for o in outcome.values() if o.startswith("wrong")]
        found = [v["uid"][0].decode() for v in server.search(PEOPLE, "(uid=w*)", ["uid"]).values()]
        assert len(found) == len(set(found))
        # Tests do not flush the database at each commit; but the process was killed, not the machine.
        assert {u for u, o in outcome.items() if o == "made"} <= set(found)
        assert not {u for u, o in outcome.items() if o == "refused"} & set(found)
        create(connector, "after")


def test_an_empty_database_after_a_restart_is_not_an_empty_import(server: SlapdServer) -> None:
    with opened(server) as connector:
        create(connector, "one")
        (scope,) = connector.scopes()
        server.stop()
        server.wipe()
        server.start(filled=False)
        with pytest.raises(MisconfiguredConnector):
            list(connector.import_full(scope, attributes={"person": ("sn",)}, page_size=10, call=call()))


def test_nobody_is_gone_below_a_base_that_is_gone(server: SlapdServer) -> None:
    """Where entries are known by their names, a name that is not there is somebody who was deleted."""
    by_name = replace(PERSON, anchor="dn")
    with opened(server, object_types=(by_name,), user=server.administrator) as connector:
        made = create(connector, "one")
        server.delete(f"uid=one,{PEOPLE}")
        assert connector.read("person", made.identity, attributes=("sn",), call=call()) is None
        assert not connector.find("person", "dn", made.identity.dn, attributes=("sn",), call=call())
        server.stop()
        server.wipe()
        server.start(filled=False)
        change = AttributeChange("sn", replace=("x",))
        for ask in (
            lambda: connector.read("person", made.identity, attributes=("sn",), call=call()),
            lambda: connector.find("person", "dn", made.identity.dn, attributes=("sn",), call=call()),
            lambda: connector.update("person", made.identity, [change], call=call()),
            lambda: connector.delete("person", made.identity, call=call()),
        ):
            with pytest.raises(MisconfiguredConnector, match="no entry ou=people"):
                ask()


def test_a_replaced_certificate(server: SlapdServer) -> None:
    trusted = server.folder / "trusted.pem"
    shutil.copy(server.ca, trusted)
    with opened(server, tls="starttls", tls_ca=str(trusted)) as connector:
        connector.test(call=call())
        server.stop()
        write_certificates(server.folder)
        server.start()
        with pytest.raises(MisconfiguredConnector, match="certificate"):
            connector.test(call=call())
        shutil.copy(server.ca, trusted)
        connector.test(call=call())


def test_a_changed_password(server: SlapdServer) -> None:
    with opened(server) as connector:
        connector.test(call=call())
        change = {"changetype": ["modify"], "replace": ["userPassword"], "userPassword": ["another"]}
        server.modify(ldif(server.user, change))
        server.stop()
        server.start()
        with pytest.raises(MisconfiguredConnector, match="log-in") as refused:
            connector.test(call=call())
        assert server.password not in str(refused.value)
        change["userPassword"] = [server.password]
        server.modify(ldif(server.user, change))
        connector.test(call=call())


def test_an_empty_password_never_binds(plain_slapd: SlapdServer) -> None:
    for secret in (None, Secret("")):
        with opened(plain_slapd, password=secret) as connector, pytest.raises(MisconfiguredConnector, match="password"):
            connector.test(call=call())


def test_limits_of_a_page_are_met_by_smaller_ones() -> None:
    server = slapd_server(Variant(size_limit="size.pr=7 size.prtotal=unlimited size.soft=50 size.hard=50"))
    try:
        server.start()
        with opened(server) as connector:
            for i in range(60):
                create(connector, f"p{i}")
            (scope,) = connector.scopes()
            pages = connector.import_full(scope, attributes={"person": ("sn",)}, page_size=100, call=call())
            assert sum(len(page.objects) for page in pages) == 60
        with opened(server, paging="never") as connector, pytest.raises(MisconfiguredConnector, match="limit"):
            list(connector.import_full(scope, attributes={"person": ("sn",)}, page_size=100, call=call()))
    finally:
        server.remove()


def test_a_limit_for_one_search_is_none_for_set_up() -> None:
    """The account reads everything page by page: a test says so, and a sample of what is there is a sample."""
    server = slapd_server(Variant(size_limit="size.pr=20 size.prtotal=unlimited size.soft=20 size.hard=20"))
    sub = f"ou=sub,{PEOPLE}"
    try:
        server.start()
        server.add(sub, {"objectClass": ["organizationalUnit"], "ou": ["sub"]})
        values = {"objectClass": ["inetOrgPerson"], "cn": ["x"], "sn": ["x"]}
        server.modify("".join(ldif(f"uid=p{i},{PEOPLE}", {"changetype": ["add"], **values}) for i in range(60)))
        for changes in ({"bases": (GROUPS, PEOPLE)}, {"excluded_bases": (sub,)}):
            with opened(server, object_types=(replace(PERSON, **changes),)) as connector:
                connector.test(call=call())
                first, *_ = connector.suggest(call=call())["object_types"].values
                assert (first.name, first.bases) == ("inetOrgPerson", (PEOPLE,))
    finally:
        server.remove()


def test_entries_are_suggested_as_one_type(plain_slapd: SlapdServer) -> None:
    """Every inetOrgPerson is a person too: published as both, each would be there twice."""
    plain_slapd.remove_all()
    for number, name in enumerate(("inetOrgPerson", "person", "organizationalPerson")):
        values = {"objectClass": [name], "cn": [f"p{number}"], "sn": ["x"]}
        plain_slapd.add(f"cn=p{number},{PEOPLE}", values)
    with opened(plain_slapd, bases=(PEOPLE,), object_types=()) as connector:
        declared = connector.suggest(call=call())["object_types"].values
    with opened(plain_slapd, object_types=declared) as connector:
        found = {
            scope.key: [
                each.attributes["cn"][0]
                for page in connector.import_full(scope, attributes={scope.key: ("cn",)}, page_size=9, call=call())
                for each in page.objects
            ]
            for scope in connector.scopes()
        }
    assert found == {"inetOrgPerson": ["p0"], "person": ["p1"], "organizationalPerson": ["p2"]}


def test_import_without_paged_results(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    with opened(plain_slapd, paging="never") as connector:
        for i in range(25):
            create(connector, f"p{i}")
        (scope,) = connector.scopes()
        pages = list(connector.import_full(scope, attributes={"person": ("sn",)}, page_size=10, call=call()))
        assert [len(page.objects) for page in pages] == [10, 10, 5]


def test_a_read_only_replica_refers_writes(server: SlapdServer) -> None:
    """A referral is an error that names the way out; followed only to servers that the settings name."""
    replica = slapd_server(Variant(referral=server.url))
    try:
        replica.load(server)
        replica.start(filled=False)
        with opened(replica) as connector, pytest.raises(MisconfiguredConnector, match="follow_referrals"):
            create(connector, "one")
        with (
            opened(replica, follow_referrals=True) as connector,
            pytest.raises(MisconfiguredConnector, match="other_urls"),
        ):
            create(connector, "one")
        with opened(replica, follow_referrals=True, other_urls=(server.url,)) as connector:
            create(connector, "one")
        assert list(server.search(PEOPLE, "(uid=one)", ["uid"])) == [f"uid=one,{PEOPLE}"]
        assert not replica.search(PEOPLE, "(uid=one)")
    finally:
        replica.remove()


def test_a_replica_without_a_referral(server: SlapdServer) -> None:
    replica = slapd_server(Variant(referral=server.url, updateref=False))
    try:
        replica.load(server)
        replica.start(filled=False)
        with opened(replica) as connector, pytest.raises(MisconfiguredConnector, match="takes no writes"):
            create(connector, "one")
    finally:
        replica.remove()


def read_only_slapd(server: SlapdServer, *, on: bool) -> None:
    server.stop()
    path = server.folder / "slapd.conf"
    text = path.read_text().replace("readonly on\n", "")
    path.write_text(text.replace("dbnosync\n", "dbnosync\nreadonly on\n") if on else text)
    server.start(filled=False)


def read_only_389(server: Directory389, *, on: bool) -> None:
    change = {"changetype": ["modify"], "replace": ["nsslapd-readonly"], "nsslapd-readonly": ["on" if on else "off"]}
    server.modify(ldif("cn=userRoot,cn=ldbm database,cn=plugins,cn=config", change))


@pytest.mark.parametrize(("which", "switch"), [("server", read_only_slapd), ("directory_389", read_only_389)])
def test_a_server_that_is_read_only_for_a_while(request: pytest.FixtureRequest, which: str, switch: Any) -> None:
    """Nothing is wrong with what was asked: it is to be asked again."""
    server: Any = request.getfixturevalue(which)
    server.remove_all()
    with opened(server) as connector:
        made = create(connector, "one")
        switch(server, on=True)
        try:
            for write in (
                lambda: create(connector, "two"),
                lambda: connector.update("person", made.identity, [AttributeChange("sn", replace=("x",))], call=call()),
                lambda: connector.update(
                    "person", made.identity, [AttributeChange("uid", replace=("x",))], call=call()
                ),
                lambda: connector.delete("person", made.identity, call=call()),
            ):
                with pytest.raises(TargetUnavailable) as refused:
                    write()
                assert not refused.value.outcome_unknown
        finally:
            switch(server, on=False)
        connector.delete("person", made.identity, call=call())


def test_writes_go_on_when_the_writable_server_is_back(server: SlapdServer) -> None:
    """A read-only replica stood in for it; nothing is wrong with the connections to that one."""
    replica = slapd_server(Variant(referral=server.url))
    try:
        replica.load(server)
        replica.start(filled=False)
        with opened(server, other_urls=(replica.url,)) as connector:
            made = create(connector, "one")
            server.stop()
            assert connector.find("person", "uid", "nobody", attributes=(), call=call()) == []
            with pytest.raises(MisconfiguredConnector, match="takes no writes"):
                create(connector, "two")
            server.start()
            create(connector, "two")
            assert connector.read("person", made.identity, attributes=(), call=call()) is not None
    finally:
        replica.remove()


def test_no_connection_is_left_open(server: SlapdServer) -> None:
    with opened(server, max_connections=3) as connector:
        made = create(connector, "one")
        failures: list[BaseException] = []

        def look() -> None:
            try:
                for _ in range(20):
                    connector.read("person", made.identity, attributes=("sn",), call=call())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=look) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures


def test_a_wrong_server_is_no_crash(plain_slapd: SlapdServer) -> None:
    """Something else listens there and says hello in its own way."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def greet() -> None:
            listening.settimeout(0.1)
            while not stop.is_set():
                try:
                    client, _ = listening.accept()
                except TimeoutError:
                    continue
                with client:
                    client.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            port = listening.getsockname()[1]
            for url, tls in ((f"ldap://127.0.0.1:{port}", "none"), (f"ldap://127.0.0.1:{port}", "starttls"),
                             (f"ldaps://127.0.0.1:{port}", "none")):  # fmt: skip
                with opened(plain_slapd, url=url, tls=tls) as connector, pytest.raises(ConnectorError):
                    connector.test(call=call(2))
        finally:
            stop.set()
            thread.join(10)


def test_base_that_is_not_there(plain_slapd: SlapdServer) -> None:
    wrong = LdapObjectType(name="inetOrgPerson", bases=(f"ou=nowhere,{SUFFIX}",))
    with (
        opened(plain_slapd, object_types=(wrong,)) as connector,
        pytest.raises(MisconfiguredConnector, match="ou=nowhere"),
    ):
        connector.test(call=call())


def test_a_change_that_cannot_be_read_back(plain_slapd: SlapdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends between a change of members and its reading: nobody knows that it failed."""
    from isthmus.connectors.ldap import changing

    plain_slapd.remove_all()
    group = LdapObjectType(name="groupOfNames", bases=(GROUPS,), dn_template=f"cn={{cn}},{GROUPS}")
    with (
        relay(plain_slapd.host, plain_slapd.port) as between,
        opened(plain_slapd, url=f"ldap://127.0.0.1:{between.port}", object_types=(PERSON, group)) as connector,
    ):
        made = connector.create("groupOfNames", {"cn": ("g",)}, call=call())
        send = changing.Changing.run

        def cut_after(*given: Any) -> Any:
            answer = send(*given)
            between.cut()
            return answer

        monkeypatch.setattr(changing.Changing, "run", cut_after)
        change = AttributeChange("member", add=(Reference((f"uid=one,{PEOPLE}",)),))
        with pytest.raises(TargetUnavailable) as failed:
            connector.update("groupOfNames", made.identity, [change], call=Call(timeout=5, wanted=("cn",)))
        assert failed.value.outcome_unknown, "repair finds out by reading"
        (values,) = plain_slapd.search(GROUPS, "(cn=g)", ["member"]).values()
        assert f"uid=one,{PEOPLE}".encode() in values["member"]
