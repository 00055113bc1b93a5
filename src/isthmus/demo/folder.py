"""The demo's configuration folder: an ordinary one, so that everything in it can be looked at and changed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import tomlkit

from isthmus.config import tls
from isthmus.demo.table import DemoProblem
from isthmus.web.claim import claimant

CONNECTOR = "hr"
_MARK = ".isthmus-demo"
_MARK_TEXT = "Made by `isthmus demo`, which makes this folder anew each time it starts.\n"
_PASSWORD_FILE = "database-password"  # noqa: S105  (a file name)

_HOST = """\
# Everything left out here has a default: docs/reference/configuration.md

[scim]
listen = "127.0.0.1:{scim}"

[console]
listen = "127.0.0.1:{console}"

[operations]
listen = "127.0.0.1:{operations}"
"""

_CONNECTOR = """\
# One connector: a target system and how it is published.
type = "sql"
description = "The demo's HR database"

[settings]
{connection}
[[settings.object_types]]
name = "Employee"
table = {table}
anchor = ["ContosoLogin"] # who a row is, for life

[[resource_types]]
object_type = "Employee"
name = "User"
endpoint = "Users"
attributes = ["ContosoLogin", "FirstName", "LastName", "Email", "InternalGUID", "AzureID", "textID"]
matching = ["ContosoLogin", "Email"] # how people are found before they are created

[resource_types.flows] # SCIM path = column
userName = {{ attribute = "ContosoLogin" }}
"name.givenName" = {{ attribute = "FirstName" }}
"name.familyName" = {{ attribute = "LastName" }}
'emails[type eq "work"].value' = {{ attribute = "Email" }}

[resource_types.disable] # active = false sets the column, true clears it
action = "set"
values = {{ Disabled = true }}

[resource_types.delete] # DELETE removes the row
action = "delete"
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """SCIM, console and operations listen side by side: 8585, 8586, 8587."""

    scim: int
    console: int
    operations: int


def choose_ports(wanted: int) -> Ports:
    """Return `wanted` and the two after it, or for 0 three free ones.

    Raises:
        DemoProblem: one of them is in use.
    """
    if wanted == 0:
        return Ports(*_free_ports(3))
    ports = Ports(wanted, wanted + 1, wanted + 2)
    for port in (ports.scim, ports.operations):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise DemoProblem(
                    f"Port {port} is in use. Choose another: isthmus demo --port {wanted + 100}"
                ) from None
    return ports


def clear(folder: Path) -> None:
    """Make `folder` and empty it of an earlier demo; its CA stays, so that whoever trusts it need not again.

    Raises:
        DemoProblem: the folder holds something the demo did not make, or a host that still runs.
    """
    if folder.exists():
        if not folder.is_dir():
            raise DemoProblem(f"{folder} is not a folder. Choose another: isthmus demo --dir FOLDER")
        content = [each for each in folder.iterdir() if each.name != _MARK]
        if content and not (folder / _MARK).is_file():
            raise DemoProblem(
                f"{folder} holds files that the demo did not make, so it leaves them alone. "
                "Choose another: isthmus demo --dir FOLDER"
            )
        if (running := claimant(folder / "state")) is not None:
            raise DemoProblem(
                f"{folder} is in use: process {running.pid} serves it on {running.scim}. "
                "Stop that first, or choose another folder: isthmus demo --dir FOLDER"
            )
        for each in content:
            if each.name == "tls" and not each.is_symlink():
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _MARK).write_text(_MARK_TEXT)


def write(folder: Path, *, ports: Ports, database: sa.URL, connector: str, document: Callable[[str], str]) -> Path:
    """Write `isthmus.toml`, the connector and the certificates; return the path of `isthmus.toml`.

    `document` makes the connector's file from the lines of `[settings]` that say where the database is.
    """
    settings = folder / "isthmus.toml"
    settings.write_text(_host(ports))
    connectors, secrets = folder / "connectors", folder / "secrets"
    connectors.mkdir()
    secrets.mkdir(mode=0o700)
    if database.password:
        _write_private(secrets / _PASSWORD_FILE, str(database.password))
    (connectors / f"{connector}.toml").write_text(document(_connection(database)))
    tls.init_ca(folder / "tls")
    tls.renew_leaf(folder / "tls")
    return settings


def ca_certificate(folder: Path) -> Path:
    """Return the file that clients verify the server against."""
    return folder / "tls" / tls.CA_CERTIFICATE


def write_token(folder: Path, text: str) -> Path:
    """Keep the token for the curl commands, readable by its owner alone."""
    return _write_private(folder / "token", text)


def _host(ports: Ports) -> str:
    return _HOST.format(scim=ports.scim, console=ports.console, operations=ports.operations)


def employees_document(connection: str, *, table: str) -> str:
    """Return the file of the connector to the one table."""
    return _CONNECTOR.format(connection=connection, table=tomlkit.string(table).as_string())


def _connection(database: sa.URL) -> str:
    # URL.set(password=None) would leave the password in.
    shown = sa.URL.create(
        database.get_backend_name(),
        username=database.username,
        host=database.host,
        port=database.port,
        database=database.database,
        query=database.query,
    )
    password = f'password = {{ file = "{_PASSWORD_FILE}" }} # below secrets/\n' if database.password else ""
    return f"url = {tomlkit.string(shown.render_as_string()).as_string()}\n{password}"


def _write_private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
