"""Containers that are taken in and left out: imports, look-ups, every way of learning of changes, and writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.slapd import PEOPLE, SlapdServer
from connectors.test_ldap_deltas import Host, call, change, person, rename
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import AttributeChange, Call, Cancelled, Identity, InvalidValue, NotFound, Watermark

FORMER = f"ou=former,{PEOPLE}"
KEPT = f"ou=kept,{FORMER}"
LEFT_OUT = f"ou=gone,{KEPT}"
WANTED = {"person": ("sn", "uid")}


class Chosen(Host):
    """People without the former ones, of whom some are kept after all, but not all of these."""

    def __init__(self, server: SlapdServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        kind = LdapObjectType(
            name="person",
            structural_class="inetOrgPerson",
            bases=(PEOPLE, KEPT),
            excluded_bases=(FORMER, LEFT_OUT),
            dn_template=f"uid={{uid}},{PEOPLE}",
        )
        self.connector.close()
        self.connector = self.open(kind, **settings)
        (self.scope,) = self.connector.scopes()

    def open(self, kind: LdapObjectType, **settings: Any) -> Any:
        return connector_type.open(self.server.settings(object_types=(kind,), **settings))

    def uids(self) -> list[str]:
        return sorted(str(each.attributes["uid"][0]) for each in self.space.values())


@pytest.fixture
def server(slapd: SlapdServer) -> SlapdServer:
    slapd.remove_all()
    for dn in (FORMER, KEPT, LEFT_OUT):
        slapd.add(dn, {"objectClass": ["organizationalUnit"], "ou": [dn.partition(",")[0].removeprefix("ou=")]})
    places = {"in": PEOPLE, "out": FORMER, "back": KEPT, "away": LEFT_OUT}
    slapd.modify("".join(person(uid, below) for uid, below in places.items()))
    return slapd


@pytest.fixture(params=["accesslog", "syncrepl", "modify_timestamp"])
def host(request: pytest.FixtureRequest, server: SlapdServer) -> Iterator[Chosen]:
    made = Chosen(server, delta=request.param)
    yield made
    made.connector.close()


def test_imports(host: Chosen, server: SlapdServer) -> None:
    host.full()
    assert host.uids() == ["back", "in"]
    strategy = (host.mark or Watermark("")).token.partition(":")[0]
    server.modify(change(f"uid=out,{FORMER}", "sn", "changed") + change(f"uid=back,{KEPT}", "sn", "changed"))
    host.delta()
    assert host.uids() == ["back", "in"]
    server.modify(rename(f"uid=out,{FORMER}", "uid=out", PEOPLE) + rename(f"uid=away,{LEFT_OUT}", "uid=away", KEPT))
    host.delta()
    assert host.uids() == ["away", "back", "in", "out"]
    server.modify(rename(f"uid=in,{PEOPLE}", "uid=in", FORMER) + rename(f"uid=back,{KEPT}", "uid=back", LEFT_OUT))
    host.delta()
    if strategy == "modify_timestamp":
        host.full()  # it never learns of what is gone
    assert host.uids() == ["away", "out"]


def test_lookups_and_writes(server: SlapdServer) -> None:
    host = Chosen(server)
    host.full()
    find = host.connector.find
    for uid, found in (("in", 1), ("back", 1), ("out", 0), ("away", 0)):
        assert len(find("person", "uid", uid, attributes=("uid",), call=call())) == found
    (back,) = find("person", "uid", "back", attributes=("uid",), call=call())
    server.modify(rename(f"uid=back,{KEPT}", "uid=back", LEFT_OUT))
    assert host.connector.read("person", back.identity, attributes=("uid",), call=call()) is None
    with pytest.raises(NotFound):
        host.connector.update("person", back.identity, [AttributeChange("sn", replace=("x",))], call=call())
    with pytest.raises(NotFound):
        host.connector.delete("person", back.identity, call=call())
    values = {"uid": ("new",), "sn": ("new",), "cn": ("new",)}
    for below in (FORMER, LEFT_OUT):
        with pytest.raises(InvalidValue, match="base DNs"):
            host.connector.create("person", values, dn=f"uid=new,{below}", call=call())
    made = host.connector.create("person", values, dn=f"uid=new,{KEPT}", call=call())
    with pytest.raises(InvalidValue, match="base DNs"):
        host.connector.update("person", made.identity, [], new_dn=f"uid=new,{FORMER}", call=call())
    moved = host.connector.update("person", made.identity, [], new_dn=f"uid=new,{PEOPLE}", call=call())
    assert moved.identity.dn == f"uid=new,{PEOPLE}"
    host.connector.close()


def test_an_anchor_that_entries_left_out_have_as_well(server: SlapdServer) -> None:
    """Copies of somebody in containers that are left out hide nobody."""
    for number in range(4):
        server.add(f"ou=u{number},{FORMER}", {"objectClass": ["organizationalUnit"], "ou": [f"u{number}"]})
        server.modify(person("in", f"ou=u{number},{FORMER}"))
    host = Chosen(server)
    host.connector.close()
    kind = LdapObjectType(
        name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), excluded_bases=(FORMER,), anchor="uid"
    )
    host.connector = host.open(kind)
    (found,) = host.connector.find("person", "uid", "in", attributes=("uid",), call=call())
    nameless = Identity(found.identity.anchor)
    assert host.connector.read("person", nameless, attributes=("uid",), call=call()) is not None
    host.connector.close()


def test_a_watch(server: SlapdServer) -> None:
    host = Chosen(server)
    stop = threading.Event()
    since = host.connector.begin_watch(host.scope, call=call())
    pages = host.connector.watch(
        host.scope, since=since, attributes=WANTED, page_size=10, call=Call(timeout=60, cancelled=stop)
    )
    next(pages)
    server.modify(rename(f"uid=out,{FORMER}", "uid=out", PEOPLE) + rename(f"uid=in,{PEOPLE}", "uid=in", FORMER))
    there, gone = set(), 0
    for page in pages:
        there |= {each.attributes["uid"][0] for each in page.objects}
        gone += len(page.deleted)
        if there and gone:
            break
    assert (there, gone) == ({"out"}, 1)
    stop.set()
    with pytest.raises(Cancelled):
        for _ in pages:
            pass
    host.connector.close()
