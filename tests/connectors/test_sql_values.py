"""Values of every type, both ways without loss, on real databases; an import shows the same as a read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import BooleanColumn, SqlObjectType
from isthmus.spi import (
    AttributeChange,
    AttributeType,
    Call,
    ConnectorObject,
    InvalidValue,
    MisconfiguredConnector,
    Value,
)

TEXT = ["", " ", "  both  ", "0123", "NULL", "a'b''c`d\"", "\\", "\\N", "\\t", "tab\tnl\ncr\rff\f\v\b", "\x01\x7f",
        "Zoë Ω 名字 عربى", "👩🏽‍🚀 \U0001d518", "e\u0301", "%s %(x)s {0} ?", "x" * 5000]  # fmt: skip
BYTES = [b"", b"\x00", bytes(range(256)), b"'\\\"%\n\t", b"\\x41"]
MICRO = datetime(2024, 2, 29, 12, 30, 15, 123456)
MOMENTS = [datetime(1970, 1, 1, 0, 0, 1), MICRO, datetime(2037, 12, 31, 23, 59, 59)]
PAST = [datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]


def aware(moments: list[datetime]) -> list[datetime]:
    return [moment.replace(tzinfo=UTC) for moment in moments]


def integers(bits: int) -> list[int]:
    return [0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]


D = Decimal
CASES: dict[str, list[tuple[str, AttributeType, list[Value]]]] = {
    "postgresql": [
        ("text", AttributeType.STRING, TEXT),
        ("varchar(20)", AttributeType.STRING, ["", " x ", "ä" * 20]),
        ("char(5)", AttributeType.STRING, ["", "ab", " ab", "äöüßx"]),
        ("smallint", AttributeType.INTEGER, integers(16)),
        ("integer", AttributeType.INTEGER, integers(32)),
        ("bigint", AttributeType.INTEGER, integers(64)),
        (
            "numeric",
            AttributeType.DECIMAL,
            [D("0"), D("-1.5"), D("12345678901234567890.123456789"), D("1E+30"), D("1E-20")],
        ),
        ("numeric(10,2)", AttributeType.DECIMAL, [D("12345678.91"), D("-0.01"), D("5")]),
        ("double precision", AttributeType.DECIMAL, [D("0.1"), D("-123456.789012345"), D("1E+300")]),
        ("real", AttributeType.DECIMAL, [D("0.1"), D("123.456"), D("-1E+20")]),
        ("boolean", AttributeType.BOOLEAN, [True, False]),
        ("timestamp", AttributeType.DATETIME, [*MOMENTS, *PAST]),
        ("timestamptz", AttributeType.DATETIME, aware([*MOMENTS, *PAST])),
        ("bytea", AttributeType.BINARY, BYTES),
        ("uuid", AttributeType.STRING, ["00112233-4455-6677-8899-aabbccddeeff"]),
        ("date", AttributeType.STRING, ["2024-02-29"]),
        ("time", AttributeType.STRING, ["12:30:15.123456"]),
        ("interval", AttributeType.STRING, ["P1Y2M3DT4H5M6S"]),
        ("jsonb", AttributeType.STRING, ['{"a": [1, null]}']),
        ("json", AttributeType.STRING, ['{"a":  [1]}']),
        ("inet", AttributeType.STRING, ["10.0.0.1", "::1"]),
        ("integer[]", AttributeType.STRING, ["{1,2,NULL}"]),
        ("citext", AttributeType.STRING, ["MiXed", "Ä"]),
        ("short", AttributeType.STRING, ["abc"]),
        ("mood", AttributeType.STRING, ["happy"]),
    ],
    "mariadb": [
        ("longtext", AttributeType.STRING, TEXT),
        ("varchar(20)", AttributeType.STRING, ["", " x ", "ä" * 20]),
        ("varchar(20) CHARACTER SET latin1", AttributeType.STRING, ["äöü"]),
        ("char(5)", AttributeType.STRING, ["", "ab", " ab"]),
        ("tinyint", AttributeType.INTEGER, integers(8)),
        ("smallint", AttributeType.INTEGER, integers(16)),
        ("mediumint", AttributeType.INTEGER, integers(24)),
        ("integer", AttributeType.INTEGER, integers(32)),
        ("bigint", AttributeType.INTEGER, integers(64)),
        ("bigint unsigned", AttributeType.INTEGER, [0, 2**64 - 1]),
        ("decimal(40,10)", AttributeType.DECIMAL, [D("0"), D("-1.5"), D("123456789012345678901234567890.1234567891")]),
        ("double", AttributeType.DECIMAL, [D("0.1"), D("-123456.789012345"), D("1E+300")]),
        ("float", AttributeType.DECIMAL, [D("0.1"), D("123.456"), D("-1E+20")]),
        ("boolean", AttributeType.BOOLEAN, [True, False]),
        ("bit(1)", AttributeType.BOOLEAN, [True, False]),
        ("bit(10)", AttributeType.INTEGER, [0, 1023]),
        ("year", AttributeType.INTEGER, [2024]),
        ("datetime(6)", AttributeType.DATETIME, [*MOMENTS, *PAST]),
        ("timestamp(6) NULL", AttributeType.DATETIME, aware(MOMENTS)),
        ("longblob", AttributeType.BINARY, BYTES),
        ("varbinary(300)", AttributeType.BINARY, BYTES),
        ("uuid", AttributeType.STRING, ["00112233-4455-6677-8899-aabbccddeeff"]),
        ("date", AttributeType.STRING, ["2024-02-29"]),
        ("time(6)", AttributeType.STRING, ["12:30:15.123456"]),
        ("json", AttributeType.STRING, ['{"a":  [1, null]}']),
        ("enum('happy','sad')", AttributeType.STRING, ["happy"]),
        ("inet6", AttributeType.STRING, ["::1"]),
    ],
    "sqlite": [
        ("text", AttributeType.STRING, TEXT),
        ("varchar(20)", AttributeType.STRING, ["", " x ", "ä" * 20, "007"]),
        ("integer", AttributeType.INTEGER, integers(64)),
        ("bigint", AttributeType.INTEGER, integers(64)),
        ("decimal(10,2)", AttributeType.DECIMAL, [D("0"), D("-1.5"), D("12345678.91")]),
        ("numeric(19)", AttributeType.DECIMAL, [D("1234567890123456789"), D(2**63 - 1), D(-(2**63))]),
        ("real", AttributeType.DECIMAL, [D("0.1"), D("-123456.789012345"), D("1E+300")]),
        ("boolean", AttributeType.BOOLEAN, [True, False]),
        ("datetime", AttributeType.DATETIME, [*MOMENTS, *PAST]),
        ("blob", AttributeType.BINARY, BYTES),
        ("date", AttributeType.STRING, ["2024-02-29"]),
        ("uuid", AttributeType.STRING, ["00112233-4455-6677-8899-aabbccddeeff", "12345"]),
        ("", AttributeType.STRING, ["007", "1e5"]),
    ],
}


def call() -> Call:
    return Call(timeout=20)


def prepare(target: Target) -> None:
    if target.dialect == "postgresql":
        assert target.server is not None
        target.server.run("CREATE EXTENSION IF NOT EXISTS citext", database=target.database)
        target.run("CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> 'no')")
        target.run("CREATE TYPE mood AS ENUM ('happy', 'sad')")


def make(target: Target, kind: str, **changes: Any) -> Any:
    target.run(f"CREATE TABLE t (k integer PRIMARY KEY, {target.quote('v')} {kind})")
    return connector_type.open(target.settings(object_types=(SqlObjectType(name="t", **changes),)))


def imported(connector: Any) -> list[ConnectorObject]:
    pages = connector.import_full(connector.scopes()[0], attributes={"t": ("v",)}, page_size=3, call=call())
    return [each for page in pages for each in page.objects]


def test_every_type_both_ways_without_loss(target: Target) -> None:
    """Written, returned, read, found and imported: always the value that was sent."""
    prepare(target)
    for n, (kind, expected, values) in enumerate(CASES[target.dialect]):
        connector = make(target, kind)
        try:
            definition = connector.read_schema(call=call()).object_types["t"].attribute("v")
            assert definition.type is expected, kind
            made = []
            for key, value in enumerate(values):
                created = connector.create("t", {"k": (key,), "v": (value,)}, call=call())
                made.append(created)
                shown = f"{kind}: {value!r:.60}"
                assert created.attributes["v"] == (value,), shown
                assert type(created.attributes["v"][0]) is type(value), shown
                assert connector.read("t", created.identity, attributes=("v",), call=call()) == created, shown
                assert created in connector.find("t", "v", value, attributes=("v",), call=call()), shown
            empty = connector.create("t", {"k": (99,), "v": ()}, call=call())
            assert empty.attributes["v"] == ()
            assert sorted(imported(connector), key=lambda each: each.attributes["k"]) == [*made, empty]
            cleared = connector.update("t", made[0].identity, [AttributeChange("v", replace=())], call=call())
            assert cleared.attributes["v"] == ()
            gone = connector.update("t", made[-1].identity, [AttributeChange("v", remove=(values[-1],))], call=call())
            assert gone.attributes["v"] == ()
            back = connector.update("t", made[0].identity, [AttributeChange("v", replace=(values[-1],))], call=call())
            assert back.attributes["v"] == (values[-1],)
        finally:
            connector.close()
        target.run("DROP TABLE t")
        assert n >= 0


REFUSED: dict[str, list[tuple[str, list[Value]]]] = {
    "postgresql": [
        ("smallint", [2**15, "1", D("1"), True]),
        ("bigint", [2**63, -(2**63) - 1]),
        ("numeric(10,2)", [D("0.005"), D("123456789"), D("NaN"), D("Infinity"), "1", True]),
        ("numeric", [D("NaN"), D("-Infinity"), D("1E+999999"), D("1E-999999")]),
        ("double precision", [D("0.1234567890123456"), D("1E+400"), D("1E-400")]),
        ("real", [D("0.1234567")]),
        ("boolean", [1, "true"]),
        ("timestamptz", ["yesterday", 1]),
        ("varchar(5)", ["123456", "12345 "]),
        ("uuid", ["x", ""]),
        ("jsonb", ["{"]),
        ("inet", ["host"]),
        ("date", ["2023-02-29"]),
        ("short", ["123456", "no"]),
        ("mood", ["angry"]),
        ("bytea", ["text"]),
        ("text", ["nul\x00", "\ud800", 5, b"x"]),
    ],
    "mariadb": [
        ("tinyint", [128]),
        ("bigint unsigned", [-1, 2**64]),
        ("decimal(10,2)", [D("0.005"), D("123456789")]),
        ("float", [D("0.1234567"), D("1E+39")]),
        ("boolean", [1, "true"]),
        ("varchar(5)", ["123456"]),
        ("varchar(5) CHARACTER SET latin1", ["名"]),
        ("tinytext", ["x" * 300]),
        ("date", ["2023-02-29", "x"]),
        ("datetime(6)", ["yesterday"]),
        ("uuid", ["x"]),
        ("json", ["{"]),
        ("enum('a','b')", ["c"]),
        ("text", ["nul\x00", "\ud800"]),
        ("bit(10)", [1024]),
    ],
    "sqlite": [
        ("integer", [2**63, "1", True]),
        ("decimal(10,2)", [D("12345678901234567890.5"), D("NaN"), D(2**63)]),
        ("double", [D("1234567890123456789")]),
        ("boolean", [1]),
        ("varchar(5)", ["123456"]),
        ("uuid", ["007", "1e5", "1.0", "+5", "99999999999999999999"]),
        ("datetime", ["yesterday"]),
        ("text", ["nul\x00", "\ud800"]),
    ],
}


def test_what_a_column_cannot_hold_is_refused(target: Target) -> None:
    """Never cut, rounded or made into something else."""
    prepare(target)
    for kind, values in REFUSED[target.dialect]:
        connector = make(target, kind)
        try:
            for value in values:
                with pytest.raises(InvalidValue) as caught:
                    connector.create("t", {"k": (1,), "v": (value,)}, call=call())
                if kind not in {"jsonb", "inet", "date", "mood", "short"}:  # PostgreSQL does not name the column
                    assert caught.value.attribute == "v", f"{kind}: {value!r}"
                if isinstance(value, str) and len(value) > 3:
                    assert value not in caught.value.message
                assert list(connector.find("t", "v", value, attributes=(), call=call())) == []
        finally:
            connector.close()
        assert target.run("SELECT count(*) FROM t") == [(0,)], kind
        target.run("DROP TABLE t")


def test_moments_with_another_offset(target: Target) -> None:
    kind = {"sqlite": "datetime", "postgresql": "timestamptz", "mariadb": "timestamp(6) NULL"}[target.dialect]
    connector = make(target, kind)
    there = datetime(2024, 7, 1, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    created = connector.create("t", {"k": (1,), "v": (there,)}, call=call())
    got = created.attributes["v"][0]
    assert (got if got.tzinfo else got.replace(tzinfo=UTC)) == there
    assert connector.find("t", "v", there, attributes=("v",), call=call()) == [created]
    connector.close()


def test_booleans_in_other_forms(target: Target) -> None:
    for kind, true, false, stored in (("integer", "1", "0", 1), ("varchar(5)", "TRUE", "FALSE", "TRUE")):
        form = BooleanColumn(column="v", true=true, false=false)
        connector = make(target, kind, boolean_columns=(form,))
        created = connector.create("t", {"k": (1,), "v": (True,)}, call=call())
        assert target.run("SELECT v FROM t") == [(stored,)]
        assert connector.find("t", "v", True, attributes=("v",), call=call()) == [created]
        assert connector.find("t", "v", False, attributes=("v",), call=call()) == []
        target.run(f"UPDATE t SET v = {7 if kind == 'integer' else repr('odd')}")
        with pytest.raises(MisconfiguredConnector, match="column v"):
            connector.read("t", created.identity, attributes=("v",), call=call())
        connector.close()
        target.run("DROP TABLE t")
    target.run("CREATE TABLE t (k integer PRIMARY KEY, v integer)")
    wrong = SqlObjectType(name="t", boolean_columns=(BooleanColumn(column="v", true="Y", false="N"),))
    connector = connector_type.open(target.settings(object_types=(wrong,)))
    with pytest.raises(MisconfiguredConnector, match="boolean column v"):
        connector.test(call=call())
    connector.close()


def test_values_without_a_counterpart_are_reported_or_taken_as_text(target: Target) -> None:
    kind, stored = {
        "postgresql": ("timestamptz", "infinity"),
        "mariadb": ("boolean", "7"),
        "sqlite": ("datetime", "whenever"),
    }[target.dialect]
    connector = make(target, kind)
    target.run(f"INSERT INTO t VALUES (1, '{stored}')")
    with pytest.raises(MisconfiguredConnector, match="text_columns"):
        imported(connector)
    connector.close()
    connector = connector_type.open(target.settings(object_types=(SqlObjectType(name="t", text_columns=("v",)),)))
    assert imported(connector)[0].attributes["v"] == (stored,)
    created = connector.create("t", {"k": (2,), "v": (stored,)}, call=call())
    assert created.attributes["v"] == (stored,)
    connector.close()


def test_zero_dates_have_no_value(mariadb: Any, tmp_path: Any) -> None:
    target = Target("mariadb", mariadb.create_database(), mariadb)
    connector = make(target, "datetime")
    mariadb.run("SET sql_mode = ''")
    connection = mariadb.connect(target.database)
    connection.cursor().execute("SET sql_mode = ''")
    connection.cursor().execute("INSERT INTO t VALUES (1, '0000-00-00 00:00:00')")
    connection.close()
    assert imported(connector)[0].attributes["v"] == ()
    connector.close()
