"""What tests of other parts count on from the in-memory target: late writes, lost answers, references, groups."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from isthmus.connectors.memory import MemoryConnector, MemorySettings, MemoryTarget, Trouble
from isthmus.connectors.memory.errors import ERRORS
from isthmus.spi import (
    Anchor,
    AttributeChange,
    Call,
    Cancelled,
    Identity,
    Operation,
    Reference,
    TargetUnavailable,
)

_names = itertools.count(1)


@pytest.fixture
def target() -> Iterator[MemoryTarget]:
    name = f"memory-target-{next(_names)}"
    yield MemoryTarget.named(name)
    MemoryTarget.forget(name)


@pytest.fixture
def connector(target: MemoryTarget) -> MemoryConnector:
    return MemoryConnector(MemorySettings(name=target.name))


def identity(*values: str) -> Identity:
    return Identity(Anchor(values))


def brief(session: str = "s") -> Call:
    return Call(timeout=0.05, session=session)


def test_every_trouble_has_an_error() -> None:
    assert set(ERRORS) == set(Trouble)


def test_connectors_of_one_name_share_a_target(target: MemoryTarget, connector: MemoryConnector) -> None:
    other = MemoryConnector(MemorySettings(name=target.name))
    connector.create("user", {"login": ("Ada",)}, call=Call())
    found = other.read("user", identity("ada"), attributes=("login",), call=Call())
    assert found is not None
    assert found.attributes == {"login": ("Ada",)}
    assert MemoryTarget.named(target.name) is target


def test_a_write_sent_while_the_target_hangs_takes_effect_late(
    target: MemoryTarget, connector: MemoryConnector
) -> None:
    with target.weather.hang():
        with pytest.raises(TargetUnavailable) as raised:
            connector.create("user", {"login": ("ada",)}, call=brief())
        assert raised.value.outcome_unknown
        assert target.get("user", ("ada",)) is None
    assert target.get("user", ("ada",)) is not None


def test_settle_returns_once_late_writes_are_in_effect(target: MemoryTarget, connector: MemoryConnector) -> None:
    target.weather.stop_answering()
    for login, session in (("ada", "one"), ("bob", "two")):
        with pytest.raises(TargetUnavailable):
            connector.create("user", {"login": (login,)}, call=brief(session))
    with pytest.raises(TargetUnavailable):
        connector.settle("one", call=brief())
    target.weather.answer_again()
    connector.settle("one", call=Call())
    assert target.anchors("user") == [("ada",), ("bob",)]


def test_settling_while_hanging_waits_for_the_answer(target: MemoryTarget, connector: MemoryConnector) -> None:
    target.weather.stop_answering()
    with pytest.raises(TargetUnavailable):
        connector.create("user", {"login": ("ada",)}, call=brief("late"))
    settled = threading.Event()

    def settle() -> None:
        connector.settle("late", call=Call(timeout=20))
        settled.set()

    thread = threading.Thread(target=settle)
    thread.start()
    assert not settled.is_set()
    target.weather.answer_again()
    thread.join(20)
    assert settled.is_set()


def test_a_lost_answer_leaves_the_write_in_effect(target: MemoryTarget, connector: MemoryConnector) -> None:
    target.weather.lose_answers = 1
    with pytest.raises(TargetUnavailable) as raised:
        connector.create("user", {"login": ("ada",)}, call=Call())
    assert raised.value.outcome_unknown
    assert target.anchors("user") == [("ada",)]
    connector.delete("user", identity("ada"), call=Call())
    assert target.anchors("user") == []


def test_a_hanging_read_ends_when_it_is_cancelled(target: MemoryTarget, connector: MemoryConnector) -> None:
    cancelled = threading.Event()
    with target.weather.hang():
        threading.Timer(0.05, cancelled.set).start()
        with pytest.raises(Cancelled):
            connector.read("user", identity("ada"), attributes=(), call=Call(timeout=20, cancelled=cancelled))


def test_references_follow_a_rename_and_end_with_a_deletion(target: MemoryTarget, connector: MemoryConnector) -> None:
    for login in ("ada", "bob"):
        connector.create("user", {"login": (login,)}, call=Call())
    ada, bob = (Reference((login,), "user") for login in ("ada", "bob"))
    connector.create("group", {"name": ("staff",), "members": (ada, bob)}, call=Call())
    connector.update("user", identity("bob"), [AttributeChange("manager", replace=(Reference(("ada",)),))], call=Call())

    connector.update("user", identity("ada"), [AttributeChange("login", replace=("eve",))], call=Call())
    assert target.get("group", ("staff",))["members"] == (Reference(("eve",), "user"), bob)
    assert target.get("user", ("bob",))["manager"] == (Reference(("eve",)),)

    connector.delete("user", identity("eve"), call=Call())
    assert target.get("group", ("staff",))["members"] == (bob,)
    assert target.get("user", ("bob",))["manager"] == ()


def test_members_are_added_and_removed_by_reference(target: MemoryTarget, connector: MemoryConnector) -> None:
    for login in ("ada", "bob", "cleo"):
        target.put("user", {"login": (login,)})
    ada, bob, cleo = (Reference((login,), "user") for login in ("ada", "bob", "cleo"))
    connector.create("group", {"name": ("staff",), "members": (ada, bob)}, call=Call())
    change = AttributeChange("members", add=(cleo,), remove=(ada,))
    updated = connector.update("group", identity("staff"), [change], call=Call())
    assert "members" not in updated.attributes, "who adds one member does not want to see the others"
    found = connector.read("group", identity("staff"), attributes=["members"], call=Call())
    assert found is not None
    assert set(found.attributes["members"]) == {bob, cleo}


def test_groups_can_be_left_out(target: MemoryTarget) -> None:
    connector = MemoryConnector(MemorySettings(name=target.name, groups=False))
    assert "group" not in connector.read_schema(call=Call()).object_types
    assert "group" not in connector.scopes()[0].object_types


def test_a_generated_anchor_with_a_correlation_attribute(connector: MemoryConnector) -> None:
    device = connector.read_schema(call=Call()).object_types["device"]
    assert device.correlation_attribute == "correlation"
    assert Operation.RENAME not in device.operations
    made = connector.create("device", {"label": ("laptop",), "correlation": ("entry-1",)}, call=Call())
    found = connector.find("device", "correlation", "entry-1", attributes=("label",), call=Call())
    assert [f.identity for f in found] == [made.identity]


def test_a_composite_anchor_has_its_case_rule_for_each_part(connector: MemoryConnector) -> None:
    made = connector.create("assignment", {"person": ("Ada",), "application": ("ERP",)}, call=Call())
    assert made.identity.anchor.values == ("ada", "ERP")
