"""The files in packaging/ name what the program looks for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from isthmus.config.documents import HostDocument
from isthmus.config.key import CREDENTIAL, KEY_VARIABLE
from isthmus.config.loading import CONFIG_VARIABLE

ROOT = Path(__file__).resolve().parents[3]
UNIT = (ROOT / "packaging" / "isthmus.service").read_text()
ADMIN = (ROOT / "packaging" / "isthmus-admin").read_text()
CONTAINER = (ROOT / "packaging" / "Containerfile").read_text()
CONFIGURATION = f"{CONFIG_VARIABLE}=/etc/isthmus/isthmus.toml"


def directive(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found is not None, name
    return found.group(1)


def test_the_unit_and_its_command_use_the_same_account_configuration_and_key() -> None:
    assert directive("Environment") == CONFIGURATION
    assert directive("LoadCredential").startswith(f"{CREDENTIAL}:/")
    assert f"LoadCredential={directive('LoadCredential')}" in ADMIN
    assert f"--setenv={CONFIGURATION}" in ADMIN
    assert f"--uid={directive('User')}" in ADMIN
    assert directive("ExecStart").removesuffix(" serve") in ADMIN


def test_the_unit_waits_longer_than_the_server_does() -> None:
    assert int(directive("TimeoutStopSec")) > HostDocument().scim.stop_timeout


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "isthmus.service"
    unit.write_text(UNIT.replace(directive("ExecStart").split()[0], shutil.which("true") or "/bin/true"))
    ran = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, [line for line in ran.stderr.splitlines() if str(unit) in line]) == (0, []), ran.stderr


def test_the_image_is_not_root_and_finds_configuration_and_key() -> None:
    assert f"{CONFIG_VARIABLE}=/etc/isthmus/isthmus.toml" in CONTAINER
    assert f"{KEY_VARIABLE}=/run/secrets/isthmus-key" in CONTAINER
    assert re.search(r"^USER [1-9]\d*:", CONTAINER, re.MULTILINE)
    assert HostDocument().operations.listen in CONTAINER
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINER, re.MULTILINE)
    assert all((ROOT / name).exists() for names in copied for name in names.split())


def test_the_admin_command_is_a_sound_script() -> None:
    subprocess.run(["sh", "-n", str(ROOT / "packaging" / "isthmus-admin")], check=True, timeout=10)
    assert os.access(ROOT / "packaging" / "isthmus-admin", os.X_OK)
