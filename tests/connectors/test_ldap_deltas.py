"""Deltas: every strategy, changes by others while they run, renamed containers, logs that were cut."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import PEOPLE, SUFFIX, LdapPrograms, SlapdServer, Variant, ldif
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import Call, ConnectorObject, Unsupported, Watermark, WatermarkExpired
from isthmus.testing import relay

ANCHORS = ["", "uid", "dn"]
CHANGES = int(os.environ.get("ISTHMUS_TEST_CHANGES", "2400"))
"""Changes by other clients while deltas run: 2,400 take a few seconds, 10,000 were run for each strategy."""

Space = dict[tuple[str, ...], ConnectorObject]


def call() -> Call:
    return Call(timeout=60)


class Host:
    """What the engine does with a connector, in short."""

    def __init__(self, server: LdapPrograms, *, anchor: str = "", **settings: Any) -> None:
        self.server = server
        person = LdapObjectType(
            name="person",
            structural_class="inetOrgPerson",
            bases=(PEOPLE,),
            anchor=anchor,
            dn_template=f"uid={{uid}},{PEOPLE}",
            filter="(!(employeeType=hidden))",
        )
        self.connector: Any = connector_type.open(server.settings(object_types=(person,), **settings))
        (self.scope,) = self.connector.scopes()
        self.space: Space = {}
        self.mark: Watermark | None = None

    def full(self) -> None:
        self.mark = self.connector.current_watermark(self.scope, call=call())
        self.space = {}
        wanted = {"person": ("sn", "uid")}
        self._take(self.connector.import_full(self.scope, attributes=wanted, page_size=100, call=call()))

    def delta(self, page_size: int = 100) -> int:
        """Run a delta and return how many objects and deletions came."""
        wanted = {"person": ("sn", "uid")}
        return self._take(
            self.connector.import_delta(
                self.scope, since=self.mark, attributes=wanted, page_size=page_size, call=call()
            )
        )

    def _take(self, pages: Any) -> int:
        count = 0
        for page in pages:
            for each in page.deleted:
                self.space.pop(each.anchor.values, None)
            for each in page.objects:
                self.space[each.identity.anchor.values] = each
            count += len(page.objects) + len(page.deleted)
            self.mark = page.watermark or self.mark
        return count

    def shown(self) -> dict[str, str]:
        return {str(o.identity.dn): str(o.attributes["sn"][0]) for o in self.space.values()}

    def stored(self) -> dict[str, str]:
        """Return what ldapsearch shows."""
        wanted = "(&(objectClass=inetOrgPerson)(!(employeeType=hidden)))"
        found = self.server.search(PEOPLE, wanted, ["sn"])
        return {dn.casefold(): values["sn"][0].decode() for dn, values in found.items()}


def person(uid: str, below: str = PEOPLE, **more: list[str]) -> str:
    values = {"objectClass": ["inetOrgPerson"], "uid": [uid], "cn": [uid], "sn": [uid], **more}
    return ldif(f"uid={uid},{below}", {"changetype": ["add"], **values})


def unit(name: str) -> str:
    return ldif(f"ou={name},{PEOPLE}", {"changetype": ["add"], "objectClass": ["organizationalUnit"], "ou": [name]})


def change(dn: str, attribute: str, *values: str) -> str:
    return ldif(dn, {"changetype": ["modify"], "replace": [attribute], attribute: list(values)})


def rename(dn: str, rdn: str, above: str | None = None) -> str:
    more = {} if above is None else {"newsuperior": [above]}
    return ldif(dn, {"changetype": ["modrdn"], "newrdn": [rdn], "deleteoldrdn": ["1"], **more})


def delete(dn: str) -> str:
    return ldif(dn, {"changetype": ["delete"]})


WAYS = [*(("accesslog", a) for a in ANCHORS), ("syncrepl", ""), *(("changelog", a) for a in ANCHORS)]


@pytest.fixture(params=WAYS, ids=lambda p: "-".join(p).strip("-"))
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    strategy, anchor = request.param
    server = request.getfixturevalue("directory_389" if strategy == "changelog" else "slapd")
    server.remove_all()
    made = Host(server, anchor=anchor, delta=strategy)
    yield made
    made.connector.close()


def test_every_kind_of_change(host: Host) -> None:
    host.server.modify(unit("left") + unit("right") + "".join(person(f"p{i}") for i in range(8)))
    host.server.modify(person("inner", f"ou=left,{PEOPLE}"))
    host.full()
    assert host.shown() == host.stored()
    steps = [
        person("new"),
        change(f"uid=p0,{PEOPLE}", "sn", "changed"),
        rename(f"uid=p1,{PEOPLE}", "uid=renamed"),
        rename(f"uid=p2,{PEOPLE}", "uid=p2", f"ou=left,{PEOPLE}"),
        rename(f"uid=p3,{PEOPLE}", "uid=p3 elsewhere", f"ou=right,{PEOPLE}"),
        delete(f"uid=p4,{PEOPLE}"),
        delete(f"uid=p5,{PEOPLE}") + person("p5"),
        change(f"uid=p6,{PEOPLE}", "employeeType", "hidden"),
        change(f"uid=p6,{PEOPLE}", "employeeType", "staff"),
        rename(f"uid=p7,{PEOPLE}", "uid=other") + person("p7"),
        rename(f"uid=p7,{PEOPLE}", "uid=p8") + rename(f"uid=p8,{PEOPLE}", "uid=p9"),
    ]
    for step in steps:
        host.server.modify(step)
        host.delta()
        assert host.shown() == host.stored(), step
    assert host.delta() <= 4, "nothing has changed since; the end of a change log is read once more"
    host.server.modify("".join(person(f"late{i}") for i in range(5)) + delete(f"uid=late3,{PEOPLE}"))
    host.delta(page_size=1)
    assert host.shown() == host.stored()


def test_a_renamed_container(slapd: SlapdServer) -> None:
    """The log has one line for it; every entry below has another name, or is not ours any more."""
    for anchor in ("", "dn"):
        slapd.remove_all()
        host = Host(slapd, anchor=anchor, delta="accesslog")
        slapd.modify(unit("left") + "".join(person(f"p{i}", f"ou=left,{PEOPLE}") for i in range(5)))
        host.full()
        slapd.modify(rename(f"ou=left,{PEOPLE}", "ou=west"))
        host.delta(page_size=2)
        assert host.shown() == host.stored()
        assert len(host.space) == 5
        slapd.modify(rename(f"ou=west,{PEOPLE}", "ou=west", SUFFIX))
        host.delta(page_size=2)
        assert host.shown() == host.stored() == {}
        slapd.modify(rename(f"ou=west,{SUFFIX}", "ou=left", PEOPLE))
        host.delta(page_size=2)
        assert host.shown() == host.stored()
        assert len(host.space) == 5
        host.connector.close()


@pytest.mark.parametrize("anchor", ["", "dn"])
@pytest.mark.parametrize("page_size", [1, 100])
def test_what_happens_after_a_container_was_renamed(slapd: SlapdServer, anchor: str, page_size: int) -> None:
    """All before the delta: the log names entries as they were called then, and the host knows them by older names."""
    slapd.remove_all()
    host = Host(slapd, anchor=anchor, delta="accesslog")
    slapd.modify(unit("a") + "".join(person(f"p{i}", f"ou=a,{PEOPLE}") for i in range(4)))
    host.full()
    west, outside = f"ou=west,{PEOPLE}", f"ou=gone,{SUFFIX}"
    slapd.modify(rename(f"ou=a,{PEOPLE}", "ou=b") + rename(f"ou=b,{PEOPLE}", "ou=west"))
    slapd.modify(delete(f"uid=p0,{west}") + rename(f"uid=p1,{west}", "uid=q1") + change(f"uid=p2,{west}", "sn", "new"))
    slapd.modify(unit("a") + person("p2", f"ou=a,{PEOPLE}"))  # somebody else of a name that was left
    host.delta(page_size=page_size)
    assert host.shown() == host.stored()
    slapd.modify(rename(west, "ou=out", SUFFIX) + rename(f"ou=out,{SUFFIX}", "ou=gone"))
    slapd.modify("".join(delete(f"uid={each},{outside}") for each in ("q1", "p2")))
    try:
        host.delta(page_size=page_size)
        assert host.shown() == host.stored()
        assert len(host.space) == 1
    finally:
        slapd.modify(delete(f"uid=p3,{outside}") + delete(outside))
        host.connector.close()


@contextmanager
def others_write(server: LdapPrograms, rounds: int) -> Iterator[Callable[[], bool]]:
    """Have four other clients make so many times four changes each; what is given tells whether they still do.

    They change p0 to p99, which are there, and make, change, rename and delete entries of their own.
    """
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            text = ""
            for i in range(rounds):
                uid, dn = f"w{number}-{i}", f"uid=w{number}-{i},{PEOPLE}"
                text += person(uid) + change(dn, "sn", f"{i}")
                text += [delete(dn), rename(dn, f"uid=r{number}-{i}"), change(dn, "sn", "again")][i % 3]
                text += change(f"uid=p{number * 25 + i % 25},{PEOPLE}", "sn", f"{number}.{i}")
                if i % 25 == 24 or i == rounds - 1:
                    server.modify(text)
                    text = ""
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: any(thread.is_alive() for thread in threads)
    finally:
        for thread in threads:
            thread.join()
    assert not failures


@pytest.mark.parametrize("strategy", ["accesslog", "syncrepl", "modify_timestamp", "changelog"])
def test_deltas_while_others_write(request: pytest.FixtureRequest, strategy: str) -> None:
    """Changes by four other clients while deltas run; at the end the space equals the directory."""
    other = strategy == "changelog"
    slapd: LdapPrograms = request.getfixturevalue("directory_389" if other else "slapd")
    slapd.remove_all()
    slapd.modify("".join(person(f"p{i}") for i in range(100)))
    host = Host(slapd, delta=strategy)
    host.full()
    rounds = CHANGES // (4 * 4) // (10 if other else 1)  # 389 DS takes about 200 changes a second
    with others_write(slapd, rounds) as writing:
        while writing():
            host.delta(page_size=50)
    host.delta()
    if strategy == "modify_timestamp":  # it never learns of deletions
        there = host.stored()
        assert {dn: sn for dn, sn in host.shown().items() if dn in there} == there
        host.full()
    assert host.shown() == host.stored()
    host.connector.close()


def test_changes_by_timestamp_and_what_it_misses(plain_slapd: SlapdServer) -> None:
    """Without a log: changes are seen, deletions only by a full import."""
    plain_slapd.remove_all()
    plain_slapd.modify("".join(person(f"p{i}") for i in range(5)))
    host = Host(plain_slapd)
    host.full()
    assert host.mark is not None
    assert host.mark.token.startswith("modify_timestamp:"), "the best that this server offers"
    plain_slapd.modify(person("new") + change(f"uid=p0,{PEOPLE}", "sn", "changed") + delete(f"uid=p1,{PEOPLE}"))
    host.delta()
    assert host.shown() == {**host.stored(), f"uid=p1,{PEOPLE}": "p1"}
    host.full()
    assert host.shown() == host.stored()
    host.connector.close()


def test_the_strategy_that_is_chosen(slapd: SlapdServer, plain_slapd: SlapdServer) -> None:
    for server, settings, token in (
        (slapd, {}, "accesslog:"),
        (slapd, {"log_base": "cn=elsewhere"}, "syncrepl:"),
        (slapd, {"log_base": "cn=elsewhere", "anchor": "uid"}, "modify_timestamp:"),
        (slapd, {"delta": "none"}, "none:"),
        (plain_slapd, {}, "modify_timestamp:"),
    ):
        host = Host(server, **settings)
        assert host.connector.current_watermark(host.scope, call=call()).token.startswith(token)
        host.connector.close()
    for strategy in ("accesslog", "changelog", "syncrepl", "usn"):
        host = Host(plain_slapd, delta=strategy)
        with pytest.raises(Unsupported, match=strategy):
            host.connector.current_watermark(host.scope, call=call())
        host.connector.close()
    host = Host(plain_slapd, delta="none")
    host.full()
    with pytest.raises(Unsupported):
        host.delta()
    host.connector.close()


def test_a_database_without_the_overlays() -> None:
    """Log and content synchronisation are those of the other database: nothing would ever be told of this one."""
    server = slapd_server(Variant(accesslog=True, syncprov=True, second=True))
    declared = LdapObjectType(name="person", structural_class="inetOrgPerson", bases=("o=second",))
    try:
        server.start()
        server.add("o=second", {"objectClass": ["organization"], "o": ["second"]})
        connector: Any = connector_type.open(server.settings(object_types=(declared,)))
        (scope,) = connector.scopes()
        mark = connector.current_watermark(scope, call=call())
        server.modify(person("new", "o=second"))
        pages = connector.import_delta(scope, since=mark, attributes={"person": ("sn",)}, page_size=9, call=call())
        assert [each.identity.dn for page in pages for each in page.objects] == ["uid=new,o=second"]
        with pytest.raises(Unsupported, match="content synchronisation below o=second"):
            connector.begin_watch(scope, call=call())
        connector.close()
    finally:
        server.remove()


def test_a_watermark_of_another_strategy_has_expired(slapd: SlapdServer) -> None:
    host = Host(slapd)
    for token in ("syncrepl:xyz", "nonsense", "", "accesslog:20010101000000.000000Z#000000#000#000000"):
        host.mark = Watermark(token)
        with pytest.raises(WatermarkExpired):
            host.delta()
    host.connector.close()
    host = Host(slapd, delta="syncrepl")
    for token in ("syncrepl:%%%", "syncrepl:"):
        host.mark = Watermark(token)
        with pytest.raises(WatermarkExpired):
            host.delta()
    host.connector.close()


def test_a_server_that_forgets_deletions() -> None:
    """Without a session log the server lists what is unchanged; then only a full import is sure."""
    server = slapd_server(Variant(syncprov=True, sessionlog=0))
    try:
        server.start()
        server.modify("".join(person(f"p{i}") for i in range(5)))
        host = Host(server, delta="syncrepl")
        host.full()
        host.delta()
        server.modify(delete(f"uid=p1,{PEOPLE}") + person("new"))
        with pytest.raises(WatermarkExpired, match="sessionlog"):
            host.delta()
        host.connector.close()
    finally:
        server.remove()


def test_restarted_with_an_empty_database(slapd: SlapdServer) -> None:
    server = slapd_server(Variant(accesslog=True))
    try:
        server.start()
        server.modify(person("one"))
        host = Host(server)
        host.full()
        server.stop()
        server.wipe()
        server.start()
        with pytest.raises(WatermarkExpired):
            host.delta()
        host.connector.close()
    finally:
        server.remove()


@pytest.mark.parametrize("strategy", ["accesslog", "syncrepl"])
def test_restored_from_a_backup(strategy: str) -> None:
    """What was changed since the backup is undone, and no log tells: only a full import does."""
    server = slapd_server(Variant(accesslog=True, syncprov=True))
    try:
        server.start()
        server.modify(person("kept") + person("back"))
        server.stop()
        server.back_up()
        server.start()
        server.modify(person("undone") + change(f"uid=kept,{PEOPLE}", "sn", "undone") + delete(f"uid=back,{PEOPLE}"))
        host = Host(server, delta=strategy)
        host.full()
        mark = host.connector.begin_watch(host.scope, call=call())
        server.stop()
        server.restore()
        server.start()
        with pytest.raises(WatermarkExpired):
            host.delta()
        with pytest.raises(WatermarkExpired):
            next(host.connector.watch(host.scope, since=mark, attributes={"person": ()}, page_size=9, call=call()))
        host.connector.close()
    finally:
        server.remove()


@pytest.mark.parametrize(("which", "strategy"), [("directory_389", "changelog"), ("plain_slapd", "modify_timestamp")])
def test_another_server_answers(request: pytest.FixtureRequest, which: str, strategy: str) -> None:
    """Its change log has numbers of its own, and it may get changes long after they were made."""
    server: LdapPrograms = request.getfixturevalue(which)
    server.remove_all()
    with relay(server.host, server.port) as first:
        host = Host(server, delta=strategy, url=f"ldap://127.0.0.1:{first.port}", other_urls=(server.url,))
        host.full()
        server.modify(person("new"))
        host.delta()
        assert host.shown() == host.stored()
    with pytest.raises(WatermarkExpired, match="another server"):
        host.delta()
    host.full()
    server.modify(person("newer"))
    host.delta()
    assert host.shown() == host.stored()
    host.connector.close()
