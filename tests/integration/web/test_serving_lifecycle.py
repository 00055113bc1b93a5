"""`serve` as processes: starting, stopping, being killed, being started twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from integration.web.serving import Serving, alive, command_of, descendants, make, serving, until


def gone(pids: set[int]) -> bool:
    return not any(alive(pid) for pid in pids)


def test_requests_are_served_counted_and_logged(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        status, headers, body = host.request("GET", "/Users?filter=userName+eq+%22user7%22")
        assert status == 200, (headers, body)
        assert json.loads(body)["totalResults"] == 1
        assert headers["content-type"] == "application/scim+json"
        assert not headers["server"]
        assert host.create("ada") == 201
        assert "ada" in host.logins()
        assert host.request("GET", "/Users", token="wrong")[0] == 401
        assert host.health("/healthz") == 200
        wanted = 'isthmus_requests_total{connector="hr",method="POST",status="201"} 1.0'
        until(lambda: wanted in host.text("/metrics"), 60, "the count of the worker process")
        assert "user7" not in host.log  # filter values are not logged
        assert host.token not in host.log
        family = descendants(host.process.pid)
        assert host.stop() == 0
        until(lambda: gone(family), 60, "no process left")


def test_a_write_in_flight_ends_before_the_stop(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        lock = sqlite3.connect(host.folder / "hr.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        statuses: list[int] = []
        writer = threading.Thread(target=lambda: statuses.append(host.create("late", timeout=30)))
        writer.start()
        until(lambda: 'state="open"} 1.0' in host.text("/metrics"), 60, "the write is in the journal")
        family = descendants(host.process.pid)
        host.process.send_signal(signal.SIGTERM)
        until(lambda: '"stopping"' in host.log, 60, "the stop has begun")
        lock.execute("COMMIT")
        lock.close()
        writer.join(20)
        assert statuses == [201]
        assert host.process.wait(20) == 0
        assert "late" in host.logins()
        until(lambda: gone(family), 60, "no process left")


def test_nothing_survives_a_killed_supervisor(tmp_path: Path) -> None:
    with serving(tmp_path / "host") as host:
        family = descendants(host.process.pid)
        assert len(family) >= 5  # supervisor, server, two workers, operations
        host.process.kill()
        host.process.wait()
        until(lambda: gone(family), 60, "the family is gone")
        host.start()
        host.wait_ready()
        assert host.create("afterwards") == 201


def test_a_killed_server_is_replaced_and_its_workers_end(tmp_path: Path) -> None:
    with serving(tmp_path / "host") as host:
        (master,) = host.masters()
        workers = descendants(master) - {master}
        os.kill(master, signal.SIGKILL)
        until(lambda: gone({master, *workers}), 60, "the workers of the killed server are gone")
        until(lambda: host.masters() and host.masters() != [master], 60, "another server")
        assert host.create("afterwards") == 201  # waits in the queue of the socket if need be


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        (master,) = host.masters()
        (worker,) = descendants(master) - {master}
        os.kill(worker, signal.SIGKILL)
        until(lambda: descendants(master) - {master, worker}, 60, "another worker")
        assert host.create("afterwards") == 201


def test_a_killed_operations_process_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        (operations,) = [pid for pid in descendants(host.process.pid) if "operations_server" in command_of(pid)]
        os.kill(operations, signal.SIGKILL)
        until(lambda: host.health("/readyz") == 200, 60, "health answers again")


def test_a_second_serve_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        second = Serving(host.folder, host.port, host.operations, host.token)
        assert second.start().wait(20) == 2
        assert f"process {host.process.pid}" in second.log.split("refused:")[1]
        other = make(tmp_path / "other")
        settings = other.folder / "isthmus.toml"
        settings.write_text(settings.read_text().replace(f":{other.port}", f":{host.port}"))
        assert other.start().wait(20) == 2
        assert "another program listens" in other.log
        assert host.create("still-here") == 201


def test_secrets_open_to_everybody_are_refused(tmp_path: Path) -> None:
    host = make(tmp_path / "host", workers=1)
    (host.folder / "tls" / "server.key").chmod(0o644)
    assert host.start().wait(30) == 2
    assert "server.key" in host.log.split("refused:")[1]
    assert descendants(host.process.pid) == {host.process.pid}


@pytest.mark.parametrize("damage", ["newer", "foreign"])
def test_a_store_that_cannot_be_used_is_told_in_one_line(damage: str, tmp_path: Path) -> None:
    host = make(tmp_path / "host", workers=1)
    store = host.folder / "state" / "isthmus.db"
    if damage == "newer":
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA user_version = 999")
    else:
        store.write_text("this is no database\n" * 100)
    assert host.start().wait(30) == 2
    told = host.log.split("refused:")[1]
    assert ("use the newer program" if damage == "newer" else "is not a database") in told
    assert "Traceback" not in host.log
