"""What the server holds against our account is said of the connector, never of the request that met it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.directory389 import Directory389
from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import PEOPLE, SUFFIX, LdapPrograms, SlapdServer, Variant, ldif
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import Call, MisconfiguredConnector, Secret

PERSON = LdapObjectType(
    name="person", structural_class="inetOrgPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},{PEOPLE}"
)
ACCOUNT = f"uid=robot,{PEOPLE}"
PASSWORD = "Robot's password 1"


def refused(server: LdapPrograms, reason: str, user: str = ACCOUNT, password: str = PASSWORD) -> None:
    """Check what a test and a create of such an account say."""
    connector: Any = connector_type.open(server.settings(user=user, password=Secret(password), object_types=(PERSON,)))
    try:
        with pytest.raises(MisconfiguredConnector, match=f"refuses the log-in: .*{reason}") as told:
            connector.test(call=Call(timeout=20))
        assert password not in str(told.value)
        with pytest.raises(MisconfiguredConnector, match="refuses the log-in"):
            connector.create("person", {"uid": ("x",), "cn": ("x",), "sn": ("x",)}, call=Call(timeout=20))
    finally:
        connector.close()


def put(server: LdapPrograms, dn: str, name: str, value: str) -> None:
    server.modify(ldif(dn, {"changetype": ["modify"], "replace": [name], name: [value]}))


def test_a_name_that_is_no_dn(plain_slapd: SlapdServer) -> None:
    refused(plain_slapd, "invalid DN", user="isthmus")


@pytest.fixture
def policed(directory_389: Directory389) -> Iterator[Directory389]:
    rules = {"passwordLockout": "on", "passwordMaxFailure": "1", "passwordMustChange": "on"}
    directory_389.remove_all()
    person = {"objectClass": ["inetOrgPerson"], "uid": ["robot"], "cn": ["robot"], "sn": ["robot"]}
    directory_389.add(ACCOUNT, {**person, "userPassword": [PASSWORD]})
    for name, value in rules.items():
        put(directory_389, "cn=config", name, value)
    yield directory_389
    for name in rules:
        put(directory_389, "cn=config", name, "3" if name == "passwordMaxFailure" else "off")
    directory_389.remove_all()


def test_an_account_that_is_switched_off(policed: Directory389) -> None:
    put(policed, ACCOUNT, "nsAccountLock", "true")
    refused(policed, "Account inactivated")


def test_an_account_that_is_locked_out(policed: Directory389) -> None:
    refused(policed, "Invalid credentials|password retry limit", password="another")
    refused(policed, "password retry limit")


def test_an_account_that_must_change_its_password(policed: Directory389) -> None:
    put(policed, ACCOUNT, "userPassword", PASSWORD)
    refused(policed, "must be changed")


def test_an_account_whose_password_was_reset() -> None:
    server = slapd_server(Variant(ppolicy=True))
    try:
        server.start()
        policy = {"objectClass": ["pwdPolicy", "device"], "cn": ["policy"], "pwdAttribute": ["userPassword"]}
        server.add(f"cn=policy,{SUFFIX}", {**policy, "pwdMustChange": ["TRUE"]})
        put(server, server.user, "userPassword", PASSWORD)
        refused(server, "must be changed", user=server.user)
    finally:
        server.remove()
