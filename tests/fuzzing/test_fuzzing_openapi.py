"""A short run of the fuzzer that goes by our own OpenAPI document."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.servers.requirement import missing
from fuzzing.entries import Broken, Host, served

# schemathesis brings warnings of its own about what it cannot reproduce
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    if importlib.util.find_spec("schemathesis") is None:
        missing("schemathesis")
    with served() as found:
        yield found


def described(host: Host, connector: str) -> Any:
    from fuzzing.openapi import Described

    return Described(host, connector)


@pytest.mark.slow
@pytest.mark.parametrize("connector", ["app", "strict"])
def test_every_operation_answers_as_described(host: Host, connector: str) -> None:
    ours = described(host, connector)
    assert len(ours.operations) > 20
    for label in ours.operations:
        ours.try_out(label, 3, chance=1)


def test_a_fault_is_noticed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = described(host, "app")
    monkeypatch.setattr("isthmus.engine.endpoint.Endpoint.list", lambda *_given, **_named: 1 / 0)
    with pytest.raises((Broken, BaseExceptionGroup)):
        ours.try_out("GET /Users", 20, chance=1)
    monkeypatch.setattr("isthmus.engine.endpoint.Endpoint.list", lambda *_given, **_named: b'{"Resources": 5}')
    with pytest.raises((Broken, BaseExceptionGroup)):
        ours.try_out("GET /Users", 20, chance=1)
