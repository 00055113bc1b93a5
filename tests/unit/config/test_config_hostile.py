"""Whatever stands in the files: a ConfigError, or a configuration; never a traceback, never a forged line of a log."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config_lines import documents

from configurations import Write, refused
from isthmus.config.documents import ConnectorDocument, HostDocument
from isthmus.config.emitting import toml_text
from isthmus.config.errors import ConfigError
from isthmus.config.loading import problems, text_problems
from isthmus.config.watching import fingerprint


def names(kind: Any) -> list[str]:
    found = []
    for field in msgspec.structs.fields(kind):
        found.append(field.name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += names(field.type)
    return found


words = st.sampled_from([*names(HostDocument), *names(ConnectorDocument), "object_type", "flows", "action", "values"])
scalars = st.one_of(
    st.sampled_from(["set", "memory", "127.0.0.1:1", "unix:/x", "[::1]:2", "", "\x00", "10.0.0.1/8", "https://x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.datetimes(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=4)),
    max_leaves=20,
)
likely = st.dictionaries(words, values, max_size=6)


@given(st.one_of(likely, documents), st.booleans())
@settings(deadline=None)
def test_any_document_is_judged(document: dict[str, Any], connector: bool) -> None:
    text = toml_text(document)
    for error in text_problems(Path("x.toml"), text, connector=connector):
        assert error.problem.isprintable(), error.problem
        assert error.where.line is not None
        assert (error.where.key or "").isprintable()


@given(
    st.one_of(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(str.encode))
)
@settings(deadline=None)
def test_any_bytes_are_a_configuration_or_an_error(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "isthmus.toml"
        path.write_bytes(raw)
        for error in problems(path):
            assert error.where.file == path
            assert "\n" not in str(error)
        fingerprint(path)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[" * 2_000 + "]" * 2_000,
        "a" + ".a" * 2_000 + " = 1",
        "[scim]\nworkers = " + "9" * 10_000,
        "[scim]\nworkers = 99999999999999999999999999",
        "[scim]\nrequest_timeout = 1" + "0" * 400,
        "[scim]\nrequest_timeout = inf",
        "when = 2024-02-31",
        '"\\u0000" = 1',
        'state_dir = "\\u0000"',
        'state_dir = "' + "x" * 5_000 + '"',
        'connectors_dir = "' + "x" * 5_000 + '"',
        'public_url = "https://[::1"',
        'public_url = "https://x:99999"',
        '"\\u001b[31m" = 1',
        "[scim]\nlisten = '\u0661\u0662:\u0663'",
    ],
)
def test_extremes_end_in_an_error(write: Write, text: str) -> None:
    error = refused(write(text))
    assert len(str(error)) < 60_000
    assert error.problem.isprintable()


def test_a_file_of_ten_megabytes_is_not_read_whole(write: Write) -> None:
    assert "larger than 4 MiB" in refused(write("#" * 10_000_000)).problem


def test_folders_and_missing_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").mkdir()
    assert isinstance(refused(tmp_path / "isthmus.toml"), ConfigError)
    assert "does not exist" in refused(tmp_path / "none" / "isthmus.toml").problem


def test_a_connector_that_is_a_folder_or_a_dead_link_is_an_error(write: Write) -> None:
    path = write()
    (path.parent / "connectors" / "a.toml").mkdir()
    (path.parent / "connectors" / "b.toml").symlink_to("nowhere")
    (path.parent / "connectors" / "c.toml").symlink_to("c.toml")
    assert len(problems(path)) == 3


def test_a_pipe_is_an_error_and_is_not_waited_for(write: Write) -> None:
    """Whoever reads the configuration, `serve` at each change too, would stand still until somebody writes to it."""
    path = write()
    os.mkfifo(path.parent / "connectors" / "hr.toml")
    (problem,) = problems(path)
    assert "a pipe" in str(problem)
