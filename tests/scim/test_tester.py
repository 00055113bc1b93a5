"""scim2-tester, an independent conformance suite, against whole connectors in this process: nothing may fail.

Nothing it finds is excepted. Faults of the suite (0.5.2) are mended here, and only here:
* it fills dateTime and decimal attributes with the text of a UUID;
* it expects back exactly what it sent, although the provider fills read-only parts such as `display` of a reference
  (RFC 7643 8.7.1), and its own models write `schemas` into extensions that are sent and not into those received:
  read-only and write-only parts are left out on both sides, and all the rest is compared;
* it expects of `add` to a list that nothing was there before, having added to the same list just before: what may be
  there besides is exactly what it had added itself;
* it compares the base64 text of binary values with the bytes that it decodes from the answer;
* it removes extensions as a whole although attributes in them are required, which RFC 7644 3.5.2.2 wants refused: it
  gets to remove those that have none, and that the others are refused so is looked at beside it;
* it cannot know that `own_names = "escaped"`, the default, shows one attribute of the target under two names, which no
  schema can say, and sends different values for them in one resource: it is made to send the one that a flow shows;
* its paths cannot name `-dn-` (Microsoft's name; in RFC 7643 2.1 names begin with a letter), so it is not told of it.
"""

from __future__ import annotations

import json
import random
import sqlite3
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
from scim2_models import Mutability, Required
from scim2_models import Path as ScimPath
from scim2_tester import Status, check_server, filling
from scim2_tester.checkers import patch_add, patch_remove, patch_replace, resource_put

from connectors.servers.fixtures import directory_389, plain_slapd, slapd
from directories import CONFIGURATIONS, Configuration, directory_host
from harness import (
    CORE,
    MEMORY_ATTRIBUTES,
    OWN,
    OWN_GROUP,
    Bench,
    bench,
    folder_in_memory,
    memory_document,
    memory_target,
)
from isthmus.demo.full.database import FullDatabase
from isthmus.demo.full.document import document
from isthmus.demo.full.filling import fill
from isthmus.demo.people import generate

__all__ = ["directory_389", "plain_slapd", "slapd"]

SHORT_LEFT_OUT = tuple(name for name in MEMORY_ATTRIBUTES if name != "costCentre")
"""No schema of SCIM can say that a text has 16 characters at most, so the suite sends longer ones."""

GUARD = "\n[guard]\nprovider_objects = 100000\n"

ALIASES = {
    OWN: {
        "login": "userName",
        "givenName": "name.givenName",
        "familyName": "name.familyName",
        "displayName": "displayName",
        "mail": "emails.value",
        "active": "active",
        "export_password": "password",
    },
    OWN_GROUP: {"name": "displayName"},
}
"""Own names of the in-memory target's attributes that flows show as well."""

NOT_BOTH_WAYS = (Mutability.read_only, Mutability.write_only)

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

    filled = filling.fill_with_random_values

    def fill(context: Any, obj: Any, *rest: Any, **more: Any) -> Any:
        return _said_once(filled(context, obj, *rest, **more))

    parametrized = patch_remove.parametrize

    def removable(generic: Any, model: Any) -> Any:
        made = parametrized(generic, model)
        return _Removable(made) if generic is ScimPath else made

    monkeypatch.setattr(patch_remove, "parametrize", removable)
    monkeypatch.setattr(filling, "get_random_example_value", example)
    monkeypatch.setattr(filling, "fill_with_random_values", fill)
    monkeypatch.setattr(resource_put, "fill_with_random_values", fill)
    monkeypatch.setattr(patch_add, "fields_equality", Added())
    monkeypatch.setattr(patch_replace, "fields_equality", _equal)


class _Removable:
    """The paths of a model without those of extensions that have required attributes."""

    def __init__(self, paths: Any) -> None:
        self._paths = paths

    def iter_paths(self, **chosen: Any) -> Iterator[Any]:
        for path in self._paths.iter_paths(**chosen):
            extension = path.model if path.resolve() is None else None
            if extension is None or not any(
                extension.get_field_annotation(name, Required) is Required.true for name in extension.model_fields
            ):
                yield path


def _said_once(made: Any) -> Any:
    """Give an own name the value that a flow has for the same attribute, where a resource says both."""
    for urn, model in getattr(type(made), "get_extension_models", dict)().items():
        known = {_folded(name) for name in model.model_fields}
        for name, path in ALIASES.get(urn, {}).items():
            if _folded(name) in known and ScimPath(f"{urn}:{name}").get(made) is not None:
                value = ScimPath(path).get(made)
                if value is not None:
                    ScimPath(f"{urn}:{name}").set(made, value[0] if isinstance(value, list) else value)
    return made


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _equal(expected: Any, actual: Any) -> bool:
    return bool(_plain(expected) == _plain(actual))


class Added:
    """Compare what was added with what is there; lists may hold, besides, what the suite had added before."""

    def __init__(self) -> None:
        self._earlier: list[Any] = []

    def __call__(self, expected: Any, actual: Any) -> bool:
        sent, found = _plain(expected), _plain(actual)
        fits = self._fits(sent, found)
        self._remember(sent)
        return fits

    def _fits(self, sent: Any, found: Any) -> bool:
        if isinstance(sent, list) and isinstance(found, list):
            return all(each in found for each in sent) and all(each in sent or each in self._earlier for each in found)
        if isinstance(sent, dict) and isinstance(found, dict):
            return sent.keys() == found.keys() and all(self._fits(part, found[name]) for name, part in sent.items())
        return bool(sent == found)

    def _remember(self, sent: Any) -> None:
        if isinstance(sent, list):
            self._earlier += sent
        elif isinstance(sent, dict):
            for part in sent.values():
                self._remember(part)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, BaseModel):
        kept = [name for name in type(value).model_fields if _mutability(value, name) not in NOT_BOTH_WAYS]
        told = {name: _plain(getattr(value, name)) for name in kept}
        return {name: part for name, part in told.items() if part is not None and name not in {"schemas", "meta"}}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _mutability(value: BaseModel, name: str) -> Mutability | None:
    annotation = getattr(type(value), "get_field_annotation", None)
    return None if annotation is None else annotation(name, Mutability)


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory("isthmus-tester-") as made:
        yield made


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


@pytest.mark.parametrize("own_names", ["unmapped", "escaped"])
def test_the_in_memory_connector(folder: Path, own_names: str) -> None:
    with memory_target() as (name, _):
        written = memory_document(name, attributes=SHORT_LEFT_OUT, guard="provider_objects = 100000").replace(
            "[[resource_types]]\n", f'[[resource_types]]\nown_names = "{own_names}"\n'
        )
        with bench(folder / "host", {"app": written}) as served:
            assert failures(served, "app", "User", "Group") == []


def test_what_is_required_cannot_be_removed(folder: Path) -> None:
    """What the suite is kept from asking: an extension with required attributes; and `active`, which has two states."""
    with memory_target() as (name, target), bench(folder / "host", {"app": memory_document(name)}) as served:
        client = served.client("app")
        ident = client.created("anna", active=False, emails=[{"type": "work", "value": "anna@x.org"}])
        group = client.created("team", "/Groups")
        before = client.user(ident)
        for path in (OWN, "active", "userName", f"{OWN}:login"):
            client.patch(ident, {"op": "remove", "path": path}).refused(400, "mutability")
        client.patch(group, {"op": "remove", "path": OWN_GROUP}, path="/Groups").refused(400, "mutability")
        assert client.user(ident) == before
        [user] = [each for each in client.get("/Schemas").resources if each["id"] == CORE]
        stated = {each["name"]: each["required"] for each in user["attributes"]}
        assert (stated["active"], stated["userName"], stated["displayName"]) == (True, True, False)
        assert target.get("user", ("anna",))["active"] == (False,)  # type: ignore[index]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
def test_a_directory(folder: Path, configuration: Configuration, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("ldap", reason="python-ldap is not installed")
    server = request.getfixturevalue(configuration.server)
    server.remove_all()
    with directory_host(folder, server, settings=configuration.settings, own_names="unmapped") as served:
        assert failures(served, "people", "User", "Group") == []
