"""`isthmus demo --full`, the whole of it: the real server, real requests over TLS, rows of a dozen tables."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from acceptance.command import isthmus, processes_naming
from isthmus.demo.table import parse_url

STEPS = 15


def test_the_full_walk_is_as_it_should_be(tmp_path: Path) -> None:
    ran = isthmus("demo", "--full", "--once", "--port", "0", "--people", "60", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "✗" not in ran.stdout
    assert ran.stdout.count("✓") == STEPS
    assert "60 generated people, 6 teams" in ran.stdout
    assert (tmp_path / "demo" / "connectors" / "full.toml").is_file()
    assert processes_naming(str(tmp_path)) == []


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_full_walk_against_a_server(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(kind)
    database = server.create_database()
    text = f"{kind}://{server.user}:{quote(server.password, safe='')}@{server.host}:{server.port}/{database}"
    engine = sa.create_engine(parse_url(text), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE isthmus_demo_people (precious INTEGER)"))
    ran = isthmus("demo", "--full", "--once", "--port", "0", "--people", "60", "--database", text, folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("✓") == STEPS
    assert server.password not in ran.stdout + ran.stderr
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["isthmus_demo_people"], "all that was made is gone"
    engine.dispose()
