"""Full imports on real databases: complete, one consistent picture, lazily decoded, in bounded memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import BooleanColumn, SqlObjectType
from isthmus.spi import Anchor, Call, ConnectorObject, Identity, MisconfiguredConnector, Operation

ROWS = 10_000
SERIES = {
    "postgresql": "SELECT i, 'login' || i, repeat('n', 100) FROM generate_series(1, 10000) i",
    "mariadb": "SELECT seq, concat('login', seq), repeat('n', 100) FROM seq_1_to_10000",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
    "SELECT i, 'login' || i, printf('%.100c', 'n') FROM n",
}


def call() -> Call:
    return Call(timeout=60, session="import")


@pytest.fixture
def connector(target: Target) -> Iterator[Any]:
    target.run("CREATE TABLE t (id integer PRIMARY KEY, login varchar(40), note varchar(100))")
    target.run(f"INSERT INTO t {SERIES[target.dialect]}")
    opened = connector_type.open(target.settings(object_types=(SqlObjectType(name="t"),)))
    yield opened
    opened.close()


def pages(connector: Any, *names: str, page_size: int = 1000) -> Any:
    return connector.import_full(connector.scopes()[0], attributes={"t": names}, page_size=page_size, call=call())


def test_ten_thousand_rows_in_pages(connector: Any) -> None:
    sizes, seen = [], set()
    for page in pages(connector, "login", page_size=3000):
        sizes.append(len(page.objects))
        assert len(page.wire) == len(page.objects)
        seen |= {each.identity.anchor.values for each in page.objects}
    assert sizes == [3000, 3000, 3000, 1000]
    assert seen == {(str(n),) for n in range(1, ROWS + 1)}


def test_memory_is_bounded_by_a_page(connector: Any) -> None:
    for page in pages(connector, "login", "note", page_size=100):
        assert page.objects[0].attributes["note"]
        break
    gc.collect()
    tracemalloc.start()
    count = 0
    for page in pages(connector, "login", "note", page_size=100):
        count += len(page.wire)
        assert isinstance(page.objects[-1], ConnectorObject)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == ROWS
    assert peak < 1_500_000, f"{peak} bytes for pages of 100; all rows are 1.3 MB at least"


def test_wire_differs_exactly_when_the_row_does(connector: Any, target: Target) -> None:
    before = [wire for page in pages(connector, "login", "note") for wire in page.wire]
    assert sorted(before) == sorted(
        wire for page in pages(connector, "login", "note", page_size=7) for wire in page.wire
    )
    target.run("UPDATE t SET note = NULL WHERE id = 5")
    target.run("UPDATE t SET note = '' WHERE id = 6")
    after = [wire for page in pages(connector, "login", "note") for wire in page.wire]
    assert len(set(before) ^ set(after)) == 4
    ids = [wire for page in pages(connector) for wire in page.wire]
    assert len(set(ids)) == ROWS


def test_an_import_shows_one_moment(connector: Any, target: Target) -> None:
    """Rows that are changed or added while it runs do not tear the picture, and nobody has to wait for it."""
    run = pages(connector, "note", page_size=100)
    first = next(run)
    target.run("UPDATE t SET note = 'changed'")
    target.run("DELETE FROM t WHERE id > 5000")
    count = len(first.objects)
    for page in run:
        count += len(page.objects)
        assert all(each.attributes["note"] != ("changed",) for each in page.objects)
    assert count == ROWS
    assert sum(len(page.objects) for page in pages(connector, "note")) == 5000


def test_our_own_writes_go_on_during_an_import(connector: Any) -> None:
    run = pages(connector, "note", page_size=100)
    next(run)
    created = connector.create("t", {"id": (20_000,), "login": ("x",)}, call=call())
    assert connector.read("t", created.identity, attributes=("login",), call=call()) is not None
    connector.delete("t", created.identity, call=call())
    assert sum(len(page.objects) for page in run) == ROWS - 100


def test_slices_of_a_page(connector: Any) -> None:
    page = next(pages(connector, "login", page_size=10))
    assert list(page.objects[2:4]) == [page.objects[2], page.objects[3]]
    assert page.objects[-1] == page.objects[9]
    with pytest.raises(IndexError):
        page.objects[10]


def _by_column(page: Any, indexes: list[int]) -> list[ConnectorObject]:
    found = page.objects.columns(indexes)
    assert found is not None
    return [
        ConnectorObject(
            object_type="t",
            identity=Identity(Anchor(anchor)),
            attributes={name: () if column[n] is None else (column[n],) for name, column in found.values.items()},
        )
        for n, anchor in enumerate(found.anchors)
    ]


def test_objects_by_column_are_those_one_by_one(connector: Any, target: Target) -> None:
    page = next(pages(connector, "login", "note", page_size=500))
    assert _by_column(page, [3, 0, 499]) == [page.objects[3], page.objects[0], page.objects[499]]
    assert _by_column(page, []) == []
    odd = ["", "a\tb", "c\nd", "e\\f", "\\N", "\\t", "Ünï \u2028", "'\"%s", None, "\r\x01"]
    for n, text in enumerate(odd, 1):
        target.run(f"UPDATE t SET note = {target.mark()} WHERE id = {n}", text)
    [seen] = [
        [one for one in _by_column(page, list(range(len(page.objects)))) if int(one.identity.anchor.values[0]) <= 10]
        for page in pages(connector, "login", "note", page_size=ROWS)
    ]
    assert [one.attributes["note"] for one in sorted(seen, key=lambda one: int(one.identity.anchor.values[0]))] == [
        () if text is None else (text,) for text in odd
    ]


def test_what_cannot_be_read_is_told_by_the_object_itself(target: Target) -> None:
    target.run("CREATE TABLE t (id integer PRIMARY KEY, flag varchar(9))")
    target.run("INSERT INTO t VALUES (1, 'Y')")
    target.run("INSERT INTO t VALUES (2, 'perhaps')")
    form = BooleanColumn(column="flag", true="Y", false="N")
    opened = connector_type.open(target.settings(object_types=(SqlObjectType(name="t", boolean_columns=(form,)),)))
    page = next(pages(opened, "flag"))
    assert page.objects.columns([0, 1]) is None
    assert page.objects.columns([0]) is not None
    with pytest.raises(
        MisconfiguredConnector, match=r"the row with id = '2': column flag .* neither 'Y' nor 'N'"
    ) as told:
        list(page.objects)
    assert "perhaps" not in str(told.value)
    opened.close()


def test_a_view_is_imported(connector: Any, target: Target) -> None:
    target.run("CREATE VIEW few AS SELECT id, login FROM t WHERE id <= 7")
    view = connector_type.open(target.settings(object_types=(SqlObjectType(name="few", anchor=("id",)),)))
    assert Operation.IMPORT in view.read_schema(call=call()).object_types["few"].operations
    run = view.import_full(view.scopes()[0], attributes={"few": ("login",)}, page_size=5, call=call())
    assert [len(page.objects) for page in run] == [5, 2]
    view.close()


def test_secret_and_unknown_columns_are_not_imported(connector: Any, target: Target) -> None:
    with pytest.raises(MisconfiguredConnector):
        list(pages(connector, "nothing"))
    kind = SqlObjectType(name="t", secret_columns=("note",))
    secretive = connector_type.open(target.settings(object_types=(kind,)))
    with pytest.raises(MisconfiguredConnector, match="secret"):
        list(pages(secretive, "note"))
    page = next(pages(secretive, "login", page_size=3))
    assert b"nnn" not in page.wire[0]
    secretive.close()
