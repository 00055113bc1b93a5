"""Acceptance tests start the installed command and look at it from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.shell import Shell
from connectors.servers.fixtures import mariadb, postgresql, slapd

__all__ = ["mariadb", "postgresql", "slapd"]

TABLES = (
    """CREATE TABLE Employees (
    ContosoLogin TEXT PRIMARY KEY, FirstName TEXT NOT NULL, LastName TEXT NOT NULL, Email TEXT UNIQUE,
    Disabled BOOLEAN NOT NULL DEFAULT 0, Password TEXT)""",
    "CREATE TABLE Machines (Serial TEXT PRIMARY KEY, Owner TEXT)",
    "CREATE TABLE Notes (Subject TEXT, Text TEXT)",
    "CREATE TABLE Guests (Login TEXT PRIMARY KEY, Email TEXT, PasswordHash TEXT NOT NULL)",
    "CREATE TABLE Groups (Name TEXT PRIMARY KEY, Description TEXT)",
    """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
    INSERT INTO Employees (ContosoLogin, FirstName, LastName, Email)
    SELECT printf('login%03d', i), 'First', printf('Last%03d', i), printf('login%03d@example.com', i) FROM n""",
)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty configuration and a database, for tests to copy."""
    shell = Shell(tmp_path_factory.mktemp("started") / "account")
    shell.sql(*TABLES)
    shell.good("init")
    return shell.folder


@pytest.fixture
def shell(started: Path, tmp_path: Path) -> Shell:
    """Give an account with an empty configuration and a database with people."""
    return Shell(tmp_path / "account", made_from=started)


@pytest.fixture(scope="session")
def connected(started: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same with a connector `hr` to the people. Its file names the database of this folder."""
    shell = Shell(tmp_path_factory.mktemp("connected") / "account", made_from=started)
    shell.add()
    return shell.folder


@pytest.fixture
def hr(connected: Path, tmp_path: Path) -> Shell:
    """Give an account with a connector to the people."""
    shell = Shell(tmp_path / "account", made_from=connected)
    file = shell.folder / "connectors" / "hr.toml"
    file.write_text(file.read_text().replace(str(connected), str(shell.folder)))
    return shell
