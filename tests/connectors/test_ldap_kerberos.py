"""Log-in by Kerberos: with a keytab, with a ticket, with neither; and a KDC that does not answer."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import harness
from connectors.servers.process import until
from connectors.servers.requirement import missing
from connectors.servers.samba import REALM, SambaServer
from connectors.servers.slapd import PEOPLE, SUFFIX, ldif
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import Call, MisconfiguredConnector, TargetUnavailable
from ports import free_port

ACCOUNT = "robot"
DN = f"cn={ACCOUNT},cn=users,{SUFFIX}"
USER = LdapObjectType(
    name="user", bases=(PEOPLE,), dn_template=f"CN={{cn}},{PEOPLE}", attributes=("cn", "sAMAccountName")
)


class Realm:
    """A machine's view of Kerberos: a configuration, and what the account can prove itself with."""

    def __init__(self, server: SambaServer, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.server = server
        self.keytab = str(folder / "robot.keytab")
        self._configuration = folder / "krb5.conf"
        self._cache = folder / "ccache"
        environment.setenv("KRB5_CONFIG", str(self._configuration))
        environment.setenv("KRB5CCNAME", f"FILE:{self._cache}")
        environment.delenv("KRB5_CLIENT_KTNAME", raising=False)
        self.kdc(server.host)

    def kdc(self, address: str) -> None:
        self._configuration.write_text(
            f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
            f"dns_canonicalize_hostname = false\nrdns = false\n[realms]\n{REALM} = {{\n kdc = {address}\n}}\n"
        )

    def kinit(self, lifetime: str = "10m") -> None:
        program = shutil.which("kinit")
        if program is None:
            missing("kinit (krb5-user)")
        command = [program, "-k", "-t", self.keytab, "-l", lifetime, f"{ACCOUNT}@{REALM}"]
        subprocess.run(command, check=True, capture_output=True, timeout=20)

    def expired(self) -> bool:
        return subprocess.run(["klist", "-s"], timeout=20).returncode != 0

    def connector(self, **changes: Any) -> Any:
        given = {"bind": "gssapi", "user": "", "password": None, "keytab": self.keytab, "object_types": (USER,)}
        return connector_type.open(self.server.settings(**{**given, **changes}))

    def logs_in(self, timeout: float = 20, **changes: Any) -> None:
        connector = self.connector(**changes)
        try:
            connector.test(call=Call(timeout=timeout))
        finally:
            connector.close()


@pytest.fixture
def realm(samba: SambaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    samba.known_to_kerberos()
    password = '"First key 7"'.encode("utf-16-le")
    account = {"objectClass": ["user"], "sAMAccountName": [ACCOUNT], "userAccountControl": ["512"]}
    samba.add(DN, {**account, "unicodePwd": [password]})
    made = Realm(samba, tmp_path, monkeypatch)
    samba.export_key(ACCOUNT, Path(made.keytab))
    yield made
    samba.delete(DN)


@pytest.mark.parametrize("encryption", ["starttls", "ldaps"])
@pytest.mark.parametrize("user", ["", f"{ACCOUNT}@{REALM}"])
def test_a_keytab_logs_in(realm: Realm, encryption: str, user: str) -> None:
    url = realm.server.tls_url if encryption == "ldaps" else realm.server.url
    realm.logs_in(url=url, user=user)


def test_many_log_ins_at_once(realm: Realm) -> None:
    """All of them need the first ticket."""
    for _ in range(3):
        realm.keytab = shutil.copy(realm.keytab, f"{realm.keytab}-")  # with a ticket cache of its own
        assert harness.at_once(*[realm.logs_in] * 12) == [None] * 12


def test_it_is_the_account_of_the_ticket(realm: Realm) -> None:
    """Only who may write can: the ordinary account is refused, and no password was ever given."""
    declared = LdapObjectType(
        name="user",
        bases=(f"cn=users,{SUFFIX}",),
        dn_template=f"CN={{cn}},cn=users,{SUFFIX}",
        attributes=("cn", "sAMAccountName", "displayName"),
    )
    connector = realm.connector(object_types=(declared,))
    (own,) = connector.find("user", "sAMAccountName", ACCOUNT, attributes=("cn",), call=Call(timeout=20))
    assert own.identity.dn == DN
    with pytest.raises(Exception, match="may not write"):
        connector.create("user", {"cn": ("x",), "sAMAccountName": ("x",)}, call=Call(timeout=20))
    connector.close()


def test_a_ticket_named_by_the_environment_logs_in_until_it_expires(realm: Realm) -> None:
    realm.kinit()
    realm.logs_in(keytab=None)
    realm.kinit("2s")
    until(realm.expired, what="the ticket expiring")
    with pytest.raises(MisconfiguredConnector, match=r"no Kerberos log-in .*expired.*kinit"):
        realm.logs_in(keytab=None)


def test_without_a_ticket(realm: Realm) -> None:
    with pytest.raises(MisconfiguredConnector, match=r"no Kerberos log-in .*No Kerberos credentials.*kinit"):
        realm.logs_in(keytab=None)


def test_a_key_that_is_no_longer_the_accounts(realm: Realm) -> None:
    changed = '"Second key 8"'.encode("utf-16-le")
    realm.server.modify(ldif(DN, {"changetype": ["modify"], "replace": ["unicodePwd"], "unicodePwd": [changed]}))
    with pytest.raises(MisconfiguredConnector, match=r"no Kerberos log-in .*check 'keytab' and 'user'"):
        realm.logs_in()


def test_settings_that_do_not_fit(realm: Realm) -> None:
    with pytest.raises(MisconfiguredConnector, match="there is no file"):
        realm.logs_in(keytab="/nonexistent/keytab")
    with pytest.raises(MisconfiguredConnector, match="keytab is for bind = 'gssapi'"):
        realm.logs_in(bind="anonymous")
    with pytest.raises(MisconfiguredConnector, match="no Kerberos log-in"):
        realm.logs_in(user=f"another@{REALM}")


def test_a_server_that_kerberos_does_not_know(realm: Realm) -> None:
    realm.server.known_to_kerberos(known=False)
    try:
        with pytest.raises(
            MisconfiguredConnector, match=rf"no Kerberos log-in at ldap/{realm.server.host}: .*not found"
        ):
            realm.logs_in()
    finally:
        realm.server.known_to_kerberos()


def test_no_kdc_listens(realm: Realm) -> None:
    realm.kdc(f"127.0.0.1:{free_port()}")
    with pytest.raises(TargetUnavailable, match="Kerberos"):
        realm.logs_in(keytab=realm.keytab, user=f"{ACCOUNT}@{REALM}")


def test_a_kdc_that_says_nothing_hangs_nobody(realm: Realm) -> None:
    """The log-in ends within its limit, and other threads go on meanwhile."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets, socket.socket() as streams:
        port = free_port()
        packets.bind(("127.0.0.1", port))
        streams.bind(("127.0.0.1", port))
        streams.listen()
        realm.kdc(f"127.0.0.1:{port}")
        turns, stop = [0], threading.Event()

        def count() -> None:
            while not stop.wait(0.001):
                turns[0] += 1

        other = threading.Thread(target=count)
        other.start()
        began = time.monotonic()
        try:
            with pytest.raises(TargetUnavailable, match="KDC does not answer within"):
                realm.logs_in(connect_timeout=1.0)
        finally:
            took = time.monotonic() - began
            stop.set()
            other.join()
        assert packets.recv(1), "it was asked"
    assert took < 10
    assert turns[0] > 50, "the interpreter's lock was kept"
