"""Large changes of a group: several requests under way at once, and what becomes of them when the server stops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.directory389 import Directory389
from connectors.servers.slapd import GROUPS, PEOPLE, LdapPrograms, SlapdServer
from harness import meanwhile, until
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import AttributeChange, Call, ConnectorObject, Reference, TargetUnavailable

GROUP = f"cn=large,{GROUPS}"


def members(first: int, count: int) -> tuple[Reference, ...]:
    return tuple(Reference((f"uid=member-{number:06},{PEOPLE}",)) for number in range(first, first + count))


def present(server: SlapdServer) -> set[bytes]:
    found = server.search(GROUP, "(objectClass=*)", ["member"], scope="base")
    return {dn for values in found.values() for dn in values["member"] if b"member-" in dn}


class Directory:
    def __init__(self, server: LdapPrograms, **settings: Any) -> None:
        group = LdapObjectType(name="groupOfNames", bases=(GROUPS,), dn_template=f"cn={{cn}},{GROUPS}")
        self.connector: Any = connector_type.open(server.settings(object_types=(group,), **settings))
        self.sent: list[str] = []

    def call(self, timeout: float = 60) -> Call:
        return Call(timeout=timeout, on_sent=self.sent.append)

    def create(self) -> ConnectorObject:
        made: ConnectorObject = self.connector.create("groupOfNames", {"cn": ("large",)}, call=self.call())
        return made

    def change(self, group: ConnectorObject, *, timeout: float = 60, **what: Any) -> None:
        change = AttributeChange("member", **what)
        self.connector.update("groupOfNames", group.identity, [change], call=self.call(timeout))


@pytest.fixture
def server(slapd: SlapdServer) -> Iterator[SlapdServer]:
    slapd.remove_all()
    yield slapd
    slapd.remove_all()


def test_members_in_many_requests(server: SlapdServer) -> None:
    """Every one is there afterwards, also where some were there before and the last one goes."""
    directory = Directory(server, members_at_once=10)
    group = directory.create()
    directory.change(group, add=members(0, 15))
    directory.change(group, add=members(5, 300))
    assert len(present(server)) == 305
    assert sum("add 10 to member" in each for each in directory.sent) >= 30
    directory.change(group, remove=members(0, 100), add=members(1000, 100))
    assert len(present(server)) == 305
    directory.change(group, remove=(*members(0, 305), *members(1000, 100)))
    assert present(server) == set()
    directory.connector.close()


def test_a_value_that_goes_and_comes_back(server: SlapdServer) -> None:
    """Removed first, then added, as the order of requests counts here."""
    directory = Directory(server, members_at_once=10)
    group = directory.create()
    directory.change(group, add=members(0, 40))
    directory.change(group, remove=members(0, 40), add=members(0, 40))
    assert len(present(server)) == 40
    directory.connector.close()


@pytest.mark.parametrize("at_once", [50, 20_000])
def test_the_server_stops_in_the_middle(server: SlapdServer, at_once: int) -> None:
    """Also where requests of a megabyte no longer fit into the socket; the next change works."""
    directory = Directory(server, members_at_once=at_once, operation_timeout=3.0)
    group = directory.create()
    directory.change(group, add=members(900_000, 1))
    began = time.monotonic()
    with meanwhile(lambda: directory.change(group, add=members(0, 100_000), timeout=20)) as outcome:
        until(lambda: sum("to member" in each for each in directory.sent) >= 2)
        server.pause()
    try:
        (error,) = outcome
        assert isinstance(error, TargetUnavailable), error
        assert error.outcome_unknown, "some of it may have been done"
        assert time.monotonic() - began < 40
    finally:
        server.resume()
    directory.change(group, add=members(900_001, 1))
    found = present(server)
    assert {f"uid=member-{n},{PEOPLE}".encode() for n in (900_000, 900_001)} <= found
    directory.connector.close()


def test_the_time_is_used_up_in_the_middle(server: SlapdServer) -> None:
    directory = Directory(server, members_at_once=10)
    group = directory.create()

    def told(_text: str) -> None:
        if sum("add 10 to member" in each for each in directory.sent) == 12:
            late.deadline = 0.0

    late = Call(timeout=60, on_sent=lambda text: (directory.sent.append(text), told(text))[0])
    change = AttributeChange("member", add=members(0, 300))
    with pytest.raises(TargetUnavailable) as caught:
        directory.connector.update("groupOfNames", group.identity, [change], call=late)
    assert caught.value.outcome_unknown, "some of it was done"
    assert 0 < len(present(server)) < 300
    directory.connector.close()


def test_members_that_are_there_already_are_compared(directory_389: Directory389) -> None:
    """Without the permissive control the server refuses the whole change; what is left of it is found by comparing."""
    directory_389.remove_all()
    directory = Directory(directory_389, members_at_once=100)
    group = directory.create()
    directory.change(group, add=members(0, 20))
    directory.sent.clear()
    directory.change(group, remove=members(10, 20), add=members(0, 5))
    assert any(each.startswith("compare") for each in directory.sent)
    found = directory_389.search(GROUP, "(objectClass=*)", ["member"], scope="base")
    listed = {dn.lower() for values in found.values() for dn in values["member"] if b"member-" in dn}
    assert listed == {f"uid=member-{number:06},{PEOPLE}".encode() for number in range(10)}
    directory.connector.close()
    directory_389.remove_all()
