"""Statements that come again and again are prepared on a PostgreSQL connection; nobody notices but the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.servers.postgresql import PostgresServer
from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.database import Statement
from isthmus.connectors.sql.errors import Failure
from isthmus.connectors.sql.prepared import Prepared
from isthmus.connectors.sql.settings import SqlObjectType
from isthmus.spi import AlreadyExists, AttributeChange, Call, Identity, TargetUnavailable

TIMES = 12  # more than it takes until a statement is prepared


@dataclass
class Table:
    target: Target
    connector: Any

    def call(self, timeout: float = 15) -> Call:
        return Call(timeout=timeout, session="s", wanted=("k", "v", "n"))

    def add(self, name: str, **values: Any) -> Any:
        given = {"k": (name,), **{key: (value,) for key, value in values.items()}}
        return self.connector.create("t", given, call=self.call()).attributes

    def change(self, identity: Identity, value: str, timeout: float = 15) -> Any:
        change = AttributeChange("v", replace=(value,))
        return self.connector.update("t", identity, [change], call=self.call(timeout)).attributes

    def find(self, name: str) -> Any:
        (found,) = self.connector.find("t", "k", name, attributes=("v", "n"), call=self.call())
        return found

    def prepared(self) -> Prepared:
        """This thread's."""
        found = self.connector._connections._own.slot.link._prepared
        assert isinstance(found, Prepared)
        return found


@pytest.fixture
def table(postgresql: PostgresServer) -> Iterator[Table]:
    target = Target("postgresql", postgresql.create_database(), postgresql)
    target.run("CREATE TABLE t (k varchar(40) PRIMARY KEY, v varchar(40), n bigint)")
    connector = connector_type.open(target.settings(object_types=(SqlObjectType(name="t"),)))
    yield Table(target, connector)
    connector.close()


def test_results_and_errors_are_the_same_when_prepared(table: Table) -> None:
    for n in range(TIMES):
        assert table.add(f"é{n}", v=f"'{n}", n=n) == {"k": (f"é{n}",), "v": (f"'{n}",), "n": (n,)}
        with pytest.raises(AlreadyExists) as refused:
            table.add(f"é{n}", v="again", n=n)
        assert "é" not in str(refused.value)
        assert table.change(table.find(f"é{n}").identity, "changed")["v"] == ("changed",)
    assert table.add("nothing", v="x", n=2**62)["n"] == (2**62,)
    assert table.target.run("SELECT count(*), max(n) FROM t WHERE v IN ('changed', 'x')") == [(TIMES + 1, 2**62)]
    names = {text.split()[0] for text, _ in table.prepared()._names}
    assert names == {"INSERT", "SELECT", "UPDATE"}


def test_a_table_that_changes_under_a_prepared_statement(table: Table) -> None:
    for n in range(TIMES):
        table.add(f"k{n}", v="a", n=n)
    table.target.run("ALTER TABLE t ALTER COLUMN n TYPE integer")  # "cached plan must not change result type"
    assert table.add("after", v="a", n=1)["n"] == (1,)
    table.target.run("ALTER TABLE t ADD COLUMN w varchar(10) DEFAULT 'w'")
    assert table.add("wider", v="a", n=1)["v"] == ("a",)


def test_a_pooler_in_between_never_runs_another_statement(table: Table) -> None:
    """Two connections are changed for one another, as a pooler does after each transaction."""
    table.target.run("INSERT INTO t VALUES ('ann', 'x')")
    other = connector_type.open(table.target.settings())
    with table.connector._connections.use(table.call()) as mine, other._connections.use(table.call()) as theirs:
        read, delete = (Statement(f"{verb} FROM t WHERE k = $1", ("k",)) for verb in ("SELECT v", "DELETE"))
        for _ in range(TIMES):
            assert mine.execute(read, ["ann"], seconds=5).rows == [["x"]]
            assert theirs.execute(delete, ["nobody"], seconds=5).count == 0
        mine._prepared._pgconn, theirs._prepared._pgconn = theirs._prepared._pgconn, mine._prepared._pgconn
        with pytest.raises(Failure, match="26000"):
            mine.execute(read, ["ann"], seconds=5)
    other.close()
    assert table.target.run("SELECT k FROM t") == [("ann",)]


def test_more_statements_than_are_kept_prepared(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.connectors.sql.prepared._MOST", 2)
    kinds: list[dict[str, Any]] = [{"v": "a"}, {"n": 1}, {"v": "a", "n": 1}]
    for number in range(30):
        for _ in range(6):
            table.add(f"{number}-{_}", **kinds[number % 3])
    assert len(table.prepared()._names) == 2
    link = table.connector._connections._own.slot.link
    kept = link._run("SELECT count(*)::text FROM pg_prepared_statements", (), 5).rows
    assert kept == [["2"]], "what made room is gone at the server too"


def test_a_prepared_statement_that_is_not_answered_in_time(table: Table) -> None:
    identity = None
    for n in range(TIMES):
        table.add(f"k{n}", v="a")
        identity = table.find(f"k{n}").identity
        table.change(identity, "b")
    assert identity is not None
    other = table.target.server.connect(table.target.database)  # type: ignore[union-attr]
    cursor = other.cursor()
    cursor.execute("BEGIN")
    cursor.execute("UPDATE t SET v = 'theirs'")
    with pytest.raises(TargetUnavailable) as lost:
        table.change(identity, "mine", timeout=0.5)
    assert lost.value.outcome_unknown
    cursor.execute("COMMIT")
    other.close()
    assert table.change(identity, "again")["v"] == ("again",), "on a new connection"
