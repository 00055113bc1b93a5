"""Look at certificates, modes and the store in a process that ends at once: its libraries would double the supervisor.

    python -m isthmus.web.preparing [NAME[=settings]...]      (configuration on stdin; the answer as JSON on stdout)

Renews the host's own certificate when it ends within 30 days. The connectors that are named have another file than the
running configuration: it must go with the target as it is known, or as it says itself. `=settings`: the target may be
another one, so that it is asked in any case.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import msgspec

from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError
from isthmus.store.errors import StoreError
from isthmus.web.process import Task, TlsFiles

_ASK_SECONDS = 20.0  # targets that hang must not keep a change from coming into force; the supervisor waits 60 s


class Prepared(msgspec.Struct, kw_only=True):
    """What was found. `problem` says why `serve` must not go on with this configuration."""

    tls: TlsFiles | None = None
    renewed: bool = False
    problem: str | None = None


def prepare(task: Task, changed: Sequence[str] = ()) -> Prepared:
    """Renew what is due and check what the servers will use."""
    from isthmus.config.exposed import exposed_files
    from isthmus.config.tls import renew_leaf, server_files
    from isthmus.store import Store

    configuration = task.configuration()
    try:
        exposed = exposed_files(configuration)
        if exposed:
            return Prepared(problem="\n".join(str(found) for found in exposed))
        own = configuration.host.scim.tls.enabled and configuration.host.scim.tls.certificate is None
        renewed = own and renew_leaf(configuration.tls_dir)
        files = server_files(configuration)
        Store.check(configuration.state_dir)
        if changed and (found := _misfits(configuration, changed)):
            return Prepared(problem="\n".join(str(one) for one in found))
    except (ConfigError, StoreError) as exc:
        return Prepared(problem=str(exc))
    if files is None:
        return Prepared()
    return Prepared(
        renewed=renewed,
        tls=TlsFiles(
            certificate=str(files.certificate),
            key=str(files.key),
            client_ca=None if files.client_ca is None else str(files.client_ca),
        ),
    )


def _misfits(configuration: Configuration, changed: Sequence[str]) -> list[ConfigError]:
    from isthmus.engine.fitting import misfits
    from isthmus.engine.host import opened

    found = []
    until = time.monotonic() + _ASK_SECONDS
    with opened(configuration) as host:
        for each in changed:
            name, equals, _ = each.partition("=")
            in_time = time.monotonic() < until
            found += misfits(host, name, ask="never" if not in_time else "always" if equals else "misfit")
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(prepare(Task.receive(), sys.argv[1:])))
