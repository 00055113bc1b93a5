"""What an application's outcome looks like in HTTP: one small value for success and errors alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from isthmus.scim.errors import ScimError

SCIM = "application/scim+json"

FIXED_HEADERS = (
    ("Content-Type", SCIM),
    ("Cache-Control", "no-store"),  # personal data; ETags are for If-Match and If-None-Match, not for shared caches
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Strict-Transport-Security", "max-age=31536000"),
    ("Server", ""),  # an empty value: granian adds its name when there is none
)

REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

_CORRELATION = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")


def reason(status: int) -> str:
    """Return the status line of a status code."""
    return REASONS.get(status) or f"{status} Unknown"


def error_headers(error: ScimError) -> list[tuple[str, str]]:
    """Return the headers an error brings along; control characters never leave, whoever wrote them."""
    return [(name, re.sub(r"[\x00-\x1f\x7f]", " ", value)) for name, value in error.headers.items()]


def correlation_of(environ: Mapping[str, object], make: str) -> str:
    """Return the client's own correlation id if it sent a harmless one, else `make`.

    Entra calls its header `client-request-id`, most others `X-Correlation-Id` or `X-Request-Id`.
    """
    for name in ("HTTP_X_CORRELATION_ID", "HTTP_CLIENT_REQUEST_ID", "HTTP_X_REQUEST_ID"):
        sent = environ.get(name)
        if isinstance(sent, str) and _CORRELATION.fullmatch(sent):
            return sent
    return make
