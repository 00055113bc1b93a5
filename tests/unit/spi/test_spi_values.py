"""Secrets stay hidden, values are frozen, settings are declared once, errors form one tree."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from dataclasses import dataclass

import pytest

from isthmus import spi
from isthmus.spi import (
    Anchor,
    AttributeChange,
    AttributeDefinition,
    Complex,
    ConnectorError,
    Identity,
    ImportPage,
    ObjectType,
    Reference,
    Schema,
    Secret,
    setting,
    settings_of,
)

TEXT = "swordfish-1234"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>30}".format, lambda s: f"{s}", lambda s: f"{s!r}"])
def test_secret_does_not_show(show) -> None:
    assert TEXT not in show(Secret(TEXT))
    assert TEXT not in show([Secret(TEXT)]) if show in {repr, str} else True


def test_secret_is_revealed_only_when_asked() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secret_compares_by_its_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")
    assert Secret("x")


def test_secret_inside_settings_does_not_show() -> None:
    @dataclass(frozen=True)
    class Settings:
        password: Secret

    assert TEXT not in repr(Settings(Secret(TEXT)))


@pytest.mark.parametrize(
    "value",
    [
        Anchor(("a",)),
        Identity(Anchor(("a",))),
        Reference(("a",)),
        AttributeChange("a"),
        AttributeDefinition(name="a"),
        ObjectType(name="a", anchor=("b",), attributes=()),
        Schema({}),
        ImportPage(),
    ],
    ids=lambda v: type(v).__name__,
)
def test_values_are_frozen_and_slotted(value) -> None:
    assert not hasattr(value, "__dict__")
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)


def test_anchor_needs_a_value() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Anchor(())


def test_composite_anchors_are_compared_by_all_values() -> None:
    assert Anchor(("a", "b")) == Anchor(("a", "b"))
    assert Anchor(("a", "b")) != Anchor(("ab",))
    assert len({Anchor(("a", "b")), Anchor(("b", "a"))}) == 2


def test_object_type_finds_attributes_by_exact_name() -> None:
    object_type = ObjectType(name="t", anchor=("id",), attributes=(AttributeDefinition(name="id"),))
    assert object_type.attribute("id") is object_type.attributes[0]
    assert object_type.attribute("ID") is None


def test_settings_are_read_from_their_declaration() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        host: str = setting(label="Host", example="db.example.com", mim="Server")
        port: int = setting(5432, label="Port", minimum=1, maximum=65535)
        password: Secret | None = setting(None, label="Password")  # noqa: RUF009  a dataclasses.field()

    host, port, password = settings_of(Settings)
    assert (host.name, host.type, host.required, host.mim) == ("host", str, True, "Server")
    assert (port.default, port.required, port.minimum, port.maximum) == (5432, False, 1, 65535)
    assert password.secret
    assert not host.secret
    assert Settings(host="h").port == 5432


def test_settings_without_declaration_or_with_mutable_default_are_refused() -> None:
    @dataclass(frozen=True)
    class Undeclared:
        host: str = "h"

    with pytest.raises(TypeError, match=r"Undeclared\.host"):
        settings_of(Undeclared)
    with pytest.raises(TypeError, match="immutable"):
        setting([], label="List")


def test_errors_form_one_tree_and_carry_their_facts() -> None:
    kinds = [each for each in vars(spi).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert len(kinds) == 12
    assert all(issubclass(kind, ConnectorError) for kind in kinds)
    assert spi.Throttled("slow down", retry_after=3).retry_after == 3
    assert spi.InvalidValue("too long", attribute="name").attribute == "name"
    assert spi.AlreadyExists("taken").attribute is None
    lost = spi.TargetUnavailable("no answer", outcome_unknown=True)
    assert lost.outcome_unknown
    assert str(lost) == lost.message == "no answer"
    assert not spi.NotFound("gone").outcome_unknown
    for kind in (spi.NotFound, spi.AlreadyExists, spi.InvalidValue, spi.NotPermitted):
        assert issubclass(kind, spi.TargetRejected)
    assert issubclass(spi.Throttled, spi.TargetUnavailable)
    assert not issubclass(spi.MisconfiguredConnector, spi.TargetRejected)


def test_a_forgotten_method_fails_when_the_connector_is_made() -> None:
    class Forgetful(spi.Connector, spi.SupportsDelete):
        def test(self, *, call) -> None: ...
        def read_schema(self, *, call): ...
        def scopes(self): ...
        def close(self) -> None: ...

    with pytest.raises(TypeError, match="delete"):
        Forgetful()


def test_values_made_of_parts_are_equal_whatever_their_order() -> None:
    one, other = Complex({"type": "work", "value": "a"}), Complex({"value": "a", "type": "work"})
    assert one == other
    assert len({one, other}) == 1
    assert repr(one) == repr(other)
    assert one != Complex({"value": "a"})
    assert (one.get("value"), one.get("Value"), one.as_dict()) == ("a", None, {"type": "work", "value": "a"})
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.parts = ()  # type: ignore[misc]
