from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configurations import Write, refused
from isthmus.config.documents import ConnectorDocument, HostDocument
from isthmus.config.listening import ListenAddress, network_problem, parse_listen
from isthmus.config.loading import load, load_connector
from isthmus.config.names import connector_name_problem
from isthmus.config.rules import CONNECTOR_RANGES, HOST_RANGES


def numbers(kind: Any, prefix: str = "") -> set[str]:
    found = set()
    for field in msgspec.structs.fields(kind):
        if field.type in (int, float):
            found.add(prefix + field.name)
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= numbers(field.type, f"{prefix}{field.name}.")
    return found


@pytest.mark.parametrize(("kind", "ranges"), [(HostDocument, HOST_RANGES), (ConnectorDocument, CONNECTOR_RANGES)])
def test_every_number_has_a_range_that_holds_its_default(kind: Any, ranges: dict[str, tuple[float, float]]) -> None:
    assert set(ranges) == numbers(kind)
    document = kind() if kind is HostDocument else kind(type="memory")
    for key, (least, greatest) in ranges.items():
        value = document
        for part in key.split("."):
            value = getattr(value, part)
        assert least <= value <= greatest, key
        assert math.isfinite(least + greatest)


@pytest.mark.parametrize("key", sorted(HOST_RANGES))
@pytest.mark.parametrize("side", [0, 1])
def test_numbers_of_the_host_out_of_range(write: Write, key: str, side: int) -> None:
    bound = HOST_RANGES[key][side]
    wrong = int(bound - 1 if side == 0 else bound + 1)
    error = refused(write(f"{key} = {wrong}\n"))
    assert error.where.key == key
    assert "must be between" in error.problem


@pytest.mark.parametrize("key", sorted(CONNECTOR_RANGES))
@pytest.mark.parametrize("side", [0, 1])
def test_numbers_of_a_connector_out_of_range(write: Write, key: str, side: int) -> None:
    bound = CONNECTOR_RANGES[key][side]
    wrong = int(bound - 1 if side == 0 else bound + 1)
    error = refused(write("", hr=f'type = "memory"\n{key} = {wrong}\n'))
    assert error.where.key == key
    assert "must be between" in error.problem


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("scim.default_count = 2000", "scim.default_count", "scim.max_count"),
        ("scim.body_timeout = 30", "scim.body_timeout", "less than scim.request_timeout"),
        ("scim.stop_timeout = 20", "scim.stop_timeout", "at least scim.request_timeout"),
        ("audit.values_days = 401", "audit.values_days", "audit.retention_days"),
        ('scim.allow_from = ["10.0.0.1/8"]', "scim.allow_from[0]", 'write "10.0.0.0/8"'),
        ('scim.trusted_proxies = ["::/0", "proxy"]', "scim.trusted_proxies[1]", "not a network"),
        ('scim = { listen = "0.0.0.0:80", tls = { enabled = false } }', "scim.listen", "plain HTTP"),
        ('operations.listen = "10.0.0.1:80"', "operations.listen", "plain HTTP"),
        ('console.listen = "example.com:80"', "console.listen", "plain HTTP"),
        ('console.listen = "127.0.0.1:8585"', "console.listen", "already the address of scim.listen"),
        ('scim.tls.certificate = "x.crt"', "scim.tls.certificate", "scim.tls.key is missing"),
        ('scim.tls.key = "x.key"', "scim.tls.key", "scim.tls.certificate is missing"),
        ('scim.tls = { enabled = false, client_ca = "c.crt" }', "scim.tls.client_ca", "needs TLS"),
        ('state_dir = "."', "state_dir", "a folder of its own"),
        ('state_dir = " "', "state_dir", "the name of a folder"),
        ('state_dir = "tls/"', "tls_dir", "already the folder of state_dir"),
        ('public_url = "http://scim.example.com"', "public_url", "https"),
        ('public_url = "https://u:p@scim.example.com"', "public_url", "only scheme"),
        ('public_url = "https://scim.example.com/?x"', "public_url", "only scheme"),
        ('public_url = "scim.example.com"', "public_url", "not a URL"),
    ],
)
def test_values_that_do_not_fit_one_another(write: Write, text: str, key: str, words: str) -> None:
    error = refused(write(text + "\n"))
    assert (error.where.key, words in error.problem) == (key, True), str(error)


@pytest.mark.parametrize(
    "text",
    [
        'scim = { listen = "unix:/run/isthmus/scim.sock", tls = { enabled = false } }',
        'scim = { listen = "[::1]:8585", tls = { enabled = false } }',
        'scim.listen = "0.0.0.0:443"\nscim.allow_from = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]',
        'public_url = "https://scim.example.com:8443/prefix"',
        'public_url = "http://localhost:8585"',
        'operations.listen = "localhost:8587"',
        'state_dir = "/var/lib/isthmus"',
    ],
)
def test_values_that_are_fine(write: Write, text: str) -> None:
    load(write(text + "\n"))


ROW = '[[resource_types]]\nobject_type = "{0}"\nname = "{1}"\nendpoint = "{2}"\nattributes = ["id"]\n'


@pytest.mark.parametrize(
    ("rows", "key", "words"),
    [
        ([("a", "User", "Users"), ("b", "Person", "users")], "resource_types[1].endpoint", "already used"),
        ([("a", "User", "Users"), ("b", "USER", "People")], "resource_types[1].name", "already used"),
        ([("a", "User", "Users"), ("a", "Person", "People")], "resource_types[1].object_type", "already used"),
        ([("a", "User", "Schemas")], "resource_types[0].endpoint", "meaning of its own"),
        ([("a", "User", "Users/x")], "resource_types[0].endpoint", "must be letters"),
        ([("a", "1", "Users")], "resource_types[0].name", "must be letters"),
        ([("", "User", "Users")], "resource_types[0].object_type", "must name an object type"),
    ],
)
def test_resource_types(write: Write, rows: list[tuple[str, str, str]], key: str, words: str) -> None:
    error = refused(write("", hr='type = "memory"\n' + "".join(ROW.format(*row) for row in rows)))
    assert (error.where.key, words in error.problem) == (key, True), str(error)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('delete = { action = "set" }', "delete.action"),
        ('disable = { action = "set" }', "disable.action"),
        ('delete = { action = "delete", values = { x = 1 } }', "delete.values"),
        ('disable = { action = "nothing", restore = { x = 1 } }', "disable.restore"),
    ],
)
def test_deprovisioning_that_contradicts_itself(write: Write, text: str, key: str) -> None:
    error = refused(write("", hr=f'type = "memory"\n{ROW.format("a", "User", "Users")}{text}\n'))
    assert error.where.key == f"resource_types[0].{key}"


def test_disabling_through_the_flow_of_active_needs_no_values(write: Write) -> None:
    text = f'type = "memory"\n{ROW.format("a", "User", "Users")}disable.action = "set"\nflows.active.attribute = "id"\n'
    assert "hr" in load(write("", hr=text)).connectors


def test_a_longer_request_allows_a_longer_call(write: Write) -> None:
    text = 'type = "memory"\ntimeout = 50\n'
    path = write("scim.request_timeout = 60\nscim.stop_timeout = 60\n", hr=text)
    host = load(path).host
    assert load_connector(path.parent / "connectors" / "hr.toml", host).timeout == 50


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8585", ListenAddress("127.0.0.1", 8585)),
        ("[2001:db8::1]:443", ListenAddress("2001:db8::1", 443)),
        ("scim.example.com:443", ListenAddress("scim.example.com", 443)),
        ("unix:/run/x.sock", ListenAddress(path="/run/x.sock")),
    ],
)
def test_listen_addresses(text: str, address: ListenAddress) -> None:
    assert parse_listen(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8585",
        ":8585",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:+80",
        "256.1.1.1:80",
        "::1:80",
        "[::g]:80",
        "a b:80",
        "https://x:80",
        "unix:x",
        "unix:/",
        "unix:/" + "x" * 107,
        "unix:/a\nb",
        "-a:80",
    ],
)
def test_what_is_no_listen_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_listen(text)


def test_which_addresses_are_local() -> None:
    local = {text for text in ("127.9.9.9:1", "[::1]:1", "LOCALHOST:1", "unix:/x") if parse_listen(text).local}
    assert len(local) == 4
    assert not any(parse_listen(text).local for text in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost.example:1"))


def test_networks() -> None:
    assert [network_problem(text) for text in ("10.0.0.0/8", "::/0", "192.0.2.1", "2001:db8::/32")] == [None] * 4
    assert all(network_problem(text) for text in ("10.0.0.1/8", "", "10.0.0.0/33", "example.com", "10.0.0.0-10.0.0.9"))


def test_names_of_connectors() -> None:
    assert [connector_name_problem(name) for name in ("hr", "HR-2.prod_x", "a" * 64, "-", "a..b")] == [None] * 5
    assert all(connector_name_problem(name) for name in ("", ".hr", "..", "a" * 65, "a/b", "a\\b", "ä", "a b", "a\n"))


def test_paths_are_relative_to_the_file(write: Write) -> None:
    configuration = load(write('state_dir = "/var/lib/isthmus"\nsecrets_dir = "private"\n'))
    assert configuration.state_dir == Path("/var/lib/isthmus")
    assert configuration.secrets_dir == configuration.folder / "private"
