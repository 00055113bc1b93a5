"""The protocol's own errors (RFC 7644 3.12): what a client is told, and how it is written.

    ScimError
    ├── 400  InvalidFilter  TooMany  NotMutable  InvalidSyntax  InvalidPath  NoTarget  InvalidValue  InvalidVersion
    │        InvalidCursor  ExpiredCursor  InvalidCount
    ├── 401  Unauthorized
    ├── 403  Forbidden, Sensitive
    ├── 404  NotFound           405  MethodNotAllowed
    ├── 409  Conflict, NotUnique
    ├── 412  PreconditionFailed 413  TooLarge            415  UnsupportedMediaType
    ├── 429  TooManyRequests    500  Failed
    └── 501  Unsupported        503  Unavailable

`detail` is written for the person who runs the client: what is wrong and what to send instead. It names attributes,
never secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import orjson

from isthmus.scim import urns

ScimType = Literal[
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "sensitive",
    "invalidCursor",
    "expiredCursor",
    "invalidCount",
]
"""The detail keywords of RFC 7644 table 9, and those that RFC 9865 adds."""


class ScimError(Exception):
    """An answer other than success: HTTP status, text for people, keyword for programs, extra HTTP headers."""

    def __init__(
        self,
        status: int,
        detail: str,
        scim_type: ScimType | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type
        self.headers: dict[str, str] = dict(headers or {})

    def document(self) -> dict[str, object]:
        """Return the Error message as a dict; `status` is a string there (RFC 7644 3.12), which Okta insists on."""
        document: dict[str, object] = {"schemas": [urns.ERROR], "status": str(self.status)}
        if self.scim_type is not None:
            document["scimType"] = self.scim_type
        # A detail may quote what a client sent; half a surrogate pair in it has no UTF-8 form.
        document["detail"] = self.detail.encode("utf-8", "replace").decode("utf-8")
        return document

    def body(self) -> bytes:
        """Return the Error message as JSON text."""
        return orjson.dumps(self.document())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.detail!r}, {self.scim_type!r})"


class _Fixed(ScimError):
    """A class of answer whose status and keyword never vary."""

    fixed_status: ClassVar[int]
    fixed_type: ClassVar[ScimType | None] = None

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.fixed_status, detail, self.fixed_type, headers)


class InvalidFilter(_Fixed):
    """The filter cannot be parsed, or names an attribute or comparison that does not exist here."""

    fixed_status = 400
    fixed_type = "invalidFilter"


class TooMany(_Fixed):
    """The filter selects more than the server is willing to work on."""

    fixed_status = 400
    fixed_type = "tooMany"


class NotMutable(_Fixed):
    """The attribute is read-only, or immutable and already has another value."""

    fixed_status = 400
    fixed_type = "mutability"


class InvalidSyntax(_Fixed):
    """The body is not JSON, or not the message it should be."""

    fixed_status = 400
    fixed_type = "invalidSyntax"


class InvalidPath(_Fixed):
    """A PATCH path cannot be parsed or names nothing in the schema."""

    fixed_status = 400
    fixed_type = "invalidPath"


class NoTarget(_Fixed):
    """A PATCH operation selects nothing it could act on."""

    fixed_status = 400
    fixed_type = "noTarget"


class InvalidValue(_Fixed):
    """A value is missing or does not fit its attribute."""

    fixed_status = 400
    fixed_type = "invalidValue"


class InvalidVersion(_Fixed):
    """The protocol version in the URL is not offered."""

    fixed_status = 400
    fixed_type = "invalidVers"


class InvalidCursor(_Fixed):
    """The cursor is none of ours, or was given for another query (RFC 9865)."""

    fixed_status = 400
    fixed_type = "invalidCursor"


class ExpiredCursor(_Fixed):
    """The cursor was given too long ago; the client begins again (RFC 9865)."""

    fixed_status = 400
    fixed_type = "expiredCursor"


class InvalidCount(_Fixed):
    """`count` beside a cursor is no number (RFC 9865 2.1)."""

    fixed_status = 400
    fixed_type = "invalidCount"


class Unauthorized(_Fixed):
    """No token, or none that is valid. RFC 6750 3 wants the challenge to be named."""

    fixed_status = 401

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, {"WWW-Authenticate": 'Bearer realm="SCIM"', **(headers or {})})


class Forbidden(_Fixed):
    """The token is valid but does not allow this."""

    fixed_status = 403


class Sensitive(_Fixed):
    """The request carries personal values in the URL where policy forbids it (RFC 7644 7.5.2)."""

    fixed_status = 403
    fixed_type = "sensitive"


class NotFound(_Fixed):
    """There is no such resource or endpoint."""

    fixed_status = 404


class MethodNotAllowed(_Fixed):
    """The endpoint exists but not with this method; `Allow` belongs in the headers (RFC 9110 15.5.6)."""

    fixed_status = 405


class Conflict(_Fixed):
    """The request collides with another one or with the resource's state."""

    fixed_status = 409


class NotUnique(_Fixed):
    """Another resource has this value already."""

    fixed_status = 409
    fixed_type = "uniqueness"


class PreconditionFailed(_Fixed):
    """The resource is no longer the version the client named in If-Match."""

    fixed_status = 412


class TooLarge(_Fixed):
    """The body, or the number of operations in it, is above the limit."""

    fixed_status = 413


class UnsupportedMediaType(_Fixed):
    """The body is announced as something other than SCIM or plain JSON."""

    fixed_status = 415


class _Later(_Fixed):
    """An answer that asks the client to come back, with Retry-After in whole seconds (RFC 9110 10.2.3)."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None, *, retry_after: float = 30) -> None:
        super().__init__(detail, {"Retry-After": str(max(1, round(retry_after))), **(headers or {})})


class TooManyRequests(_Later):
    """The client or the target is over its rate."""

    fixed_status = 429


class Failed(_Fixed):
    """Something went wrong here that the client cannot cure; the detail names the correlation id to look for."""

    fixed_status = 500


class Unsupported(_Fixed):
    """The connector or this release cannot do that."""

    fixed_status = 501


class Unavailable(_Later):
    """The same request may succeed later."""

    fixed_status = 503
