"""Commands for tokens, secrets, certificates, runs, journal and guard, in this process; all of it is in the audit."""

from __future__ import annotations

import datetime as dt
import socket
import time

import pytest

from acceptance.shell import Shell
from connectors.servers.certificates import write_certificates
from isthmus.config import tls
from isthmus.store import Entry, EntryState, Store

HOUR = 3600


def seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


# -- tokens


def test_a_token_is_shown_once_and_listed_without_its_text(hr: Shell) -> None:
    ran = hr.good("token", "create", "hr", "--label", "entra", "--days", "30")
    text = ran.out.strip()
    assert len(text) > 40
    assert "only its hash" in ran.err
    listed = hr.good("token", "list", "HR", "--json")
    [token] = listed.json
    assert (token["label"], token["scope"], token["state"]) == ("entra", "write", "valid")
    assert seconds(token["expires"]) == pytest.approx(time.time() + 30 * 24 * HOUR, abs=60)
    assert text not in listed.text + hr.good("token", "list").text + hr.good("audit", "--json", "--values").text
    assert text.encode() not in (hr.folder / "state" / "isthmus.db").read_bytes()


def test_a_rotated_token_gives_its_life_to_the_successor_and_ends_later(hr: Shell) -> None:
    first = hr.good("token", "create", "hr", "--scope", "read", "--days", "30", "--json").json
    second = hr.good("token", "rotate", first["id"], "--overlap-hours", "2", "--json").json
    assert second["scope"] == "read"
    assert seconds(second["expires"]) == pytest.approx(seconds(first["expires"]), abs=60)
    old = next(token for token in hr.good("token", "list", "--json").json if token["id"] == first["id"])
    assert seconds(old["revoked"]) == pytest.approx(time.time() + 2 * HOUR, abs=60)
    assert old["state"].startswith("valid until")
    hr.good("token", "revoke", first["id"])
    assert "was revoked before" in hr.good("token", "revoke", first["id"]).out
    assert "token create hr" in hr.refused("token", "rotate", first["id"])
    assert "--overlap-hours" in hr.misused("token", "rotate", second["id"], "--overlap-hours", "-1")
    actor = hr.audited()[-1][1]
    assert actor.startswith("operator ")
    assert hr.audited()[1:] == [(f"{what} token", actor) for what in ("create", "rotate", "revoke")]


def test_a_chosen_token_comes_by_file_or_standard_input(hr: Shell) -> None:
    ran = hr.good("token", "create", "hr", "--from", "-", stdin="chosen-by-hand\n")
    assert "better use at least" in ran.err
    assert "chosen-by-hand" not in ran.text
    assert "at least 12 characters" in hr.refused("token", "create", "hr", "--from", "-", stdin="short")
    assert "visible ASCII" in hr.refused("token", "create", "hr", "--from", "-", stdin=b"\xff\xfe" * 20)
    assert hr.refused("token", "create", "hr", "--from", "nowhere.txt") == "nowhere.txt: No such file or directory"
    assert "--days" in hr.misused("token", "create", "hr", "--days", "0")


# -- secrets and certificates


def test_secrets_come_by_standard_input_and_are_listed_by_name_alone(shell: Shell) -> None:
    ran = shell.good("secret", "set", "hr.password", stdin="hunter2\n")
    assert '{ secret = "hr.password" }' in ran.out
    assert shell.good("secret", "list").out == "hr.password\n"
    assert "did you mean hr.password?" in shell.refused("secret", "remove", "hr.pasword")
    assert "is empty" in shell.refused("secret", "set", "x")
    assert "UTF-8" in shell.refused("secret", "set", "x", stdin=b"\xff\xfe")
    assert "letters" in shell.refused("secret", "set", "a b", stdin="x")
    shell.good("secret", "remove", "hr.password")
    assert [operation for operation, _ in shell.audited()] == ["set secret", "remove secret"]
    kept = b"".join(path.read_bytes() for path in shell.folder.rglob("*") if path.is_file())
    assert b"hunter2" not in kept


def test_an_own_certificate_is_taken_with_the_password_of_its_key(shell: Shell) -> None:
    write_certificates(shell.folder)
    certificate, key = shell.folder / "server.pem", shell.folder / "server.key"
    assert "there is no such file" in shell.refused("tls", "import", "nowhere.pem", str(key))
    assert "does not belong" in shell.refused("tls", "import", str(certificate), "tls/ca.key")
    assert "leave the password out" in shell.refused(
        "tls", "import", str(certificate), str(key), "--password", stdin="x\n"
    )
    shell.good("tls", "import", str(certificate), str(key))
    shown = shell.good("tls", "show", "--json").json
    assert (shown["kind"], shown["usable"]) == ("own", True)
    assert isinstance(shown["days_left"], int)
    assert "import certificate" in [operation for operation, _ in shell.audited()]


# -- runs and guard


def test_an_import_that_would_remove_too_much_is_held_until_released(hr: Shell) -> None:
    hr.good("run", "start", "hr")
    hr.sql("DELETE FROM Employees WHERE ContosoLogin > 'login030'")
    ran = hr.run("run", "start", "hr")
    assert ran.code == 1
    assert ran.out.startswith("held: 30 objects")
    [hold] = hr.good("guard", "show", "--json").json
    assert (hold["connector"], hold["count"], hold["limit"], hold["state"]) == ("hr", 30, 12, "held")
    assert hold["message"] in hr.good("guard", "show").out
    assert hold["id"] in hr.good("guard", "show", hold["id"]).out
    assert hr.good("search", "hr").out.endswith("of 60\n")
    assert hold["id"] in hr.run("doctor").out
    hr.good("guard", "release", hold["id"], "--hours", "2")
    assert "30 removed" in hr.good("run", "start", "hr").out
    assert hr.good("search", "hr").out.endswith("of 30\n")
    assert "nothing back" in hr.good("guard", "show").out
    assert "over already" in hr.refused("guard", "release", hold["id"])
    assert ("release guard", hr.audited()[-1][1]) in hr.audited()


def test_a_hold_that_is_cancelled_closes_its_run_and_stays_so(hr: Shell) -> None:
    hr.good("run", "start", "hr")
    hr.sql("DELETE FROM Employees")
    [held] = hr.run("run", "start", "hr", "--json").json
    [hold] = hr.good("guard", "show", "--json").json
    assert hold["run"] == held["id"]
    hr.good("guard", "cancel", hold["id"])
    assert hr.good("run", "list", "hr", "--json").json[0]["state"] == "cancelled"
    assert "cancelled already" in hr.refused("guard", "release", hold["id"])
    assert "cancelled already" in hr.refused("guard", "cancel", hold["id"])
    assert "which is cancelled" in hr.refused("run", "release", held["id"])
    assert "has ended: cancelled" in hr.refused("run", "cancel", held["id"])
    assert hr.good("guard", "show", "--all", "--json").json[0]["state"] == "cancelled"
    assert hr.good("search", "hr").out.endswith("of 60\n")
    assert [operation for operation, _ in hr.audited()][-1] == "cancel guard"


def test_a_queued_run_is_cancelled_and_the_audit_says_by_whom(hr: Shell) -> None:
    hr.good("connector", "rebuild", "hr")
    [queued] = hr.good("run", "list", "--json").json
    assert queued["state"] == "queued"
    assert queued["requested_by"].startswith("operator ")
    hr.good("run", "cancel", queued["id"])
    assert hr.good("run", "list", "--json").json[0]["state"] == "cancelled"
    assert [operation for operation, _ in hr.audited()][-2:] == ["rebuild connector", "cancel run"]
    started = hr.good("run", "start", "hr", "--json").json[0]
    assert started["seconds"] == pytest.approx(seconds(started["ended"]) - seconds(started["started"]), abs=0.01)


# -- journal


def entry_in_doubt(hr: Shell, *, opened: float) -> Entry:
    """Leave a write whose outcome nobody can tell, as a target without look-up does."""
    hr.good("run", "start", "hr")
    store = Store.open(hr.folder / "state")
    try:
        space = next(space for space in store.space.all() if space.connector == "hr")
        entry = store.journal.open(
            space=space, operation="patch", object_id="7", anchor=("login007",), session="", correlation="c-1",
            intent={"changes": {"LastName": ["New"]}}, locks=("object:7",),
        )  # fmt: skip
        assert isinstance(entry, Entry)
        if opened:
            store.journal.mark(entry.id, EntryState.IN_DOUBT, "the target cannot be asked")
        return entry
    finally:
        store.close()


def test_an_entry_in_doubt_is_shown_and_resolved_once(hr: Shell) -> None:
    entry = entry_in_doubt(hr, opened=1)
    listed = hr.good("journal", "list").out
    assert entry.id in listed
    assert "in doubt" in listed
    shown = hr.good("journal", "show", entry.id, "--json").json
    assert (shown["state"], shown["intent"]) == ("in_doubt", {"changes": {"LastName": ["New"]}})
    assert seconds(shown["opened"]) == pytest.approx(time.time(), abs=60)
    assert "1 writes are not settled, 1 of them in doubt" in hr.run("doctor").out
    assert "not settled" in hr.refused("connector", "remove", "hr", "--yes")
    assert "run an import" in hr.good("journal", "resolve", entry.id, "not-done").out
    assert "settled already: not done" in hr.refused("journal", "resolve", entry.id, "done")
    assert "is empty" in hr.good("journal", "list", "hr").out
    [record] = hr.good("audit", "--correlation", "c-1", "--json").json
    assert (record["operation"], record["connector"], record["outcome"]) == ("resolve patch", "hr", "not done")


def test_a_write_that_may_be_under_way_is_not_resolved(hr: Shell) -> None:
    entry = entry_in_doubt(hr, opened=0)
    assert "may still be under way" in hr.refused("journal", "resolve", entry.id, "done")
    assert hr.good("journal", "list", "--json").json[0]["state"] == "open"


# -- audit and search


def test_the_audit_is_queried_by_person_connector_time_and_outcome(hr: Shell) -> None:
    hr.good("token", "create", "hr", "--label", "Entra")
    hr.good("token", "create", "hr", "--label", "okta")
    assert len(hr.good("audit", "entr", "--json").json) == 1
    assert len(hr.good("audit", "--connector", "HR", "--since", "1h", "--json").json) == 3
    assert hr.good("audit", "--until", "2020-01-31", "--json").json == []
    assert "nothing found" in hr.good("audit", "--outcome", "failed").out
    assert len(hr.good("audit", "--limit", "1").out.splitlines()) == 2
    [newest] = hr.good("audit", "--limit", "1", "--json").json
    assert newest["at"].endswith("Z")


def test_search_answers_from_the_space_and_says_what_is_wrong_with_a_filter(hr: Shell) -> None:
    hr.good("run", "start", "hr")
    assert hr.good("search", "hr", 'userName eq "LOGIN007"', "--json").json["totalResults"] in (0, 1)
    shown = hr.good("search", "hr", 'name.familyName ew "007"')
    assert "login007" in shown.out
    assert shown.out.endswith("1 of 1\n")
    assert "character" in hr.refused("search", "hr", "userName equals")
    assert "--start" in hr.misused("search", "hr", "--start", "9" * 30)
    assert "nobody is shown" in hr.good("search", "hr", "--start", "9" * 18).out
    assert "did you mean Users?" in hr.refused("search", "hr", "--endpoint", "Userz")


# -- doctor


def doctor(shell: Shell) -> dict[str, tuple[str, str]]:
    ran = shell.run("doctor", "--json")
    found = {one["check"]: (one["state"], one["message"]) for one in ran.json}
    assert ran.code == (1 if "failure" in {state for state, _ in found.values()} else 0)
    return found


def test_doctor_tells_of_another_program_on_the_port(hr: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        file = hr.folder / "isthmus.toml"
        file.write_text(file.read_text().replace("[scim]\n", f'[scim]\nlisten = "127.0.0.1:{port}"\n'))
        state, message = doctor(hr)["SCIM listener"]
    assert state == "failure"
    assert f"another program listens on 127.0.0.1:{port}" in message


def test_doctor_without_a_usable_store_still_tells_the_rest(hr: Shell) -> None:
    store = hr.folder / "state" / "isthmus.db"
    store.write_bytes(b"no database at all" * 300)
    found = doctor(hr)
    assert found["store"][0] == "failure"
    assert "connectors were not looked at" in found["store"][1]
    assert found["certificate"][0] == "ok"


@pytest.mark.parametrize(
    "arguments",
    [
        ("connector", "pause", "hr"),
        ("secret", "set", "hr.password"),
        (
            "connector",
            "add",
            "two",
            "--url",
            "URL",
            "--table",
            "Employees",
            "--disable",
            "nothing",
            "--delete",
            "delete",
        ),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_cannot_be_noted_in_the_audit_is_not_done(arguments: tuple[str, ...], hr: Shell) -> None:
    before = {file: file.read_bytes() for file in (*hr.folder.glob("connectors/*"), *hr.folder.glob("secrets/*"))}
    (hr.folder / "state" / "isthmus.db").write_bytes(b"no database at all" * 300)
    hr.refused(*(hr.url if each == "URL" else each for each in arguments), stdin="hunter2")
    after = {file: file.read_bytes() for file in (*hr.folder.glob("connectors/*"), *hr.folder.glob("secrets/*"))}
    assert after == before


def test_doctor_tells_of_required_columns_that_nothing_fills(shell: Shell) -> None:
    fate = ("--disable", "nothing", "--delete", "delete")
    added = shell.good("connector", "add", "guests", "--url", shell.url, "--table", "Guests", *fate)
    assert "creates will fail until" in added.err
    failures = [one["message"] for one in shell.run("doctor", "--json").json if one["state"] == "failure"]
    assert any("PasswordHash must have a value" in message for message in failures)
    assert shell.run("connector", "test", "guests").code == 1


def test_doctor_tells_of_an_expired_certificate_and_of_names_it_lacks(hr: Shell) -> None:
    hr.good("token", "create", "hr")
    assert doctor(hr)["certificate"][0] == "ok"
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=500)
    tls.renew_leaf(hr.folder / "tls", within_days=10_000, now=long_ago)
    state, message = doctor(hr)["certificate"]
    assert (state, "expired" in message) == ("failure", True)
    assert "problem: the certificate expired" in hr.good("tls", "show").out
    tls.renew_leaf(hr.folder / "tls", within_days=10_000)
    file = hr.folder / "isthmus.toml"
    file.write_text(f'public_url = "https://scim.example.com"\n{file.read_text()}')
    state, message = doctor(hr)["certificate"]
    assert (state, "isthmus init --san scim.example.com" in message) == ("failure", True)
    hr.good("init", "--san", "scim.example.com")
    assert doctor(hr)["certificate"][0] == "ok"


def test_doctor_tells_of_exposed_files_missing_tokens_and_pauses(hr: Shell) -> None:
    found = doctor(hr)
    assert found["hr: token"] == ("failure", "there is no valid one; 'isthmus token create hr' makes one")
    assert found["hr: import"][0] == "warning"
    assert "isthmus serve" in found["SCIM listener"][1]
    (hr.folder / "tls" / "server.key").chmod(0o640 | 0o004)
    state, message = doctor(hr)["permissions"]
    assert (state, "chmod 600" in message) == ("failure", True)
    hr.good("connector", "pause", "hr")
    assert "isthmus connector resume hr" in doctor(hr)["hr: paused"][1]


def test_doctor_names_the_secret_that_is_not_stored(hr: Shell) -> None:
    file = hr.folder / "connectors" / "hr.toml"
    file.write_text(file.read_text().replace("[settings]\n", '[settings]\npassword = { secret = "other" }\n'))
    state, message = doctor(hr)["hr: target"]
    assert state == "failure"
    assert "isthmus secret set other" in message
    assert f"{file}:6" in message
