"""Making a connection: address, TLS, log-in, and the next server if one cannot be reached."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ldap
from ldap.ldapobject import SimpleLDAPObject

from isthmus.connectors.ldap import kerberos, password_policy
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.ldap.starttls import Introduction
from isthmus.connectors.ldap.tls_diagnosis import diagnose
from isthmus.spi import MisconfiguredConnector

_LEAST = 0.05  # seconds that one more server gets at least

_SAID_OF_THE_SERVER = frozenset(
    {Kind.UNREACHABLE, Kind.LOST, Kind.TLS, Kind.WEAK, Kind.BUSY, Kind.LIMIT, Kind.BROKEN, Kind.SETTINGS}
)
"""What an answer to a log-in may mean beside that our account is not let in."""


@dataclass(frozen=True, slots=True)
class Server:
    """An address from the settings."""

    url: str
    scheme: str
    host: str
    port: int
    path: str = ""


def servers(settings: LdapSettings) -> list[Server]:
    """Return the servers that the settings name.

    Raises:
        MisconfiguredConnector: an address is none, or the settings do not fit together.
    """
    found = [_server(url) for url in (settings.url, *settings.other_urls)]
    _check(settings, found)
    return found


def _server(url: str) -> Server:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise MisconfiguredConnector(f"{url!r} is not the address of a server: {exc}") from exc
    if parts.scheme not in {"ldap", "ldaps", "ldapi"}:
        raise MisconfiguredConnector(f"{url!r} must begin with ldap://, ldaps:// or ldapi://")
    if parts.username is not None or parts.query or parts.fragment:
        raise MisconfiguredConnector("an account, password or option stands in the address; use the settings for them")
    if parts.scheme == "ldapi":
        path = unquote(parts.netloc) or parts.path or "/run/slapd/ldapi"
        return Server(url, "ldapi", "", 0, path)
    if not parts.hostname or parts.path not in {"", "/"}:
        raise MisconfiguredConnector(f"{url!r} needs a host and nothing behind it; base DNs stand in 'bases'")
    return Server(url, parts.scheme, parts.hostname, port or (636 if parts.scheme == "ldaps" else 389))


def _check(settings: LdapSettings, found: Sequence[Server]) -> None:
    if settings.bind == "simple":
        if not settings.user:
            raise MisconfiguredConnector(
                "bind = 'simple' needs 'user', the DN of the connector's account, such as cn=isthmus,dc=example,dc=org"
            )
        if not settings.password:
            # RFC 4513 5.1.2: a name without a password is an anonymous log-in that looks like a successful one.
            raise MisconfiguredConnector("bind = 'simple' needs a password; an empty one would log in as nobody")
    if settings.bind == "external" and not settings.tls_certificate and any(s.scheme != "ldapi" for s in found):
        raise MisconfiguredConnector("bind = 'external' needs tls_certificate, or ldapi://")
    if settings.keytab and settings.bind != "gssapi":
        raise MisconfiguredConnector("keytab is for bind = 'gssapi'")
    if settings.tls_fingerprint and not re.fullmatch(r"[0-9a-f]{64}", _pin(settings)):
        raise MisconfiguredConnector("tls_fingerprint must be the SHA-256 of a certificate: 64 hexadecimal digits")
    for name in ("tls_ca", "tls_certificate", "tls_key", "keytab"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise MisconfiguredConnector(f"{name}: there is no file {path}")


def _pin(settings: LdapSettings) -> str:
    return settings.tls_fingerprint.replace(":", "").replace(" ", "").lower()


class Connecting:
    """Connects to the first server that answers, beginning with the one that did last time."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._first = 0

    def begin_anew(self) -> None:
        """Ask the servers in the order of the settings next time."""
        self._first = 0

    def connect(self, seconds: float, *, only: str | None = None) -> Link:
        """Return a bound connection.

        Raises:
            Failure: no server can be reached, or the one that can refuses us.
            MisconfiguredConnector: the settings do not fit together.
        """
        known = servers(self._settings)
        until = time.monotonic() + seconds
        order = [(self._first + i) % len(known) for i in range(len(known))]
        if only is not None:
            order = [i for i in order if known[i].url == only]
        problems: list[Failure] = []
        for left, number in zip(range(len(order), 0, -1), order, strict=True):
            share = max(_LEAST, (until - time.monotonic()) / left)
            try:
                link = connect(known[number], self._settings, min(share, self._settings.connect_timeout))
            except Failure as failure:
                failure.nothing_sent = True  # nothing of the caller's
                if failure.kind not in {Kind.UNREACHABLE, Kind.LOST, Kind.BUSY, Kind.TLS}:
                    raise
                problems.append(failure)
                continue
            self._first = number
            return link
        if len(problems) == 1:
            raise problems[0]
        told = [(f"{known[n].url}: ", str(problem)) for n, problem in zip(order, problems, strict=True)]
        said = "; ".join(url + text.removeprefix(url) for url, text in told)
        kind = Kind.TLS if any(p.kind is Kind.TLS for p in problems) else Kind.UNREACHABLE
        raise Failure(kind, "", said, nothing_sent=True)


def connect(server: Server, settings: LdapSettings, seconds: float) -> Link:
    """Return a connection to one server, bound."""
    until = time.monotonic() + seconds
    sock = _dial(server, seconds)
    introduction = Introduction(sock) if server.scheme == "ldaps" else None
    link: Link | None = None
    try:
        given = introduction.library if introduction is not None else sock.dup()
        # The library speaks of ldap:// whatever the scheme; host and port serve to check the certificate's name.
        library = SimpleLDAPObject(_library_url(server), fileno=given.fileno())
        descriptor = given.detach()  # the library closes it
        link = Link(library, sock, server.url)
        _set_options(library, seconds)
        if server.scheme == "ldaps" or (server.scheme == "ldap" and settings.tls == "starttls"):
            _start_tls(link, server, settings, until)
        _bind(link, server, settings, max(_LEAST, until - time.monotonic()))
        if introduction is not None and not introduction.finish(descriptor):
            raise Failure(Kind.UNREACHABLE, "", "the server sent more than was asked for during the log-in")
    except BaseException:
        if link is not None:
            link.broken = True
            link.close()
        sock.close()
        raise
    finally:
        if introduction is not None:
            introduction.close()
    return link


def _library_url(server: Server) -> str:
    if server.scheme == "ldapi":
        return "ldapi://"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"ldap://{host}:{server.port}"


def _dial(server: Server, seconds: float) -> socket.socket:
    try:
        if server.scheme == "ldapi":
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(seconds)
                sock.connect(server.path)
            except BaseException:
                sock.close()
                raise
        else:
            sock = _reach(server, seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except (OSError, UnicodeError) as exc:
        reason = "no answer" if isinstance(exc, TimeoutError) else str(getattr(exc, "strerror", None) or exc)
        raise Failure(Kind.UNREACHABLE, "", f"{server.url}: {reason}", nothing_sent=True) from exc
    sock.settimeout(None)
    return sock


def _reach(server: Server, seconds: float) -> socket.socket:
    """Connect to the first address of the name that answers; the time is shared among those that are left."""
    addresses = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    until = time.monotonic() + seconds
    problem = OSError("the name has no address")
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(_LEAST, (until - time.monotonic()) / left))
            sock.connect(address)
        except OSError as exc:
            sock.close()
            problem = exc
        else:
            return sock
    raise problem


def _set_options(library: SimpleLDAPObject, seconds: float) -> None:
    library.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
    library.set_option(ldap.OPT_REFERRALS, 0)
    library.set_option(ldap.OPT_DEREF, ldap.DEREF_NEVER)
    library.set_option(ldap.OPT_SIZELIMIT, 0)
    library.set_option(ldap.OPT_TIMELIMIT, 0)
    library.set_option(ldap.OPT_NETWORK_TIMEOUT, seconds)
    library.set_option(ldap.OPT_TIMEOUT, seconds)
    library.timeout = seconds


def _start_tls(link: Link, server: Server, settings: LdapSettings, until: float) -> None:
    library = link.library
    unchecked = not settings.tls_verify or bool(settings.tls_fingerprint)
    try:
        authority = settings.tls_ca or _system_authorities()
        if authority:
            library.set_option(ldap.OPT_X_TLS_CACERTFILE, authority)
        library.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER if unchecked else ldap.OPT_X_TLS_DEMAND)
        if settings.tls_certificate:
            library.set_option(ldap.OPT_X_TLS_CERTFILE, settings.tls_certificate)
            library.set_option(ldap.OPT_X_TLS_KEYFILE, settings.tls_key or settings.tls_certificate)
        library.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, 0x303)  # TLS 1.2
        library.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    except (ldap.LDAPError, ValueError) as exc:
        raise MisconfiguredConnector(
            "the library refuses the TLS settings; check tls_ca, tls_certificate and tls_key"
        ) from exc
    seconds = max(_LEAST, until - time.monotonic())
    try:
        link.run(library.start_tls_s, seconds)
    except Failure as failure:
        failure.nothing_sent = True
        if failure.code == "TIMEOUT" or time.monotonic() >= until:
            raise Failure(Kind.UNREACHABLE, "TIMEOUT", f"{server.url}: no answer to the TLS handshake") from failure
        reason = _why(server, settings, until) or str(failure)
        raise Failure(Kind.TLS, "", f"{server.url}: {reason}") from failure
    if settings.tls_fingerprint:
        certificate = library.get_option(ldap.OPT_X_TLS_PEERCERT) or b""
        if hashlib.sha256(certificate).hexdigest() != _pin(settings):
            raise Failure(Kind.TLS, "", f"{server.url}: the server's certificate is not the one in tls_fingerprint")


def _why(server: Server, settings: LdapSettings, until: float) -> str:
    left = until - time.monotonic()
    if left < _LEAST:
        return ""
    try:
        fresh = _dial(server, left)
    except Failure as failure:
        return str(failure)
    return diagnose(settings, fresh, host=server.host, implicit=server.scheme == "ldaps", seconds=left)


def _system_authorities() -> str | None:
    paths = ssl.get_default_verify_paths()
    known = (
        paths.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    )
    return next((path for path in known if path and os.path.isfile(path)), None)  # noqa: PTH113  text for the library


def _bind(link: Link, server: Server, settings: LdapSettings, seconds: float) -> None:
    """Log in; "no such entry", "invalid DN" or "unwilling" are said of our account, never of what is asked later."""
    try:
        _log_in(link, server, settings, seconds)
    except Failure as failure:
        if failure.kind not in _SAID_OF_THE_SERVER:
            failure.kind = Kind.LOGIN
        raise


def _log_in(link: Link, server: Server, settings: LdapSettings, seconds: float) -> None:
    library = link.library
    secret = settings.password.reveal() if settings.password is not None else ""
    match settings.bind:
        case "simple":
            said = link.log_in(settings.user, secret, seconds=seconds, controls=[password_policy.REQUEST])
            if password_policy.must_change(said):
                raise Failure(Kind.LOGIN, "", "the account's password must be changed before it may do anything")
        case "external":
            # Not the interactive call: it keeps the interpreter's lock, and no other thread could pass bytes on.
            link.run(lambda: library.sasl_bind_s("", "EXTERNAL", b""), seconds)
        case "gssapi":
            kerberos.log_in(link, server.host or "localhost", seconds, keytab=settings.keytab, user=settings.user)
        case _:
            link.run(library.simple_bind_s, seconds)
