"""What the fuzzers call: each entry point takes bytes and raises if the host does not take them as it promises.

The promise: an answer or a SCIM error of the client's, never a fault of ours, in bounded time. Everything runs in this
process, through the real WSGI application, over an in-memory target with lists and values made of parts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from harness import ENTERPRISE, OWN, PATCH_OP, Answer, Bench, bench, folder_in_memory, memory_target
from isthmus.scim.errors import ScimError
from isthmus.scim.filter import parse_filter, parse_path

LONGEST = 20_000
"""Bytes of an input: more than the longest filter that is read."""
PREFIX = "isthmus-fuzz-"
CPU_SECONDS = 2.0
"""A thread's CPU time for one input. An ordinary one takes some milliseconds, instrumented some tens."""

DOCUMENT = """type = "memory"
timeout = 5
{extra}
[settings]
name = "{target}"
[[resource_types]]
object_type = "user"
attributes = ["login", "serial", "displayName", "givenName", "mail", "employeeNumber", "salary", "active", "hiredAt",
  "badge", "phones", "rooms", "emails", "addresses", "position", "manager", "pin"]
matching = ["login", "mail"]
disable = {{ action = "set", values = {{ active = false }}, restore = {{ active = true }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
displayName = {{ attribute = "displayName" }}
"name.givenName" = {{ attribute = "givenName" }}
emails = {{ attribute = "emails" }}
phoneNumbers = {{ attribute = "phones" }}
addresses = {{ attribute = "addresses", sub_attributes = {{ streetAddress = "street" }} }}
'photos[type eq "photo"].value' = {{ attribute = "mail" }}
active = {{ attribute = "active" }}
manager = {{ attribute = "manager" }}
"{enterprise}:employeeNumber" = {{ attribute = "employeeNumber" }}
[[resource_types]]
object_type = "group"
name = "Group"
endpoint = "Groups"
attributes = ["name", "displayName", "members"]
matching = ["name"]
delete = {{ action = "delete" }}
[resource_types.flows]
displayName = {{ attribute = "name" }}
members = {{ attribute = "members" }}
[guard]
provider_objects = 100000000
"""

QUIET = """[log]
level = "error"
"""

PERSON: dict[str, Any] = {
    "userName": "jo",
    "displayName": "Jo Smith",
    "name": {"givenName": "Jo"},
    "active": True,
    "emails": [{"value": "w@x.org", "type": "work", "primary": True}, {"value": "h@x.org", "type": "home"}],
    "phoneNumbers": [{"value": "1"}, {"value": "2"}],
    "addresses": [{"type": "work", "streetAddress": "Main 1", "locality": "Ulm", "country": "DE"}],
    ENTERPRISE: {"employeeNumber": "7"},
    OWN: {
        "mail": "jo@x.org",
        "salary": 10.5,
        "hiredAt": "2024-02-29T12:00:00+02:00",
        "badge": "AAEC",
        "rooms": [1, 2],
        "position": {"title": "Chief", "grade": 3, "since": "2020-01-01T00:00:00Z", "acting": False},
    },
}


class Broken(AssertionError):
    """The host did not do as it promises."""


class Host:
    """One host for all inputs of a process, tolerant and strict connectors side by side."""

    def __init__(self, served: Bench) -> None:
        self.served = served
        self.ids = {name: self._begin(name) for name in ("app", "strict")}

    def _begin(self, connector: str) -> tuple[str, str]:
        client = self.served.client(connector)
        person = client.post(PERSON)
        assert person.status == 201, person
        return person.id, client.created("crew", "/Groups", members=[{"value": person.id}])

    def ask(self, connector: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request; a fault of ours is raised."""
        answer = self.served.request(connector, method, path, body)
        if answer.status >= 500 and answer.status != 501:
            raise Broken(f"{method} {path} was answered with {answer.status}: {answer.raw[:500]!r}")
        if answer.raw:
            json.loads(answer.raw)
        return answer

    def filter(self, data: bytes) -> None:
        """Filter a list, both kinds of resources and both ways of being strict."""
        if data:
            connector = ("app", "strict")[data[0] & 1]
            path = ("/Users", "/Groups", "/")[(data[0] >> 1) % 3]
            self.ask(connector, "GET", f"{path}?filter={quote_from_bytes(data[1:], safe='')}")

    def path(self, data: bytes) -> None:
        """Use a text as the path of each operation on a person or a group, as key without a path, and to sort."""
        if not data:
            return
        text = data[1:].decode("utf-8", "replace")
        for parse in (parse_filter, parse_path):
            try:
                parse(text)
            except ScimError:
                continue
        connector = ("app", "strict")[data[0] & 1]
        value = VALUES[data[0] >> 2 & 15]
        operation: dict[str, Any]
        match data[0] >> 6:
            case 0:
                operation = {"op": "add", "path": text, "value": value}
            case 1:
                operation = {"op": "replace", "path": text, "value": value}
            case 2:
                operation = {"op": "remove", "path": text} | ({} if value is None else {"value": value})
            case _:
                operation = {"op": "add", "value": {text: value}}
        self._patch(connector, data[0] >> 1 & 1, {"schemas": [PATCH_OP], "Operations": [operation]})
        shown = quote_from_bytes(data[1:300], safe="")
        self.ask(connector, "GET", f"/Users?sortBy={shown}&attributes={shown}")

    def _patch(self, connector: str, kind: int, body: Any) -> None:
        path = f"/{('Users', 'Groups')[kind]}/{self.ids[connector][kind]}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.ask(connector, "PATCH", path, raw)
        if answer.status in {200, 204}:
            shown = self.ask(connector, "GET", path)
            if shown.status != 200:
                raise Broken(f"after a PATCH the resource is answered with {shown.status}")
            if answer.status == 200 and answer.json != shown.json:
                raise Broken(f"PATCH answers {answer.json}, GET {shown.json}")

    def patch(self, data: bytes) -> None:
        """Send bytes as the body of a PATCH, then bring the resource back to what it was."""
        if not data:
            return
        connector, kind = ("app", "strict")[data[0] & 1], data[0] >> 1 & 1
        self._patch(connector, kind, data[1:])
        if data[0] >> 2 & 7 == 0:
            whole = PERSON if kind == 0 else {"displayName": "crew", "members": [{"value": self.ids[connector][0]}]}
            self.ask(connector, "PUT", f"/{('Users', 'Groups')[kind]}/{self.ids[connector][kind]}", _json(whole))

    def json(self, data: bytes) -> None:
        """Send bytes as the body of a request that takes one; what it creates is deleted again."""
        if not data:
            return
        connector = ("app", "strict")[data[0] & 1]
        method, path = BODIES[(data[0] >> 1) % len(BODIES)]
        answer = self.ask(connector, method, path.format(*self.ids[connector]), data[1:])
        if method == "POST" and answer.status == 201:
            shown = self.ask(connector, "GET", f"{path}/{answer.id}")
            if shown.status != 200 or shown.json != answer.json:
                raise Broken(f"POST answers {answer.json}, GET {shown.json}")
            if answer.id not in {ident for both in self.ids.values() for ident in both}:
                self.ask(connector, "DELETE", f"{path}/{answer.id}")


VALUES: tuple[Any, ...] = (
    None, "", "x", "True", True, 0, 7, 1.5, [], {}, ["x", "y"], {"value": "v@x.org", "type": "work", "primary": True},
    [{"value": "a@x.org"}, {"value": "b@x.org", "primary": "true"}], {"title": "T", "grade": "3"},
    "2024-01-01T00:00:00Z", [None, {"type": None}],
)  # fmt: skip
"""What the paths are given; their number is a power of two."""

BODIES = (
    ("POST", "/Users"),
    ("POST", "/Groups"),
    ("PUT", "/Users/{0}"),
    ("PUT", "/Groups/{1}"),
    ("POST", "/Bulk"),
    ("POST", "/.search"),
    ("POST", "/Users/.search"),
)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


Entry = Callable[[bytes], None]
NAMES = ("filter", "path", "patch", "json")


def timed(entry: Entry) -> Entry:
    """Return the entry point with its limits: input of bounded length, bounded CPU time."""

    def limited(data: bytes) -> None:
        before = time.thread_time()
        entry(data[:LONGEST])
        spent = time.thread_time() - before
        if spent > CPU_SECONDS:
            raise Broken(f"one input took {spent:.1f} s of CPU time")

    return limited


@contextmanager
def served(within: str | None = None) -> Iterator[Host]:
    """Lend a host in a folder of its own, or in one that somebody else removes."""
    with ExitStack() as stack:
        folder = within or stack.enter_context(folder_in_memory(PREFIX))
        connectors = {}
        for name, extra in (("app", ""), ("strict", "strict = true")):
            target, _ = stack.enter_context(memory_target())
            connectors[name] = DOCUMENT.format(target=target, extra=extra, enterprise=ENTERPRISE)
        yield Host(stack.enter_context(bench(Path(folder) / "host", connectors, host=QUIET, threads=4)))


@contextmanager
def opened(within: str | None = None) -> Iterator[dict[str, Entry]]:
    """Lend the entry points by name, over a host of their own."""
    with served(within) as host:
        yield {name: timed(getattr(host, name)) for name in NAMES}
