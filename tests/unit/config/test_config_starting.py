from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from isthmus.config.documents import HostDocument
from isthmus.config.editing import add_connector, set_value
from isthmus.config.errors import ConfigError
from isthmus.config.exposed import exposed_files
from isthmus.config.loading import load
from isthmus.config.secrets import Secrets
from isthmus.config.starting import initialise
from isthmus.config.tls import describe
from isthmus.config.watching import fingerprint
from isthmus.spi import Secret


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_start_makes_everything_that_serve_needs(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        report = initialise(tmp_path / "etc", sans=["scim.example.com"], listen="0.0.0.0:443")
    finally:
        os.umask(before)
    configuration = load(tmp_path / "etc")
    assert report.configuration == configuration
    assert configuration.host.scim.listen == "0.0.0.0:443"
    assert (report.kept, report.notes) == ((), ())
    assert report.key_file == tmp_path / "outside" / "key"
    assert all(path.exists() for path in report.created)
    for private in (configuration.state_dir, configuration.secrets_dir, configuration.tls_dir):
        assert mode(private) == 0o700
    assert (mode(configuration.folder), mode(configuration.path), mode(report.key_file)) == (0o750, 0o640, 0o600)
    assert "scim.example.com" in describe(configuration.tls_dir).names
    assert report.ca_certificate.exists()
    Secrets(configuration).set("a", Secret("1"))
    assert exposed_files(configuration) == []


def test_the_starter_shows_the_real_defaults(tmp_path: Path) -> None:
    path = initialise(tmp_path / "etc").configuration.path
    assert load(path).host == HostDocument()
    shown = [line.removeprefix("# ") for line in path.read_text().splitlines() if line.startswith(("# ", "["))]
    examples = ("public_url", "allow_from", "certificate", "key", "client_ca", "[scim.tls]")
    keys = [line for line in shown if " = " in line or line.startswith("[")]
    path.write_text("\n".join(line for line in keys if not line.startswith(examples)))
    assert load(path).host == HostDocument()
    path.write_text("\n".join(keys))
    assert load(path).host.scim.tls.client_ca == "tls/clients.crt"


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    initialise(tmp_path / "etc")
    set_value(tmp_path / "etc" / "isthmus.toml", "state_dir", "elsewhere")
    before = contents(tmp_path)
    report = initialise(tmp_path / "etc", listen="0.0.0.0:443")
    assert report.created == (tmp_path / "etc" / "elsewhere",)
    assert {path.name for path in report.kept} >= {"isthmus.toml", "key", "ca.crt", "server.crt", "secrets", "tls"}
    assert "scim.listen stays 127.0.0.1:8585" in report.notes[0]
    assert contents(tmp_path) == before


def test_further_names_are_added_to_the_certificate(tmp_path: Path) -> None:
    initialise(tmp_path / "etc", sans=["a.example"])
    report = initialise(tmp_path / "etc", sans=["b.example"])
    assert "signed anew" in report.notes[0]
    assert {"a.example", "b.example"} <= set(describe(report.configuration.tls_dir).names)


def test_what_is_missing_is_completed(tmp_path: Path) -> None:
    configuration = initialise(tmp_path / "etc").configuration
    for path in (configuration.tls_dir / "server.crt", configuration.tls_dir / "server.key"):
        path.unlink()
    report = initialise(tmp_path / "etc")
    assert {path.name for path in report.created} == {"server.crt", "server.key"}


def test_a_key_kept_elsewhere_is_told(tmp_path: Path) -> None:
    report = initialise(tmp_path / "etc", key_file=tmp_path / "safe" / "key")
    assert report.notes == (f"set ISTHMUS_KEY_FILE={tmp_path / 'safe' / 'key'} wherever Isthmus is started",)


@pytest.mark.parametrize(("sans", "listen"), [(["https://x"], None), ([], "8585"), ([], "0.0.0.0:99999")])
def test_wrong_arguments_make_nothing(tmp_path: Path, sans: list[str], listen: str | None) -> None:
    with pytest.raises(ConfigError):
        initialise(tmp_path / "etc", sans=sans, listen=listen)
    assert not (tmp_path / "etc").exists()


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "etc").touch()
    with pytest.raises(ConfigError):
        initialise(tmp_path / "etc")


def test_exposed_files_are_found_with_their_remedy(tmp_path: Path) -> None:
    report = initialise(tmp_path / "etc")
    configuration = report.configuration
    Secrets(configuration).set("a", Secret("1"))
    password = configuration.secrets_dir / "password"
    password.write_text("x")
    own_key = tmp_path / "own.key"
    own_key.write_text("x")
    set_value(configuration.path, "scim.tls", {"certificate": "x.crt", "key": str(own_key)})
    configuration = load(configuration.path)
    exposed = [report.key_file, password, own_key, configuration.tls_dir / "ca.key", Secrets(configuration).path]
    for path in exposed:
        path.chmod(0o644)
    configuration.connectors_dir.chmod(0o777)
    found = exposed_files(configuration)
    assert {item.path for item in found} == {*exposed, configuration.connectors_dir}
    assert all(f"chmod 600 {path}" in [item.mend for item in found] for path in exposed)
    assert f"{password}: every account of this machine can read it; chmod 600 {password}" in map(str, found)


def test_the_store_counts_only_where_others_can_reach_it(tmp_path: Path) -> None:
    configuration = initialise(tmp_path / "etc").configuration
    database = configuration.state_dir / "isthmus.db"
    database.write_bytes(b"x")
    database.chmod(0o644)
    assert exposed_files(configuration) == []
    opened = [folder for folder in database.parents if folder.is_relative_to(tmp_path.parent.parent)]
    before = {folder: mode(folder) for folder in opened}
    try:
        for folder in opened:
            folder.chmod(0o755)
        reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in database.resolve().parents)
        assert [item.path for item in exposed_files(configuration)] == ([database] if reachable else [])
    finally:
        for folder, bits in before.items():
            folder.chmod(bits)


def test_the_fingerprint_tells_changes(tmp_path: Path) -> None:
    configuration = initialise(tmp_path / "etc").configuration
    path = configuration.path
    seen = [fingerprint(path)]
    assert fingerprint(path) == seen[0]

    def changed() -> bool:
        seen.append(fingerprint(path))
        return seen.count(seen[-1]) == 1

    set_value(path, "scim.workers", 2)
    assert changed()
    file = add_connector(configuration, "hr", {"type": "memory", "settings": {"name": "x"}})
    assert changed()
    set_value(file, "paused", True)
    assert changed()
    set_value(file, "paused", False)  # same size, perhaps within the same tick of the clock
    assert changed()
    Secrets(configuration).set("a", Secret("1"))
    assert changed()
    path.write_text("broken [")
    assert changed()
    path.unlink()
    assert changed()
    (configuration.state_dir / "isthmus.db").touch()
    assert not changed()
