"""What people and machines are shown."""

from __future__ import annotations

import re
import time

import pytest
import typer

from isthmus.cli import output
from isthmus.cli.faults import Refused, bug, expected, usage
from isthmus.config.errors import ConfigError
from isthmus.scim.errors import ScimError
from isthmus.spi import TargetUnavailable
from isthmus.store import StoreFull
from isthmus.web.errors import CannotServe


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (["a", 1, None], "a, 1, "),
        ({"Disabled": False}, "Disabled=no"),
        ("Zoë 漢", "Zoë 漢"),
        ("a\x1b[31m\nb\u202ec", r"a\x1b[31m\nb\u202ec"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_values_are_shown_on_one_line_without_control_characters(value: object, shown: str) -> None:
    assert output.printable(value) == shown


def test_a_table_in_a_pipe_is_never_broken_or_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("id", "message"), [("1", "x" * 500), ("22", "y")], empty="none")
    head, first, second = capsys.readouterr().out.splitlines()
    assert (head, first, second) == ("id  message", f"1   {'x' * 500}", "22  y")
    output.table(("id",), [], empty="none")
    assert capsys.readouterr().out == "none\n"


TOKENS = [
    ("2085638eeff7", "hr", "default", "write", "2026-11-23 01:35:26", "-", "2026-11-23 01:36:43", "revoked"),
    ("8686036006e2", "hr", "entra", "write", "2026-11-23 01:42:19", "2027-11-23 01:42:19", "-", "valid"),
]
STYLES = re.compile(r"\x1b\[[0-9;]*m")
HEADS = ("id", "connector", "label", "scope", "created", "expires", "last used", "state")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_table_on_a_terminal_loses_nothing_at_any_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    output.table(HEADS, TOKENS, empty="none")
    shown = STYLES.sub("", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= max(width, 40)
    assert "…" not in shown
    for cell in [cell for row in TOKENS for cell in row]:
        assert all(word in shown.split() for word in cell.split())


def test_a_narrow_terminal_breaks_the_sentence_before_the_ids(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    output.table(("id", "what"), [("7e097cd2329e", "a sentence that is longer than the line " + "x" * 60)], empty="")
    lines = STYLES.sub("", capsys.readouterr().out).splitlines()
    assert lines[1].startswith("7e097cd2329e  a sentence that is longer")
    assert "".join(lines).count("x") == 60
    assert max(map(len, lines)) <= 40


def test_moments_for_machines_are_utc() -> None:
    assert output.instant(1_767_225_600.5) == "2026-01-01T00:00:00.500Z"
    assert output.instant(None) is None


@pytest.mark.parametrize(("text", "ago"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800)])
def test_an_age_is_counted_back_from_now(text: str, ago: float) -> None:
    assert output.seconds_of(text, "--since") == pytest.approx(time.time() - ago, abs=5)


@pytest.mark.parametrize("text", ["", "h", "-2h", "²d", "2026-13-01", "0001-01-01", "99999999999d"])
def test_what_is_no_moment_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--since"):
        output.seconds_of(text, "--since")


@pytest.mark.parametrize(
    "error",
    [
        ScimError(503, "it rains"),
        TargetUnavailable("it rains"),
        ConfigError("it rains"),
        StoreFull("it rains"),
        CannotServe("it rains"),
        Refused("it rains"),
        OSError(28, "it rains"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_for_people_become_their_text(error: Exception) -> None:
    assert expected(error) == "it rains"
    assert usage(error) is None


def test_a_bug_is_named_by_class_and_place_without_its_values() -> None:
    secret = KeyError("hunter2")
    assert expected(secret) is None
    assert bug(secret).startswith("bug in Isthmus: KeyError")
    assert "hunter2" not in bug(secret)


def test_wrong_usage_ends_with_where_to_look() -> None:
    assert usage(typer.BadParameter("--days is odd")) == "--days is odd; see 'isthmus --help'"
