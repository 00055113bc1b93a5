"""Read certificates and keys, judge whether clients will accept them, and import one's own."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from isthmus.config.documents import Configuration
from isthmus.config.editing import set_values
from isthmus.config.errors import ConfigError, Where
from isthmus.config.files import write_atomically
from isthmus.spi import Secret

RENEWAL_DAYS = 30
"""A leaf of our own with fewer days left is renewed; one's own certificate is warned about."""

_SMALLEST_RSA = 2048  # bits; what OpenSSL's security level 2 and browsers still accept


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What `tls show` and `doctor` tell about the certificate that is served.

    `kind`: made by `isthmus init`, or one's own. `names` are the DNS names and addresses it is valid for. `problems`
    are in words; where `usable` is False, clients refuse the connection.
    """

    certificate: Path
    key: Path
    kind: Literal["private", "own"]
    subject: str
    issuer: str
    names: tuple[str, ...]
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    days_left: float
    sha256: str
    key_type: str
    ca_certificate: Path | None
    ca_sha256: str | None
    ca_not_after: dt.datetime | None
    usable: bool
    problems: tuple[str, ...]


def read_chain(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, in its order.

    Raises:
        ConfigError: the file cannot be read or has none.
    """
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("there is no certificate in PEM form in this file", Where(path)) from None


def read_private_key(path: Path, password: Secret | None = None) -> PrivateKeyTypes:
    """Return the private key of a PEM file.

    Raises:
        ConfigError: the file cannot be read, holds no key, or the password is missing or wrong.
    """
    raw = _read(path)
    try:
        return serialization.load_pem_private_key(raw, password.reveal().encode() if password else None)
    except TypeError:
        text = "needs a password" if password is None else "is not encrypted; leave the password out"
        raise ConfigError(f"the key {text}", Where(path)) from None
    except (ValueError, UnsupportedAlgorithm):
        text = "or the password is wrong" if password is not None else "of a kind that is known"
        raise ConfigError(f"there is no private key in PEM form in this file, {text}", Where(path)) from None


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses a certificate is valid for (its subjectAltName, RFC 6125 6.4)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Tell whether clients that connect to this host accept the certificate's names."""
    wanted = host.casefold().rstrip(".")
    for name in names_of(certificate):
        allowed = name.casefold()
        if allowed == wanted or (allowed.startswith("*.") and wanted.partition(".")[2] == allowed[2:]):
            return True
        try:
            if ipaddress.ip_address(allowed) == ipaddress.ip_address(wanted):
                return True
        except ValueError:
            continue
    return False


def matches(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Tell whether the certificate was made for this key."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def defects(certificate: x509.Certificate, *, now: dt.datetime) -> list[str]:
    """Return why TLS clients would refuse the certificate."""
    found = []
    if certificate.not_valid_after_utc <= now:
        found.append(f"the certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > now:
        found.append(f"the certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    if not names_of(certificate):
        found.append("the certificate names no host in its subjectAltName; clients no longer look at the common name")
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < _SMALLEST_RSA:
        found.append(f"the RSA key has {public.key_size} bits; at least {_SMALLEST_RSA} are needed")
    if isinstance(public, dsa.DSAPublicKey):
        found.append("DSA keys are not accepted in TLS 1.3 (RFC 8446 4.2.3)")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        usage = None
    allowed = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if usage is not None and not any(purpose in usage for purpose in allowed):
        found.append("the certificate is not meant for servers (its extendedKeyUsage lacks serverAuth)")
    return found


def import_certificate(
    configuration: Configuration,
    certificate: Path,
    key: Path,
    *,
    password: Secret | None = None,
    now: dt.datetime | None = None,
) -> list[str]:
    """Copy one's own certificate chain and key into the TLS folder, have `isthmus.toml` name them, and return warnings.

    The copies get names of their own and the configuration changes in one atomic write, so that no reader sees a
    certificate with another's key. The key is written as unencrypted PKCS#8, mode 0600: what the HTTP server takes.

    Raises:
        ConfigError: the two do not belong together, or clients would refuse the certificate; nothing was changed then.
    """
    private = read_private_key(key, password)
    chain = _ordered(read_chain(certificate), private, certificate)
    leaf = chain[0]
    wrong = defects(leaf, now=now or dt.datetime.now(dt.UTC))
    if wrong:
        raise ConfigError("; ".join(wrong), Where(certificate))
    name = f"imported-{leaf.fingerprint(hashes.SHA256()).hex()[:16]}"
    folder = configuration.tls_dir
    pem = serialization.Encoding.PEM
    unencrypted = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.key", unencrypted, mode=0o600, private=True)
        write_atomically(folder / f"{name}.crt", b"".join(part.public_bytes(pem) for part in chain), mode=0o644)
    except OSError as exc:
        raise ConfigError(f"the certificate cannot be copied: {exc.strerror}", Where(folder)) from exc
    set_values(
        configuration.path,
        {
            "scim.tls.certificate": f"{configuration.host.tls_dir.rstrip('/')}/{name}.crt",
            "scim.tls.key": f"{configuration.host.tls_dir.rstrip('/')}/{name}.key",
        },
    )
    return _import_warnings(configuration, chain)


def _import_warnings(configuration: Configuration, chain: Sequence[x509.Certificate]) -> list[str]:
    leaf = chain[0]
    warnings = []
    if len(chain) == 1 and leaf.issuer != leaf.subject:
        warnings.append(
            "the file holds no intermediate certificate; if the issuer is not itself trusted by clients, add its "
            "certificate behind yours and import again"
        )
    url = configuration.host.public_url
    host = urlsplit(url).hostname if url is not None else None
    if host is not None and not covers(leaf, host):
        warnings.append(f"the certificate is not valid for {host}, the host of public_url")
    return warnings


def _ordered(chain: list[x509.Certificate], key: PrivateKeyTypes, path: Path) -> list[x509.Certificate]:
    """Return the key's certificate first and each issuer behind what it signed, as TLS sends them (RFC 8446 4.4.2)."""
    leaf = next((certificate for certificate in chain if matches(certificate, key)), None)
    if leaf is None:
        raise ConfigError("the certificate does not belong to the key; give the key it was requested with", Where(path))
    ordered = [leaf]
    rest = [certificate for certificate in chain if certificate is not leaf]
    while rest:
        following = next((certificate for certificate in rest if certificate.subject == ordered[-1].issuer), None)
        if following is None or ordered[-1].issuer == ordered[-1].subject:
            break
        rest.remove(following)
        ordered.append(following)
    return ordered


def describe_key(certificate: x509.Certificate) -> str:
    """Return the kind and size of a certificate's key, for people."""
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA {public.key_size}"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ECDSA {public.curve.name}"
    if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return "EdDSA"
    return type(public).__name__.removesuffix("PublicKey").lstrip("_")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4 * 1024 * 1024)
    except FileNotFoundError:
        raise ConfigError(
            "the file does not exist; `isthmus init` makes those of the private CA, "
            "`isthmus tls import` takes your own",
            Where(path),
        ) from None
    except OSError as exc:
        raise ConfigError(f"the file cannot be read: {exc.strerror}", Where(path)) from exc
