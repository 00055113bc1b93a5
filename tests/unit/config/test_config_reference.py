"""docs/reference/configuration.md describes every key, with its default and its range, and no other key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configurations import Write
from isthmus.config.documents import ConnectorDocument, HostDocument
from isthmus.config.emitting import plain
from isthmus.config.key import KEY_VARIABLE
from isthmus.config.loading import CONFIG_VARIABLE, load
from isthmus.config.rules import CONNECTOR_RANGES, HOST_RANGES
from isthmus.config.source import Source
from isthmus.mapping.definition import Deprovisioning, Flow, ResourceTypeDefinition

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "configuration.md").read_text()
SECTIONS = {
    "isthmus.toml": HostDocument,
    "connectors/NAME.toml": ConnectorDocument,
    "Resource types": ResourceTypeDefinition,
    "Flows": Flow,
    "Disable and delete": Deprovisioning,
}


def section(title: str) -> str:
    _, _, rest = PAGE.partition(f"# {title}\n")
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> dict[str, tuple[str, str, str]]:
    found = {}
    for line in section(title).splitlines():
        if line.startswith("| `"):
            key, default, allowed, meaning = (cell.strip() for cell in line.strip("|").split(" | "))
            found[key.strip("`")] = (default, allowed, meaning)
    return found


def documented(kind: Any, prefix: str = "") -> dict[str, Any]:
    """Return every key of a document with its default; Ellipsis: it has none."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= documented(field.type, f"{prefix}{field.name}.")
        elif field.required:
            found[prefix + field.name] = ...
        else:
            has_value = field.default is not msgspec.NODEFAULT
            found[prefix + field.name] = field.default if has_value else field.default_factory()
    return found


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_has_a_row_with_its_default(title: str, tmp_path: Path) -> None:
    expected = documented(SECTIONS[title])
    found = rows(title)
    assert list(found) == list(expected)
    for key, (default, _, meaning) in found.items():
        assert meaning, key
        value = expected[key]
        if value is ... or value is None:
            assert default == ("required" if value is ... else ""), key
        else:
            assert Source(tmp_path, f"x = {default.strip('`')}").tables["x"] == plain(value), key


@pytest.mark.parametrize(
    ("title", "ranges"), [("isthmus.toml", HOST_RANGES), ("connectors/NAME.toml", CONNECTOR_RANGES)]
)
def test_every_number_has_its_range(title: str, ranges: dict[str, tuple[float, float]]) -> None:
    found = rows(title)
    assert {key: found[key][1] for key in ranges} == {
        key: f"{least:,} to {greatest:,}" for key, (least, greatest) in ranges.items()
    }


def test_every_variable_has_a_row() -> None:
    named = set(re.findall(r"^\| `(\w+)`", section("Environment"), re.MULTILINE))
    assert named == {CONFIG_VARIABLE, KEY_VARIABLE, "CREDENTIALS_DIRECTORY", "XDG_CONFIG_HOME", "XDG_STATE_HOME"}


def test_the_examples_load(write: Write) -> None:
    host, connector = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    configuration = load(write(host, hr=connector))
    assert configuration.host.scim.listen == "0.0.0.0:8585"
    assert configuration.connectors["hr"].resource_types[0].flows["active"].invert
