"""Fixtures: one server of each kind for each test process, started on first use, removed at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeVar

import pytest

from connectors.servers import directory389
from connectors.servers import mariadb as mariadb_programs
from connectors.servers import postgresql as postgresql_programs
from connectors.servers import samba as samba_programs
from connectors.servers.directory389 import Directory389
from connectors.servers.mariadb import MariadbServer
from connectors.servers.postgresql import PostgresServer
from connectors.servers.process import Server
from connectors.servers.requirement import missing
from connectors.servers.samba import SambaServer
from connectors.servers.slapd import SlapdServer, Variant
from connectors.servers.slapd import find_programs as find_slapd

S = TypeVar("S", bound=Server)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    programs = postgresql_programs.find_programs()
    if programs is None:
        missing("PostgreSQL (initdb, postgres)")
    server = PostgresServer(programs)
    yield from _running(server)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    programs = mariadb_programs.find_programs()
    if programs is None:
        missing("MariaDB (mariadbd, mariadb-install-db)")
    server = MariadbServer(programs)
    yield from _running(server)


def slapd_server(variant: Variant) -> SlapdServer:
    """Return an OpenLDAP server of its own for a test, not started."""
    programs = find_slapd()
    if programs is None:
        missing("OpenLDAP (slapd, ldapsearch)")
    return SlapdServer(programs, variant)


@pytest.fixture(scope="session")
def slapd() -> Iterator[SlapdServer]:
    yield from _running(slapd_server(Variant(accesslog=True, syncprov=True, memberof=True)))


@pytest.fixture(scope="session")
def plain_slapd() -> Iterator[SlapdServer]:
    yield from _running(slapd_server(Variant()))


@pytest.fixture(scope="session")
def directory_389() -> Iterator[Directory389]:
    programs = directory389.find_programs()
    if programs is None:
        missing("389 Directory Server (ns-slapd, ldapsearch)")
    yield from _running(Directory389(programs))


@pytest.fixture(scope="session")
def samba() -> Iterator[SambaServer]:
    programs = samba_programs.find_programs()
    if programs is None:
        missing("Samba as a domain controller (samba, samba-tool, samba-ad-provision)")
    if os.geteuid() != 0:
        pytest.skip("Samba listens on ports of Active Directory only, which needs root")
    yield from _running(SambaServer(programs))


def _running(server: S) -> Iterator[S]:
    try:
        server.start()
        yield server
    finally:
        server.remove()
