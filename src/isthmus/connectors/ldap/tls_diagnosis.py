"""Says what is wrong with a TLS connection: the library only says "unknown error"."""

from __future__ import annotations

import socket
import ssl

from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.connectors.ldap.starttls import START_TLS, read_message, succeeded

_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT to X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE (OpenSSL's x509_vfy.h)."""


def diagnose(settings: LdapSettings, address: socket.socket, *, host: str, implicit: bool, seconds: float) -> str:
    """Return why a handshake fails, or an empty text if this one succeeds. The socket is closed."""
    context = ssl.create_default_context(cafile=settings.tls_ca)
    if not settings.tls_verify or settings.tls_fingerprint:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if settings.tls_certificate:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as exc:
        return f"the client certificate {settings.tls_certificate} or its key cannot be used: {exc}"
    try:
        with address:
            address.settimeout(seconds)
            if not implicit:
                address.sendall(START_TLS)
                if not succeeded(read_message(address)):
                    return "the server refuses StartTLS"
            with context.wrap_socket(address, server_hostname=host) as wrapped:
                wrapped.do_handshake()
    except ssl.SSLCertVerificationError as exc:
        unknown = exc.verify_code in _UNKNOWN_AUTHORITY
        mend = "; name the authority that signed it in tls_ca" if unknown else ""
        return f"the server's certificate is not accepted: {exc.verify_message}{mend}"
    except (ssl.SSLError, OSError, ValueError) as exc:
        return str(exc)
    return ""
