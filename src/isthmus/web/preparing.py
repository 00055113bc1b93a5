"""Look at certificates and file modes in a process that ends at once: the libraries for it would double the supervisor.

    python -m isthmus.web.preparing      (configuration on stdin; the answer as JSON on stdout)

Renews the host's own certificate when it ends within 30 days.
"""

from __future__ import annotations

import sys

import msgspec

from isthmus.config.errors import ConfigError
from isthmus.web.process import Task, TlsFiles


class Prepared(msgspec.Struct, kw_only=True):
    """What was found. `problem` says why `serve` must not go on with this configuration."""

    tls: TlsFiles | None = None
    renewed: bool = False
    problem: str | None = None


def prepare(task: Task) -> Prepared:
    """Renew what is due and check what the servers will use."""
    from isthmus.config.exposed import exposed_files
    from isthmus.config.tls import renew_leaf, server_files

    configuration = task.configuration()
    try:
        exposed = exposed_files(configuration)
        if exposed:
            return Prepared(problem="\n".join(str(found) for found in exposed))
        own = configuration.host.scim.tls.enabled and configuration.host.scim.tls.certificate is None
        renewed = own and renew_leaf(configuration.tls_dir)
        files = server_files(configuration)
    except ConfigError as exc:
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


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(prepare(Task.receive())))
