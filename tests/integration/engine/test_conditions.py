"""If-Match and If-None-Match of writes (RFC 9110 13.1, RFC 7644 3.14): judged on the object that is then changed.

Between the look at the version and the lock on the object another request may come through; `reached` marks that
moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness import Answer, at_once
from isthmus.engine import deleting, updating
from memory_host import MemoryHost, Serve

Write = Callable[[MemoryHost, str, dict[str, str]], Answer]


def patch(app: MemoryHost, ident: str, headers: dict[str, str]) -> Answer:
    return app.client.patch(ident, {"op": "replace", "path": "displayName", "value": "Mine"}, headers=headers)


def put(app: MemoryHost, ident: str, headers: dict[str, str]) -> Answer:
    return app.client.put(ident, {"userName": "anna", "displayName": "Mine"}, headers)


def delete(app: MemoryHost, ident: str, headers: dict[str, str]) -> Answer:
    return app.client.delete(ident, headers)


def disable_by_deleting(app: MemoryHost, ident: str, headers: dict[str, str]) -> Answer:
    return app.client.patch(ident, {"op": "replace", "path": "active", "value": False}, headers=headers)


@contextmanager
def in_between(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let another client change the name once a write has looked at the version and not yet locked the object."""
    left = [lambda: changed(app, "Theirs")]

    def reached(point: str) -> None:
        if point == "before-open" and left:
            action = left.pop()
            with app.host.turns.lent():
                at_once(action)

    with monkeypatch.context() as patched:
        patched.setattr(updating, "reached", reached)
        patched.setattr(deleting, "reached", reached)
        yield
    assert not left, "the moment never came"


@pytest.mark.parametrize("write", [patch, put, delete])
def test_a_change_in_between_makes_the_version_another(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    ident = app.client.created("anna", displayName="Before")
    version = app.client.user(ident)["meta"]["version"]
    with in_between(app, monkeypatch):
        write(app, ident, {"If-Match": version}).refused(412)
    assert app.client.user(ident)["displayName"] == "Theirs"
    assert app.target.get("user", ("anna",))["displayName"] == ("Theirs",)  # type: ignore[index]


@pytest.mark.parametrize("write", [patch, put, delete])
def test_a_change_in_between_makes_the_version_an_excluded_one(
    app: MemoryHost, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    ident = app.client.created("anna", displayName="Before")
    now = int(app.client.user(ident)["meta"]["version"][3:-1])
    excluded = {"If-None-Match": ", ".join(f'W/"{now + later}"' for later in range(1, 50))}
    with in_between(app, monkeypatch):
        write(app, ident, excluded).refused(412)
    assert app.client.user(ident)["displayName"] == "Theirs"
    assert app.target.get("user", ("anna",))["displayName"] == ("Theirs",)  # type: ignore[index]


def test_another_version_that_is_not_excluded_is_changed(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ident = app.client.created("anna", displayName="Before")
    with in_between(app, monkeypatch):
        answer = patch(app, ident, {"If-None-Match": 'W/"none of them"'})
    assert (answer.status, answer.json["displayName"]) == (200, "Mine")


def test_if_none_match_is_judged_on_the_live_object(app: MemoryHost) -> None:
    ident = app.client.created("anna", displayName="Before")
    now = int(app.client.user(ident)["meta"]["version"][3:-1])
    app.target.change("user", ("anna",), displayName=("Behind our back",))
    excluded = ", ".join(f'W/"{now + later}"' for later in range(1, 50))
    patch(app, ident, {"If-None-Match": excluded}).refused(412)
    assert patch(app, ident, {"If-None-Match": f'W/"{now}"'}).status == 200


@pytest.mark.parametrize("write", [disable_by_deleting, delete])
def test_disabling_that_deletes_is_bound_to_the_version_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    app = serve(disable='{ action = "delete" }')
    ident = app.client.created("anna", displayName="Before")
    version = app.client.user(ident)["meta"]["version"]
    with in_between(app, monkeypatch):
        write(app, ident, {"If-Match": version}).refused(412)
    assert app.logins() == ["anna"]


def test_one_of_two_writes_of_the_same_version_wins_always(app: MemoryHost) -> None:
    ident = app.client.created("anna")
    for turn in range(25):
        headers = {"If-Match": app.client.user(ident)["meta"]["version"]}
        names = (f"left {turn}", f"right {turn}")
        answers = at_once(
            *(
                lambda name=name, sent=headers: app.client.patch(
                    ident, {"op": "replace", "path": "displayName", "value": name}, headers=sent
                )
                for name in names
            )
        )
        assert sorted(answer.status for answer in answers) == [200, 412], answers
        [won] = [name for name, answer in zip(names, answers, strict=True) if answer.status == 200]
        assert app.client.user(ident)["displayName"] == won


def changed(app: MemoryHost, name: str) -> None:
    [user] = app.client.named("anna")
    answer = app.client.patch(user["id"], {"op": "replace", "path": "displayName", "value": name})
    assert answer.status == 200, answer
