"""Secrets in configuration are references; here they are followed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from isthmus.config.documents import Configuration
from isthmus.config.errors import NOWHERE, ConfigError, SecretsExposed, Where, nearest, shown
from isthmus.config.files import exposure, real, there
from isthmus.config.key import key_file as default_key_file
from isthmus.config.names import secret_name_problem
from isthmus.config.vault import Vault
from isthmus.spi import Secret

VAULT_NAME = "secrets.json.enc"
_KINDS = ("secret", "file", "env")
_FORMS = '{ secret = "NAME" }, { file = "NAME" } or { env = "NAME" }'
_LONGEST = 64 * 1024  # bytes of a secret: a chain of certificates with its key is 10 kB
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secrets:
    """The secrets of one configuration. What is resolved here is never written to a message, a log or a repr.

    The encrypted file is read anew whenever it has changed, so a secret stored meanwhile is seen without a restart.
    """

    def __init__(self, configuration: Configuration, *, key_file: Path | None = None) -> None:
        self._folder = configuration.secrets_dir
        self._configured = (
            configuration.folder,
            configuration.secrets_dir,
            configuration.state_dir,
            configuration.connectors_dir,
            configuration.tls_dir,
        )
        self._named = key_file
        self._read: tuple[tuple[int, int, int], dict[str, str]] | None = None

    @property
    def path(self) -> Path:
        """The encrypted file."""
        return self._folder / VAULT_NAME

    @property
    def key_file(self) -> Path:
        """The file of the key, wherever it is taken from.

        Raises:
            ConfigError: it lies in a folder of the configuration, where whoever copies the one has the other.
        """
        path = self._named if self._named is not None else default_key_file(self._configured[0])
        try:
            beside = real(path).parent in {real(folder) for folder in self._configured}
        except OSError as exc:
            raise ConfigError(f"the key cannot be looked at: {exc.strerror}", Where(path)) from exc
        if beside:
            raise ConfigError(
                "the key lies beside the secrets that it opens; move it elsewhere and name it in ISTHMUS_KEY_FILE",
                Where(path),
            )
        return path

    def names(self) -> list[str]:
        """Return the names in the encrypted file, sorted.

        Raises:
            ConfigError: it cannot be opened.
        """
        return sorted(self._values())

    def set(self, name: str, secret: Secret) -> None:
        """Store a secret in the encrypted file under this name, replacing what was there.

        Raises:
            ConfigError: the name is not allowed, the secret is empty, or file or key cannot be used.
        """
        problem = secret_name_problem(name)
        if problem is None:
            problem = _text_problem(name, secret)
        if problem is not None:
            raise ConfigError(problem)
        vault = self._vault()
        with vault.locked():
            vault.write({**vault.read(), name: secret.reveal()})

    def remove(self, name: str) -> bool:
        """Remove a secret from the encrypted file; False if it was not there.

        Raises:
            ConfigError: file or key cannot be used.
        """
        vault = self._vault()
        with vault.locked():
            values = vault.read()
            if name not in values:
                return False
            del values[name]
            vault.write(values)
        return True

    def resolve(self, reference: object, where: Where = NOWHERE) -> Secret:
        """Return the secret that a reference (`{ secret = ... }`, `{ file = ... }`, `{ env = ... }`) stands for.

        Raises:
            ConfigError: at `where`; a plain text is refused, too, with the command that stores it.
            SecretsExposed: other accounts of the machine can read or replace what it refers to.
        """
        if isinstance(reference, str):
            name = suggested_name(where)
            raise ConfigError(
                f"a secret must not stand here in plain text; store it with `isthmus secret set {name}` "
                f'and write {{ secret = "{name}" }}',
                where,
            )
        if not isinstance(reference, dict) or len(reference) != 1:
            raise ConfigError(f"must refer to a secret: {_FORMS}", where)
        kind, name = next(iter(reference.items()))
        if kind not in _KINDS:
            raise ConfigError(f"must refer to a secret: {_FORMS}; {nearest(str(kind), _KINDS)}", where)
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the name of the secret must be a text in quotes: {_FORMS}", where)
        if kind == "secret":
            return self._stored(name, where)
        return self._from_file(name, where) if kind == "file" else _from_environment(name, where)

    def _vault(self) -> Vault:
        return Vault(self.path, self.key_file)

    def _values(self) -> dict[str, str]:
        try:
            status = self.path.stat()
        except OSError:  # reading tells what is wrong; a missing file holds no secret
            return self._vault().read()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, self._vault().read())
        return self._read[1]

    def _stored(self, name: str, where: Where) -> Secret:
        try:
            values = self._values()
        except ConfigError as exc:
            raise type(exc)(f"{exc.where}: {exc.problem}", where) from exc
        if name not in values:
            hint = f"; {nearest(name, values, what='secrets')}" if values else ""
            command = f"isthmus secret set {suggested_name(where, name)}"
            remedy = f"{' Or' if hint.endswith('?') else ';'} store it with `{command}`"
            raise ConfigError(f"no secret {shown(name)} is stored{hint}{remedy}", where)
        return Secret(values[name])

    def _from_file(self, name: str, where: Where) -> Secret:
        try:
            folder = real(self._folder)
            path = real(folder / name)
        except (OSError, ValueError):
            raise ConfigError(f"{shown(name)} is not the name of a file", where) from None
        if not path.is_relative_to(folder) or path == folder:
            raise ConfigError(f"the file must lie in the folder of the secrets, {folder}", where)
        if there(path) and not path.is_file():
            raise ConfigError(f"{path} is not an ordinary file", where)
        try:
            with path.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                raw = stream.read(_LONGEST + 1)
        except OSError as exc:
            raise ConfigError(f"the secret cannot be read from {path}: {exc.strerror}", where) from exc
        problem = exposure(mode)
        if problem is not None:
            raise SecretsExposed(f"{path}: {problem}; chmod 600 {path}", where)
        if len(raw) > _LONGEST:
            raise ConfigError(f"the file {path} is longer than 64 KiB", where)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"the file {path} is not UTF-8 text", where) from None
        text = text.removesuffix("\n").removesuffix("\r")  # the line's end that editors and `echo` add
        if not text:
            raise ConfigError(f"the file {path} is empty", where)
        return Secret(text)


def _text_problem(name: str, secret: Secret) -> str | None:
    if not secret:
        return f"the secret {name} is empty"
    try:
        size = len(secret.reveal().encode())
    except UnicodeEncodeError:
        return f"the secret {name} is not UTF-8 text"
    return f"the secret {name} is longer than 64 KiB" if size > _LONGEST else None


def _from_environment(name: str, where: Where) -> Secret:
    if not _VARIABLE.fullmatch(name):
        raise ConfigError(f"{shown(name)} is not the name of an environment variable", where)
    text = os.environ.get(name)
    if not text:
        raise ConfigError(f"the environment variable {name} is not set; set it where Isthmus is started", where)
    return Secret(text)


def suggested_name(where: Where, name: str | None = None) -> str:
    """Return the name under which to store the secret of a key: the one given, if allowed, else `connector.key`."""
    if name is not None and secret_name_problem(name) is None:
        return name
    connector = where.file.name.removesuffix(".toml") if where.file is not None else ""
    key = (where.key or "").removeprefix("settings.")
    words = re.findall(r"[A-Za-z0-9_-]+", key)
    suggested = ".".join([connector, *words] if connector else words)
    return suggested if secret_name_problem(suggested) is None else "NAME"
