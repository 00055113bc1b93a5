from __future__ import annotations

import datetime as dt
import socket
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from configurations import Write
from isthmus.config.certificates import covers, matches, read_chain, read_private_key
from isthmus.config.errors import ConfigError
from isthmus.config.loading import load
from isthmus.config.tls import (
    describe,
    describe_configured,
    import_certificate,
    init_ca,
    renew_leaf,
    san_problem,
    server_files,
)
from isthmus.config.watching import tls_fingerprint
from isthmus.spi import Secret

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


def handshake(certificate: Path, key: Path, ca: Path, host: str) -> str | None:
    """Shake hands in memory, the client trusting `ca` only; return the version of TLS."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=str(ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
        if len(done) == 2:
            return client.version()
    raise AssertionError("the handshake does not end")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_ca(tmp_path / "tls", ["scim.example.com", "192.0.2.7"])
    return tmp_path / "tls"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "::1", "scim.example.com", "192.0.2.7", socket.gethostname()]
)
def test_a_strict_client_that_trusts_the_ca_connects(folder: Path, host: str) -> None:
    assert handshake(folder / "server.crt", folder / "server.key", folder / "ca.crt", host) == "TLSv1.3"


def test_a_client_refuses_another_name_and_another_ca(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(folder / "server.crt", folder / "server.key", folder / "ca.crt", "other.example.com")
    init_ca(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(folder / "server.crt", folder / "server.key", tmp_path / "other" / "ca.crt", "localhost")


def test_terms_modes_and_forms(folder: Path) -> None:
    facts = describe(folder)
    ca = read_chain(folder / "ca.crt")[0]
    assert facts.usable
    assert (facts.kind, facts.problems, facts.key_type) == ("private", (), "ECDSA secp256r1")
    assert 364 < facts.days_left < 366
    assert facts.ca_not_after is not None
    assert 3650 * DAY < facts.ca_not_after - NOW < 3654 * DAY
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert (folder / name).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_that_exists_is_made_again(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert init_ca(folder, ["more.example.com"]) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "server.crt").unlink()
    assert init_ca(folder) == [folder / "server.crt"]
    assert (folder / "server.key").read_bytes() == before["server.key"]
    assert describe(folder).usable


def test_renewal_near_the_end_keeps_names_and_key(folder: Path) -> None:
    before = describe(folder)
    assert not renew_leaf(folder, now=NOW + 330 * DAY)
    assert describe(folder).serial == before.serial
    assert renew_leaf(folder, now=NOW + 340 * DAY)
    after = describe(folder, now=NOW + 340 * DAY)
    assert after.serial != before.serial
    assert (set(after.names), after.usable) == (set(before.names), True)
    assert after.days_left > 364
    assert matches(read_chain(folder / "server.crt")[0], read_private_key(folder / "server.key"))


def test_renewal_adds_names(folder: Path) -> None:
    names = set(describe(folder).names)
    assert not renew_leaf(folder, sans=["scim.example.com"])
    assert renew_leaf(folder, sans=["new.example.com"])
    assert set(describe(folder).names) == names | {"new.example.com"}


def test_renewal_without_the_cas_key_is_left_alone(folder: Path) -> None:
    (folder / "ca.key").unlink()
    assert not renew_leaf(folder, now=NOW + 400 * DAY)


def test_a_ca_key_of_another_ca_is_refused(folder: Path, tmp_path: Path) -> None:
    init_ca(tmp_path / "other")
    (folder / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(ConfigError, match="does not belong"):
        renew_leaf(folder, within_days=400)


def test_the_end_is_told(folder: Path) -> None:
    soon = describe(folder, now=NOW + 350 * DAY)
    assert soon.usable
    assert "ends in 15 days" in soon.problems[0]
    late = describe(folder, now=NOW + 366 * DAY)
    assert not late.usable
    assert "expired on" in late.problems[0]
    early = describe(folder, now=NOW - 10 * DAY)
    assert not early.usable
    assert "not valid before" in early.problems[0]


@pytest.mark.parametrize("name", ["https://x", "a b", "", "x" * 64, "a..b", "-a", "10.0.0.0/8", "*.*.x", "ä" * 300])
def test_what_a_certificate_cannot_name(tmp_path: Path, name: str) -> None:
    assert san_problem(name)
    with pytest.raises(ConfigError):
        init_ca(tmp_path / "tls", [name])


def test_names_are_written_canonically(tmp_path: Path) -> None:
    init_ca(tmp_path, ["SCIM.Example.com", "bücher.example", "2001:DB8:0::1", "*.example.net", "localhost"])
    names = describe(tmp_path).names
    assert {"scim.example.com", "xn--bcher-kva.example", "2001:db8::1", "*.example.net"} <= set(names)
    assert len(names) == len(set(names))


def own(
    folder: Path,
    *,
    names: tuple[str, ...] = ("scim.example.com",),
    start: dt.timedelta = -DAY,
    end: dt.timedelta = 90 * DAY,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    password: bytes | None = None,
) -> tuple[Path, Path]:
    """Make a certificate signed by an intermediate of its own; both are in one file, in the wrong order."""
    key = key or ec.generate_private_key(ec.SECP384R1())
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Intermediate")])
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])

    def builder(subject: x509.Name, signer: x509.Name, public: object) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(signer).public_key(public)  # type: ignore[arg-type]
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(NOW + start).not_valid_after(NOW + end)

    leaf = builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]), issuer, key.public_key())
    if names:
        leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    middle = builder(issuer, root, issuer_key.public_key()).sign(issuer_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    certificate = folder / "own.crt"
    certificate.write_bytes(middle.public_bytes(pem) + leaf.sign(issuer_key, hashes.SHA256()).public_bytes(pem))
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (folder / "own.key").write_bytes(key.private_bytes(pem, form, encryption))
    return certificate, folder / "own.key"


def test_a_certificate_of_ones_own_is_imported(write: Write, tmp_path: Path) -> None:
    path = write('# kept\npublic_url = "https://scim.example.com"\n')
    configuration = load(path)
    init_ca(configuration.tls_dir)
    before = tls_fingerprint(configuration)
    certificate, key = own(tmp_path, form=serialization.PrivateFormat.TraditionalOpenSSL)
    assert import_certificate(configuration, certificate, key) == []
    loaded = load(path)
    files = server_files(loaded)
    assert files is not None
    assert tls_fingerprint(loaded) != before
    assert files.key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    chain = read_chain(files.certificate)
    assert [part.subject.rfc4514_string() for part in chain] == ["CN=leaf", "CN=Intermediate"]
    facts = describe_configured(loaded)
    assert (facts.kind, facts.usable, facts.names) == ("own", True, ("scim.example.com",))
    assert path.read_text().startswith("# kept\n")


def test_an_import_warns_of_names_and_chain(write: Write, tmp_path: Path) -> None:
    configuration = load(write('public_url = "https://other.example.com:8443/x"\n'))
    certificate, key = own(tmp_path, names=("scim.example.com", "*.example.org"), password=b"pw")
    certificate.write_bytes(certificate.read_bytes().partition(b"-----END CERTIFICATE-----\n")[2])
    warnings = import_certificate(configuration, certificate, key, password=Secret("pw"))
    assert len(warnings) == 2
    assert "intermediate" in warnings[0]
    assert "not valid for other.example.com" in warnings[1]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("expired", "expired on"),
        ("future", "not valid before"),
        ("nameless", "names no host"),
        ("client", "not meant for servers"),
        ("weak", "1024 bits"),
        ("other key", "does not belong to the key"),
        ("no certificate", "no certificate in PEM"),
        ("no key", "no private key in PEM"),
        ("locked", "needs a password"),
        ("wrong password", "password is wrong"),
        ("missing", "does not exist"),
    ],
)
def test_certificates_that_are_not_imported(write: Write, tmp_path: Path, case: str, words: str) -> None:
    configuration = load(write())
    password = None
    weak = rsa.generate_private_key(65537, 1024) if case == "weak" else None
    certificate, key = own(
        tmp_path,
        start=DAY if case == "future" else -9 * DAY,
        end=-DAY if case == "expired" else 9 * DAY,
        names=() if case == "nameless" else ("a.example",),
        usage=ExtendedKeyUsageOID.CLIENT_AUTH if case == "client" else ExtendedKeyUsageOID.SERVER_AUTH,
        key=weak,
        password=b"right" if case in ("locked", "wrong password") else None,
    )
    if case == "other key":
        (tmp_path / "other").mkdir()
        key = own(tmp_path / "other")[1]
    if case == "no certificate":
        certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    if case == "no key":
        key.write_bytes(b"nothing")
    if case == "wrong password":
        password = Secret("wrong")
    if case == "missing":
        certificate.unlink()
    with pytest.raises(ConfigError, match=words):
        import_certificate(configuration, certificate, key, password=password)
    assert not configuration.tls_dir.exists()
    assert configuration.path.read_text() == ""


def test_what_the_server_is_given(write: Write, tmp_path: Path) -> None:
    assert server_files(load(write("scim.tls.enabled = false\n"))) is None
    configuration = load(write())
    with pytest.raises(ConfigError, match="isthmus init"):
        server_files(configuration)
    init_ca(configuration.tls_dir)
    assert server_files(configuration) is not None
    certificate, key = own(tmp_path, form=serialization.PrivateFormat.TraditionalOpenSSL)
    text = f'scim.tls = {{ certificate = "{certificate}", key = "{key}" }}\n'
    with pytest.raises(ConfigError, match="PKCS#8"):
        server_files(load(write(text)))
    own(tmp_path)
    with pytest.raises(ConfigError, match="first certificate does not belong"):
        server_files(load(write(text)))  # the file begins with the intermediate
    with pytest.raises(ConfigError, match="no certificate"):
        server_files(load(write(f'scim.tls.client_ca = "{key}"\n')))


def test_which_names_cover_a_host(tmp_path: Path) -> None:
    leaf = read_chain(own(tmp_path, names=("A.example.com", "*.example.org"))[0])[1]
    assert all(covers(leaf, host) for host in ("a.example.com", "A.EXAMPLE.COM.", "x.example.org"))
    assert not any(covers(leaf, host) for host in ("example.org", "x.y.example.org", "b.example.com", "10.0.0.1"))
