"""Whom an encrypted connection is made to: by authority and name, by a pinned certificate, or whoever is there."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

from connectors.servers.certificates import write_certificates
from connectors.servers.fixtures import slapd_server
from connectors.servers.slapd import PEOPLE, SlapdServer, Variant
from isthmus.connectors.ldap import LdapObjectType, connector_type
from isthmus.spi import Call, MisconfiguredConnector, Secret
from isthmus.testing import closed_port

PERSON = LdapObjectType(name="person", structural_class="inetOrgPerson", bases=(PEOPLE,))


@pytest.fixture(scope="module", params=["another name", "expired"])
def wrong(request: pytest.FixtureRequest) -> Iterator[tuple[SlapdServer, str]]:
    """Give a server whose certificate is not good, and what OpenSSL says of it."""
    server = slapd_server(Variant())
    expired = request.param == "expired"
    write_certificates(server.folder, address="127.0.0.1" if expired else "127.0.0.9", expired=expired)
    try:
        server.start()
        yield server, "expired" if expired else "IP address mismatch"
    finally:
        server.remove()


def reach(server: SlapdServer, way: str, **changes: Any) -> None:
    url = server.tls_url if way == "ldaps" else server.url
    connector = connector_type.open(server.settings(url=url, tls="starttls", object_types=(PERSON,), **changes))
    try:
        connector.test(call=Call(timeout=20))
    finally:
        connector.close()


@pytest.mark.parametrize("way", ["starttls", "ldaps"])
def test_a_certificate_that_is_not_good(wrong: tuple[SlapdServer, str], way: str) -> None:
    server, reason = wrong
    with pytest.raises(MisconfiguredConnector, match=f"certificate is not accepted: .*{reason}"):
        reach(server, way)
    reach(server, way, tls_verify=False)


@pytest.mark.parametrize("way", ["starttls", "ldaps"])
def test_a_pinned_certificate_is_trusted_and_no_other(wrong: tuple[SlapdServer, str], way: str) -> None:
    server, _ = wrong
    certificate = ssl.PEM_cert_to_DER_cert((server.folder / "server.pem").read_text())
    digest = hashlib.sha256(certificate).hexdigest()
    spelled = ":".join(digest[i : i + 2] for i in range(0, 64, 2)).upper()
    for pin in (digest, spelled):
        reach(server, way, tls_fingerprint=pin, tls_ca=None)
    for pin in (digest[:-1] + ("0" if digest[-1] != "0" else "1"), "0" * 64):
        with pytest.raises(MisconfiguredConnector, match="not the one in tls_fingerprint"):
            reach(server, way, tls_fingerprint=pin)


@pytest.mark.parametrize("way", ["starttls", "ldaps"])
def test_the_next_server_has_a_good_one(wrong: tuple[SlapdServer, str], plain_slapd: SlapdServer, way: str) -> None:
    server, _ = wrong
    good = plain_slapd.tls_url if way == "ldaps" else plain_slapd.url
    reach(server, way, tls_ca=plain_slapd.ca, other_urls=(good,), password=Secret(plain_slapd.password))
    with closed_port() as closed, pytest.raises(MisconfiguredConnector, match="certificate is not accepted") as told:
        reach(server, way, tls_ca=plain_slapd.ca, other_urls=(f"ldaps://127.0.0.1:{closed}",))
    assert str(told.value).endswith(f"; ldaps://127.0.0.1:{closed}: Connection refused")
