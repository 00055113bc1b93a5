"""What a document's values must be beyond their types: numbers in range and values that fit one another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from isthmus.config.documents import ConnectorDocument, HostDocument
from isthmus.config.listening import ListenAddress, is_loopback, network_problem, parse_listen
from isthmus.config.resource_rules import resource_type_problems
from isthmus.config.shape import Problem

_DAY = 86_400

HOST_RANGES: dict[str, tuple[float, float]] = {
    "scim.workers": (1, 64),
    "scim.threads": (4, 1024),  # a quarter may wait for one connector: below four that is none
    "scim.max_body_bytes": (1024, 1 << 30),
    "scim.max_depth": (8, 512),  # a PATCH of an address already nests six deep; the parser recurses
    "scim.header_timeout": (0.1, 600),
    "scim.body_timeout": (0.1, 600),
    "scim.request_timeout": (0.2, 3600),
    "scim.stop_timeout": (0.2, 3600),
    "scim.default_count": (1, 100_000),
    "scim.max_count": (1, 100_000),
    "scim.cursor_timeout": (1, 7 * _DAY),
    "scim.bulk_max_operations": (0, 100_000),
    "scim.bulk_max_payload_bytes": (1024, 1 << 30),
    "audit.retention_days": (1, 36_500),
    "audit.values_days": (0, 36_500),
}
CONNECTOR_RANGES: dict[str, tuple[float, float]] = {
    "autosync_minutes": (0, 525_600),
    "page_size": (1, 100_000),
    "timeout": (0.1, 3600),
    "import_timeout": (1, 30 * _DAY),
    "guard.import_share": (0, 1),
    "guard.import_objects": (0, 1_000_000_000),
    "guard.provider_share": (0, 1),
    "guard.provider_objects": (0, 1_000_000_000),
    "guard.provider_hours": (0.01, 8760),
    "guard.retry_after_seconds": (1, 7 * _DAY),
}
"""Least and greatest value of every number; a test keeps both tables complete."""


def _range_problems(document: Any, ranges: dict[str, tuple[float, float]]) -> Iterator[Problem]:
    for key, (least, greatest) in ranges.items():
        value = document
        for part in key.split("."):
            value = getattr(value, part)
        if not (math.isfinite(value) and least <= value <= greatest):
            fraction = " (a fraction: 0.2 is 20 %)" if key.endswith("_share") else ""
            yield Problem(tuple(key.split(".")), f"must be between {least:,} and {greatest:,}{fraction}")


def host_problems(document: HostDocument) -> Iterator[Problem]:
    """Yield what is wrong with the values of `isthmus.toml`."""
    yield from _range_problems(document, HOST_RANGES)
    yield from _listener_problems(document)
    scim = document.scim
    for key in ("allow_from", "trusted_proxies"):
        for index, network in enumerate(getattr(scim, key)):
            problem = network_problem(network)
            if problem is not None:
                yield Problem(("scim", key, index), problem)
    if scim.default_count > scim.max_count:
        yield Problem(("scim", "default_count"), f"must not exceed scim.max_count ({scim.max_count})")
    if scim.body_timeout >= scim.request_timeout:
        yield Problem(("scim", "body_timeout"), f"must be less than scim.request_timeout ({scim.request_timeout:g})")
    if scim.stop_timeout < scim.request_timeout:
        text = f"must be at least scim.request_timeout ({scim.request_timeout:g}), so that a write under way can end"
        yield Problem(("scim", "stop_timeout"), text)
    if document.audit.values_days > document.audit.retention_days:
        days = document.audit.retention_days
        yield Problem(("audit", "values_days"), f"must not exceed audit.retention_days ({days})")
    yield from _folder_problems(document)
    if document.public_url is not None:
        problem = _url_problem(document.public_url)
        if problem is not None:
            yield Problem(("public_url",), problem)


def _listener_problems(document: HostDocument) -> Iterator[Problem]:
    seen: dict[ListenAddress, str] = {}
    for section, encrypted in (("scim", document.scim.tls.enabled), ("operations", False), ("console", False)):
        path = (section, "listen")
        try:
            address = parse_listen(getattr(document, section).listen)
        except ValueError as exc:
            yield Problem(path, str(exc))
            continue
        if not encrypted and not address.local:
            yield Problem(path, f"plain HTTP is served only on loopback or a Unix socket; {_mend(section)}")
        if address in seen:
            yield Problem(path, f"{address} is already the address of {seen[address]}.listen")
        seen.setdefault(address, section)
    tls = document.scim.tls
    if (tls.certificate is None) != (tls.key is None):
        given, missing = ("certificate", "key") if tls.key is None else ("key", "certificate")
        yield Problem(
            ("scim", "tls", given), f"scim.tls.{missing} is missing: give both, or none to use those of `init`"
        )
    if tls.client_ca is not None and not tls.enabled:
        yield Problem(("scim", "tls", "client_ca"), "needs TLS, but scim.tls.enabled is false")


def _mend(section: str) -> str:
    if section == "scim":
        return "remove scim.tls.enabled = false"
    return "listen on 127.0.0.1 and publish it through a reverse proxy with TLS"


def _folder_problems(document: HostDocument) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key in ("state_dir", "secrets_dir", "connectors_dir", "tls_dir"):
        folder = getattr(document, key)
        if not _is_path(folder):
            yield Problem((key,), "must be the name of a folder")
        elif folder.rstrip("/") in (".", ""):
            yield Problem((key,), "must be a folder of its own")
        elif folder.rstrip("/") in seen:
            yield Problem((key,), f"is already the folder of {seen[folder.rstrip('/')]}; each needs its own")
        seen.setdefault(folder.rstrip("/"), key)
    for key in ("certificate", "key", "client_ca"):
        file = getattr(document.scim.tls, key)
        if file is not None and not _is_path(file):
            yield Problem(("scim", "tls", key), "must be the name of a PEM file")


def _is_path(text: str) -> bool:
    # NAME_MAX and PATH_MAX of Linux (limits.h)
    sizes = [len(part.encode()) for part in text.split("/")]
    return bool(text.strip()) and text.isprintable() and max(sizes) <= 255 and sum(sizes) + len(sizes) < 4096


def _url_problem(text: str) -> str | None:
    form = 'write "https://scim.example.com"'
    try:
        url = urlsplit(text)
        host, _port = url.hostname, url.port
    except ValueError:
        return f"is not a URL; {form}"
    if not host or not text.isprintable() or " " in text:
        return f"is not a URL; {form}"
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        return f"must begin with https://; {form}"
    if url.query or url.fragment or url.username is not None:
        return f"must hold only scheme, host, port and path; {form}"
    return None


def connector_problems(document: ConnectorDocument, host: HostDocument) -> Iterator[Problem]:
    """Yield what is wrong with the values of a connector's file, as far as can be told without its target."""
    yield from _range_problems(document, CONNECTOR_RANGES)
    limit = host.scim.request_timeout
    if document.timeout >= limit:
        text = (
            f"must be less than scim.request_timeout ({limit:g} s), so that a hung target is answered with 503 in time"
        )
        yield Problem(("timeout",), text)
    yield from resource_type_problems(document.resource_types)
