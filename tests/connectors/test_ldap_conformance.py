"""The conformance suite on OpenLDAP: an anchor the server makes, one that people choose, and the DN."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.directory389 import Directory389
from connectors.servers.samba import SambaServer
from connectors.servers.slapd import PEOPLE, SlapdServer, ldif
from isthmus.connectors.ldap import LdapObjectType, LdapSettings, connector_type
from isthmus.spi import ConnectorObject, Secret, Value
from isthmus.testing import ConnectorConformance, Hooks
from isthmus.testing.suite.creating import Creating
from isthmus.testing.suite.delta import DeltaImport
from isthmus.testing.suite.hostile import HostileValues
from isthmus.testing.suite.importing import FullImport
from isthmus.testing.suite.lookup import Lookup
from isthmus.testing.suite.passwords import Passwords
from isthmus.testing.suite.references import References
from isthmus.testing.suite.schema import DiscoveredSchema
from isthmus.testing.suite.updating import Updating

PERSON = LdapObjectType(
    name="testPerson", bases=(PEOPLE,), dn_template=f"uid={{uid}},{PEOPLE}", excluded_attributes=("cn", "mail")
)


def stored(value: Value) -> str | bytes:
    """Return a value as it stands in LDIF."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime():
            return f"{value.astimezone(UTC):%Y%m%d%H%M%S}Z"
        case bytes():
            return value
        case _:
            return str(value)


class _Writer:
    """Somebody else who writes to the directory, by OpenLDAP's own programs."""

    def __init__(self, server: Any, *, naming: str = "uid", classes: Sequence[str] = ("testPerson",)) -> None:
        self._server = server
        self._naming = naming
        self._classes = classes

    def create(self, attributes: Mapping[str, tuple[Value, ...]]) -> None:
        values = {name: [stored(v) for v in given] for name, given in attributes.items() if given}
        dn = f"{self._naming}={values[self._naming][0]},{PEOPLE}"
        self._server.add(dn, {**values, "objectClass": self._classes})

    def update(self, existing: ConnectorObject, attribute: str, values: tuple[Value, ...]) -> None:
        assert existing.identity.dn is not None
        change = {"changetype": ["modify"], "replace": [attribute], attribute: [stored(v) for v in values]}
        self._server.modify(ldif(existing.identity.dn, change))

    def delete(self, existing: ConnectorObject) -> None:
        assert existing.identity.dn is not None
        self._server.delete(existing.identity.dn)


class _Directory(Hooks):
    connector_type = connector_type
    object_type: ClassVar[str] = "testPerson"
    text_attribute = "testText"
    reserved = frozenset({"objectClass", "uid"})
    anchor: ClassVar[str] = ""
    server: Any

    @pytest.fixture
    def settings(self, slapd: SlapdServer) -> LdapSettings:
        self.server = slapd
        slapd.remove_all()
        return slapd.settings(object_types=(dataclasses.replace(PERSON, anchor=self.anchor),))

    def new_attributes(self, n: int) -> Mapping[str, tuple[Value, ...]]:
        return {
            "uid": (f"Person-{n}",),
            "sn": (f"Name-{n}",),
            "testText": (f"Text-{n}",),
            "testWords": (f"Words-{n}",),
            "testNumber": (n,),
            "testFlag": (n % 2 == 0,),
            "testMoment": (datetime(2001, 2, 3, 4, 5, n % 60, tzinfo=UTC),),
            "testBytes": (f"{n:08x}".encode(),),
            "testMany": (f"one-{n}", f"two-{n}"),
        }

    def fill(self, settings: Any, count: int) -> bool:
        entries = (
            ldif(f"uid=many{i},{PEOPLE}", {"objectClass": ["testPerson"], "uid": [f"many{i}"], "sn": ["n" * 50]})
            for i in range(count)
        )
        self.server.run("ldapadd", text="".join(entries))
        return True

    def wrong_credentials(self, settings: Any) -> Any:
        return dataclasses.replace(settings, password=Secret("not-the-password"))

    def dead_target(self, settings: Any) -> Any:
        @contextmanager
        def dead() -> Iterator[Any]:
            self.server.stop()
            try:
                yield settings
            finally:
                self.server.start()

        return dead()

    def hang_target(self, settings: Any) -> Any:
        @contextmanager
        def hanging() -> Iterator[Any]:
            self.server.pause()
            try:
                yield settings
            finally:
                self.server.resume()

        return hanging()

    def other_writer(self, settings: Any) -> _Writer:
        return _Writer(self.server)

    def password_works(self, settings: Any, existing: ConnectorObject, password: Secret) -> bool:
        import ldap

        connection = ldap.initialize(self.server.url)
        try:
            connection.simple_bind_s(existing.identity.dn, password.reveal())
        except ldap.INVALID_CREDENTIALS:
            return False
        finally:
            connection.unbind_s()
        return True


class TestEntryUuid(_Directory, ConnectorConformance):
    """The default: the server makes the anchor; deltas by accesslog."""


class TestUid(_Directory, ConnectorConformance):
    """The anchor names the entry as well, so that each rename changes it."""

    anchor = "uid"


class TestDn(_Directory, DiscoveredSchema, Creating, Updating, Lookup, References, FullImport, DeltaImport):
    """The DN as the anchor."""

    anchor = "dn"


class TestEncrypted(_Directory, Lookup, Creating, HostileValues):
    """StartTLS."""

    @pytest.fixture
    def settings(self, slapd: SlapdServer) -> LdapSettings:
        self.server = slapd
        slapd.remove_all()
        return slapd.settings(object_types=(PERSON,), tls="starttls")


class TestSyncRepl(_Directory, DeltaImport):
    """Deltas by content synchronisation."""

    @pytest.fixture
    def settings(self, slapd: SlapdServer) -> LdapSettings:
        self.server = slapd
        slapd.remove_all()
        return slapd.settings(object_types=(PERSON,), delta="syncrepl")


class Test389(_Directory, ConnectorConformance):
    """An independent implementation: other controls, other messages; deltas by its change log."""

    # Of several values that are added to it at once the server keeps some; it is a switch, and has one in practice.
    reserved = _Directory.reserved | {"nsAccountLock"}
    # It takes about 200 entries a second: too few for this one in a minute. Imports are the same code as above.
    test_import_keeps_memory_bounded = None  # type: ignore[assignment]

    @pytest.fixture
    def settings(self, directory_389: Directory389) -> LdapSettings:
        self.server = directory_389
        directory_389.remove_all()
        return directory_389.settings(object_types=(PERSON,))


class Test389Dn(_Directory, Creating, Updating, DeltaImport):
    """The DN as the anchor, as Microsoft's connector has it for this server."""

    @pytest.fixture
    def settings(self, directory_389: Directory389) -> LdapSettings:
        self.server = directory_389
        directory_389.remove_all()
        return directory_389.settings(object_types=(dataclasses.replace(PERSON, anchor="dn"),))


class TestActiveDirectory(
    _Directory, DiscoveredSchema, Creating, Updating, Lookup, Passwords, HostileValues, DeltaImport
):
    """The rules of Active Directory, as Samba has them: no read-back, no assertions, messages of its own."""

    object_type = "user"
    text_attribute = "info"
    reserved = frozenset({"objectClass", "cn", "sAMAccountName", "userAccountControl"})

    @pytest.fixture
    def settings(self, samba: SambaServer) -> LdapSettings:
        self.server = samba
        samba.remove_all()
        user = LdapObjectType(
            name="user",
            bases=(PEOPLE,),
            dn_template=f"CN={{cn}},{PEOPLE}",
            attributes=(
                "cn", "sAMAccountName", "sn", "info", "uidNumber", "otherTelephone", "jpegPhoto", "manager", "memberOf",
                "userAccountControl", "unicodePwd", "whenCreated",
            ),
        )  # fmt: skip
        return samba.settings(object_types=(user,))

    def new_attributes(self, n: int) -> Mapping[str, tuple[Value, ...]]:
        return {
            "cn": (f"Person-{n}",),
            "sAMAccountName": (f"person-{n}",),
            "userAccountControl": (544,),  # an account that may do without a password; left out, it would be disabled
            "sn": (f"Name-{n}",),
            "info": (f"Text-{n}",),
            "uidNumber": (n,),
            "otherTelephone": (f"one-{n}", f"two-{n}"),
            "jpegPhoto": (f"{n:08x}".encode(),),
        }

    def other_writer(self, settings: Any) -> _Writer:
        return _Writer(self.server, naming="cn", classes=("user",))

    def password_works(self, settings: Any, existing: ConnectorObject, password: Secret) -> bool:
        assert existing.identity.dn is not None
        return bool(self.server.lets_in(existing.identity.dn, password.reveal()))
