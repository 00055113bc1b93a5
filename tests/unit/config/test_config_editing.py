from __future__ import annotations

import copy
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configurations import Write
from isthmus.config.documents import Configuration
from isthmus.config.editing import add_connector, connector_path, parse_key, remove_connector, set_value, set_values
from isthmus.config.emitting import toml_text
from isthmus.config.errors import ConfigError, dotted
from isthmus.config.loading import load
from isthmus.spi import Secret

COMMENTED = """\
# Written by hand.
public_url = "https://a.example"   # the outside

[scim]
# who may connect
listen = "127.0.0.1:8585"  # loopback
threads = 8

  [scim.tls]   # odd indentation
  enabled = true

[log]
level = "info"
"""

CONNECTOR: dict[str, Any] = {
    "type": "memory",
    "settings": {"name": "hr", "password": {"secret": "hr.password"}},
    "resource_types": [
        {
            "object_type": "person",
            "attributes": ("id", "mail", "off"),
            "flows": {
                'emails[type eq "work"].value': {"attribute": "mail"},
                "active": {"attribute": "off", "invert": True},
            },
            "disable": {"action": "set", "values": {"off": True}, "restore": None},
        }
    ],
}


def test_a_changed_value_changes_its_line_only(write: Write) -> None:
    path = write(COMMENTED)
    set_value(path, "scim.listen", "0.0.0.0:443")
    assert path.read_text() == COMMENTED.replace('"127.0.0.1:8585"', '"0.0.0.0:443"')


def test_new_keys_and_tables(write: Write) -> None:
    path = write(COMMENTED)
    set_values(path, {"scim.workers": 2, "audit.retention_days": 30, "audit.values_days": 7, "scim.tls.enabled": True})
    text = path.read_text()
    for line in COMMENTED.splitlines():
        assert line in text
    host = load(path).host
    assert (host.scim.workers, host.audit.retention_days, host.audit.values_days) == (2, 30, 7)


def test_a_top_level_key_does_not_land_in_a_table(write: Write) -> None:
    path = write("[scim]\nthreads = 8\n")
    set_value(path, "public_url", "https://b.example")
    host = load(path).host
    assert (host.public_url, host.scim.threads) == ("https://b.example", 8)


def test_removing_a_key(write: Write) -> None:
    path = write(COMMENTED)
    set_value(path, "scim.threads", None)
    set_value(path, "audit.values_days", None)
    assert path.read_text() == COMMENTED.replace("threads = 8\n", "")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("scim.listn", "127.0.0.1:1", "did you mean listen"),
        ("scim.listen", 5, "must be a text"),
        ("scim.listen.port", 5, "not a table"),
        ("scim.threads", 1, "must be between"),
        ("scim", "x", "must be a table"),
        ("operations.listen", "127.0.0.1:8585", "already the address"),
        ("scim[0]", 1, "not a table"),
        ("scim.allow_from[0]", 1, "not a table or list"),
        ("log.level", Secret("x"), "cannot be written"),
        ("log.level", "\udcff", "not Unicode"),
    ],
)
def test_a_change_that_breaks_the_file_is_not_made(write: Write, key: str, value: Any, words: str) -> None:
    path = write(COMMENTED)
    with pytest.raises(ConfigError, match=words):
        set_value(path, key, value)
    assert path.read_text() == COMMENTED


def test_what_was_wrong_before_does_not_hinder(write: Write) -> None:
    path = write("[scim]\nthreads = 1\n")
    set_value(path, "scim.workers", 2)
    assert "workers = 2" in path.read_text()
    set_value(path, "scim.threads", 16)
    assert load(path).host.scim.workers == 2


def test_broken_toml_is_not_touched(write: Write) -> None:
    path = write("[scim\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        set_value(path, "scim.workers", 2)
    assert path.read_text() == "[scim\n"


def test_mode_and_links_stay(write: Write, tmp_path: Path) -> None:
    path = write(COMMENTED)
    real = tmp_path / "real.toml"
    path.rename(real)
    real.chmod(0o604)
    path.symlink_to(real)
    set_value(path, "scim.workers", 2)
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o604
    assert "workers = 2" in real.read_text()


def test_a_connector_is_added_read_edited_and_removed(write: Write) -> None:
    configuration = load(write())
    path = add_connector(configuration, "HR", CONNECTOR)
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == ("HR.toml", 0o640)
    assert "password = { secret = " in path.read_text()
    loaded = load(configuration.path)
    document = loaded.connectors["hr"]
    assert document.settings == CONNECTOR["settings"]
    assert document.resource_types[0].flows["active"].invert
    set_value(path, "paused", True)
    set_value(path, 'resource_types[0].flows."name.familyName".attribute', "mail")
    set_value(path, "resource_types[0].matching", ["mail"])
    after = load(configuration.path).connectors["hr"]
    assert after.paused
    assert after.resource_types[0].flows["name.familyName"].attribute == "mail"
    assert path.read_text().startswith("# The connector HR.")
    assert connector_path(loaded, "hr") == path
    assert remove_connector(loaded, "hr") == path
    assert load(configuration.path).connectors == {}
    with pytest.raises(ConfigError):
        remove_connector(loaded, "hr")
    with pytest.raises(ConfigError, match="did you mean HR"):
        connector_path(loaded, "HRR")


@pytest.mark.parametrize(
    ("name", "document", "words"),
    [
        ("../x", CONNECTOR, "name of a connector"),
        ("hr", CONNECTOR, "already a connector"),
        ("new", {}, "type: is missing"),
        ("new", {**CONNECTOR, "type": "memry"}, "did you mean memory"),
        ("new", {**CONNECTOR, "timeout": 31}, "scim.request_timeout"),
        ("new", {**CONNECTOR, "settings": {"password": Secret("x")}}, "Secret cannot be written"),
    ],
)
def test_connectors_that_cannot_be_added(write: Write, name: str, document: dict[str, Any], words: str) -> None:
    configuration = load(write())
    add_connector(configuration, "HR", CONNECTOR)
    with pytest.raises(ConfigError, match=words):
        add_connector(configuration, name, document)
    assert [path.name for path in configuration.connectors_dir.iterdir()] == ["HR.toml"]


def test_adding_makes_the_folder(configuration: Configuration) -> None:
    configuration.connectors_dir.rmdir()
    assert add_connector(configuration, "hr", CONNECTOR).exists()


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[x]", "a b", 'a."b', 'a."\\q"', "a[0]b"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ConfigError, match="no key"):
        parse_key(text)


_parts = st.lists(st.one_of(st.text(max_size=6), st.integers(0, 99_999)), max_size=4)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), _parts)
def test_keys_in_messages_can_be_given_back(first: str, rest: list[str | int]) -> None:
    path = (first, *rest)
    try:
        dotted(path).encode()
    except UnicodeEncodeError:
        return
    assert parse_key(dotted(path)) == path


_keys = st.sampled_from(["a", "b", "c d", "e.f", ""])
_values = st.one_of(st.integers(0, 9), st.text("xyz \"'\\\n#", max_size=4), st.booleans())
_tables = st.recursive(
    st.dictionaries(_keys, _values, max_size=3),
    lambda inner: st.dictionaries(
        _keys, st.one_of(_values, inner, st.lists(inner, min_size=1, max_size=2)), max_size=3
    ),
    max_leaves=6,
)


@given(_tables, st.lists(_keys, min_size=1, max_size=3), st.one_of(_values, st.lists(_values, max_size=3)))
def test_an_edit_changes_that_key_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any], key: list[str], value: Any
) -> None:
    path = tmp_path_factory.mktemp("edit") / "isthmus.toml"
    text = "# kept\n" + toml_text({"type": "memory", "settings": table})
    path.write_text(text, encoding="utf-8")
    expected = copy.deepcopy(tomllib.loads(text))
    refusal = ""
    try:
        set_value(path, ("settings", *key), value)
    except ConfigError as exc:
        refusal = exc.problem
    if refusal:
        assert "table" in refusal or "touching other keys" in refusal
        assert path.read_text(encoding="utf-8") == text
        return
    inner = expected["settings"]
    for part in key[:-1]:
        inner = inner.setdefault(part, {})
    inner[key[-1]] = value
    assert tomllib.loads(path.read_text(encoding="utf-8")) == expected
    assert path.read_text(encoding="utf-8").startswith("# kept\n")
