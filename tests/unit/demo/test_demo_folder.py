"""The demo's folder: an ordinary configuration, made anew, and nobody else's files."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import sqlalchemy as sa

from isthmus.config.loading import load
from isthmus.demo import folder
from isthmus.demo.folder import Ports
from isthmus.demo.table import DemoProblem, PeopleTable, parse_url
from isthmus.web.claim import Claim

PORTS = Ports(18585, 18586, 18587)
URL = sa.URL.create("postgresql+psycopg", username="me", password="p@ss/word", host="127.0.0.1", database="hr")


def _odd(connection: str) -> str:
    return folder.employees_document(connection, table='odd "name"')


def _employees(connection: str) -> str:
    return folder.employees_document(connection, table="Employees")


def test_what_is_written_is_a_valid_configuration(tmp_path: Path) -> None:
    where = tmp_path / "demo"
    folder.clear(where)
    configuration = load(folder.write(where, ports=PORTS, database=URL, connector="hr", document=_odd))
    document = configuration.connectors["hr"]
    assert configuration.host.scim.listen == "127.0.0.1:18585"
    assert document.settings["object_types"][0]["table"] == 'odd "name"'
    assert document.resource_types[0].flows["userName"].attribute == "ContosoLogin"


def test_the_password_stands_in_its_own_private_file_only(tmp_path: Path) -> None:
    where = tmp_path / "demo"
    folder.clear(where)
    folder.write(where, ports=PORTS, database=URL, connector="hr", document=_employees)
    holding = [path for path in where.rglob("*") if path.is_file() and b"word" in path.read_bytes()]
    written = (where / "connectors" / "hr.toml").read_text()
    assert "p@ss" not in written
    assert "p%40ss" not in written
    secret = where / "secrets" / "database-password"
    assert secret in holding
    assert secret.read_text() == "p@ss/word"
    assert secret.stat().st_mode & 0o077 == 0


def test_made_anew_but_the_ca_stays(tmp_path: Path) -> None:
    where = tmp_path / "demo"
    folder.clear(where)
    folder.write(where, ports=PORTS, database=URL, connector="hr", document=_employees)
    trusted = folder.ca_certificate(where).read_bytes()
    folder.write_token(where, "secret")
    folder.clear(where)
    assert sorted(path.name for path in where.iterdir()) == [".isthmus-demo", "tls"]
    folder.write(where, ports=PORTS, database=URL, connector="hr", document=_employees)
    assert folder.ca_certificate(where).read_bytes() == trusted


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(DemoProblem, match="--dir"):
        folder.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_folder_that_is_served_is_left_alone(tmp_path: Path) -> None:
    where = tmp_path / "demo"
    folder.clear(where)
    (where / "hr.db").write_text("people")
    with (
        Claim(where / "state", scim="127.0.0.1:18585", operations="127.0.0.1:18587"),
        pytest.raises(DemoProblem, match=r"127\.0\.0\.1:18585.*--dir"),
    ):
        folder.clear(where)
    assert (where / "hr.db").exists()
    folder.clear(where)
    assert not (where / "hr.db").exists()


def test_a_link_in_the_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    where = tmp_path / "demo"
    folder.clear(where)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (where / "state").symlink_to(outside)
    folder.clear(where)
    assert (outside / "precious").read_text() == "mine"
    assert not (where / "state").exists()


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoProblem, match=f"Port {port} is in use"):
            folder.choose_ports(port)


def test_port_zero_takes_three_different_free_ports() -> None:
    ports = folder.choose_ports(0)
    assert len({ports.scim, ports.console, ports.operations}) == 3


@pytest.mark.parametrize("url", ["nonsense", "oracle://me@host/db", "sqlite:///x.db", "postgresql://me@127.0.0.1"])
def test_a_url_that_cannot_work_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(DemoProblem, match="--database") as caught:
        parse_url(url)
    assert "me@" not in str(caught.value)


def test_a_table_of_somebody_else_is_neither_used_nor_dropped(tmp_path: Path) -> None:
    url = sa.URL.create("sqlite", database=str(tmp_path / "hr.db"))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE Employees (precious TEXT)"))
        connection.execute(sa.text("INSERT INTO Employees VALUES ('mine')"))
    table = PeopleTable(url)
    table.create([], name="employees")
    assert table.name == "employees_2"
    table.drop()
    table.drop()
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT precious FROM Employees")).scalar_one() == "mine"
        assert sa.inspect(connection).get_table_names() == ["Employees"]
    table.close()
    engine.dispose()
