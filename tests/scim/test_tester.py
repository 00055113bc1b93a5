"""scim2-tester, an independent conformance suite, against whole connectors in this process: nothing may fail.

Faults of the suite (0.5.2) are mended here, and only here:
* it fills dateTime and decimal attributes with the text of a UUID;
* it expects back exactly what it sent, although the provider fills read-only parts such as `display` of a reference
  (RFC 7643 8.7.1), and its own models write `schemas` into extensions that are sent and not into those received;
* it expects of `add` to a list that nothing was there before, having added to the same list just before;
* it expects write-only attributes back if they are sent within a whole extension;
* it compares the base64 text of binary values with the bytes that it decodes from the answer;
* its paths cannot name `-dn-` (Microsoft's name; in RFC 7643 2.1 names begin with a letter), so it is not told of it;
* it removes `active`, which has two states and no third: see `REFUSED`.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import Mutability
from scim2_tester import Status, check_server, filling
from scim2_tester.checkers import patch_add, patch_replace

from connectors.servers.fixtures import directory_389, plain_slapd, slapd
from directories import CONFIGURATIONS, Configuration, directory_host
from harness import MEMORY_ATTRIBUTES, Bench, bench, memory_document, memory_target
from isthmus.demo.full.database import FullDatabase
from isthmus.demo.full.document import document
from isthmus.demo.full.filling import fill
from isthmus.demo.people import generate

__all__ = ["directory_389", "plain_slapd", "slapd"]

SHORT_LEFT_OUT = tuple(name for name in MEMORY_ATTRIBUTES if name != "costCentre")
"""No schema of SCIM can say that a text has 16 characters at most, so the suite sends longer ones."""

GUARD = "\n[guard]\nprovider_objects = 100000\n"

REFUSED = ("active cannot be removed; set it to true or false",)
"""Who may log in is never left open, so the one PATCH that would do so is 400, `mutability`."""

EVERY_TYPE = """
CREATE TABLE thing (key TEXT PRIMARY KEY, text TEXT, whole INTEGER, amount NUMERIC(12,2), flag BOOLEAN,
  moment TIMESTAMP, bytes BLOB, other TEXT REFERENCES thing (key));
CREATE TABLE thing_text (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v TEXT NOT NULL);
CREATE TABLE thing_whole (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v INTEGER NOT NULL);
CREATE TABLE thing_amount (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v NUMERIC(12,2) NOT NULL);
CREATE TABLE thing_flag (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v BOOLEAN NOT NULL);
CREATE TABLE thing_moment (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v TIMESTAMP NOT NULL);
CREATE TABLE thing_bytes (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key), v BLOB NOT NULL);
CREATE TABLE thing_other (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key),
  v TEXT NOT NULL REFERENCES thing (key));
CREATE TABLE thing_parts (id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES thing (key),
  a TEXT, b INTEGER, c NUMERIC(12,2), d BOOLEAN, e TIMESTAMP, f BLOB);
"""
KINDS = ("text", "whole", "amount", "flag", "moment", "bytes", "other")


@pytest.fixture(autouse=True)
def mended(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Mend the suite's own faults for the time of a test."""
    zoneless = "in_memory" not in request.node.name  # SQLite's columns keep no zone
    examples = filling.get_random_example_value

    def example(path: Any) -> Any:
        found = examples(path)
        binding = path.resolve()
        kind = binding.target_type if binding else None
        if found is None and kind is datetime:
            zone = None if zoneless else UTC
            return datetime(2024, 5, random.randint(1, 28), 12, 30, tzinfo=zone)
        if found is None and kind in (Decimal, float):
            return random.randint(1, 10**6) / 4
        return found

    monkeypatch.setattr(filling, "get_random_example_value", example)
    monkeypatch.setattr(patch_add, "fields_equality", _added)
    monkeypatch.setattr(patch_replace, "fields_equality", _equal)


def _equal(expected: Any, actual: Any) -> bool:
    return _fits(_plain(expected), _plain(actual))


def _added(expected: Any, actual: Any) -> bool:
    sent, found = _plain(expected), _plain(actual)
    if isinstance(sent, list) and isinstance(found, list):
        return all(any(_fits(one, other) for other in found) for one in sent)
    return _fits(sent, found)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, BaseModel):
        kept = [name for name in type(value).model_fields if not _write_only(value, name)]
        told = {name: _plain(getattr(value, name)) for name in kept}
        return {name: part for name, part in told.items() if part is not None and name not in {"schemas", "meta"}}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _write_only(value: BaseModel, name: str) -> bool:
    annotation = getattr(type(value), "get_field_annotation", None)
    return annotation is not None and annotation(name, Mutability) is Mutability.write_only


def _fits(sent: Any, found: Any) -> bool:
    """Tell whether all that was sent is there; parts that were not sent are the provider's to fill."""
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(_fits, sent, found))
    if isinstance(sent, dict) and isinstance(found, dict):
        return all(name in found and _fits(part, found[name]) for name, part in sent.items())
    return bool(sent == found)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="isthmus-tester-") as made:
        yield Path(made)


def without_dn(application: Any) -> Any:
    """Return the application without `-dn-`, in schemas and in resources."""

    def answered(environ: dict[str, Any], start_response: Any) -> Any:
        told: list[Any] = []
        body = b"".join(application(environ, lambda *given: told.append(given)))
        status, headers, *_ = told[0]
        if b'"-dn-"' in body:
            body = json.dumps(_without_dn(json.loads(body))).encode()
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        start_response(status, headers)
        return [body]

    return answered


def _without_dn(shown: Any) -> Any:
    if isinstance(shown, list):
        return [_without_dn(each) for each in shown if not (isinstance(each, dict) and each.get("name") == "-dn-")]
    if isinstance(shown, dict):
        only_dn = [name for name, each in shown.items() if isinstance(each, dict) and [*each] == ["-dn-"]]
        return {name: _without_dn(each) for name, each in shown.items() if name not in ("-dn-", *only_dn)}
    return shown


def failures(served: Bench, connector: str, *types: str) -> list[str]:
    """Run the suite and return what failed; that it tested every type is checked."""
    client = WSGISCIMClient(
        without_dn(served.application),
        base_url=f"https://scim.example.com/scim/{connector}",
        environ={"HTTP_AUTHORIZATION": f"Bearer {served.token(connector)}"},
    )
    results = check_server(client)
    assert {each.resource_type for each in results} >= set(types)
    assert sum(each.status == Status.SUCCESS for each in results) > 25 * len(types)
    return [
        f"{each.resource_type} {each.title}: {each.reason}"
        for each in results
        if each.status not in (Status.SUCCESS, Status.ACCEPTABLE, Status.SKIPPED)
        and not any(text in str(each.reason) for text in REFUSED)
    ]


def test_the_full_demo(folder: Path) -> None:
    url = sa.URL.create("sqlite", database=str(folder / "full.db"))
    database = FullDatabase(url)
    database.create(fill(generate(10)), own=True)
    database.close()
    written = document(f'url = "sqlite:///{url.database}"\n', prefix="") + GUARD
    with bench(folder / "host", {"full": written}) as served:
        assert failures(served, "full", "User", "Group", "Device") == []


def test_every_type_of_attribute_single_and_multi_valued(folder: Path) -> None:
    path = folder / "things.db"
    connection = sqlite3.connect(path)
    connection.executescript(EVERY_TYPE)
    connection.close()
    children = "".join(
        f'[[settings.object_types.child_tables]]\nattribute = "{kind}s"\ntable = "thing_{kind}"\n'
        f'owner_columns = ["key"]\ncolumns = ["v"]\norder_column = "id"\n'
        + ('reference_to = "thing"\n' if kind == "other" else "")
        for kind in (*KINDS,)
    )
    parts = '[[settings.object_types.child_tables]]\nattribute = "parts"\ntable = "thing_parts"\norder_column = "id"\n'
    names = ", ".join(f'"{each}"' for each in ("key", *KINDS, *(f"{kind}s" for kind in KINDS), "parts"))
    written = f"""type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "thing"
reference_columns = [{{ column = "other", object_type = "thing" }}]
{children}{parts}
[[resource_types]]
object_type = "thing"
name = "Thing"
endpoint = "Things"
attributes = [{names}]
matching = ["key"]
delete = {{ action = "delete" }}
{GUARD}"""
    with bench(folder / "host", {"things": written}) as served:
        assert failures(served, "things", "Thing") == []


def test_the_in_memory_connector(folder: Path) -> None:
    with memory_target() as (name, _):
        written = memory_document(name, attributes=SHORT_LEFT_OUT, guard="provider_objects = 100000").replace(
            "[[resource_types]]\n", '[[resource_types]]\nown_names = "unmapped"\n'
        )
        with bench(folder / "host", {"app": written}) as served:
            assert failures(served, "app", "User", "Group") == []


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
def test_a_directory(folder: Path, configuration: Configuration, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("ldap", reason="python-ldap is not installed")
    server = request.getfixturevalue(configuration.server)
    server.remove_all()
    with directory_host(folder, server, settings=configuration.settings, own_names="unmapped") as served:
        assert failures(served, "people", "User", "Group") == []
