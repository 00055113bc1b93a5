from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from configurations import Write
from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError, SecretsExposed, Where
from isthmus.config.key import create_key, key_file, read_key
from isthmus.config.loading import load
from isthmus.config.secrets import Secrets
from isthmus.spi import Secret

HIDDEN = "correct horse battery staple"


def stored(configuration: Configuration, **values: str) -> Secrets:
    secrets = Secrets(configuration)
    for name, value in values.items():
        secrets.set(name, Secret(value))
    return secrets


def test_secrets_are_stored_read_and_removed(configuration: Configuration) -> None:
    secrets = stored(configuration, a="1", b=HIDDEN)
    secrets.set("a", Secret("pässwörd \U0001f511\n"))
    again = Secrets(configuration)
    assert again.names() == ["a", "b"]
    assert again.resolve({"secret": "a"}).reveal() == "pässwörd \U0001f511\n"
    assert again.remove("a")
    assert not again.remove("a")
    assert again.names() == secrets.names() == ["b"]


def test_the_file_shows_neither_names_nor_values(configuration: Configuration) -> None:
    secrets = stored(configuration, production=HIDDEN)
    raw = secrets.path.read_bytes()
    assert b"production" not in raw
    assert HIDDEN.encode() not in raw
    assert base64.b64encode(HIDDEN.encode())[:-4] not in raw
    assert stat.S_IMODE(secrets.path.stat().st_mode) == 0o600


def test_each_write_uses_a_fresh_nonce(configuration: Configuration) -> None:
    secrets = stored(configuration, a="1")
    first = json.loads(secrets.path.read_text())
    secrets.set("a", Secret("1"))
    second = json.loads(secrets.path.read_text())
    assert first["nonce"] != second["nonce"]
    assert first["key_id"] == second["key_id"]


def test_no_file_means_no_secrets(configuration: Configuration) -> None:
    assert Secrets(configuration).names() == []
    with pytest.raises(ConfigError, match="isthmus secret set hr"):
        Secrets(configuration).resolve({"secret": "hr"})


def test_another_process_sees_the_change_and_neither_loses_the_others(configuration: Configuration) -> None:
    secrets = stored(configuration, mine="1")
    program = (
        "import sys; from pathlib import Path; from isthmus.config.loading import load;"
        "from isthmus.config.secrets import Secrets; from isthmus.spi import Secret;"
        "secrets = Secrets(load(Path(sys.argv[1])));"
        "[secrets.set(f'{sys.argv[2]}{n}', Secret('x')) for n in range(20)]"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(configuration.path), name]) for name in ("left", "right")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(secrets.names()) == 41


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for other accounts")
def test_what_root_makes_belongs_to_the_account_of_the_folder(configuration: Configuration) -> None:
    configuration.secrets_dir.mkdir()
    os.chown(configuration.secrets_dir, 65534, 65534)
    stored(configuration, a=HIDDEN)
    files = list(configuration.secrets_dir.iterdir())
    assert len(files) == 2, "the secrets and what is locked while they are changed"
    assert {file.stat().st_uid for file in files} == {65534}


@pytest.mark.parametrize("spoil", ["truncate", "flip", "empty", "json", "format"])
def test_a_damaged_file_is_told_and_not_overwritten(configuration: Configuration, spoil: str) -> None:
    secrets = stored(configuration, a=HIDDEN)
    raw = secrets.path.read_bytes()
    envelope = json.loads(raw)
    sealed = bytearray(base64.b64decode(envelope["sealed"]))
    sealed[3] ^= 1
    spoilt = {
        "truncate": raw[:-20],
        "flip": json.dumps({**envelope, "sealed": base64.b64encode(sealed).decode()}).encode(),
        "empty": b"",
        "json": b'{"format": 1}',
        "format": json.dumps({**envelope, "format": 2}).encode(),
    }[spoil]
    secrets.path.write_bytes(spoilt)
    with pytest.raises(ConfigError, match="newer Isthmus" if spoil == "format" else "damaged"):
        Secrets(configuration).names()
    with pytest.raises(ConfigError):
        secrets.set("b", Secret("2"))
    assert secrets.path.read_bytes() == spoilt


def test_another_key_is_told_apart_from_damage(configuration: Configuration, tmp_path: Path) -> None:
    stored(configuration, a="1")
    other = tmp_path / "elsewhere" / "key"
    create_key(other)
    with pytest.raises(ConfigError, match="sealed with another key"):
        Secrets(configuration, key_file=other).names()


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o620, 0o602])
def test_exposed_files_are_refused(configuration: Configuration, mode: int) -> None:
    secrets = stored(configuration, a="1")
    for path in (secrets.path, secrets.key_file):
        path.chmod(mode)
        with pytest.raises(SecretsExposed, match=f"chmod 600 {path}"):
            Secrets(configuration).resolve({"secret": "a"})
        path.chmod(0o640)
        assert Secrets(configuration).resolve({"secret": "a"}) == Secret("1")


def test_replacing_keeps_the_mode_that_was_chosen(configuration: Configuration) -> None:
    secrets = stored(configuration, a="1")
    secrets.path.chmod(0o640)
    secrets.set("a", Secret("2"))
    assert stat.S_IMODE(secrets.path.stat().st_mode) == 0o640
    assert [path.name for path in secrets.path.parent.iterdir() if path.suffix == ".new"] == []


def test_a_key_beside_the_configuration_is_refused(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (configuration.folder, configuration.secrets_dir, configuration.state_dir):
        monkeypatch.setenv("ISTHMUS_KEY_FILE", str(folder / "key"))
        with pytest.raises(ConfigError, match="beside the secrets"):
            Secrets(configuration).set("a", Secret("1"))


def test_where_the_key_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    assert key_file(folder) == tmp_path / "outside" / "key"
    monkeypatch.delenv("ISTHMUS_KEY_FILE")
    assert key_file(folder) == tmp_path / "home" / ".config" / "isthmus" / "key"
    assert key_file(tmp_path / "home/.config/isthmus") == tmp_path / "home" / ".local" / "state" / "isthmus" / "key"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert key_file(folder) == tmp_path / "xdg" / "isthmus" / "key"
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert key_file(folder) == tmp_path / "xdg" / "isthmus" / "key"
    (credentials / "isthmus-key").touch()
    assert key_file(folder) == credentials / "isthmus-key"
    monkeypatch.setenv("ISTHMUS_KEY_FILE", "~nobody-of-this-name/key")
    with pytest.raises(ConfigError, match="home folder"):
        key_file(folder)


def test_keys_made_elsewhere_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    raw = bytes(range(224, 256))
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw), base64.b64encode(raw).rstrip(b"=") + b"\n"):
        path.write_bytes(text)
        assert read_key(path) == raw


@pytest.mark.parametrize("text", [b"", b"short", b"\xff" * 44, b"A" * 45, b"A" * 2000, b"-----BEGIN KEY-----"])
def test_what_is_no_key(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="not a key"):
        read_key(path)


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "key"
    create_key(path)
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="cannot be written"):
        create_key(path)
    assert path.read_bytes() == before


def secret_file(configuration: Configuration, name: str, content: bytes, mode: int = 0o600) -> Path:
    path = configuration.secrets_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"pw", "pw"), (b"pw\n", "pw"), (b"pw\r\n", "pw"), (b" pw \n\n", " pw \n"), ("pä\n".encode(), "pä")],
)
def test_a_file_gives_its_text_without_the_line_end(
    configuration: Configuration, content: bytes, expected: str
) -> None:
    secret_file(configuration, "deep/pw", content)
    assert Secrets(configuration).resolve({"file": "deep/pw"}).reveal() == expected


def test_files_outside_of_the_folder_are_refused(configuration: Configuration, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "passwd"
    outside.write_text("x")
    inside = secret_file(configuration, "inside", b"x")
    (configuration.secrets_dir / "out").symlink_to(outside)
    (configuration.secrets_dir / "folder").symlink_to(outside.parent)
    (configuration.secrets_dir / "circle").symlink_to("circle")
    (configuration.secrets_dir / "link").symlink_to(inside)
    assert Secrets(configuration).resolve({"file": "link"}) == Secret("x")
    for name in (
        "../isthmus.toml",
        "/etc/passwd",
        "out",
        "folder/passwd",
        "circle",
        ".",
        "a/../../x",
        "a\0b",
        "x" * 300,
    ):
        with pytest.raises(ConfigError):
            Secrets(configuration).resolve({"file": name})


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"\xff\xfe", 0o600, "not UTF-8"),
        (b"x" * 70_000, 0o600, "longer than 64 KiB"),
        (b"x", 0o644, "chmod 600"),
    ],
)
def test_files_that_are_no_secret(configuration: Configuration, content: bytes, mode: int, words: str) -> None:
    secret_file(configuration, "pw", content, mode)
    with pytest.raises(ConfigError, match=words):
        Secrets(configuration).resolve({"file": "pw"})


def test_a_pipe_or_folder_as_secret_is_refused_at_once(configuration: Configuration) -> None:
    configuration.secrets_dir.mkdir()
    os.mkfifo(configuration.secrets_dir / "pipe")
    (configuration.secrets_dir / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError, match="not an ordinary file"):
            Secrets(configuration).resolve({"file": name})


def test_variables(configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HR_PASSWORD", HIDDEN)
    monkeypatch.setenv("EMPTY", "")
    assert Secrets(configuration).resolve({"env": "HR_PASSWORD"}) == Secret(HIDDEN)
    for name in ("EMPTY", "NOT_SET_ANYWHERE", "A=B", "A\0"):
        with pytest.raises(ConfigError):
            Secrets(configuration).resolve({"env": name})


@pytest.mark.parametrize(
    "reference",
    [None, 1, [], {}, {"secret": "a", "env": "A"}, {"secret": 1}, {"secret": ""}, {"file": ["x"]}, {"sekret": "a"}],
)
def test_what_is_no_reference(configuration: Configuration, reference: Any) -> None:
    with pytest.raises(ConfigError):
        Secrets(configuration).resolve(reference, Where(Path("hr.toml"), 3, "settings.password"))


def test_messages_name_the_secret_and_never_show_it(configuration: Configuration) -> None:
    stored(configuration, **{"hr.password": HIDDEN})
    where = Where(Path("hr.toml"), 3, "settings.password")
    for reference in (HIDDEN, {HIDDEN: 1}, {"secret": "hr.pasword"}):
        with pytest.raises(ConfigError) as caught:
            Secrets(configuration).resolve(reference, where)
        assert str(caught.value).startswith("hr.toml:3: settings.password: ")
        assert HIDDEN not in str(caught.value)
    with pytest.raises(ConfigError, match=r"did you mean hr\.password"):
        Secrets(configuration).resolve({"secret": "hr.pasword"}, where)


@pytest.mark.parametrize("name", ["", ".x", "a b", "x" * 129, "a/b"])
def test_names_of_secrets(configuration: Configuration, name: str) -> None:
    with pytest.raises(ConfigError, match="name of a secret"):
        Secrets(configuration).set(name, Secret("x"))


@pytest.mark.parametrize("text", ["", "\udcff", "x" * 70_000])
def test_what_cannot_be_a_secret(configuration: Configuration, text: str) -> None:
    with pytest.raises(ConfigError, match="the secret a"):
        Secrets(configuration).set("a", Secret(text))


def test_without_a_key_the_remedy_is_told(write: Write) -> None:
    configuration = load(write())
    with pytest.raises(ConfigError, match="isthmus init"):
        Secrets(configuration).set("a", Secret("1"))
    assert not Secrets(configuration).path.exists()
