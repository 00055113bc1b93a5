"""New certificates and new configuration without a restart and without a lost connection."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import re
import signal
import sqlite3
import ssl
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration.web.serving import Serving, command_of, descendants, make, serving, until
from isthmus.config.tls import renew_leaf


@dataclass
class Traffic:
    """Clients that open a connection for each request, and some that keep theirs, until told to stop."""

    host: Serving
    done: threading.Event = field(default_factory=threading.Event)
    outcomes: Counter[str] = field(default_factory=Counter)
    reconnected: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, *, fresh: int, kept: int) -> None:
        for n in range(fresh):
            self.threads.append(threading.Thread(target=self._fresh, args=(n,)))
        for _ in range(kept):
            self.threads.append(threading.Thread(target=self._kept))
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join(30)

    def _fresh(self, number: int) -> None:
        made = 0
        while not self.done.is_set():
            made += 1
            try:
                if made % 10:
                    status = self.host.request("GET", "/Users?count=1", timeout=20)[0]
                else:
                    status = self.host.create(f"new-{number}-{made}", timeout=20)
                self.outcomes[str(status)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.outcomes[f"{type(error).__name__}: {error}"] += 1

    def _kept(self) -> None:
        """Use one connection for as long as the server lets us, as a connection pool does."""
        connection: http.client.HTTPSConnection | None = None
        while not self.done.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection(
                        "localhost", self.host.port, timeout=20, context=self.host.context()
                    )
                connection.request(
                    "GET", "/scim/hr/Users?count=1", headers={"Authorization": f"Bearer {self.host.token}"}
                )
                answer = connection.getresponse()
                answer.read()
                self.outcomes[str(answer.status)] += 1
                if answer.getheader("connection") == "close":
                    self.reconnected += 1
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.outcomes[f"kept {type(error).__name__}: {error}"] += 1
                connection = None
            self.done.wait(0.01)
        if connection is not None:
            connection.close()


def serial(host: Serving) -> str:
    connection = host.connect()
    with connection:
        found = connection.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


@pytest.mark.slow
def test_a_renewed_certificate_loses_no_connection(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=2) as host:
        before = serial(host)
        (old,) = host.masters()
        traffic = Traffic(host)
        traffic.start(fresh=3, kept=2)
        assert renew_leaf(host.folder / "tls", within_days=10_000)
        until(lambda: serial(host) != before, 60, "the new certificate")
        until(lambda: old not in host.masters(), 60, "the old generation has ended")
        traffic.stop()
        assert set(traffic.outcomes) == {"200", "201"}, traffic.outcomes
        assert traffic.outcomes["200"] > 200
        assert traffic.reconnected >= 2  # the kept connections were asked to leave the old generation


def test_a_certificate_about_to_end_is_renewed_by_itself(tmp_path: Path) -> None:
    host = make(tmp_path / "host", workers=1)
    signed = dt.datetime.now(dt.UTC) - dt.timedelta(days=345)  # 20 of its 365 days are left
    assert renew_leaf(host.folder / "tls", within_days=10_000, now=signed)
    host.start()
    try:
        host.wait_ready()
        connection = host.connect()
        with connection:
            facts = connection.getpeercert()
        assert facts is not None
        ends = ssl.cert_time_to_seconds(str(facts["notAfter"]))
        assert ends - time.time() > 300 * 86_400
    finally:
        assert host.stop() == 0


def test_configuration_is_reloaded_and_a_bad_one_is_not(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        settings = host.folder / "connectors" / "hr.toml"
        good = settings.read_text()
        settings.write_text(good.replace('matching = ["Login"]', 'matching = ["Login"'))
        until(lambda: '"reload_refused"' in host.log, 60, "the broken file is reported")
        assert host.create("meanwhile") == 201
        (worker_server,) = host.masters()
        workers = descendants(worker_server)
        os.kill(worker_server, signal.SIGKILL)  # what is started again has the running configuration, not the file
        until(lambda: host.masters() and host.masters() != [worker_server], 60, "another server")
        until(
            lambda: not any(map(command_of, workers)),
            60,
            "its workers end, and with them connections without a request",
        )
        assert host.create("meanwhile-too") == 201

        settings.write_text(good.replace('"FirstName", "Email"]', '"FirstName"]'))

        def email_is_gone() -> bool:
            _, _, body = host.request("GET", "/Schemas")
            return "Email" not in json.dumps(json.loads(body))

        until(email_is_gone, 60, "the new configuration serves")


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ('"FirstName", "Email"]', '"FirstName", "Emial"]', "has no attribute 'Emial'; did you mean 'Email'?"),
        ("userName = {", "usrName = {", "usrName is no attribute of a SCIM User; did you mean 'userName'?"),
        ("hr.db", "hrr.db", "hrr.db"),
    ],
    ids=["attribute", "flow", "file"],
)
def test_a_file_that_does_not_go_with_the_target_is_not_taken_over(
    right: str, wrong: str, reason: str, tmp_path: Path
) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        assert host.create("first") == 201
        settings = host.folder / "connectors" / "hr.toml"
        good = settings.read_text()
        assert right in good
        settings.write_text(good.replace(right, wrong))
        until(lambda: '"reload_refused"' in host.log, 20, "the file is reported")
        line = next(json.loads(line) for line in host.log.splitlines() if '"reload_refused"' in line)
        assert reason in line["reason"]
        assert re.search(r"hr\.toml:[0-9]+: ", line["reason"]), "file and line"
        assert host.create("second") == 201


def test_a_reload_that_is_refused_for_many_reasons_tells_them(tmp_path: Path) -> None:
    """Their text is longer than a pipe holds that nobody reads from meanwhile."""
    with serving(tmp_path / "host", workers=1) as host:
        folder = host.folder / "secrets"
        beside = tmp_path / ("x" * 200)
        beside.mkdir()
        for number in range(400):
            (beside / f"{number:03}").write_text("hidden")
            (beside / f"{number:03}").chmod(0o644)
        beside.rename(folder / beside.name)
        until(lambda: '"reload_refused"' in host.log, 30, "the reasons are told")
        line = next(json.loads(line) for line in host.log.splitlines() if '"reload_refused"' in line)
        assert line["reason"].count("chmod 600") == 400
        assert host.create("meanwhile") == 201


def test_a_column_that_is_new_in_the_target_can_be_published_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        assert host.create("first") == 201
        with closing(sqlite3.connect(host.folder / "hr.db")) as connection:
            connection.execute("ALTER TABLE Employees ADD COLUMN Phone VARCHAR(20)")
        settings = host.folder / "connectors" / "hr.toml"
        settings.write_text(settings.read_text().replace('"FirstName", "Email"]', '"FirstName", "Email", "Phone"]'))
        until(lambda: "Phone" in str(host.request("GET", "/Schemas")[2]), 20, "the new attribute is published")
        assert '"reload_refused"' not in host.log


def test_sighup_reloads(tmp_path: Path) -> None:
    with serving(tmp_path / "host", workers=1) as host:
        masters = host.masters()
        host.process.send_signal(signal.SIGHUP)
        until(lambda: set(host.masters()) - set(masters), 60, "a new generation")
        until(lambda: host.log.count('"serving"') >= 4, 60, "it serves")
        assert host.create("after") == 201
