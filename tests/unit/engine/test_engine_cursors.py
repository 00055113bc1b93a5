"""Cursors: what is sealed is opened, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engine.cursors import Cursors, Position
from isthmus.scim.errors import ExpiredCursor, InvalidCursor
from isthmus.store import Place, Store

KEYS = (
    st.none()
    | st.text(st.characters(codec="utf-8"), max_size=200)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with TemporaryDirectory() as folder, Store.open(Path(folder)) as opened:
        yield opened


@given(row=st.integers(0, 2**62), key=KEYS, total=st.integers(0, 2**40), backwards=st.booleans(), query=st.binary())
def test_what_is_sealed_is_opened(
    store: Store, row: int, key: object, total: int, backwards: bool, query: bytes
) -> None:
    cursors = Cursors(store, timeout=10)
    position = Position(Place(row, key), total, backwards)  # type: ignore[arg-type]
    sealed = cursors.seal(query, position)
    assert cursors.open(query, sealed) == position
    assert Cursors(store, timeout=10).open(query, sealed) == position, "another worker"
    with pytest.raises(InvalidCursor):
        cursors.open(query + b"x", sealed)


@given(text=st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{20,90}", fullmatch=True))
def test_nothing_else_is(store: Store, text: str) -> None:
    with pytest.raises(InvalidCursor):
        Cursors(store, timeout=10).open(b"", text)


def test_another_store_has_another_key(store: Store, tmp_path: Path) -> None:
    sealed = Cursors(store, timeout=10).seal(b"q", Position(Place(1), 1))
    with Store.open(tmp_path / "other") as other, pytest.raises(InvalidCursor):
        Cursors(other, timeout=10).open(b"q", sealed)


def test_an_old_one_has_expired(store: Store) -> None:
    sealed = Cursors(store, timeout=10).seal(b"q", Position(Place(1), 1))
    with pytest.raises(ExpiredCursor):
        Cursors(store, timeout=-1).open(b"q", sealed)


def test_the_first_to_keep_a_setting_settles_it(store: Store) -> None:
    assert store.settings.settle("one", "first") == "first"
    assert store.settings.settle("one", "second") == "first"
    assert store.settings.get("one") == "first"
