"""The private CA and the certificate it signs, made by `isthmus init` and renewed by `serve`."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import secrets
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from isthmus.config.certificates import (
    RENEWAL_DAYS,
    CertificateFacts,
    defects,
    describe_key,
    import_certificate,
    matches,
    names_of,
    read_chain,
    read_private_key,
)
from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError, Where
from isthmus.config.files import there, write_atomically

__all__ = [
    "CA_CERTIFICATE",
    "CertificateFacts",
    "ServerFiles",
    "describe",
    "describe_configured",
    "import_certificate",
    "init_ca",
    "renew_leaf",
    "san_problem",
    "server_files",
]

CA_CERTIFICATE = "ca.crt"
CA_KEY = "ca.key"
LEAF_CERTIFICATE = "server.crt"
LEAF_KEY = "server.key"

_CA_DAYS = 3652
_LEAF_DAYS = 365
_SKEW = dt.timedelta(hours=24)  # clocks of a fresh virtual machine are off by a time zone more often than by minutes
_DNS = re.compile(r"(\*\.)?(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What the HTTP server needs: PEM files, the key unencrypted PKCS#8."""

    certificate: Path
    key: Path
    client_ca: Path | None


def san_problem(name: str) -> str | None:
    """Return why a certificate cannot name this host, or None."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if len(name) <= 253 and _DNS.fullmatch(_ascii(name)):
            return None
        return "is neither a host name nor an address; a certificate names hosts, not URLs"
    return None


def init_ca(folder: Path, sans: Iterable[str] = (), *, now: dt.datetime | None = None) -> list[Path]:
    """Make a private CA (10 years) and the server's certificate (1 year) where they are missing; return the new files.

    The certificate is valid for localhost, 127.0.0.1, ::1, this machine's name, also fully qualified, and `sans`.

    Raises:
        ConfigError: a name in `sans` is not one, or the folder cannot be written.
    """
    wanted = _names(sans)
    now = now or dt.datetime.now(dt.UTC)
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not there(folder / CA_CERTIFICATE):
            _make_ca(folder, now)
            made += [folder / CA_KEY, folder / CA_CERTIFICATE]
        if not there(folder / LEAF_CERTIFICATE):
            if not there(folder / LEAF_KEY):  # it does if the process ended between the two
                _write_key(folder / LEAF_KEY, ec.generate_private_key(ec.SECP256R1()))
                made.append(folder / LEAF_KEY)
            _sign_leaf(folder, _leaf_key(folder), wanted, now)
            made.append(folder / LEAF_CERTIFICATE)
    except OSError as exc:
        raise ConfigError(f"the certificates cannot be written: {exc.strerror}", Where(folder)) from exc
    return made


def renew_leaf(
    folder: Path,
    *,
    within_days: float = RENEWAL_DAYS,
    sans: Iterable[str] | None = None,
    now: dt.datetime | None = None,
) -> bool:
    """Replace the server's certificate if it ends within `within_days` or lacks a name of `sans`; tell if it did.

    The new one has the same key, so that one atomic rename is the whole change and no reader ever holds a certificate
    with another's key. Without our CA's key there is nothing to renew with: False.

    Raises:
        ConfigError: files are damaged or cannot be written.
    """
    now = now or dt.datetime.now(dt.UTC)
    paths = (folder / CA_KEY, folder / CA_CERTIFICATE, folder / LEAF_KEY, folder / LEAF_CERTIFICATE)
    if not all(there(path) for path in paths):
        return False
    leaf = read_chain(folder / LEAF_CERTIFICATE)[0]
    names = list(names_of(leaf))
    wanted = names if sans is None else list(dict.fromkeys([*names, *_names(sans)]))
    ends = leaf.not_valid_after_utc - now < dt.timedelta(days=within_days)
    if not ends and wanted == names:
        return False
    try:
        _sign_leaf(folder, _leaf_key(folder), wanted, now)
    except OSError as exc:
        raise ConfigError(f"the certificate cannot be written: {exc.strerror}", Where(folder)) from exc
    return True


def server_files(configuration: Configuration) -> ServerFiles | None:
    """Return the files the SCIM listener serves with, or None where TLS is off.

    Raises:
        ConfigError: one is missing or cannot be used; what to do is in the text.
    """
    tls = configuration.host.scim.tls
    if not tls.enabled:
        return None
    folder = configuration.folder
    client_ca = folder / tls.client_ca if tls.client_ca is not None else None
    if tls.certificate is not None and tls.key is not None:
        files = ServerFiles(folder / tls.certificate, folder / tls.key, client_ca)
    else:
        files = ServerFiles(configuration.tls_dir / LEAF_CERTIFICATE, configuration.tls_dir / LEAF_KEY, client_ca)
    leaf = read_chain(files.certificate)[0]
    key = read_private_key(files.key)
    if b"-----BEGIN PRIVATE KEY-----" not in files.key.read_bytes():
        raise ConfigError("the key is not in PKCS#8 form; `isthmus tls import` converts it", Where(files.key))
    if not matches(leaf, key):
        raise ConfigError(f"the first certificate does not belong to the key {files.key}", Where(files.certificate))
    if client_ca is not None:
        read_chain(client_ca)
    return files


def describe(
    folder: Path, *, certificate: Path | None = None, key: Path | None = None, now: dt.datetime | None = None
) -> CertificateFacts:
    """Return the facts about a certificate, by default the one made in this folder.

    Raises:
        ConfigError: certificate or key cannot be read.
    """
    now = now or dt.datetime.now(dt.UTC)
    certificate = certificate or folder / LEAF_CERTIFICATE
    key = key or folder / LEAF_KEY
    leaf = read_chain(certificate)[0]
    ca = read_chain(folder / CA_CERTIFICATE)[0] if there(folder / CA_CERTIFICATE) else None
    private = ca is not None and leaf.issuer == ca.subject
    wrong = defects(leaf, now=now)
    if not matches(leaf, read_private_key(key)):
        wrong.append(f"the certificate does not belong to the key {key}")
    if private and ca is not None and ca.not_valid_after_utc <= now:
        wrong.append(f"the private CA expired on {ca.not_valid_after_utc:%Y-%m-%d}")
    left = (leaf.not_valid_after_utc - now) / dt.timedelta(days=1)
    notes = [f"the certificate ends in {left:.0f} days"] if 0 < left < RENEWAL_DAYS else []
    return CertificateFacts(
        certificate=certificate,
        key=key,
        kind="private" if private else "own",
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        names=names_of(leaf),
        serial=f"{leaf.serial_number:x}",
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        days_left=left,
        sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        key_type=describe_key(leaf),
        ca_certificate=folder / CA_CERTIFICATE if private else None,
        ca_sha256=ca.fingerprint(hashes.SHA256()).hex() if private and ca is not None else None,
        ca_not_after=ca.not_valid_after_utc if private and ca is not None else None,
        usable=not wrong,
        problems=(*wrong, *notes),
    )


def describe_configured(configuration: Configuration) -> CertificateFacts:
    """Return the facts about the certificate that the configuration names."""
    tls = configuration.host.scim.tls
    if tls.certificate is None or tls.key is None:
        return describe(configuration.tls_dir)
    folder = configuration.folder
    return describe(configuration.tls_dir, certificate=folder / tls.certificate, key=folder / tls.key)


def _leaf_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = read_private_key(folder / LEAF_KEY)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("this key was not made by `isthmus init`", Where(folder / LEAF_KEY))
    return key


def _make_ca(folder: Path, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # the random part tells two CAs of one machine apart in the trust store of the agent
    label = f"Isthmus private CA {socket.gethostname()[:30]} {secrets.token_hex(4)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    certificate = (
        _builder(name, name, key.public_key(), now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / CA_KEY, key)
    write_atomically(folder / CA_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _sign_leaf(folder: Path, key: ec.EllipticCurvePrivateKey, names: Iterable[str], now: dt.datetime) -> None:
    ca = read_chain(folder / CA_CERTIFICATE)[0]
    ca_key = read_private_key(folder / CA_KEY)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or not matches(ca, ca_key):
        raise ConfigError("the key of the private CA does not belong to its certificate", Where(folder / CA_KEY))
    listed = list(names)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(listed))])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in listed]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_atomically(folder / LEAF_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(path, raw, mode=0o600, private=True)


def _names(sans: Iterable[str]) -> list[str]:
    """Return the names of the certificate: those every one has, then the given ones, none twice."""
    names = ["localhost", "127.0.0.1", "::1"]
    own = socket.gethostname()
    names += [name for name in (own, _fully_qualified(own)) if san_problem(name) is None]
    for name in sans:
        problem = san_problem(name)
        if problem is not None:
            raise ConfigError(f"{name!r} {problem}")
        names.append(name)
    return list(dict.fromkeys(_canonical(name) for name in names))


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return _ascii(name).lower()


def _ascii(name: str) -> str:
    """Return the form a certificate has for an internationalised name (RFC 5280 7.2)."""
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return ""


def _fully_qualified(own: str) -> str:
    """Return this machine's full name; a name server that does not answer costs two seconds at most."""
    answer = [own]
    asking = threading.Thread(target=lambda: answer.append(socket.getfqdn(own)), daemon=True)
    asking.start()
    asking.join(2)
    return answer[-1]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _common_name(names: list[str]) -> str:
    # X.520 allows 64 characters; clients look at the subjectAltName only
    fitting = [name for name in names if len(name) <= 64 and name not in ("localhost", "127.0.0.1", "::1")]
    return fitting[0] if fitting else "localhost"
