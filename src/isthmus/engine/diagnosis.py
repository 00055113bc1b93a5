"""Look for what hinders provisioning. Only reads; every finding that is not good says how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from isthmus.config.certificates import covers, read_chain
from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError
from isthmus.config.exposed import exposed_files
from isthmus.config.listening import parse_listen
from isthmus.config.tls import describe_configured
from isthmus.engine.host import Host
from isthmus.engine.target import Target
from isthmus.mapping.activity import no_way_back
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.spi import ConnectorError, Operation, SupportsSettling
from isthmus.store.records import EntryState

SMALLEST_FREE = 512 * 1024 * 1024  # bytes of disk below which the store may soon not be able to write
PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: Literal["ok", "warning", "failure"]
    message: str


def examine_host(configuration: Configuration, *, served: bool) -> list[Finding]:
    """Return the findings that need no store. `served`: a server works on this configuration's store."""
    return [*_listeners(configuration, served=served), *_certificate(configuration), *_files(configuration)]


def examine_connectors(host: Host) -> list[Finding]:
    """Return the findings about the clock and every connector."""
    found = [*_clock(host)]
    for name in sorted(host.names()):
        found += [Finding(f"{name}: {f.check}", f.state, f.message) for f in examine(host, name)]
        found += _tokens(host, name)
    if not host.names():
        found.append(Finding("connectors", "warning", "there is none; 'isthmus connector add NAME' makes one"))
    return found


def examine(host: Host, name: str) -> list[Finding]:
    """Return the findings about one connector; the target is asked, nothing is changed."""
    target = host.target(name)
    found: list[Finding] = []
    if not _try(found, "target", lambda: _reach(target)):
        return found
    if not _try(found, "schema", lambda: _discover(target)):
        return found
    try:
        types = target.resource_types()
    except ScimError as exc:
        return [*found, Finding("resource types", "failure", exc.detail)]
    if not types:
        found.append(Finding("resource types", "failure", "none is published; add a [[resource_types]] table"))
    for rt in types.values():
        found += _resource_type(target, rt)
    found += _runs(host, target)
    entries = host.store.journal.unfinished(target.key)
    doubtful = sum(entry.state is EntryState.IN_DOUBT for entry in entries)
    if entries:
        text = f"{len(entries)} writes are not settled, {doubtful} of them in doubt; see 'isthmus journal list {name}'"
        found.append(Finding("journal", "failure" if doubtful else "warning", text))
    for hold in host.store.guard.holds(target.key, active=True):
        found.append(Finding("guard", "warning", f"{hold.message}; 'isthmus guard release {hold.id}' lets it through"))
    return found


def _runs(host: Host, target: Target) -> Iterator[Finding]:
    """Tell whether the connector space is filled and kept up to date."""
    if target.document.paused:
        yield Finding(
            "paused", "warning", f"neither writes nor imports; 'isthmus connector resume {target.name}' ends it"
        )
    ended = [run for run in host.store.runs.list(connector=target.key) if run.kind != "watch" and run.ended is not None]
    if not ended:
        yield Finding("import", "warning", f"none has ended yet; 'isthmus run start {target.name}' makes one")
    elif ended[0].state in ("failed", "held"):
        yield Finding("import", "warning", f"the latest ended as {ended[0].state}: {ended[0].message}")


def _reach(target: Target) -> str:
    with target.using_unbounded("test") as connector:
        connector.test(call=target.call())
    return "can be reached and read"


def _discover(target: Target) -> str:
    schema = target.discover()
    published = {definition.object_type for definition in target.document.resource_types}
    others = sorted(set(schema.object_types) - published)
    text = f"published: {', '.join(sorted(published)) or 'nothing'}"
    return f"{text}; not published: {', '.join(others)}" if others else text


def _try(found: list[Finding], check: str, look: Callable[[], str]) -> bool:
    try:
        found.append(Finding(check, "ok", look()))
    except ConnectorError as exc:
        found.append(Finding(check, "failure", exc.message))
        return False
    except (ScimError, ConfigError) as exc:
        found.append(Finding(check, "failure", str(exc)))
        return False
    return True


def _resource_type(target: Target, rt: ResourceType) -> Iterator[Finding]:
    definition, object_type = rt.definition, rt.object_type
    endpoint = f"/{definition.endpoint}"
    reached = {flow.attribute for flow in definition.flows.values()} | set(definition.attributes)
    lacking = [a.name for a in object_type.attributes if a.required and not a.readonly and a.name not in reached]
    if lacking:
        yield Finding(
            endpoint,
            "failure",
            f"creates will fail: {', '.join(lacking)} must have a value but is not selected and has no flow",
        )
    unmapped = [
        a.name
        for a in object_type.attributes
        if a.required
        and a.name in definition.attributes
        and a.name not in {f.attribute for f in definition.flows.values()}
    ]
    if unmapped:
        yield Finding(
            endpoint,
            "warning",
            f"{', '.join(unmapped)} must have a value and can only be sent under the ECMA2Host extension (no flow)",
        )
    for name in ("disable", "delete") if definition.endpoint == "Users" else ("delete",):
        if getattr(definition, name) is None:
            yield Finding(endpoint, "failure", f"{name!r} is not set: say nothing, set or delete")
        if lasting := no_way_back(getattr(definition, name), object_type):
            yield Finding(
                endpoint,
                "warning",
                f"{', '.join(lasting)} stays as {name!r} writes it when people come back: say in its 'restore' what is "
                "written then",
            )
    if not definition.matching:
        yield Finding(endpoint, "warning", "no matching attribute: clients cannot find people before they create them")
    yield _repairable(target, rt, endpoint)
    missing = {Operation.CREATE, Operation.UPDATE} - object_type.operations
    if missing:
        yield Finding(endpoint, "warning", f"the target does not support {', '.join(sorted(missing))}")


def _repairable(target: Target, rt: ResourceType, endpoint: str) -> Finding:
    """Tell whether a write whose answer is lost can always be settled by reading."""
    object_type = rt.object_type
    if Operation.LOOKUP not in object_type.operations:
        return Finding(
            endpoint,
            "warning",
            "the target cannot be asked for single objects: a lost answer leaves the write in doubt",
        )
    anchors = [object_type.attribute(name) for name in object_type.anchor]
    made_by_target = any(anchor is not None and (anchor.generated or anchor.readonly) for anchor in anchors)
    if made_by_target and object_type.correlation_attribute is None:
        unique = [
            name for name in rt.definition.matching if (a := object_type.attribute(name)) is not None and a.unique
        ]
        if not unique:
            return Finding(
                endpoint,
                "warning",
                "the target makes the anchor and no unique matching attribute identifies a row: a create whose answer "
                "is lost is looked for by matching values; a correlation_attribute makes it certain",
            )
    if not isinstance(target.connector, SupportsSettling):
        return Finding(endpoint, "ok", f"lost answers are settled after {target.type.settle_seconds:g} s")
    return Finding(endpoint, "ok", "every write whose answer is lost can be settled")


def _tokens(host: Host, name: str) -> Iterator[Finding]:
    now = time.time()
    valid = [
        t
        for t in host.tokens.list(name)
        if (t.revoked is None or t.revoked > now) and (t.expires is None or t.expires > now)
    ]
    if not valid:
        yield Finding(f"{name}: token", "failure", f"there is no valid one; 'isthmus token create {name}' makes one")
        return
    soon = [t for t in valid if t.expires is not None and t.expires - now < 14 * 86_400]
    if soon and len(soon) == len(valid):
        yield Finding(
            f"{name}: token", "warning", f"every token expires within two weeks; 'isthmus token rotate {soon[0].id}'"
        )
    else:
        yield Finding(f"{name}: token", "ok", f"{len(valid)} valid")


def _listeners(configuration: Configuration, *, served: bool) -> Iterator[Finding]:
    listeners = (
        ("SCIM listener", configuration.host.scim.listen),
        ("operations listener", configuration.host.operations.listen),
    )
    for title, text in listeners:
        address = parse_listen(text)
        if address.path is not None:
            state = Path(address.path).exists()
        else:
            try:
                with socket.create_connection((address.host or "127.0.0.1", address.port or 0), PROBE_SECONDS):
                    state = True
            except OSError:
                state = False
        known = address.path is None and os.access(configuration.state_dir, os.R_OK)  # else nobody can tell who it is
        if state and (served or not known):
            yield Finding(title, "ok", f"{text} answers")
        elif state:
            foreign = f"another program listens on {text}, while this host is not served"
            yield Finding(title, "failure", f"{foreign}; stop it or choose another address")
        else:
            yield Finding(title, "warning", f"nothing listens on {text}; 'isthmus serve' starts the host")


def _certificate(configuration: Configuration) -> Iterator[Finding]:
    if not configuration.host.scim.tls.enabled:
        yield Finding("certificate", "warning", "TLS is off; only clients on this machine can connect")
        return
    try:
        facts = describe_configured(configuration)
    except ConfigError as exc:
        yield Finding("certificate", "failure", str(exc))
        return
    text = f"valid until {facts.not_after:%Y-%m-%d} for {', '.join(facts.names)}"
    url = configuration.host.public_url
    host = urlsplit(url).hostname if url is not None else None
    if not facts.usable:
        mend = (
            "'isthmus tls import' takes another" if facts.kind == "own" else "'isthmus serve' renews it when it starts"
        )
        yield Finding("certificate", "failure", f"{'; '.join(facts.problems)}; {mend}")
    elif host is not None and not covers(read_chain(facts.certificate)[0], host):
        yield Finding(
            "certificate",
            "failure",
            f"not valid for {host}, the host of public_url, but for {', '.join(facts.names)}; "
            f"'isthmus init --san {host}' adds the name to a certificate of the private CA",
        )
    elif facts.problems:
        yield Finding("certificate", "warning", "; ".join(facts.problems))
    else:
        yield Finding("certificate", "ok", text)


def _files(configuration: Configuration) -> Iterator[Finding]:
    exposed = exposed_files(configuration)
    for one in exposed:
        yield Finding("permissions", "failure", str(one))
    if not exposed:
        yield Finding("permissions", "ok", "no secret, key or store can be read by others")
    if not configuration.state_dir.is_dir():
        yield Finding("disk", "failure", f"there is no folder {configuration.state_dir}; 'isthmus init' makes it")
        return
    free = shutil.disk_usage(configuration.state_dir).free
    size = sum(path.stat().st_size for path in configuration.state_dir.glob("isthmus.db*"))
    text = f"store {size / 1e6:.1f} MB, {free / 1e9:.1f} GB free"
    if free < max(SMALLEST_FREE, size):
        yield Finding("disk", "warning", f"{text}; make room: an upgrade copies the store first")
    elif not os.access(configuration.state_dir, os.W_OK):
        yield Finding("disk", "failure", f"{configuration.state_dir} cannot be written by this account")
    else:
        yield Finding("disk", "ok", text)


def _clock(host: Host) -> Iterator[Finding]:
    """Compare the clock with the latest audit record: one from the future shows that the clock was set back."""
    latest = host.store.audit.query(limit=1)
    ahead = latest[0][1].at - time.time() if latest else 0.0
    if ahead > 60:
        yield Finding("clock", "warning", f"the latest audit record is {ahead:.0f} s in the future; check the clock")
    elif time.time() < 1_700_000_000:
        yield Finding("clock", "failure", "the clock is years behind; certificates will seem not to be valid yet")
    else:
        yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
