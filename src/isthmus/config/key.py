"""The key that opens the encrypted secrets: where it is, how it is made and read."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path

from isthmus.config.errors import ConfigError, SecretsExposed, Where
from isthmus.config.files import exposure, sync_folder, there

KEY_VARIABLE = "ISTHMUS_KEY_FILE"
CREDENTIAL = "isthmus-key"
"""The name under which systemd passes the key (`LoadCredential=`, systemd.exec(5))."""

_BYTES = 32  # AES-256
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


def key_file(folder: Path) -> Path:
    """Return the file that holds the key of the configuration in this folder; it need not exist yet.

    In this order: ISTHMUS_KEY_FILE, the systemd credential `isthmus-key`, `~/.config/isthmus/key`. The key never lies
    beside the configuration, so that a copy of that folder (a backup, a repository) opens nothing.
    """
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return _home(named).absolute()
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and there(Path(credentials) / CREDENTIAL):
        return Path(credentials) / CREDENTIAL
    home = _home("~")
    default = _xdg("XDG_CONFIG_HOME", home / ".config") / "isthmus" / "key"
    if default.parent == folder.absolute():  # somebody keeps isthmus.toml itself in ~/.config/isthmus
        return _xdg("XDG_STATE_HOME", home / ".local" / "state") / "isthmus" / "key"
    return default


def _home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{path}: there is no such home folder; set {KEY_VARIABLE} to an absolute path") from None


def _xdg(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else default


def create_key(path: Path) -> None:
    """Write a new random key to a file that must not exist, readable by its owner only; missing folders are made 0700.

    Raises:
        ConfigError: the file exists or cannot be written.
    """
    text = base64.urlsafe_b64encode(os.urandom(_BYTES)) + b"\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        sync_folder(path.parent)
    except OSError as exc:
        raise ConfigError(f"the key cannot be written: {exc.strerror}", Where(path)) from exc


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of the key.

    Raises:
        SecretsExposed: other accounts can read or replace the file.
        ConfigError: it is missing or is no key.
    """
    where = Where(path)
    try:
        with path.open("rb") as stream:
            problem = exposure(os.fstat(stream.fileno()).st_mode)
            raw = stream.read(1024)
    except FileNotFoundError:
        raise ConfigError(
            f"the key of the secrets is not there; `isthmus init` makes one, {KEY_VARIABLE} names one kept elsewhere",
            where,
        ) from None
    except OSError as exc:
        raise ConfigError(f"the key of the secrets cannot be read: {exc.strerror}", where) from exc
    if problem is not None:
        raise SecretsExposed(f"{problem}; chmod 600 {path}", where)
    text = raw.strip().decode("ascii", "replace")
    if not _BASE64.fullmatch(text):
        raise ConfigError(
            "this is not a key: 32 random bytes in base64 are expected (`openssl rand -base64 32`)", where
        )
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")).rstrip("=") + "=", validate=True)
    except binascii.Error:
        raise ConfigError("this is not a key: the base64 is damaged", where) from None
    return key
