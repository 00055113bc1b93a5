"""Pages while others come and go: by cursor each object that stays comes exactly once, by index while others come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawing import examples
from fuzzing.entries import served
from harness import Client

marks = itertools.count()
orders = st.sampled_from(["", "&sortBy=displayName", "&sortBy=displayName&sortOrder=descending", "&sortBy=emails"])
names = st.sampled_from(["a", "B", "b", "ä", None])
quietly = settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def app() -> Iterator[Client]:
    with served() as host:
        yield host.served.client("app")


class Crowd:
    """People of one example, found by a filter of their own."""

    def __init__(self, app: Client) -> None:
        self.app = app
        self.mark = f"q{next(marks)}-"
        self.numbers = itertools.count()
        self.ids: list[str] = []

    def come(self, display: str | None) -> None:
        more = {} if display is None else {"displayName": display, "emails": [{"value": f"{display}@x"}]}
        self.ids.append(self.app.created(f"{self.mark}{next(self.numbers)}", **more))

    def go(self, pick: int) -> str | None:
        if not self.ids:
            return None
        gone = self.ids.pop(pick % len(self.ids))
        assert self.app.delete(gone).status == 204
        return gone

    @property
    def path(self) -> str:
        return f"/Users?filter={quote(f'userName sw {chr(34)}{self.mark}{chr(34)}', safe='')}"

    def leave(self) -> None:
        while self.go(0) is not None:
            pass


meanwhile = st.lists(
    st.lists(st.one_of(st.tuples(st.just("come"), names), st.tuples(st.just("go"), st.integers(0, 20))), max_size=3),
    max_size=8,
)


@quietly
@given(st.lists(names, max_size=12), st.integers(1, 5), orders, meanwhile)
def test_by_cursor(
    app: Client, first: list[str | None], count: int, order: str, changes: list[list[tuple[str, object]]]
) -> None:
    crowd = Crowd(app)
    for display in first:
        crowd.come(display)
    stays, seen, cursor = set(crowd.ids), [], ""
    between = iter(changes)
    while True:
        page = app.get(f"{crowd.path}&count={count}{order}&cursor={quote(cursor, safe='')}")
        shown = [each["id"] for each in page.resources]
        assert len(shown) <= count
        seen += shown
        if "nextCursor" not in page.json:
            break
        cursor = page.json["nextCursor"]
        for what, which in next(between, []):
            if what == "come":
                crowd.come(which)  # type: ignore[arg-type]
            else:
                stays.discard(crowd.go(which) or "")  # type: ignore[arg-type]
    crowd.leave()
    assert len(seen) == len(set(seen)), "nothing comes twice"
    assert stays <= set(seen), "nothing that stayed is left out"


@quietly
@given(st.lists(names, max_size=12), st.integers(1, 5), st.lists(st.lists(names, max_size=3), max_size=8))
def test_by_index(app: Client, first: list[str | None], count: int, changes: list[list[str | None]]) -> None:
    """Without sorting, who comes is listed after those who were there (a sorted list has no such place)."""
    crowd = Crowd(app)
    for display in first:
        crowd.come(display)
    stays, seen, between = list(crowd.ids), [], iter(changes)
    while True:
        page = app.get(f"{crowd.path}&count={count}&startIndex={len(seen) + 1}")
        assert page.total == len(crowd.ids)
        if not page.resources:
            break
        seen += [each["id"] for each in page.resources]
        for display in next(between, []):
            crowd.come(display)
    everybody = list(crowd.ids)
    crowd.leave()
    assert seen[: len(stays)] == stays
    assert seen == everybody
