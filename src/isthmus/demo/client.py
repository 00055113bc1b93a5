"""The identity provider's side of the demo: one HTTPS connection, verified against the demo's own CA."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from isthmus.spi import Secret


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is relative to the connector's base URL, `filter` still readable."""

    method: str
    path: str
    filter: str | None = None
    body: dict[str, Any] | None = None

    def target(self, *, encoded: bool) -> str:
        """Return the path as it goes over the wire, or as people read it."""
        if self.filter is None:
            return self.path
        return f"{self.path}?filter={quote(self.filter) if encoded else self.filter}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    reason: str
    body: dict[str, Any]
    seconds: float

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Return what a ListResponse carries."""
        found = self.body.get("Resources", [])
        return found if isinstance(found, list) else []


class ScimClient:
    """Sends requests as Entra's provisioning agent does: bearer token, application/scim+json, kept-alive connection."""

    def __init__(self, *, port: int, base_path: str, token: Secret, ca: Path) -> None:
        context = ssl.create_default_context(cafile=ca)
        self._connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=35)
        self._base_path = base_path
        self._token = token

    def send(self, request: Request) -> Answer:
        """Send and return the answer, parsed."""
        body = None if request.body is None else json.dumps(request.body).encode()
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Accept": "application/scim+json"}
        if body is not None:
            headers["Content-Type"] = "application/scim+json"
        started = time.perf_counter()
        self._connection.request(request.method, self._base_path + request.target(encoded=True), body, headers)
        response = self._connection.getresponse()
        raw = response.read()
        seconds = time.perf_counter() - started
        return Answer(response.status, response.reason, json.loads(raw) if raw else {}, seconds)

    def close(self) -> None:
        self._connection.close()
