"""Servers that stop, hang, restart, refuse or run out of connections; connections that die; sessions that settle."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.servers.certificates import write_certificates
from connectors.servers.postgresql import PostgresServer
from connectors.servers.process import until
from connectors.servers.targets import Target
from isthmus.connectors.sql import codes_postgresql, connector_type
from isthmus.connectors.sql.errors import Kind
from isthmus.connectors.sql.settings import SqlObjectType
from isthmus.spi import (
    AttributeChange,
    Call,
    ConnectorObject,
    MisconfiguredConnector,
    NotPermitted,
    Secret,
    SupportsSettling,
    TargetUnavailable,
)

Opened = Callable[..., Any]


@pytest.fixture
def opened(server_target: Target) -> Iterator[Opened]:
    server_target.run("CREATE TABLE t (k varchar(40) PRIMARY KEY, v varchar(40))")
    server_target.run("INSERT INTO t VALUES ('one', 'old')")
    connectors = []

    def open_it(**changes: Any) -> Any:
        settings = server_target.settings(object_types=(SqlObjectType(name="t"),), **changes)
        connectors.append(connector_type.open(settings))
        return connectors[-1]

    yield open_it
    for each in connectors:
        each.close()


def call(session: str = "s1", timeout: float = 15.0) -> Call:
    return Call(timeout=timeout, session=session)


def one(connector: Any, **keywords: Any) -> ConnectorObject:
    (found,) = connector.find("t", "k", "one", attributes=("v",), call=call(**keywords))
    return found


def change(connector: Any, value: str, **keywords: Any) -> ConnectorObject:
    existing = one(connector)
    return connector.update("t", existing.identity, [AttributeChange("v", replace=(value,))], call=call(**keywords))


def sessions(target: Target) -> list[int]:
    """Return the server's numbers of the connector's connections."""
    assert target.server is not None
    if target.dialect == "postgresql":
        rows = target.server.run(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s AND backend_type = 'client backend'",
            target.server.user,
        )
    else:
        rows = target.server.run("SELECT id FROM information_schema.processlist WHERE user = %s", target.server.user)
    return [row[0] for row in rows]


def end(target: Target, number: int) -> None:
    assert target.server is not None
    if target.dialect == "postgresql":
        target.server.run("SELECT pg_terminate_backend(%s)", number)
    else:
        target.server.run("KILL %s", number)


def test_a_connection_killed_while_idle_is_replaced(server_target: Target, opened: Opened) -> None:
    """Reads and writes do not notice, though nothing is sent again."""
    for ping_after in (3600, 0):
        connector = opened(ping_after=ping_after)
        for value in ("a", "b", "c"):
            one(connector)
            before = sessions(server_target)
            assert before
            for number in before:
                end(server_target, number)
            until(lambda gone=before: not set(gone) & set(sessions(server_target)), what="the kill")
            assert change(connector, value).attributes["v"] == (value,)
        connector.close()
        until(lambda: not sessions(server_target), what="the end of the connections")


def test_a_restarted_server_is_not_noticed(server_target: Target, opened: Opened) -> None:
    connector = opened()
    assert change(connector, "before").attributes["v"] == ("before",)
    assert server_target.server is not None
    server_target.server.stop()
    with pytest.raises(TargetUnavailable) as caught:
        change(connector, "down", timeout=3)
    assert not caught.value.outcome_unknown
    server_target.server.start()
    assert change(connector, "after").attributes["v"] == ("after",)


def test_a_killed_server_recovers(server_target: Target, opened: Opened) -> None:
    connector = opened()
    change(connector, "before")
    assert server_target.server is not None
    server_target.server.kill()
    server_target.server.start()
    assert one(connector).attributes["v"] == ("before",)
    assert change(connector, "after").attributes["v"] == ("after",)


def test_a_hung_server_is_given_up_in_time(server_target: Target, opened: Opened) -> None:
    connector = opened(ping_after=3600)
    change(connector, "before")
    fresh = opened(connect_timeout=0.5)
    identity = one(connector).identity
    assert server_target.server is not None
    server_target.server.pause()
    began = time.monotonic()
    change_it = [AttributeChange("v", replace=("late",))]
    with pytest.raises(TargetUnavailable) as caught:
        connector.update("t", identity, change_it, call=call(timeout=0.7))
    assert caught.value.outcome_unknown
    with pytest.raises(TargetUnavailable) as refused:
        fresh.update("t", identity, change_it, call=call(timeout=0.7))
    assert not refused.value.outcome_unknown, "no connection could be made"
    assert time.monotonic() - began < 8
    server_target.server.resume()
    connector.settle("s1", call=call("repair"))
    settled = one(connector, session="s2").attributes["v"]
    assert settled in {("before",), ("late",)}
    assert one(fresh).attributes["v"] == settled


def test_settling_ends_a_write_that_waits(server_target: Target, opened: Opened) -> None:
    """A write that is held up in the server, and whose caller has gone, never takes effect after settle() returned."""
    connector, other = opened(), opened()
    assert isinstance(connector, SupportsSettling)
    identity = one(connector).identity
    assert server_target.server is not None
    blocker = server_target.server.connect(server_target.database, administrator=False)
    cursor = blocker.cursor()
    cursor.execute("BEGIN")
    cursor.execute("UPDATE t SET v = 'blocker' WHERE k = 'one'")
    with pytest.raises(TargetUnavailable) as caught:
        connector.update("t", identity, [AttributeChange("v", replace=("late",))], call=call("gone", timeout=1.0))
    assert caught.value.outcome_unknown
    other.settle("gone", call=call("repair"))
    cursor.execute("COMMIT")
    blocker.close()
    assert one(other).attributes["v"] == ("blocker",)
    assert change(connector, "after", session="next").attributes["v"] == ("after",)


def test_settling_leaves_other_sessions_alone(server_target: Target, opened: Opened) -> None:
    connector, other = opened(), opened()
    change(connector, "a", session="busy")
    before = sessions(server_target)
    other.settle("another", call=call("repair"))
    assert set(before) <= set(sessions(server_target))
    assert change(connector, "b", session="busy").attributes["v"] == ("b",)


def test_settling_waits_for_a_process_that_does_not_end(server_target: Target, opened: Opened) -> None:
    """While the holder of the session hangs inside the server, the answer is: cannot be told yet."""
    if server_target.dialect != "postgresql":
        pytest.skip("MariaDB has one process for all sessions; a hanging one hangs the settling as well")
    import os
    import signal

    connector, other = opened(), opened()
    change(connector, "a", session="stuck")
    (pid,) = sessions(server_target)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TargetUnavailable):
            other.settle("stuck", call=call("repair", timeout=1.0))
    finally:
        os.kill(pid, signal.SIGCONT)
    other.settle("stuck", call=call("repair"))
    assert pid not in sessions(server_target)


def test_without_session_locks_settling_is_not_claimed(opened: Opened) -> None:
    connector = opened(session_locks=False)
    assert not isinstance(connector, SupportsSettling)
    assert change(connector, "x").attributes["v"] == ("x",)


def test_a_changed_session_takes_another_lock(server_target: Target, opened: Opened) -> None:
    connector, other = opened(), opened()
    for n in range(3):
        change(connector, f"v{n}", session=f"session {n}")
    (number,) = sessions(server_target)
    other.settle("session 0", call=call("repair"))
    other.settle("session 1", call=call("repair"))
    assert number in sessions(server_target), "the connection works for another session now"
    other.settle("session 2", call=call("repair"))
    until(lambda: number not in sessions(server_target), what="the end of the session")


def test_the_server_ends_a_statement_that_takes_too_long(server_target: Target, opened: Opened) -> None:
    """Ended by the server means rolled back: the outcome is known, and the connection is used again."""
    connector = opened(lock_timeout=1.0, statement_timeout=1.5)
    identity = one(connector).identity
    assert server_target.server is not None
    blocker = server_target.server.connect(server_target.database, administrator=False)
    cursor = blocker.cursor()
    cursor.execute("BEGIN")
    cursor.execute("UPDATE t SET v = 'blocker' WHERE k = 'one'")
    before = set(sessions(server_target))
    with pytest.raises(TargetUnavailable) as caught:
        connector.update("t", identity, [AttributeChange("v", replace=("x",))], call=call())
    assert not caught.value.outcome_unknown
    cursor.execute("ROLLBACK")
    blocker.close()
    assert change(connector, "y").attributes["v"] == ("y",)
    assert set(sessions(server_target)) <= before


def test_out_of_connections(server_target: Target, opened: Opened) -> None:
    connector = opened()
    server = server_target.server
    assert server is not None
    held = [server.connect(server_target.database, administrator=False)]
    if server_target.dialect == "postgresql":
        limit, free = f"ALTER ROLE {server.user} CONNECTION LIMIT 1", f"ALTER ROLE {server.user} CONNECTION LIMIT -1"
    else:
        limit, free = "SET GLOBAL max_connections = 10", f"SET GLOBAL max_connections = {server.max_connections}"
        held += [server.connect(server_target.database, administrator=False) for _ in range(9)]
    server.run(limit)
    try:
        with pytest.raises(TargetUnavailable) as caught:
            one(connector)
        assert not caught.value.outcome_unknown
    finally:
        server.run(free)
        for each in held:
            each.close()
    assert one(connector).attributes["v"] == ("old",)


def test_wrong_settings_need_an_operator(server_target: Target, opened: Opened) -> None:
    secret = "not-the-right-password"
    for changes in (
        {"password": Secret(secret)},
        {"password": None},
        {"user": "nobody-knows"},
        {"database": "test_no_such"},
        {"tls": "verify-full", "tls_ca": __file__},
    ):
        with pytest.raises(MisconfiguredConnector) as caught:
            opened(**changes).test(call=call())
        assert secret not in str(caught.value)


def test_nobody_listens(server_target: Target, opened: Opened) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(TargetUnavailable) as caught:
            opened(port=bound.getsockname()[1]).create("t", {"k": ("x",)}, call=call())
    assert not caught.value.outcome_unknown


def test_a_server_that_takes_no_writes(server_target: Target, opened: Opened) -> None:
    """After a failover the old server may go on as a standby: try again later, on another connection."""
    connector = opened()
    change(connector, "before")
    server = server_target.server
    assert server is not None
    if server_target.dialect == "postgresql":
        stop, go = "ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET ALL"
        reload = "SELECT pg_reload_conf()"
    else:
        stop, go, reload = "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", "SELECT 1"
    server.run(stop)
    server.run(reload)
    try:
        until(lambda: _refuses(connector), what="the refusal")
    finally:
        server.run(go)
        server.run(reload)
    until(lambda: not _refuses(connector), what="the recovery")
    assert change(connector, "after").attributes["v"] == ("after",)


def _refuses(connector: Any) -> bool:
    try:
        change(connector, "tried")
    except TargetUnavailable as error:
        return not error.outcome_unknown
    return False


def test_missing_privileges(server_target: Target, opened: Opened) -> None:
    """May read but not write: 403. May not even read: an operator must act."""
    server = server_target.server
    assert server is not None
    database = server_target.database
    name = f"limited_{database}"
    if server_target.dialect == "postgresql":
        server.run(f"CREATE ROLE {name} LOGIN PASSWORD 'limited-password'")
        server.run(f"GRANT SELECT ON t TO {name}", database=database)
    else:
        server.run(f"CREATE USER {name} IDENTIFIED BY 'limited-password'")
        server.run(f"GRANT SELECT ON {database}.t TO {name}")
    connector = opened(user=name, password=Secret("limited-password"))
    found = one(connector)
    for write in (
        lambda: connector.create("t", {"k": ("x",)}, call=call()),
        lambda: connector.update("t", found.identity, [AttributeChange("v", replace=("x",))], call=call()),
        lambda: connector.delete("t", found.identity, call=call()),
    ):
        with pytest.raises(NotPermitted) as caught:
            write()
        assert not caught.value.outcome_unknown
    server.run(f"REVOKE SELECT ON {'' if server_target.dialect == 'postgresql' else database + '.'}t FROM {name}",
               database=database)  # fmt: skip
    with pytest.raises(MisconfiguredConnector):
        one(connector)
    with pytest.raises(MisconfiguredConnector):
        opened(user=name, password=Secret("limited-password")).test(call=call())


def test_a_serialization_failure_is_tried_again(postgresql: PostgresServer) -> None:
    """The database has rolled the statement back; nobody notices."""
    target = Target("postgresql", postgresql.create_database(), postgresql)
    target.run("CREATE TABLE t (k varchar(40) PRIMARY KEY, v varchar(40))")
    target.run("INSERT INTO t VALUES ('one', 'old')")
    postgresql.run(f"ALTER DATABASE {target.database} SET default_transaction_isolation = 'serializable'")
    connector = connector_type.open(target.settings(object_types=(SqlObjectType(name="t"),)))
    identity = one(connector).identity
    other = postgresql.connect(target.database, administrator=False)
    cursor = other.cursor()
    cursor.execute("BEGIN")
    cursor.execute("UPDATE t SET v = 'other' WHERE k = 'one'")
    sent: list[str] = []
    results: list[ConnectorObject] = []

    def update() -> None:
        theirs = Call(timeout=15, session="s", on_sent=sent.append)
        results.append(connector.update("t", identity, [AttributeChange("v", replace=("mine",))], call=theirs))

    thread = threading.Thread(target=update)
    thread.start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    until(lambda: bool(postgresql.run(waiting)), what="the update to wait")
    cursor.execute("COMMIT")  # the update that waited fails with 40001
    thread.join(20)
    other.close()
    assert len(sent) == 2
    assert one(connector).attributes["v"] == results[0].attributes["v"] == ("mine",)
    connector.close()


def test_a_missing_table(server_target: Target) -> None:
    settings = server_target.settings(object_types=(SqlObjectType(name="nowhere"),))
    connector = connector_type.open(settings)
    with pytest.raises(MisconfiguredConnector, match="nowhere"):
        connector.test(call=call())
    connector.close()


def test_tls(server_target: Target, opened: Opened) -> None:
    """Encrypted by default where the server can; checked where it is asked for."""
    server = server_target.server
    assert server is not None
    encrypting: list[dict[str, Any]] = [
        {},
        {"tls": "require"},
        {"tls": "require", "tls_ca": server.ca},
        {"tls": "verify-full", "tls_ca": server.ca},
    ]
    one(opened(tls="disable"))
    with _only_tls(server_target):
        for changes in encrypting:
            assert one(opened(**changes)).attributes["v"] == ("old",)
        with pytest.raises(MisconfiguredConnector):
            one(opened(tls="disable"))
    for name in ("require", "verify-full"):
        with pytest.raises(MisconfiguredConnector, match="certificate"):
            one(opened(tls=name, tls_ca=str(_other_authority(server))))


@contextmanager
def _only_tls(target: Target) -> Iterator[None]:
    """Let the server refuse connections without TLS."""
    server = target.server
    assert server is not None
    if target.dialect == "mariadb":
        server.run(f"ALTER USER {server.user}@'%' REQUIRE SSL")
        yield
        server.run(f"ALTER USER {server.user}@'%' REQUIRE NONE")
        return
    access = server.folder / "data" / "pg_hba.conf"
    before = access.read_text()
    access.write_text(f"hostnossl all {server.user} all reject\n{before}")
    server.run("SELECT pg_reload_conf()")
    until(lambda: bool(server.run("SELECT 1 FROM pg_hba_file_rules WHERE type = 'hostnossl'")), what="the reload")
    yield
    access.write_text(before)
    server.run("SELECT pg_reload_conf()")


def _other_authority(server: Any) -> Path:
    folder = server.folder / "other"
    folder.mkdir(exist_ok=True)
    write_certificates(folder)
    return folder / "ca.pem"


def test_max_connections_are_kept(server_target: Target, opened: Opened) -> None:
    """Threads share them: idle connections of others make room, and whoever finds none waits."""
    connector = opened(max_connections=3)
    one(connector)
    seen: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            start.wait(10)
            for n in range(10):
                key = f"{number}.{n}"
                connector.create("t", {"k": (key,)}, call=call(f"thread {number}"))
                seen.append(len(sessions(server_target)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    # the server sees a connection off when it gets round to it: now and then it has one or two more than we
    assert sorted(seen)[len(seen) // 2] <= 4
    assert server_target.run("SELECT count(*) FROM t") == [(81,)]


def test_when_all_connections_are_in_use_the_wait_ends(server_target: Target, opened: Opened) -> None:
    server_target.run("INSERT INTO t SELECT concat(a, '.', b), 'x' FROM " + _numbers(server_target))
    connector = opened(max_connections=2)
    pages = connector.import_full(connector.scopes()[0], attributes={"t": ()}, page_size=1, call=call())
    second = connector.import_full(connector.scopes()[0], attributes={"t": ()}, page_size=1, call=call())
    next(pages)
    next(second)
    with pytest.raises(TargetUnavailable, match="in use"):
        one(connector, timeout=0.3)
    pages.close()
    assert one(connector).attributes["v"] == ("old",)
    second.close()


def _numbers(target: Target) -> str:
    if target.dialect == "postgresql":
        return "generate_series(1, 100) a, generate_series(1, 100) b"
    return "(SELECT seq a FROM seq_1_to_100) a, (SELECT seq b FROM seq_1_to_100) b"


def test_an_import_of_a_server_that_hangs_or_dies_raises(server_target: Target, opened: Opened) -> None:
    server_target.run("INSERT INTO t SELECT concat(a, '.', b), repeat('x', 40) FROM " + _numbers(server_target))
    server_target.run("ALTER TABLE t ADD COLUMN w varchar(2000)")
    server_target.run("UPDATE t SET w = repeat('w', 2000)")
    server = server_target.server
    assert server is not None
    for outage in (server.pause, server.kill):
        connector = opened(import_idle_timeout=1.0)
        pages = connector.import_full(connector.scopes()[0], attributes={"t": ("v", "w")}, page_size=10, call=call())
        next(pages)
        outage()
        with pytest.raises(TargetUnavailable):
            for _ in pages:
                pass
        if server.process is None:
            server.start()
        server.resume()
        assert sum(
            len(page.objects)
            for page in connector.import_full(
                connector.scopes()[0], attributes={"t": ("v", "w")}, page_size=1000, call=call()
            )
        ) == 10_001  # fmt: skip
        connector.close()


def test_a_completion_that_is_not_known_is_not_sent_again() -> None:
    assert codes_postgresql.kind_of("40003") is Kind.LOST
    assert codes_postgresql.kind_of("40001") is Kind.CONFLICT
