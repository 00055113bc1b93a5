# ruff: noqa: RUF009  setting() is a dataclasses.field()

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from configurations import Write
from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError
from isthmus.config.loading import load
from isthmus.config.secrets import Secrets
from isthmus.config.settings import build_settings, connector_settings, open_connector, settings_problems
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import ConnectorType, MisconfiguredConnector, Secret, setting


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    name: str = setting(label="Name", example="people")
    anchor: tuple[str, ...] = setting((), label="Anchor")
    size: int | None = setting(None, label="Size", minimum=1, maximum=9)


@dataclass(frozen=True, slots=True)
class Plain:
    """A table within the settings that needs no declarations."""

    on: bool = True
    words: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    host: str = setting(label="Host", example="db.example.org")
    port: int = setting(5432, label="Port", minimum=1, maximum=65535)
    ratio: float = setting(0.5, label="Ratio", minimum=0, maximum=1)
    tls: bool = setting(True, label="TLS")
    mode: Literal["fast", "safe"] = setting("safe", label="Mode")
    colour: Colour = setting(Colour.RED, label="Colour")
    dialect: str = setting("", label="Dialect", choices=("", "postgresql", "sqlite"))
    password: Secret | None = setting(None, label="Password")
    tokens: tuple[Secret, ...] = setting((), label="Tokens")
    tables: tuple[Table, ...] = setting((), label="Tables")
    plain: Plain = setting(Plain(), label="Plain")
    pair: tuple[str, int] | None = setting(None, label="Pair")
    limits: Mapping[str, int] | None = setting(None, label="Limits")
    either: str | int = setting("", label="Either")
    folder: Path | None = setting(None, label="Folder")
    anything: Any = setting(None, label="Anything")

    def __post_init__(self) -> None:
        if self.host == "refused":
            raise MisconfiguredConnector("this host is refused")
        if self.host == "wrong":
            raise ValueError("this host is wrong")


def _never(_settings: Settings) -> Any:
    raise AssertionError("settings are built without opening anything")


KIND: ConnectorType[Settings] = ConnectorType(id="fake", title="Fake", settings=Settings, open=_never)


def build(configuration: Configuration, raw: dict[str, Any]) -> Settings:
    built = build_settings(KIND, raw, Secrets(configuration))
    assert isinstance(built, Settings)
    return built


def test_defaults_are_the_declared_ones(configuration: Configuration) -> None:
    assert build(configuration, {"host": "db"}) == Settings(host="db")


def test_every_kind_of_value(configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0ken")
    Secrets(configuration).set("hr", Secret("s3cret"))
    raw = {
        "host": "db",
        "port": 1,
        "ratio": 1,
        "tls": False,
        "mode": "fast",
        "colour": "blue",
        "dialect": "sqlite",
        "password": {"secret": "hr"},
        "tokens": [{"env": "TOKEN"}],
        "tables": [{"name": "a", "anchor": ["x", "y"]}, {"name": "b", "size": 9}],
        "plain": {"on": False, "words": ["w"]},
        "pair": ["a", 1],
        "limits": {"a": 1},
        "either": 7,
        "folder": "/srv",
        "anything": {"x": [1]},
    }
    built = build(configuration, raw)
    assert built == Settings(
        host="db",
        port=1,
        ratio=1.0,
        tls=False,
        mode="fast",
        colour=Colour.BLUE,
        dialect="sqlite",
        password=Secret("s3cret"),
        tokens=(Secret("t0ken"),),
        tables=(Table(name="a", anchor=("x", "y")), Table(name="b", size=9)),
        plain=Plain(on=False, words=("w",)),
        pair=("a", 1),
        limits={"a": 1},
        either=7,
        folder=Path("/srv"),
        anything={"x": [1]},
    )
    assert isinstance(built.ratio, float)
    assert "s3cret" not in repr(built)
    assert "t0ken" not in repr(built)


@pytest.mark.parametrize(
    ("raw", "key", "words"),
    [
        ({}, "settings.host", 'is missing (Host), for example host = "db.example.org"'),
        ({"hots": "x", "host": "x"}, "settings.hots", "did you mean host?"),
        ({"host": 1}, "settings.host", "must be a text in quotes, not a whole number"),
        ({"host": "a\0b"}, "settings.host", "NUL"),
        ({"port": "1"}, "settings.port", "must be a whole number, not a text in quotes"),
        ({"port": True}, "settings.port", "must be a whole number, not true or false"),
        ({"port": 0}, "settings.port", "must be between 1 and 65,535"),
        ({"ratio": float("nan")}, "settings.ratio", "too large or no number"),
        ({"ratio": 10**400}, "settings.ratio", "too large or no number"),
        ({"ratio": 1.01}, "settings.ratio", "must be between 0 and 1"),
        ({"tls": "yes"}, "settings.tls", "must be true or false, not a text"),
        ({"mode": "slow"}, "settings.mode", '"slow" is not allowed here; one of: fast, safe'),
        ({"mode": 1}, "settings.mode", "must be one of fast, safe, not a whole number"),
        ({"colour": "green"}, "settings.colour", "one of: red, blue"),
        ({"dialect": "oracle"}, "settings.dialect", "one of: postgresql, sqlite"),
        ({"tables": {"name": "x"}}, "settings.tables", "must be a list, not a table"),
        ({"tables": [{}]}, "settings.tables[0].name", "is missing"),
        ({"tables": [{"name": "x"}, {"name": "y", "siz": 1}]}, "settings.tables[1].siz", "did you mean size?"),
        ({"tables": [{"name": "x", "anchor": ["a", 1]}]}, "settings.tables[0].anchor[1]", "must be a text"),
        ({"tables": [{"name": "x", "size": 10}]}, "settings.tables[0].size", "must be between 1 and 9"),
        ({"plain": {"on": 1}}, "settings.plain.on", "must be true or false"),
        ({"pair": ["a"]}, "settings.pair", "exactly 2 elements, not 1"),
        ({"limits": {"a b": "x"}}, 'settings.limits."a b"', "must be a whole number"),
        ({"either": []}, "settings.either", "must be a text in quotes or a whole number, not a list"),
        ({"password": {"vault": "x"}}, "settings.password", "must refer to a secret"),
        ({"password": 12}, "settings.password", "must refer to a secret"),
        ({"password": {"secret": "none"}}, "settings.password", "`isthmus secret set none`"),
        ({"host": "refused"}, "settings", "this host is refused"),
        ({"host": "wrong"}, "settings", "this host is wrong"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(
    configuration: Configuration, raw: dict[str, Any], key: str, words: str
) -> None:
    given = raw if "host" in raw or not raw else {"host": "db", **raw}
    with pytest.raises(ConfigError) as caught:
        build(configuration, given)
    assert (caught.value.where.key, words in caught.value.problem) == (key, True), str(caught.value)


def test_a_plain_password_is_refused_without_showing_it(write: Write, configuration: Configuration) -> None:
    text = 'type = "memory"\n[settings]\nname = "x"\n\npassword = "hunter2!"\n'
    loaded = load(write("", hr=text))
    with pytest.raises(ConfigError) as caught:
        open_connector(loaded, "hr")
    assert caught.value.where.line == 5
    assert "`isthmus secret set hr.password`" in caught.value.problem
    assert '{ secret = "hr.password" }' in caught.value.problem
    assert "hunter2" not in str(caught.value)


def test_all_problems_are_told_in_the_order_of_lines(write: Write, configuration: Configuration) -> None:
    path = write("", hr='type = "memory"\n[settings]\nlatency = "x"\ngroops = true\n')
    file = path.parent / "connectors" / "hr.toml"
    kind, raw = KIND, {"port": 0, "mode": "x"}
    assert len(settings_problems(kind, raw, Secrets(configuration))) == 3
    loaded = load(path)
    with pytest.raises(ConfigError) as caught:
        connector_settings(loaded, "hr")
    assert (caught.value.where.file, caught.value.where.line) == (file, 2)  # the missing name comes first


def test_opening_a_configured_connector(write: Write, configuration: Configuration) -> None:
    loaded = load(write("", HR='type = "memory"\n[settings]\nname = "config-test"\n'))
    connector = open_connector(loaded, "hr")
    try:
        assert isinstance(connector, MemoryConnector)
    finally:
        connector.close()
    assert connector_settings(loaded, "HR") == connector_settings(loaded, "hr")
    with pytest.raises(ConfigError, match="did you mean HR"):
        open_connector(loaded, "hrr")


def test_a_stored_secret_changes_the_built_settings(write: Write, configuration: Configuration) -> None:
    secrets = Secrets(configuration)
    secrets.set("pw", Secret("one"))
    loaded = load(write("", hr='type = "memory"\n[settings]\nname = "x"\npassword = { secret = "pw" }\n'))
    before = connector_settings(loaded, "hr")[1]
    secrets.set("pw", Secret("two"))
    after = connector_settings(loaded, "hr")[1]
    assert before != after
