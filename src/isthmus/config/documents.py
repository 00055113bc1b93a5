"""Typed configuration: `isthmus.toml` and one TOML file for each connector. A new setting is one line here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from isthmus.mapping.definition import ResourceTypeDefinition


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class TlsSettings(_Document, frozen=True):
    """`certificate` and `key` are PEM files (the key PKCS#8); left out, the files made by `isthmus init` are used."""

    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    enabled: bool = True
    """False: plain HTTP, accepted only on loopback or a Unix socket."""


class ScimSettings(_Document, frozen=True):
    """The listener that identity providers talk to."""

    listen: str = "127.0.0.1:8585"
    workers: int = 1
    threads: int = 32
    own_cores: bool = False
    """True: each worker runs on a core of its own, as far as there are enough."""
    tls: TlsSettings = TlsSettings()
    max_body_bytes: int = 1_048_576
    max_depth: int = 64
    header_timeout: float = 10.0
    body_timeout: float = 20.0
    request_timeout: float = 30.0
    """Seconds within which every request is answered, whatever the target does."""
    stop_timeout: float = 35.0
    default_count: int = 100
    max_count: int = 1000
    cursor_timeout: int = 3600
    """Seconds that a cursor of a list is good for."""
    filter_in_url: bool = True
    """False: filters are taken from the body of POST .search only, where no proxy logs them."""
    bulk_max_operations: int = 1000
    """0: no bulk requests."""
    bulk_max_payload_bytes: int = 1_048_576
    allow_from: tuple[str, ...] = ()
    """Networks that may connect (CIDR); empty: all."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-* headers count."""


class OperationsSettings(_Document, frozen=True):
    """Health and metrics."""

    listen: str = "127.0.0.1:8587"


class ConsoleSettings(_Document, frozen=True):
    """Operator pages, which are not there yet: the address is only kept free."""

    listen: str = "127.0.0.1:8586"


class AuditSettings(_Document, frozen=True):
    retention_days: int = 400
    values_days: int = 90


class LogSettings(_Document, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console", "auto"] = "auto"


class HostDocument(_Document, frozen=True):
    """`isthmus.toml`. Folders are relative to the file."""

    public_url: str | None = None
    state_dir: str = "state"
    secrets_dir: str = "secrets"
    connectors_dir: str = "connectors"
    tls_dir: str = "tls"
    scim: ScimSettings = ScimSettings()
    operations: OperationsSettings = OperationsSettings()
    console: ConsoleSettings = ConsoleSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()


class GuardSettings(_Document, frozen=True):
    """What holds back a mass change, per object type.

    Shares are fractions; `provider_hours` is the window in which changes from the identity provider are counted.
    """

    import_share: float = 0.20
    import_objects: int = 10
    provider_share: float = 0.05
    provider_objects: int = 20
    provider_hours: float = 24.0
    retry_after_seconds: int = 3600


class ConnectorDocument(_Document, frozen=True):
    """`connectors/NAME.toml`. `settings` belongs to the connector type; secrets in it are references."""

    type: str
    description: str = ""
    settings: dict[str, Any] = {}
    resource_types: tuple[ResourceTypeDefinition, ...] = ()
    paused: bool = False
    autosync_minutes: float = 120.0
    """0: no imports by timer."""
    watch: Literal["auto", "on", "off"] = "auto"
    """Whether changes are applied as the target tells of them; auto: where its type is made for that."""
    page_size: int = 5000
    timeout: float = 25.0
    """Seconds a call of the target may take within a request; less than scim.request_timeout."""
    import_timeout: float = 14_400.0
    live_read: Literal["misses", "all"] = "misses"
    id_form: Literal["uuid", "anchor"] = "uuid"
    strict: bool = False
    patch_response: Literal["auto", "full", "none"] = "auto"
    publish_new: bool = False
    guard: GuardSettings = GuardSettings()


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read, with absolute folders.

    `connectors` is keyed by the casefolded name; `names` has the names as written.
    """

    path: Path
    host: HostDocument
    connectors: dict[str, ConnectorDocument]
    names: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def state_dir(self) -> Path:
        return self.folder / self.host.state_dir

    @property
    def secrets_dir(self) -> Path:
        return self.folder / self.host.secrets_dir

    @property
    def connectors_dir(self) -> Path:
        return self.folder / self.host.connectors_dir

    @property
    def tls_dir(self) -> Path:
        return self.folder / self.host.tls_dir
