"""The encrypted secrets file: names and values, sealed with AES-256-GCM."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.config.errors import ConfigError, SecretsExposed, Where
from isthmus.config.files import exposure, open_lock, write_atomically
from isthmus.config.key import read_key

_PURPOSE = b"isthmus secrets, format 1"
_NONCE = 12  # bytes (NIST SP 800-38D 8.2.2); random, with a write per changed secret far below 2**32
_LARGEST = 16 * 1024 * 1024


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    key_id: str
    nonce: bytes
    sealed: bytes


class Vault:
    """The file `secrets.json.enc` and the key that opens it. Every call reads the file anew."""

    def __init__(self, path: Path, key_file: Path) -> None:
        self.path = path
        self.key_file = key_file

    def read(self) -> dict[str, str]:
        """Return all names and values; a file that does not exist has none.

        Raises:
            SecretsExposed: other accounts can read or replace the file or its key.
            ConfigError: it is damaged, or the key is not the one that sealed it.
        """
        where = Where(self.path)
        try:
            with self.path.open("rb") as stream:
                problem = exposure(os.fstat(stream.fileno()).st_mode)
                raw = stream.read(_LARGEST)
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise ConfigError(f"the secrets cannot be read: {exc.strerror}", where) from exc
        if problem is not None:
            raise SecretsExposed(f"{problem}; chmod 600 {self.path}", where)
        return self._open(raw, where)

    def _open(self, raw: bytes, where: Where) -> dict[str, str]:
        damaged = "the file is damaged; restore it from a backup, or remove it and store the secrets again"
        try:
            envelope = msgspec.json.decode(raw, type=_Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ConfigError(damaged, where) from None
        if envelope.format != 1:
            raise ConfigError("the file was written by a newer Isthmus; run that version", where)
        key = read_key(self.key_file)
        if envelope.key_id != _key_id(key):
            problem = f"the secrets were sealed with another key than {self.key_file}; give the key they were made with"
            raise ConfigError(problem, where)
        try:
            opened = AESGCM(key).decrypt(envelope.nonce, envelope.sealed, _PURPOSE)
            return msgspec.json.decode(opened, type=dict[str, str])
        except (InvalidTag, msgspec.MsgspecError, ValueError):
            raise ConfigError(damaged, where) from None

    def write(self, values: Mapping[str, str]) -> None:
        """Replace the file; call it while holding `locked`."""
        key = read_key(self.key_file)
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(key).encrypt(nonce, json.dumps(dict(values)).encode(), _PURPOSE)
        envelope = {
            "format": 1,
            "key_id": _key_id(key),
            "nonce": base64.b64encode(nonce).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.path, json.dumps(envelope).encode() + b"\n", mode=0o600)
        except OSError as exc:
            raise ConfigError(f"the secrets cannot be written: {exc.strerror}", Where(self.path)) from exc

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the file between our reading and writing it (flock(2))."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = open_lock(lock)
        except OSError as exc:
            raise ConfigError(f"the secrets cannot be locked: {exc.strerror}", Where(lock)) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _key_id(key: bytes) -> str:
    """Tell keys apart without telling anything about them."""
    return hashlib.sha256(b"isthmus key id" + key).hexdigest()[:16]
