"""Who may call: bearer tokens (RFC 6750), their scope, and the cost of guessing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from isthmus.scim.errors import Forbidden, ScimError, TooManyRequests, Unauthorized
from isthmus.store.records import Token

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SCHEMES = frozenset({"basic", "digest", "negotiate", "ntlm", "oauth", "token", "apikey", "ssws"})
_LONGEST_TOKEN = 4096
_FREE_ATTEMPTS = 5
_LONGEST_DELAY = 2.0
_FORGET_AFTER = 300.0
_MOST_ENTRIES = 10_000


class TokenCheck(Protocol):
    """What the engine offers: `host.tokens`."""

    def check(self, connector: str, bearer: str) -> Token | None:
        """Return the valid token this text is, or None."""


class Attempts:
    """Failed attempts of each address at each connector: how long the next failure is held up.

    Everything behind one agent shares one address, so nothing here ever concerns a valid token. Holding an answer up
    holds a thread: only a few may be held, and further failures are refused at once with 429. Memory is bounded: the
    pairs seen longest ago are forgotten first.
    """

    def __init__(self, *, held_at_most: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._slots = threading.BoundedSemaphore(max(1, held_at_most))
        self._sleep = sleep
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def failed(self, address: str, connector: str) -> None:
        """Count a failure, and hold up the thread for as long as this address has earned.

        Raises:
            TooManyRequests: too many answers are held up already.
        """
        now = time.monotonic()
        with self._lock:
            count, at = self._failures.pop((address, connector), (0, now))
            if now - at > _FORGET_AFTER:
                count = 0
            count += 1
            self._failures[address, connector] = (count, now)
            if len(self._failures) > _MOST_ENTRIES:
                self._failures.popitem(last=False)
        if count <= _FREE_ATTEMPTS:
            return
        delay = min(_LONGEST_DELAY, 0.1 * 2.0 ** min(count - _FREE_ATTEMPTS - 1, 8))  # 2.0 ** 1024 is no number
        if not self._slots.acquire(blocking=False):
            raise TooManyRequests(
                "too many requests with a wrong token came from this address; correct the token, then try again",
                retry_after=_LONGEST_DELAY,
            )
        try:
            self._sleep(delay)
        finally:
            self._slots.release()

    def __len__(self) -> int:
        with self._lock:
            return len(self._failures)


class Authentication:
    """Checks the Authorization header of a request."""

    def __init__(self, tokens: TokenCheck, *, threads: int, attempts: Attempts | None = None) -> None:
        self._tokens = tokens
        self._attempts = Attempts(held_at_most=threads // 8) if attempts is None else attempts

    def authenticate(self, header: str | None, *, connector: str, known: bool, address: str, method: str) -> Token:
        """Return the caller's token.

        `known` False: there is no such connector; the answer is the same 401 as for a wrong token, so that names
        cannot be found out by asking.

        Raises:
            Unauthorized: nothing was sent, or not a valid token; says what to correct.
            Forbidden: the token only reads.
            TooManyRequests: see `Attempts`.
        """
        if not header:
            raise Unauthorized('send the header "Authorization: Bearer <token>"; `isthmus token create` makes a token')
        scheme, _, text = header.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise Unauthorized(
                f'the Authorization header must be "Bearer <token>", {_instead_of(scheme)}',
                _challenge("invalid_request"),
            )
        token = self._tokens.check(connector, text) if known and len(text) <= _LONGEST_TOKEN else None
        if token is None:
            self._attempts.failed(address, connector)
            raise self._wrong()
        if token.scope == "read" and method not in _READING:
            raise Forbidden(
                f"the token {token.name!r} may only read; create one with scope write for {method} requests",
                _challenge("insufficient_scope"),
            )
        return token

    @staticmethod
    def _wrong() -> ScimError:
        return Unauthorized(
            "this token is not valid for the connector named in the URL: it is mistyped, revoked or expired, belongs "
            "to another connector, or there is no connector of that name; `isthmus token list` and "
            "`isthmus connector list` show what exists",
            _challenge("invalid_token"),
        )


def _challenge(error: str) -> dict[str, str]:
    """Return the challenge of RFC 6750 3."""
    return {"WWW-Authenticate": f'Bearer realm="SCIM", error="{error}"'}


def _instead_of(scheme: str) -> str:
    """Return what was wrong; any word that is no known scheme may be the token itself."""
    known = scheme.lower() in _OTHER_SCHEMES
    return f'not "{scheme} ..."' if known else "with that word and one blank before the token"
