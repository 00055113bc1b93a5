"""Chosen tokens, whose check is dear on purpose: what many requests at once make of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest

from harness import at_once
from isthmus.engine import tokens as engine_tokens
from isthmus.engine.tokens import Tokens
from isthmus.scim.errors import TooManyRequests
from isthmus.spi import Secret
from isthmus.store import Store
from isthmus.store.records import Token

CHOSEN = "a-token-that-somebody-chose"


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    with Store.open(tmp_path) as store:
        Tokens(store).create("app", name="chosen", text=Secret(CHOSEN))
        yield Tokens(store)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, hash: str, password: str) -> bool:
        asked.append(password)
        return verify(self, hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return asked


def identity(token: Token | None) -> str | None:
    return None if token is None else token.id


def test_the_first_requests_of_a_client_wait_for_one_check(tokens: Tokens, verified: list[str]) -> None:
    found = at_once(*[lambda: tokens.check("app", CHOSEN)] * 12)
    assert all(isinstance(one, Token) for one in found), found
    assert verified == [CHOSEN]


def test_wrong_tokens_do_not_take_every_thread(tokens: Tokens, verified: list[str]) -> None:
    known = tokens.check("app", CHOSEN)
    assert tokens.check("app", "wrong") is None
    verified.clear()
    found = at_once(*[lambda n=n: tokens.check("app", f"wrong {n}") for n in range(16)])  # type: ignore[misc]
    refused = [one for one in found if isinstance(one, TooManyRequests)]
    assert {one for one in found if one not in refused} == {None}
    assert len(refused) == 16 - len(verified) >= 8
    again = at_once(*[lambda: tokens.check("app", "wrong again")] * 16)
    assert sum(isinstance(one, TooManyRequests) for one in again) >= 8
    assert verified.count("wrong again") == 1, "the others waited for it"
    assert identity(tokens.check("app", CHOSEN)) == identity(known)
    assert verified.count(CHOSEN) == 0


def test_a_token_that_was_wrong_a_moment_ago(tokens: Tokens) -> None:
    assert tokens.check("app", "the-next-chosen-token") is None
    made, _ = tokens.create("app", name="next", text=Secret("the-next-chosen-token"))
    assert tokens.check("app", "the-next-chosen-token") == made


def test_the_same_text_chosen_again_after_the_first_was_revoked(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tokens.check("app", CHOSEN)
    assert first is not None
    second, _ = tokens.create("app", name="again", text=Secret(CHOSEN))
    assert identity(tokens.check("app", CHOSEN)) == first.id
    tokens.revoke(first.id)
    assert identity(tokens.check("app", CHOSEN)) == second.id
    monkeypatch.setattr(engine_tokens, "FRESH_SECONDS", 0.0)
    tokens.revoke(second.id)
    assert tokens.check("app", CHOSEN) is None
