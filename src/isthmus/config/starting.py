"""What `isthmus init` makes: configuration, folders, the key of the secrets, and certificates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from isthmus.config.documents import Configuration, HostDocument
from isthmus.config.emitting import toml_text
from isthmus.config.errors import ConfigError, Where
from isthmus.config.files import there, write_atomically
from isthmus.config.key import KEY_VARIABLE, create_key, read_key
from isthmus.config.key import key_file as default_key_file
from isthmus.config.listening import parse_listen
from isthmus.config.loading import FILE_NAME, load
from isthmus.config.secrets import Secrets
from isthmus.config.tls import CA_CERTIFICATE, init_ca, renew_leaf, san_problem

_STARTER = """\
# Isthmus. Every key is described in docs/reference/configuration.md; what stands behind # is the default.
# Changes take effect without a restart. `isthmus config check` tells what is wrong before they do.

# The address under which identity providers reach this host; it goes into meta.location.
# public_url = "https://scim.example.com"

# Folders, relative to this file.
# state_dir = "{host.state_dir}"            # the store: connector space, journal, audit
# secrets_dir = "{host.secrets_dir}"        # the encrypted secrets and files with secrets
# connectors_dir = "{host.connectors_dir}"  # one file for each connector
# tls_dir = "{host.tls_dir}"                # certificates and their keys

[scim]
# Where identity providers connect. Other machines can only if this is not a loopback address.
{listen}
# workers = {host.scim.workers}
# threads = {host.scim.threads}
# own_cores = false              # tie each worker to a core of its own
# request_timeout = {host.scim.request_timeout}         # seconds within which every request is answered
# allow_from = ["10.0.0.0/8"]    # networks that may connect; empty: all
# trusted_proxies = []           # networks whose X-Forwarded-* headers count

# [scim.tls]
# A certificate of your own: `isthmus tls import CERTIFICATE KEY` sets these.
# certificate = "tls/own.crt"
# key = "tls/own.key"
# client_ca = "tls/clients.crt"  # ask clients for a certificate of this CA

[operations]
# listen = "{host.operations.listen}"      # /healthz, /readyz, /metrics

[audit]
# retention_days = {host.audit.retention_days}
# values_days = {host.audit.values_days}               # old and new values are dropped earlier than the records

[log]
# level = "{host.log.level}"
# format = "{host.log.format}"                # json, console, or by whether a terminal reads it
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReport:
    """What `initialise` made and what it found and kept. Give `ca_certificate` to the identity provider's agent."""

    configuration: Configuration
    created: tuple[Path, ...]
    kept: tuple[Path, ...]
    key_file: Path
    ca_certificate: Path
    notes: tuple[str, ...]


def initialise(
    folder: Path, *, sans: Iterable[str] = (), listen: str | None = None, key_file: Path | None = None
) -> StartReport:
    """Make a configuration in this folder, or complete one; nothing that exists is overwritten.

    `sans` are further names for the certificate; one that exists is signed anew if it lacks any of them. `listen` is
    the address of the SCIM listener of a new configuration. `key_file` is where the key goes, by default where it is
    looked for.

    Raises:
        ConfigError: something given or found cannot be used; what was made until then stays and is kept the next time.
    """
    wanted = list(sans)
    _check(wanted, listen)
    folder = folder.absolute()
    path = folder / FILE_NAME
    created: list[Path] = []
    kept: list[Path] = []
    notes: list[str] = []
    try:
        _folder(folder, 0o750, created, kept)
        if there(path):
            kept.append(path)
        else:
            defaults = HostDocument()
            text = toml_text({"listen": listen or defaults.scim.listen}).strip()
            text = _STARTER.format(listen=text if listen is not None else f"# {text}", host=defaults)
            write_atomically(path, text.encode(), mode=0o640)
            created.append(path)
        configuration = load(path)
        if listen is not None and configuration.host.scim.listen != listen:
            notes.append(f"scim.listen stays {configuration.host.scim.listen}: {path} was there before")
        _folder(configuration.connectors_dir, 0o750, created, kept)
        for private in (configuration.state_dir, configuration.secrets_dir, configuration.tls_dir):
            _folder(private, 0o700, created, kept)
    except OSError as exc:
        raise ConfigError(f"the configuration cannot be written: {exc.strerror}", Where(folder)) from exc
    key = Secrets(configuration, key_file=key_file).key_file
    if there(key):
        read_key(key)
        kept.append(key)
    else:
        create_key(key)
        created.append(key)
    if key_file is not None and key_file.absolute() != default_key_file(folder):
        notes.append(f"set {KEY_VARIABLE}={key_file.absolute()} wherever Isthmus is started")
    certificates = sorted(configuration.tls_dir.glob("*.crt"))
    made = init_ca(configuration.tls_dir, wanted)
    created += made
    kept += [file for file in certificates if file not in made]
    if wanted and not made and renew_leaf(configuration.tls_dir, within_days=0, sans=wanted):
        notes.append("the certificate was signed anew for the names given")
    return StartReport(
        configuration=configuration,
        created=tuple(created),
        kept=tuple(kept),
        key_file=key,
        ca_certificate=configuration.tls_dir / CA_CERTIFICATE,
        notes=tuple(notes),
    )


def _check(sans: list[str], listen: str | None) -> None:
    for name in sans:
        problem = san_problem(name)
        if problem is not None:
            raise ConfigError(f"--san {name!r} {problem}")
    if listen is not None:
        try:
            parse_listen(listen)
        except ValueError as exc:
            raise ConfigError(f"--listen: {exc}") from None


def _folder(path: Path, mode: int, created: list[Path], kept: list[Path]) -> None:
    if there(path):
        kept.append(path)
        return
    path.mkdir(parents=True)
    path.chmod(mode)  # mkdir's own mode is narrowed by the umask
    created.append(path)
