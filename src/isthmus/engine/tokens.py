"""Bearer tokens: made, checked, rotated and revoked; known by their hash only."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import structlog

from isthmus.engine.turns import Turns
from isthmus.scim.errors import TooManyRequests
from isthmus.spi import Secret
from isthmus.store import Store, StoreError
from isthmus.store.records import Token

log = structlog.get_logger("isthmus.tokens")

Scope = Literal["read", "write"]
MINIMUM_LENGTH = 12
ADVISED_LENGTH = 20
FRESH_SECONDS = 1.0
_MOST_RECENT = 64
_MOST_GUESSES = 4
"""Threads that may wait for argon2 while wrong tokens come in, and different tokens at any time: each takes 0.1 s."""
_SUSPICIOUS_SECONDS = 10.0
USE_SECONDS = 60.0  # a use is noted at most so often, for reads are not to write


class TokenRefused(ValueError):
    """A chosen token is too weak or cannot be sent in a header."""


class Tokens:
    """The tokens of all connectors. A revoked token stops working within a second, in every process."""

    def __init__(self, store: Store, turns: Turns | None = None) -> None:
        self._store = store
        self._turns = turns or Turns()
        self._lock = threading.Lock()
        self._mutex = threading.Lock()
        self._guesses: Counter[tuple[str, str]] = Counter()
        """Threads that wait for argon2, by connector and digest of what they were sent."""
        self._wrong: dict[tuple[str, str], float] = {}
        self._wrong_at = float("-inf")
        self._cached: dict[str, Sequence[Token]] = {}
        self._read_at: dict[str, float] = {}
        self._verified: dict[tuple[str, str], str] = {}
        self._recent: dict[tuple[str, str], tuple[Token, float]] = {}  # for as long as its connector's list is fresh
        self._used_at: dict[str, float] = {}

    def create(
        self,
        connector: str,
        *,
        name: str,
        scope: Scope = "write",
        text: Secret | None = None,
        expires: float | None = None,
    ) -> tuple[Token, Secret]:
        """Store a new token and return it with its text, which is not kept.

        A random token (32 bytes) is stored as SHA-256. A chosen one, of at least 12 characters, is stored with argon2.
        """
        if text is None:
            text = Secret(secrets.token_urlsafe(32))
            hashed = f"sha256:{_sha256(text.reveal())}"
        else:
            problem = token_problem(text)
            if problem is not None:
                raise TokenRefused(problem)
            from argon2 import PasswordHasher

            hashed = PasswordHasher().hash(text.reveal())
        token = Token(
            id=uuid.uuid4().hex[:12],
            connector=connector.casefold(),
            name=name,
            scope=scope,
            hash=hashed,
            created=time.time(),
            expires=expires,
            revoked=None,
            last_used=None,
        )
        self._store.tokens.add(token)
        self._forget()
        return token, text

    def list(self, connector: str | None = None) -> Sequence[Token]:
        """Return the tokens, revoked ones included."""
        return self._store.tokens.list(None if connector is None else connector.casefold())

    def revoke(self, token_id: str, *, at: float | None = None) -> bool:
        """End a token now, or at a moment to come; False if there is none with this id."""
        if self._store.tokens.get(token_id) is None:
            return False
        self._store.tokens.revoke(token_id, time.time() if at is None else at)
        self._forget()
        return True

    def rotate(self, token_id: str, *, overlap: float) -> tuple[Token, Secret] | None:
        """Make a successor with the same name, scope and length of life; the old one ends after `overlap` seconds."""
        old = self._store.tokens.get(token_id)
        if old is None:
            return None
        scope: Scope = "read" if old.scope == "read" else "write"
        expires = None if old.expires is None else time.time() + (old.expires - old.created)
        made = self.create(old.connector, name=old.name, scope=scope, expires=expires)
        self.revoke(token_id, at=time.time() + overlap)
        return made

    def check(self, connector: str, bearer: str) -> Token | None:
        """Return the valid token of this connector with this text, or None; microseconds once a token is known.

        Raises:
            TooManyRequests: so many wrong tokens come in that one which is not known yet cannot be looked at now.
        """
        recent = self._recent.get((connector, bearer))
        if recent is not None and time.monotonic() < recent[1]:
            return recent[0]
        key = connector.casefold()
        read_at = self._read_at.get(key, float("-inf"))  # no later than the list was read in which it is found
        found = self._find(key, bearer)
        if found is not None:
            self._note_use(found)
            self._remember(connector, bearer, found, read_at + FRESH_SECONDS)
        return found

    def _remember(self, connector: str, bearer: str, token: Token, until: float) -> None:
        """Spare the next requests the digest and the comparison, but no longer than the list of tokens is fresh."""
        if len(self._recent) >= _MOST_RECENT:
            self._recent.clear()
        ends = min((at for at in (token.expires, token.revoked) if at is not None), default=None)
        if ends is not None:
            until = min(until, time.monotonic() + ends - time.time())
        self._recent[connector, bearer] = (token, until)

    def _forget(self) -> None:
        """Look at the store before the next answer: something was changed here."""
        self._read_at.clear()
        self._recent.clear()
        self._wrong.clear()

    def _find(self, connector: str, bearer: str) -> Token | None:
        digest = _sha256(bearer)
        now = time.time()
        tokens = self._tokens(connector)
        for token in tokens:
            if not _valid(token, now):
                continue
            if token.hash.startswith("sha256:"):
                if secrets.compare_digest(token.hash[7:], digest):
                    return token
            elif self._verified.get((connector, digest)) == token.id:
                return token
        return self._check_chosen(connector, bearer, digest, [token for token in tokens if _valid(token, now)])

    def _check_chosen(self, connector: str, bearer: str, digest: str, tokens: Sequence[Token]) -> Token | None:
        chosen = [token for token in tokens if not token.hash.startswith("sha256:")]
        if not chosen:
            return None
        guess = connector, digest
        # argon2 is dear on purpose: one at a time, so that guesses cannot take every thread's memory
        with self._guessing(guess), self._turns.lent(), self._lock:
            known = next((token for token in chosen if token.id == self._verified.get(guess)), None)
            if known is not None or time.monotonic() - self._wrong.get(guess, float("-inf")) < FRESH_SECONDS:
                return known  # another request has asked while this one waited
            return self._verify(guess, bearer, chosen)

    def _verify(self, guess: tuple[str, str], bearer: str, chosen: Sequence[Token]) -> Token | None:
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        for token in chosen:
            try:
                PasswordHasher().verify(token.hash, bearer)
            except (VerificationError, InvalidHashError):
                continue
            self._verified[guess] = token.id
            return token
        if len(self._wrong) >= _MOST_RECENT:
            self._wrong.clear()
        self._wrong[guess] = self._wrong_at = time.monotonic()
        return None

    @contextmanager
    def _guessing(self, guess: tuple[str, str]) -> Iterator[None]:
        """Count this thread among those that wait for argon2; wrong tokens must not take all threads of a worker."""
        with self._mutex:
            suspicious = time.monotonic() - self._wrong_at < _SUSPICIOUS_SECONDS
            waiting = self._guesses.total() if suspicious else len(self._guesses.keys() - {guess})
            if waiting >= _MOST_GUESSES:
                raise TooManyRequests("too many wrong tokens come in at the moment; try again", retry_after=1)
            self._guesses[guess] += 1
        try:
            yield
        finally:
            with self._mutex:
                self._guesses[guess] -= 1
                if not self._guesses[guess]:
                    del self._guesses[guess]

    def _note_use(self, token: Token) -> None:
        now = time.monotonic()
        if now - self._used_at.get(token.id, float("-inf")) < USE_SECONDS:
            return
        self._used_at[token.id] = now
        try:
            self._store.tokens.touch(token.id)
        except StoreError as exc:  # a full disk is no reason to refuse a read
            log.warning("token_use_not_noted", token=token.id, reason=str(exc))

    def _tokens(self, connector: str) -> Sequence[Token]:
        now = time.monotonic()
        if now - self._read_at.get(connector, float("-inf")) > FRESH_SECONDS:
            self._recent.clear()  # also lest the text of a token stays in memory longer than it is used
            self._cached[connector] = self._store.tokens.list(connector)
            self._read_at[connector] = now
        return self._cached[connector]


def token_problem(text: Secret) -> str | None:
    """Return why a chosen token is refused, or None."""
    token = text.reveal()
    if len(token) < MINIMUM_LENGTH:
        return f"a chosen token has at least {MINIMUM_LENGTH} characters, better {ADVISED_LENGTH}; a random one is best"
    if any(not 33 <= ord(character) <= 126 for character in token):
        return "a token consists of visible ASCII characters without blanks, as it is sent in an HTTP header"
    return None


def _valid(token: Token, now: float) -> bool:
    if token.revoked is not None and token.revoked <= now:
        return False
    return token.expires is None or token.expires > now


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
