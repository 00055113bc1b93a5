"""From what a directory says to what the host does next.

The library's exceptions become one `Failure` by the table `RESULTS`; `reported` turns a `Failure` into an error of the
SPI by the table `ANSWERS`. The server's own message is passed on; values of secrets are cut out of it before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import ldap

from isthmus.spi import (
    AlreadyExists,
    Cancelled,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    NotPermitted,
    TargetRejected,
    TargetUnavailable,
    Unsupported,
    WatermarkExpired,
)


class Kind(Enum):
    """What a directory's answer means."""

    NO_ENTRY = auto()
    DUPLICATE = auto()
    BAD_VALUE = auto()
    VALUE_THERE = auto()
    """A value that was to be added is there already."""
    VALUE_GONE = auto()
    """A value or attribute that was to be removed is not there."""
    HAS_CHILDREN = auto()
    DENIED = auto()
    LOGIN = auto()
    WEAK = auto()
    """The server wants encryption, or a stronger log-in."""
    BUSY = auto()
    LIMIT = auto()
    """A size, time or administrative limit."""
    UNREACHABLE = auto()
    """Nothing was sent: no connection could be made."""
    LOST = auto()
    """The connection ended, or our patience did, and no answer came."""
    TLS = auto()
    REFERRAL = auto()
    REFUSED = auto()
    NOT_POSSIBLE = auto()
    CHANGED = auto()
    """An assertion failed: the entry is not what it was when the change was planned."""
    CANCELLED = auto()
    EXPIRED = auto()
    """The server no longer knows what changed since a cookie."""
    SETTINGS = auto()
    """Wrong use of the library: something in the settings does not fit it."""
    BROKEN = auto()
    NONE = auto()
    """Not a failure at all; never raised for what we send."""


RESULTS: dict[str, Kind] = {
    "ADMINLIMIT_EXCEEDED": Kind.LIMIT,
    "AFFECTS_MULTIPLE_DSAS": Kind.REFUSED,
    "ALIAS_DEREF_PROBLEM": Kind.REFUSED,
    "ALIAS_PROBLEM": Kind.REFUSED,
    "ALREADY_EXISTS": Kind.DUPLICATE,
    "ASSERTION_FAILED": Kind.CHANGED,
    "AUTH_METHOD_NOT_SUPPORTED": Kind.LOGIN,
    "AUTH_UNKNOWN": Kind.LOGIN,
    "BUSY": Kind.BUSY,
    "CANCELLED": Kind.CANCELLED,
    "CANNOT_CANCEL": Kind.REFUSED,
    "CLIENT_LOOP": Kind.REFERRAL,
    "COMPARE_FALSE": Kind.NONE,
    "COMPARE_TRUE": Kind.NONE,
    "CONFIDENTIALITY_REQUIRED": Kind.WEAK,
    "CONNECT_ERROR": Kind.TLS,
    "CONSTRAINT_VIOLATION": Kind.BAD_VALUE,
    "CONTROL_NOT_FOUND": Kind.NOT_POSSIBLE,
    "DECODING_ERROR": Kind.LOST,
    "ENCODING_ERROR": Kind.SETTINGS,
    "FILTER_ERROR": Kind.SETTINGS,
    "INAPPROPRIATE_AUTH": Kind.LOGIN,
    "INAPPROPRIATE_MATCHING": Kind.NOT_POSSIBLE,
    "INSUFFICIENT_ACCESS": Kind.DENIED,
    "INVALID_CREDENTIALS": Kind.LOGIN,
    "INVALID_DN_SYNTAX": Kind.BAD_VALUE,
    "INVALID_SYNTAX": Kind.BAD_VALUE,
    "IS_LEAF": Kind.REFUSED,
    "LOCAL_ERROR": Kind.LOST,
    "LOOP_DETECT": Kind.BROKEN,
    "MORE_RESULTS_TO_RETURN": Kind.LIMIT,
    "NAMING_VIOLATION": Kind.BAD_VALUE,
    "NOT_ALLOWED_ON_NONLEAF": Kind.HAS_CHILDREN,
    "NOT_ALLOWED_ON_RDN": Kind.REFUSED,
    "NOT_SUPPORTED": Kind.NOT_POSSIBLE,
    "NO_MEMORY": Kind.BUSY,
    "NO_OBJECT_CLASS_MODS": Kind.REFUSED,
    "NO_RESULTS_RETURNED": Kind.LOST,
    "NO_SUCH_ATTRIBUTE": Kind.VALUE_GONE,
    "NO_SUCH_OBJECT": Kind.NO_ENTRY,
    "NO_SUCH_OPERATION": Kind.REFUSED,
    "NO_UNIQUE_ENTRY": Kind.REFUSED,
    "OBJECT_CLASS_VIOLATION": Kind.BAD_VALUE,
    "OPERATIONS_ERROR": Kind.BROKEN,
    "OTHER": Kind.BROKEN,
    "PARAM_ERROR": Kind.SETTINGS,
    "PARTIAL_RESULTS": Kind.REFERRAL,
    "PROTOCOL_ERROR": Kind.NOT_POSSIBLE,
    "PROXIED_AUTHORIZATION_DENIED": Kind.DENIED,
    "REFERRAL": Kind.REFERRAL,
    "REFERRAL_LIMIT_EXCEEDED": Kind.REFERRAL,
    "RESULTS_TOO_LARGE": Kind.LIMIT,
    "SASL_BIND_IN_PROGRESS": Kind.LOGIN,
    "SERVER_DOWN": Kind.LOST,
    "SIZELIMIT_EXCEEDED": Kind.LIMIT,
    "STRONG_AUTH_NOT_SUPPORTED": Kind.LOGIN,
    "STRONG_AUTH_REQUIRED": Kind.WEAK,
    "SUCCESS": Kind.NONE,
    "TIMELIMIT_EXCEEDED": Kind.LIMIT,
    "TIMEOUT": Kind.LOST,
    "TOO_LATE": Kind.REFUSED,
    "TYPE_OR_VALUE_EXISTS": Kind.VALUE_THERE,
    "UNAVAILABLE": Kind.BUSY,
    "UNAVAILABLE_CRITICAL_EXTENSION": Kind.NOT_POSSIBLE,
    "UNDEFINED_TYPE": Kind.BAD_VALUE,
    "UNWILLING_TO_PERFORM": Kind.REFUSED,
    "USER_CANCELLED": Kind.CANCELLED,
    "VLV_ERROR": Kind.NOT_POSSIBLE,
    "X_PROXY_AUTHZ_FAILURE": Kind.DENIED,
}
"""Every exception of the library by its name; a test compares this with the library."""

SYNC_REFRESH_REQUIRED = 4096
"""e-syncRefreshRequired, RFC 4533 section 2.6; the library has no exception of its own for it."""


@dataclass(slots=True)
class Failure(Exception):
    """What a directory answered, in our words."""

    kind: Kind
    code: str
    text: str = ""
    attribute: str | None = None
    referrals: tuple[str, ...] = ()
    nothing_sent: bool = False

    def __str__(self) -> str:
        if self.text and self.code:
            return f"{self.text} ({self.code})"
        return self.text or self.code or self.kind.name.lower()


_ATTRIBUTE = (
    re.compile(r"^([A-Za-z][\w;-]*): "),  # OpenLDAP: "mail: value #0 invalid per syntax"
    re.compile(r"""requires attribute ['"]([\w;-]+)['"]"""),
    re.compile(r"""attribute ['"]?([\w;-]+)['"]? not allowed"""),
    re.compile(r"""(?:missing|required) attribute ['"]([\w;-]+)['"]"""),
    re.compile(r"""\(attribute: ['"]?([\w;-]+)['"]?\)"""),
    re.compile(r"""naming attribute ['"]([\w;-]+)['"]"""),
)
_NOT_UNIQUE = re.compile(r"not unique|same attribute value already exists|already exists|uniqueness", re.IGNORECASE)
_LOG_IN_FIRST = re.compile(r"successful bind|must bind|not bound|anonymous", re.IGNORECASE)  # AD and its relatives
_READ_ONLY = re.compile(r"read-only|^operation restricted$", re.IGNORECASE)  # 389 DS; OpenLDAP: for maintenance
_REPLICA = re.compile(r"^shadow context; no update referral$")  # OpenLDAP without updateref
_LONGEST = 400


def failure_of(error: ldap.LDAPError, *, hidden: Sequence[str] = ()) -> Failure:
    """Return what an exception of the library means; the texts in `hidden` are cut out of the server's message."""
    told: dict[str, Any] = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    name = type(error).__name__
    number = told.get("result")
    kind = RESULTS.get(name, Kind.BROKEN)
    if number == SYNC_REFRESH_REQUIRED:
        name, kind = "e-syncRefreshRequired", Kind.EXPIRED
    system = os.strerror(told["errno"]) if told.get("errno") else ""
    text = str(told.get("info") or system or told.get("desc") or (error.args[0] if error.args else ""))
    referrals = tuple(re.findall(r"ldap[is]*://[^\s\"']+", text)) if kind is Kind.REFERRAL else ()
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    text = "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST]
    attribute = next((m.group(1) for p in _ATTRIBUTE if (m := p.search(text))), None)
    if kind is Kind.BAD_VALUE and name == "CONSTRAINT_VIOLATION" and _NOT_UNIQUE.search(text):
        kind = Kind.DUPLICATE
    if name == "OPERATIONS_ERROR" and _LOG_IN_FIRST.search(text):
        kind = Kind.LOGIN
    if name == "UNWILLING_TO_PERFORM":
        kind = Kind.BUSY if _READ_ONLY.search(text) else Kind.REFERRAL if _REPLICA.search(text) else kind
    code = name if number is None or number < 0 else f"{name}, {number}"
    return Failure(kind, code, text, attribute=attribute, referrals=referrals)


@dataclass(frozen=True, slots=True)
class Where:
    """On what an operation worked."""

    target: str = "the directory"
    writing: bool = False


def _lost(f: Failure, w: Where) -> ConnectorError:
    return TargetUnavailable(f"the directory did not answer: {f}", outcome_unknown=w.writing and not f.nothing_sent)


def _denied(f: Failure, w: Where) -> ConnectorError:
    if w.writing:
        return NotPermitted(f"{w.target}: the connector's account may not write this: {f}")
    return MisconfiguredConnector(f"{w.target}: the connector's account may not read this: {f}; grant it read access")


def _refused(f: Failure, w: Where) -> ConnectorError:
    if w.writing:
        return TargetRejected(f"{w.target}: the directory refuses this: {f}")
    return MisconfiguredConnector(f"{w.target}: the directory refuses to be read: {f}")  # no index for it, for example


def _referral(f: Failure, w: Where) -> ConnectorError:
    to = f" to {', '.join(f.referrals)}" if f.referrals else ""
    if not w.writing:
        return MisconfiguredConnector(f"{w.target}: the server refers us{to}; name a server that holds these entries")
    return MisconfiguredConnector(
        f"{w.target}: this server takes no writes and refers us{to}; name the writable server first, or set "
        "follow_referrals and name it in other_urls"
    )


ANSWERS: dict[Kind, Callable[[Failure, Where], ConnectorError]] = {
    Kind.NO_ENTRY: lambda f, w: NotFound(f"{w.target}: no such entry: {f}"),
    Kind.DUPLICATE: lambda f, w: AlreadyExists(f"{w.target}: exists already: {f}", attribute=f.attribute),
    Kind.BAD_VALUE: lambda f, w: InvalidValue(f"{w.target}: refused: {f}", attribute=f.attribute),
    Kind.VALUE_THERE: lambda f, w: InvalidValue(f"{w.target}: a value is there twice: {f}", attribute=f.attribute),
    Kind.VALUE_GONE: lambda f, w: InvalidValue(f"{w.target}: no such value: {f}", attribute=f.attribute),
    Kind.HAS_CHILDREN: lambda f, w: TargetRejected(
        f"{w.target}: there are entries below it; delete_children would delete them with it: {f}"
    ),
    Kind.DENIED: _denied,
    Kind.LOGIN: lambda f, _: MisconfiguredConnector(f"the directory refuses the log-in: {f}; check account, password"),
    Kind.WEAK: lambda f, _: MisconfiguredConnector(
        f"the directory wants an encrypted connection or a stronger log-in: {f}; use ldaps:// or tls = 'starttls'"
    ),
    Kind.BUSY: lambda f, _: TargetUnavailable(f"the directory is busy: {f}"),
    Kind.LIMIT: lambda f, w: MisconfiguredConnector(
        f"{w.target}: a limit of the server was met: {f}; raise it for the connector's account, or set paging"
    ),
    Kind.UNREACHABLE: lambda f, _: TargetUnavailable(f"the directory cannot be reached: {f}"),
    Kind.LOST: _lost,
    Kind.TLS: lambda f, _: MisconfiguredConnector(f"no encrypted connection: {f}"),
    Kind.REFERRAL: _referral,
    Kind.REFUSED: _refused,
    Kind.NOT_POSSIBLE: lambda f, w: Unsupported(f"{w.target}: the directory cannot do this: {f}"),
    Kind.CHANGED: lambda f, w: TargetUnavailable(f"{w.target}: changed by somebody else meanwhile: {f}; try again"),
    Kind.CANCELLED: lambda f, _: Cancelled(f"cancelled: {f}"),
    Kind.EXPIRED: lambda f, _: WatermarkExpired(f"the directory no longer knows all changes: {f}"),
    Kind.SETTINGS: lambda f, w: MisconfiguredConnector(f"{w.target}: the library refuses a setting: {f}"),
    Kind.BROKEN: lambda f, w: TargetUnavailable(f"{w.target}: the directory reports a fault of its own: {f}"),
    Kind.NONE: lambda f, w: TargetUnavailable(f"{w.target}: an answer without meaning: {f}"),
}


@contextmanager
def reported(where: Where) -> Iterator[None]:
    """Raise what the host understands instead of a `Failure`."""
    try:
        yield
    except Failure as failure:
        raise ANSWERS[failure.kind](failure, where) from failure
