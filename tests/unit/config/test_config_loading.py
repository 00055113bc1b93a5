from __future__ import annotations

from pathlib import Path

import pytest

from configurations import Write, refused
from isthmus.config.errors import ConfigError, Where, dotted
from isthmus.config.loading import find_configuration, load, load_connector, problems

CONNECTOR = """\
type = "memory"
timeout = 20

[settings]
name = "hr"

[[resource_types]]
object_type = "person"
attributes = ["id", "mail"]

[resource_types.flows]
'emails[type eq "work"].value' = { attribute = "mail" }

[resource_types.disable]
action = "set"
values = { disabled = true }
"""


def test_an_empty_file_is_all_defaults(write: Write) -> None:
    configuration = load(write())
    assert configuration.host.scim.listen == "127.0.0.1:8585"
    assert configuration.connectors == {}
    assert configuration.state_dir == configuration.folder / "state"


def test_connectors_are_keyed_by_folded_name_and_keep_the_written_one(write: Write) -> None:
    configuration = load(write("[scim]\nthreads = 8\n", HR=CONNECTOR, **{"a.b-c_1": CONNECTOR}))
    assert configuration.names == {"hr": "HR", "a.b-c_1": "a.b-c_1"}
    assert configuration.host.scim.threads == 8
    assert configuration.connectors["hr"].resource_types[0].flows['emails[type eq "work"].value'].attribute == "mail"


def test_an_editors_copies_are_passed_over(write: Write) -> None:
    path = write(hr=CONNECTOR)
    for name in (".#hr.toml", ".hr.toml.swp", "hr.toml~", "hr.toml.bak", ".hidden.toml"):
        (path.parent / "connectors" / name).write_text("not [ toml")
    assert list(load(path).connectors) == ["hr"]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("[scim]\n\nlisten = 8585\n", 3, "scim.listen", "must be a text in quotes, not a whole number"),
        ("[scim]\nworkers = true\n", 2, "scim.workers", "must be a whole number, not true or false"),
        ("[scim]\nworkers = 1.5\n", 2, "scim.workers", "must be a whole number, not a number"),
        ("[scim]\nrequest_timeout = '30'\n", 2, "scim.request_timeout", "must be a number, not a text"),
        ("[scim]\nallow_from = [\n '10.0.0.0/8',\n 7,\n]\n", 4, "scim.allow_from[1]", "must be a text in quotes"),
        ("[scim]\nallow_from = '10.0.0.0/8'\n", 2, "scim.allow_from", "must be a list, not a text"),
        ("scim = 1\n", 1, "scim", "must be a table, not a whole number"),
        ("public_url = 1979-05-27\n", 1, "public_url", "must be a text in quotes, not a date"),
        ("[scim]\nthread = 4\n", 2, "scim.thread", "unknown key; did you mean threads?"),
        ("[scim.tls]\ncertifcate = 'x'\n", 2, "scim.tls.certifcate", "did you mean certificate?"),
        ("[log]\nzzz = 1\n", 2, "log.zzz", "known keys: format, level"),
        ("\n[operation]\n", 2, "operation", "did you mean operations?"),
        ("[log]\nlevel = 'loud'\n", 2, "log.level", '"loud" is not allowed here; one of: debug, info, warning, error'),
        ("[log]\nlevel = 3\n", 2, "log.level", "must be one of debug, info, warning, error (in quotes)"),
    ],
)
def test_errors_of_the_host_tell_file_line_and_key(write: Write, text: str, line: int, key: str, words: str) -> None:
    path = write(text)
    error = refused(path)
    assert error.where == Where(path, line, key)
    assert words in error.problem
    assert str(error).startswith(f"{path}:{line}: {key}: ")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "words"),
    [
        ('"memory"', '"memry"', 1, "type", "no connector type of this name is installed; did you mean memory?"),
        ('type = "memory"', "", 1, "type", "is missing"),
        ('object_type = "person"\n', "", 7, "resource_types[0].object_type", "is missing"),
        ("attribute =", "atribute =", 12, None, "did you mean attribute?"),
        ('action = "set"', 'action = "drop"', 15, "resource_types[0].disable.action", "one of: nothing, set, delete"),
        ("disabled = true", "disabled = [1]", 16, "resource_types[0].disable.values.disabled", "not a list"),
        ("timeout = 20", "timeout = 30", 2, "timeout", "must be less than scim.request_timeout (30 s)"),
        ("timeout = 20", "timeout = nan", 2, "timeout", "must be between"),
        ('["id", "mail"]', "[]", 9, "resource_types[0].attributes", "is empty"),
        ('["id", "mail"]', '["id", "id"]', 9, "resource_types[0].attributes[1]", '"id" stands here twice'),
    ],
)
def test_errors_of_a_connector(write: Write, old: str, new: str, line: int, key: str | None, words: str) -> None:
    assert old in CONNECTOR
    path = write(hr=CONNECTOR.replace(old, new, 1))
    error = refused(path)
    assert error.where.file == path.parent / "connectors" / "hr.toml"
    assert error.where.line == line
    if key is not None:
        assert error.where.key == key
    assert words in error.problem


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb =\n", 2, "column"),
        ("a = 1\n\n[scim\n", 3, "column"),
        ("a = 1\na = 2\n", 2, "column"),
        ("a = yes\n", 1, "texts stand in quotes"),
        ("x = 1\ny = '''\n\n", 2, "end"),
    ],
)
def test_toml_errors_tell_the_line(write: Write, text: str, line: int, words: str) -> None:
    error = refused(write(text))
    assert error.problem.startswith("not valid TOML: ")
    assert (error.where.line, words in error.problem) == (line, True), str(error)


def test_a_file_that_is_not_text_names_the_line(write: Write) -> None:
    path = write()
    path.write_bytes(b"# fine\n# \xff\n")
    error = refused(path)
    assert (error.where.line, "UTF-8" in error.problem) == (2, True)


def test_a_byte_order_mark_is_tolerated(write: Write) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf[scim]\nthreads = 9\n")
    assert load(path).host.scim.threads == 9


def test_names_that_differ_in_case_only_are_one(write: Write) -> None:
    error = refused(write(HR=CONNECTOR, hr=CONNECTOR))
    assert "there is already a connector HR" in error.problem


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 65, "a$", "a%2f"])
def test_file_names_that_cannot_be_in_a_url_are_refused(write: Write, name: str) -> None:
    assert "rename the file" in refused(write(**{name: CONNECTOR})).problem


def test_a_connectors_folder_that_was_named_must_exist(write: Write) -> None:
    error = refused(write('connectors_dir = "conectors"\n'))
    assert error.where.key == "connectors_dir"


def test_problems_are_all_told_in_order(write: Write) -> None:
    path = write("[scim]\nthreads = 1\nworkers = 0\nlisten = 'x'\n", a="type = 1\nzz = 1\n", b="nope")
    found = [(error.where.file.name if error.where.file else "", error.where.line) for error in problems(path)]
    assert found == [("isthmus.toml", 2), ("isthmus.toml", 3), ("isthmus.toml", 4)]
    path = write("", a="type = 1\nzz = 1\n", b="nope")
    found = [(error.where.file.name if error.where.file else "", error.where.line) for error in problems(path)]
    assert found == [("a.toml", 1), ("a.toml", 2), ("b.toml", 1)]


def test_one_connector_by_itself(write: Write) -> None:
    path = write(hr=CONNECTOR)
    assert load_connector(path.parent / "connectors" / "hr.toml").timeout == 20
    with pytest.raises(ConfigError, match="does not exist"):
        load_connector(path.parent / "connectors" / "other.toml")


def test_where_the_configuration_is_looked_for(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert find_configuration(path.parent) == path
    monkeypatch.chdir(path.parent)
    assert find_configuration() == path
    monkeypatch.setenv("ISTHMUS_CONFIG", str(empty / "other.toml"))
    assert find_configuration() == empty / "other.toml"
    assert find_configuration(path) == path
    monkeypatch.delenv("ISTHMUS_CONFIG")
    monkeypatch.chdir(empty)
    if not Path("/etc/isthmus/isthmus.toml").exists():
        with pytest.raises(ConfigError, match="isthmus init"):
            find_configuration()


def test_keys_are_shown_as_toml_writes_them() -> None:
    assert dotted(("a", 0, "b c", 'd"e', "f\ng")) == r'a[0]."b c"."d\"e"."f\ng"'
