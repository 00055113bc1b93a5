"""Passwords that work, and a password policy that has its say; logging in without a password at all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import PEOPLE, SUFFIX, SlapdServer, Variant
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import AttributeChange, Call, InvalidValue, Secret

PERSON = LdapObjectType(
    name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},{PEOPLE}"
)


@pytest.fixture(scope="module")
def policed() -> Iterator[SlapdServer]:
    """Give a server whose policy wants eight characters and locks people out."""
    server = slapd_server(Variant(ppolicy=True, policy="ppolicy_hash_cleartext"))
    try:
        server.start()
        server.add(
            f"cn=policy,{SUFFIX}",
            {
                "objectClass": ["pwdPolicy", "device"],
                "cn": ["policy"],
                "pwdAttribute": ["userPassword"],
                "pwdMinLength": ["8"],
                "pwdCheckQuality": ["2"],
                "pwdLockout": ["TRUE"],
            },
        )
        yield server
    finally:
        server.remove()


def works(server: SlapdServer, dn: str, password: str) -> bool:
    """Whether somebody can log in, by OpenLDAP's own program."""
    command = ["ldapwhoami", "-x", "-H", server.url, "-D", dn, "-w", password]
    return subprocess.run(command, capture_output=True).returncode == 0


def create(connector: Any, uid: str, password: str | None = None) -> Any:
    secret = None if password is None else Secret(password)
    return connector.create(
        "person", {"uid": (uid,), "cn": (uid,), "sn": (uid,)}, password=secret, call=Call(timeout=10)
    )


@pytest.mark.parametrize("method", ["extended", "attribute"])
def test_a_policy_has_its_say(policed: SlapdServer, method: str) -> None:
    policed.remove_all()
    connector: Any = connector_type.open(
        policed.settings(object_types=(PERSON,), password_method=method, password_hash="server")
    )
    with pytest.raises(InvalidValue) as refused:
        create(connector, "one", "short")
    assert "short" not in str(refused.value).replace("too short", "")
    assert not policed.search(PEOPLE, "(uid=one)")
    made = create(connector, "one", "long enough 1")
    dn = str(made.identity.dn)
    assert works(policed, dn, "long enough 1")
    (values,) = policed.search(PEOPLE, "(uid=one)", ["userPassword"]).values()
    assert values["userpassword"][0].startswith(b"{"), "the server hashes what it is given"
    with pytest.raises(InvalidValue):
        connector.set_password("person", made.identity, Secret("short"), call=Call(timeout=10))
    connector.set_password("person", made.identity, Secret("long enough 2"), call=Call(timeout=10))
    assert works(policed, dn, "long enough 2")
    lock = AttributeChange("pwdAccountLockedTime", replace=("000001010000Z",))
    connector.update("person", made.identity, [lock], call=Call(timeout=10))
    assert not works(policed, dn, "long enough 2"), "disabled as ppolicy disables"
    found = connector.read("person", made.identity, attributes=("pwdAccountLockedTime",), call=Call(timeout=10))
    assert found.attributes["pwdAccountLockedTime"] == ("000001010000Z",)
    free = AttributeChange("pwdAccountLockedTime", replace=())
    connector.update("person", made.identity, [free], call=Call(timeout=10))
    assert works(policed, dn, "long enough 2")
    connector.close()


def test_a_hash_of_ours_works(plain_slapd: SlapdServer) -> None:
    plain_slapd.remove_all()
    connector: Any = connector_type.open(plain_slapd.settings(object_types=(PERSON,)))
    made = create(connector, "one", "pässwörd {SSHA}")
    assert works(plain_slapd, str(made.identity.dn), "pässwörd {SSHA}")
    (values,) = plain_slapd.search(PEOPLE, "(uid=one)", ["userPassword"]).values()
    assert values["userpassword"][0].startswith(b"{SSHA}")
    connector.close()


def test_logging_in_without_a_password(plain_slapd: SlapdServer) -> None:
    """By client certificate over StartTLS and LDAPS, by the Unix account over ldapi, and as nobody."""
    from isthmus.connectors.ldap.connecting import Connecting

    folder = plain_slapd.folder
    pair = {"tls_certificate": str(folder / "server.pem"), "tls_key": str(folder / "server.key")}
    external = {"bind": "external", "user": "", "password": None}
    for changes, name in (
        ({**external, **pair, "tls": "starttls"}, "dn:cn=127.0.0.1"),
        ({**external, **pair, "url": plain_slapd.tls_url}, "dn:cn=127.0.0.1"),
        ({**external, "url": f"ldapi://{plain_slapd.socket}"}, "cn=peercred,cn=external,cn=auth"),
        ({"bind": "anonymous", "user": "", "password": None}, ""),
    ):
        link = Connecting(plain_slapd.settings(**changes)).connect(5)
        assert link.who_am_i(seconds=5).endswith(name)
        link.close()
