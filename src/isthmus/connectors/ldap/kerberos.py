"""Logging in with a Kerberos ticket: SASL GSSAPI (RFC 4752), within a limit of time."""

from __future__ import annotations

import queue
import threading
import time

from isthmus.connectors.ldap import gssapi
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Link
from isthmus.spi import MisconfiguredConnector

_WAITING = threading.BoundedSemaphore(8)
"""Threads that may wait for a KDC: the library gives up by itself after about a minute, and cannot be interrupted."""

_LEAST = 0.05  # seconds for one message
_PLAIN = 1
"""No security layer (RFC 4752 3.3): TLS encrypts."""


def log_in(link: Link, host: str, seconds: float, *, keytab: str | None, user: str) -> None:
    """Log in as the account whose ticket is there, or whose key is in the keytab.

    Raises:
        Failure: no KDC can be reached, or the server refuses.
        MisconfiguredConnector: there is no ticket for this server.
    """
    until = time.monotonic() + seconds
    try:
        context, token = _begun(f"ldap@{host}", seconds, keytab, user)
        try:
            _negotiate(link, context, token, until)
        finally:
            context.close()
    except gssapi.Unavailable as exc:
        raise MisconfiguredConnector(f"bind = 'gssapi': {exc}") from exc
    except gssapi.Refused as exc:
        if exc.minor == gssapi.UNREACHABLE:
            raise Failure(Kind.UNREACHABLE, "", f"Kerberos: {exc}", nothing_sent=True) from exc
        cure = "check 'keytab' and 'user'" if keytab else "get a ticket (kinit), or name the account's key in 'keytab'"
        raise MisconfiguredConnector(f"no Kerberos log-in at ldap/{host}: {exc}; {cure}") from exc


def _begun(service: str, seconds: float, keytab: str | None, user: str) -> tuple[gssapi.Context, bytes]:
    """Return a context and the first token; nobody waits longer than `seconds` for the KDC."""
    if not _WAITING.acquire(timeout=seconds):
        raise Failure(Kind.UNREACHABLE, "TIMEOUT", "too many log-ins wait for the Kerberos KDC", nothing_sent=True)
    answer: queue.SimpleQueue[tuple[gssapi.Context, bytes] | Exception] = queue.SimpleQueue()

    def begin() -> None:
        try:
            context = gssapi.Context(service, keytab=keytab, user=user)
            answer.put((context, context.step()))
        except (gssapi.Refused, gssapi.Unavailable) as exc:
            answer.put(exc)
        finally:
            _WAITING.release()

    threading.Thread(target=begin, daemon=True, name="kerberos ticket").start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        text = f"the Kerberos KDC does not answer within {seconds:.1f} s"
        raise Failure(Kind.UNREACHABLE, "TIMEOUT", text, nothing_sent=True) from None
    if isinstance(found, Exception):
        raise found
    return found


def _negotiate(link: Link, context: gssapi.Context, token: bytes, until: float) -> None:
    def answer_to(token: bytes) -> bytes | None:
        """Return the server's next token; None when it has let us in."""
        seconds = max(_LEAST, until - time.monotonic())
        answered = link.run(lambda: link.library.sasl_bind_s("", "GSSAPI", token), seconds)
        if isinstance(answered, bytes):
            return answered
        return None if answered == 0 else b""

    given = answer_to(token)
    while given is not None and not context.complete:
        given = answer_to(context.step(given))
    # The context is complete only if the server has proved who it is; its offer of security layers comes then.
    if given is None or answer_to(context.wrap(_chosen(context.unwrap(given)))) is not None:
        raise Failure(Kind.LOGIN, "", "the server does not keep to the order of a Kerberos log-in (RFC 4752)")


def _chosen(offered: bytes) -> bytes:
    """Return the answer to the server's offer of security layers."""
    if len(offered) != 4 or not offered[0] & _PLAIN:
        raise Failure(Kind.WEAK, "", "the server takes Kerberos log-ins over encrypted connections only")
    return bytes([_PLAIN, 0, 0, 0])
