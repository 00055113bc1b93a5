"""A host without a store: what the web layer asks of the engine, answered from a dict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from isthmus.config.documents import Configuration, HostDocument
from isthmus.engine.resource import Resource
from isthmus.engine.turns import Turns
from isthmus.scim.errors import NotFound
from isthmus.store.records import Token

WRITE = "write-token-of-hr-0123456789"
READ = "read-token-of-hr-01234567890"


@dataclass
class DoubleType:
    """What the web layer looks at in a compiled resource type."""

    endpoint: str = "Users"
    name: str = "User"
    takes_password: bool = False

    def resource_type_document(self) -> dict[str, Any]:
        return {"schemas": [], "id": self.name, "name": self.name, "endpoint": f"/{self.endpoint}"}

    def schema_documents(self) -> list[dict[str, Any]]:
        return [{"schemas": [], "id": "urn:ietf:params:scim:schemas:core:2.0:User", "name": "User"}]


@dataclass
class DoubleEndpoint:
    """One connector; `calls` remembers what it was asked."""

    name: str
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failing: Callable[[], None] = lambda: None

    def resource_types(self) -> dict[str, DoubleType]:
        return {"users": DoubleType()}

    def get(self, _rt: DoubleType, id: str, **asked: Any) -> Resource:
        self._asked("get", id=id, **asked)
        return self._resource(id, asked["caller"])

    def list(self, _rt: DoubleType, **asked: Any) -> bytes:
        self._asked("list", **asked)
        return orjson.dumps({"totalResults": len(self.users), "Resources": list(self.users.values())})

    def create(self, _rt: DoubleType, body: dict[str, Any], **asked: Any) -> Resource:
        self._asked("create", body=body, **asked)
        made = f"id-{len(self.users) + 1}"
        self.users[made] = {**body, "id": made}
        return self._resource(made, asked["caller"])

    def replace(self, _rt: DoubleType, id: str, body: dict[str, Any], **asked: Any) -> Resource:
        self._asked("replace", id=id, body=body, **asked)
        self._resource(id, asked["caller"])
        self.users[id] = {**body, "id": id}
        return self._resource(id, asked["caller"])

    def patch(self, _rt: DoubleType, id: str, body: dict[str, Any], **asked: Any) -> Resource:
        self._asked("patch", id=id, body=body, **asked)
        found = self._resource(id, asked["caller"])
        return Resource(body=b"", etag=found.etag, id=id, location=found.location, with_body=False)

    def delete(self, _rt: DoubleType, id: str, **asked: Any) -> None:
        self._asked("delete", id=id, **asked)
        if self.users.pop(id, None) is None:
            raise NotFound("there is no user with this id")

    def _asked(self, what: str, **with_what: Any) -> None:
        self.calls.append((what, with_what))
        self.failing()

    def _resource(self, id: str, caller: Any) -> Resource:
        if id not in self.users:
            raise NotFound("there is no user with this id")
        return Resource(
            body=orjson.dumps(self.users[id]), etag='W/"1"', id=id, location=f"{caller.base_url}/Users/{id}"
        )


class DoubleHost:
    """A host with the connectors `hr` and `Crm.Sales`."""

    def __init__(self, document: HostDocument | None = None, folder: Path = Path("/nonexistent")) -> None:
        self.configuration = Configuration(
            path=folder / "isthmus.toml", host=document or HostDocument(), connectors={}, names={}
        )
        self.hr = DoubleEndpoint("hr", users={"id-0": {"id": "id-0", "userName": "ada"}})
        self.crm = DoubleEndpoint("Crm.Sales")
        self.tokens = SimpleNamespace(check=self._check)
        self.turns = Turns()
        self.checked: list[str] = []

    def endpoint(self, name: str) -> DoubleEndpoint | None:
        return {"hr": self.hr, "crm.sales": self.crm}.get(name.casefold())

    def names(self) -> list[str]:
        return ["hr", "Crm.Sales"]

    def _check(self, connector: str, bearer: str) -> Token | None:
        self.checked.append(connector)
        scope = {("hr", WRITE): "write", ("hr", READ): "read"}.get((connector, bearer))
        if scope is None:
            return None
        return Token(
            id="t", connector=connector, name=f"{scope} token", scope=scope, hash="", created=time.time(),
            expires=None, revoked=None, last_used=None,
        )  # fmt: skip
