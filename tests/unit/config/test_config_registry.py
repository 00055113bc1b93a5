"""Connector types from packages that are really on the path: each is a folder with the metadata pip would write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.config.errors import ConfigError
from isthmus.config.registry import broken_connector_types, connector_type, connector_type_ids, connector_types

Install = Callable[..., None]

MODULE = """\
from dataclasses import dataclass
from isthmus.spi import ConnectorType, setting

@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    path: str = setting(label="Path")

connector_type = ConnectorType(id={id!r}, title="Punched cards", settings=Settings, open=lambda settings: None)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def _install(package: str, entry: str, source: str) -> None:
        module = package.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        metadata = site / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[isthmus.connectors]\n{entry} = {module}:connector_type\n")

    return _install


def test_the_built_in_types_are_there() -> None:
    assert {"memory", "sql"} <= set(connector_type_ids())
    assert connector_type("memory").id == "memory"


def test_a_package_adds_a_type(install: Install) -> None:
    install("isthmus-cards", "cards", MODULE.format(id="cards"))
    assert "cards" in connector_type_ids()
    assert connector_type("cards").title == "Punched cards"
    assert connector_types()["cards"] is connector_type("cards")


def test_an_unknown_type_names_the_nearest(install: Install) -> None:
    with pytest.raises(ConfigError, match='no connector type "memry" is installed; did you mean memory'):
        connector_type("memry")
    with pytest.raises(ConfigError, match=r"known connector types: .*memory"):
        connector_type("zzzzzz")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import a_driver_that_is_not_here", "cannot be loaded: ModuleNotFoundError"),
        ("this is no python", "cannot be loaded: SyntaxError"),
        ("other = 1", "cannot be loaded: AttributeError"),
        ("connector_type = 1", "names no ConnectorType"),
        (MODULE.format(id="other"), 'names the type "other"'),
    ],
)
def test_a_broken_package_hurts_only_who_uses_it(install: Install, source: str, words: str) -> None:
    package = f"isthmus-broken-{abs(hash(source))}"
    install(package, "broken", source)
    assert "broken" in connector_type_ids()
    assert "memory" in connector_types()
    assert "broken" not in connector_types()
    assert words in str(broken_connector_types()["broken"])
    with pytest.raises(ConfigError, match=package):
        connector_type("broken")


def test_two_packages_with_one_id_are_told_apart(install: Install) -> None:
    install("isthmus-one", "twice", MODULE.format(id="twice"))
    install("isthmus-two", "twice", MODULE.format(id="twice"))
    with pytest.raises(ConfigError, match="claimed by isthmus-one and isthmus-two"):
        connector_type("twice")


def test_listing_imports_no_connector() -> None:
    program = (
        "import sys; from isthmus.config.registry import connector_type_ids; assert 'sql' in connector_type_ids(); "
        "print([name for name in sys.modules if name.startswith(('isthmus.connectors', 'sqlalchemy'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"
