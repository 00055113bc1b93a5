"""The whole host in this process: configuration, store, engine and the real WSGI application, without a socket.

Requests are given literally: method, path with raw query string, and the bytes of the body.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from isthmus.config.loading import load
from isthmus.config.starting import initialise
from isthmus.connectors.memory import MemoryTarget
from isthmus.engine import operations, scheduling
from isthmus.engine.endpoint import Endpoint
from isthmus.engine.host import Host
from isthmus.store.records import AuditRecord, Entry, Run
from isthmus.web.scim import scim_application

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OWN = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User"
OWN_GROUP = "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

SQL_TABLE = """CREATE TABLE people (
    login varchar(200) NOT NULL PRIMARY KEY, first varchar(80), last varchar(80), display varchar(160),
    mail varchar(200) UNIQUE, phone varchar(40), mobile varchar(40), title varchar(80), department varchar(80),
    staff_number varchar(20), street varchar(80), city varchar(80), role varchar(400), vip varchar(40),
    boss varchar(200) REFERENCES people(login) ON UPDATE CASCADE, disabled boolean NOT NULL DEFAULT 0)"""

SQL_ATTRIBUTES = (
    "login", "first", "last", "display", "mail", "phone", "mobile", "title", "department", "staff_number", "street",
    "city", "role", "vip", "boss", "disabled",
)  # fmt: skip

SQL_FLOWS = {
    "userName": "login",
    "name.givenName": "first",
    "name.familyName": "last",
    "displayName": "display",
    "title": "title",
    'emails[type eq "work"].value': "mail",
    'phoneNumbers[type eq "work"].value': "phone",
    'phoneNumbers[type eq "mobile"].value': "mobile",
    'addresses[type eq "work"].streetAddress': "street",
    'addresses[type eq "work"].locality': "city",
    "roles[primary eq true].value": "role",
    f"{ENTERPRISE}:department": "department",
    f"{ENTERPRISE}:employeeNumber": "staff_number",
    f"{ENTERPRISE}:manager": "boss",
}

MEMORY_ATTRIBUTES = (
    "login", "displayName", "givenName", "familyName", "mail", "costCentre", "employeeNumber", "salary", "active",
    "hiredAt", "phones", "rooms", "manager", "pin",
)  # fmt: skip

MEMORY_FLOWS = {
    "userName": "login",
    "name.givenName": "givenName",
    "name.familyName": "familyName",
    "displayName": "displayName",
    "title": "costCentre",
    'emails[type eq "work"].value': "mail",
    "active": "active",
    f"{ENTERPRISE}:manager": "manager",
}

GROUP_TYPE = """
[[resource_types]]
object_type = "group"
name = "Group"
endpoint = "Groups"
attributes = ["name", "displayName", "members"]
matching = ["name"]
delete = { action = "delete" }
[resource_types.flows]
"displayName" = { attribute = "name" }
"members" = { attribute = "members" }
"""

SET_INACTIVE = '{ action = "set", values = { active = false }, restore = { active = true } }'


_ROOM = 1 << 30
"""Bytes that have to be free in memory: containers often have 64 MB there, which a store and its log soon fill."""


@contextmanager
def folder_in_memory(prefix: str) -> Iterator[Path]:
    """Lend a new folder, in memory where there is such a place with room enough: no write waits for a disk there."""
    memory = Path("/dev/shm")
    fits = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    with tempfile.TemporaryDirectory(dir=memory if fits else None, prefix=prefix) as made:
        yield Path(made)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def id(self) -> str:
        return str(self.json["id"])

    @property
    def resources(self) -> list[Any]:
        assert self.status == 200, self
        found = self.json
        assert isinstance(found["Resources"], list)
        return found["Resources"]

    @property
    def total(self) -> int:
        assert self.status == 200, self
        return int(self.json["totalResults"])

    def refused(self, status: int, scim_type: str | None = None) -> str:
        """Check that this is a SCIM error of that kind, and return its detail."""
        assert self.status == status, self
        body = self.json
        assert body["schemas"] == [ERROR], body
        assert body["status"] == str(status), body
        assert body.get("scimType") == scim_type, body
        if status == 503:
            assert int(self.headers["Retry-After"]) >= 1
        return str(body["detail"])


def sql_document(path: Path, *, disable: str | None = None, delete: str | None = None, extra: str = "") -> str:
    """Return the document of a connector to the table of `SQL_TABLE`."""
    disable = disable or "{ action = 'set', values = { disabled = true } }"
    delete = delete or '{ action = "delete" }'
    return f"""type = "sql"
timeout = 6
{extra}
[settings]
url = "sqlite:///{path}"
statement_timeout = 4
lock_timeout = 2
[[settings.object_types]]
name = "people"
[[settings.object_types.reference_columns]]
column = "boss"
object_type = "people"
[[resource_types]]
object_type = "people"
attributes = {json.dumps(SQL_ATTRIBUTES)}
matching = ["login", "mail"]
disable = {disable}
delete = {delete}
[resource_types.flows]
{flows(SQL_FLOWS)}
"""


def memory_document(
    target: str,
    *,
    type: str = "memory",
    disable: str = SET_INACTIVE,
    delete: str = '{ action = "delete" }',
    groups: bool = True,
    attributes: tuple[str, ...] = MEMORY_ATTRIBUTES,
    more_flows: Mapping[str, str] | None = None,
    matching: str = '["login", "mail"]',
    extra: str = "",
    guard: str = "",
    timeout: float = 5,
) -> str:
    """Return the document of a connector to an in-memory target."""
    used = {path: name for path, name in {**MEMORY_FLOWS, **(more_flows or {})}.items() if name in attributes}
    return f"""type = "{type}"
timeout = {timeout}
{extra}
[settings]
name = "{target}"
[[resource_types]]
object_type = "user"
attributes = {json.dumps(attributes)}
matching = {matching}
{f"disable = {disable}" if disable else ""}
{f"delete = {delete}" if delete else ""}
[resource_types.flows]
{flows(used)}
{GROUP_TYPE if groups else ""}
[guard]
{guard}
"""


def flows(paths: Mapping[str, str]) -> str:
    return "\n".join(f"{json.dumps(path)} = {{ attribute = {json.dumps(name)} }}" for path, name in paths.items())


class SqlPeople:
    """The table behind the connector's back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run(SQL_TABLE)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def row(self, login: str) -> dict[str, Any] | None:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute("SELECT * FROM people WHERE login = ?", (login,)).fetchone()
        return None if found is None else dict(found)

    def count(self) -> int:
        return int(self.run("SELECT count(*) FROM people")[0][0])


@dataclass
class Bench:
    """One configuration with its host and application. Open as many on one folder as there shall be processes."""

    folder: Path
    host: Host = field(init=False)
    threads: int = 64
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open()

    @property
    def configuration_file(self) -> Path:
        return self.folder / "isthmus.toml"

    def open(self) -> None:
        self.host = Host.open(load(self.configuration_file), threads=self.threads)
        self.application = scim_application(self.host)

    def close(self) -> None:
        self.host.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def reconfigure(self, name: str, document: str) -> None:
        """Write another document for a connector and take it over as the running host does."""
        (self.folder / "connectors" / f"{name}.toml").write_text(document)
        self.host.reload(load(self.configuration_file))

    def token(self, connector: str) -> str:
        if connector not in self.tokens:
            _, secret = self.host.tokens.create(connector, name="provider")
            self.tokens[connector] = secret.reveal()
        return self.tokens[connector]

    def endpoint(self, connector: str) -> Endpoint:
        found = self.host.endpoint(connector)
        assert found is not None
        return found

    def request(
        self,
        connector: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {token or self.token(connector)}", **(headers or {})}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/scim+json")
        return self.literally(method, f"/ecma2host_{connector}/scim{path}", data, sent)

    def literally(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request as it would come from the wire and return the answer."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8585",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "HTTP_HOST": "scim.example.com",
        }
        if body or method in {"POST", "PUT", "PATCH"}:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
        answer: list[Any] = []

        def start_response(status: str, sent: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
            answer[:] = int(status[:3]), dict(sent)
            return lambda data: None

        raw = b"".join(self.application(environ, start_response))
        return Answer(answer[0], answer[1], raw)

    def client(self, connector: str) -> Client:
        return Client(self, connector)

    # -- what stands behind

    def run_import(self, connector: str, kind: str = "full") -> Run:
        """Carry out an import in this process."""
        [requested] = scheduling.request_import(self.host, connector, kind=kind, requested_by="test")
        done = scheduling.execute_next(self.host)
        assert done is not None
        assert done.id == requested.id
        return done

    def imported(self, connector: str, kind: str = "full") -> Run:
        done = self.run_import(connector, kind)
        assert done.state == "done", done
        return done

    def audit(self, **wanted: Any) -> list[AuditRecord]:
        """Return audit records, oldest first."""
        return [record for _, record in self.host.store.audit.query(**wanted)][::-1]

    def unfinished(self) -> list[Entry]:
        return operations.journal_list(self.host)

    def stored_bytes(self) -> bytes:
        """Return everything that is on disk of the store."""
        state = self.host.configuration.state_dir
        return b"".join(file.read_bytes() for file in sorted(state.rglob("*")) if file.is_file())


@dataclass
class Client:
    """A client of one connector."""

    bench: Bench
    connector: str

    def __call__(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.bench.request(self.connector, method, path, body, headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self("GET", path, None, headers)

    def post(self, body: Any, path: str = "/Users") -> Answer:
        return self("POST", path, body)

    def created(self, name: str, /, path: str = "/Users", **more: Any) -> str:
        """Create a user, or with `path` another resource, and return its id."""
        answer = self.post({"userName": name, **more} if path == "/Users" else {"displayName": name, **more}, path)
        assert answer.status == 201, answer
        return answer.id

    def patch(
        self, id: str, *operations: Any, headers: Mapping[str, str] | None = None, path: str = "/Users"
    ) -> Answer:
        return self("PATCH", f"{path}/{id}", {"schemas": [PATCH_OP], "Operations": list(operations)}, headers)

    def put(self, id: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return self("PUT", f"/Users/{id}", body, headers)

    def delete(self, id: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self("DELETE", f"/Users/{id}", None, headers)

    def user(self, id: str) -> Any:
        answer = self.get(f"/Users/{id}")
        assert answer.status == 200, answer
        return answer.json

    def find(self, filter: str) -> list[Any]:
        return self.get(f"/Users?filter={quoted(filter)}").resources

    def named(self, name: str) -> list[Any]:
        return self.find(f'userName eq "{name}"')


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def new_folder(folder: Path, connectors: Mapping[str, str], *, host: str = "") -> Path:
    """Make a configuration with these connectors and return its folder."""
    initialise(folder / "isthmus", key_file=folder / "key")
    if host:
        (folder / "isthmus" / "isthmus.toml").write_text(host)
    for name, document in connectors.items():
        (folder / "isthmus" / "connectors" / f"{name}.toml").write_text(document)
    return folder / "isthmus"


@contextmanager
def memory_target() -> Iterator[tuple[str, MemoryTarget]]:
    """Lend an in-memory target of its own and the name by which connectors reach it."""
    name = uuid.uuid4().hex
    try:
        yield name, MemoryTarget.named(name)
    finally:
        MemoryTarget.forget(name)


@contextmanager
def bench(folder: Path, connectors: Mapping[str, str], *, host: str = "", threads: int = 64) -> Iterator[Bench]:
    os.environ.pop("ISTHMUS_KEY_FILE", None)
    opened = Bench(new_folder(folder, connectors, host=host), threads=threads)
    try:
        yield opened
    finally:
        opened.close()


def at_once(*actions: Callable[[], Any], timeout: float = 60) -> list[Any]:
    """Run each action in a thread of its own, all beginning together; return results or exceptions in order."""
    barrier = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)

    def run(index: int, action: Callable[[], Any]) -> None:
        barrier.wait(timeout)
        try:
            results[index] = action()
        except BaseException as exc:
            results[index] = exc

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), "an action did not end"
    return results


@contextmanager
def meanwhile(action: Callable[[], Any], timeout: float = 60) -> Iterator[list[Any]]:
    """Run an action in a thread while the body runs; its result is in the list after the body."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(action())
        except BaseException as exc:
            result.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield result
    thread.join(timeout)
    assert not thread.is_alive(), "the action did not end"


def until(condition: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait until a condition holds and return its value; the time is for a machine that has much else to do."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
