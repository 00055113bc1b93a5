"""Everything a request passes before and after the endpoints, in this order:

correlation id, network, connector, token, scope, endpoint, security headers, count, log line.

A plain WSGI callable around the Falcon application: whatever goes wrong, also inside the framework, is answered as a
SCIM error, counted and logged, and nothing of a body is read before the caller is known.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from isthmus.config.documents import Configuration
from isthmus.engine.answers import fault
from isthmus.engine.caller import Caller
from isthmus.scim.errors import Forbidden, NotFound, ScimError
from isthmus.web import paths, quick
from isthmus.web.answers import FIXED_HEADERS, correlation_of, error_headers, reason
from isthmus.web.authentication import Attempts, Authentication
from isthmus.web.exchange import KEY, Admitted, Exchange
from isthmus.web.logs import AccessLog
from isthmus.web.metrics import Recorder
from isthmus.web.proxies import Networks, Origin
from isthmus.web.work import Work

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from isthmus.engine.host import Host

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITHOUT_CONTENT = frozenset({"204", "304"})  # nor with its length: RFC 9110 8.6
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_WRITTEN_QUICKLY = frozenset({"POST", "PATCH"})
_REPLACED = frozenset({"content-length", *(name.lower() for name, _ in FIXED_HEADERS)})
_CLOSING = _REPLACED | {"connection"}


class Gate:
    """The SCIM application as granian calls it. `closing` tells whether clients are to leave this process."""

    def __init__(
        self,
        host: Host,
        application: WSGIApplication,
        *,
        work: Work,
        writes: quick.Writes,
        recorder: Recorder,
        access_log: AccessLog,
    ) -> None:
        configuration: Configuration = host.configuration
        scim = configuration.host.scim
        self.work = work
        self.closing: Callable[[], bool] = lambda: False
        self._host = host
        self._application = application
        self._writes = writes
        self._recorder = recorder
        self._access_log = access_log
        self._timeout = scim.request_timeout
        self._quick_queries = scim.filter_in_url  # where filters are refused in URLs, the long way does it
        self._allowed = Networks(scim.allow_from)
        self._origin = Origin(scim.trusted_proxies, configuration.host.public_url, scim.listen)
        attempts = Attempts(held_at_most=scim.threads // 8, sleep=host.turns.sleep)
        self._authentication = Authentication(host.tokens, threads=scim.threads, attempts=attempts)
        self._process = secrets.token_hex(4)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as WSGI has it (PEP 3333)."""
        status, headers, body = self.answer(environ)
        start_response(status, headers)
        return [body]

    def answer(self, environ: WSGIEnvironment) -> quick.Answer:
        """Return status line, headers and body."""
        turns = self._host.turns
        with turns.later() if environ["REQUEST_METHOD"] in _WITH_BODY else turns:
            return self._exchange(environ)

    def rest(self) -> None:
        """Call it after each answer was sent: see `Turns.rest`."""
        self._host.turns.rest()

    def _exchange(self, environ: WSGIEnvironment) -> quick.Answer:
        began = time.perf_counter()
        key = self.work.begin()
        try:
            exchange = Exchange(
                key=key,
                correlation=correlation_of(environ, f"{self._process}-{key:x}"),
                address=self._origin.address(environ),
            )
            environ[KEY] = exchange
            status, headers, body = self._answer(environ, exchange)
            headers = self._headers(status, headers, body, exchange)
            self._after(environ, exchange, int(status[:3]), len(body), time.perf_counter() - began)
            return status, headers, body
        finally:
            self.work.end(key)

    def _answer(self, environ: WSGIEnvironment, exchange: Exchange) -> tuple[str, list[tuple[str, str]], bytes]:
        answer: list[Any] = []

        def remember(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
            answer[:] = (status, headers)
            return _no_write

        try:
            asked = self._admit(environ, exchange)
            if quickly := self._answer_quickly(environ, asked, exchange.rest):
                return quickly
            environ["PATH_INFO"] = "/" + "/".join(exchange.rest)
            body = b"".join(self._application(environ, remember))
        except ScimError as error:
            return _failed(error)
        except Exception as exc:  # noqa: BLE001 - whatever goes wrong is answered and logged
            return _failed(fault(exc, exchange.correlation, method=environ["REQUEST_METHOD"]))
        status, headers = answer
        return status, headers, body

    def _answer_quickly(self, environ: WSGIEnvironment, asked: Admitted, rest: tuple[str, ...]) -> quick.Answer | None:
        method = environ["REQUEST_METHOD"]
        if method == "GET" and (self._quick_queries or not environ["QUERY_STRING"]):
            return quick.answer(environ, asked, rest)
        if method in _WRITTEN_QUICKLY:
            return self._writes.answer(environ, asked, rest)
        return None

    def _admit(self, environ: WSGIEnvironment, exchange: Exchange) -> Admitted:
        method = environ["REQUEST_METHOD"]
        if self._allowed and not self._allowed.contains(exchange.address):
            raise Forbidden("this address may not connect (scim.allow_from)", {"Connection": "close"})
        path = paths.parse(environ["PATH_INFO"])
        if path is None:
            raise NotFound(f"there is nothing at this path; the base URL of a connector is {paths.FORMS}")
        endpoint = self._host.endpoint(path.name)
        try:
            token = self._authentication.authenticate(
                environ.get("HTTP_AUTHORIZATION"),
                connector=path.name if endpoint is None else endpoint.name,
                known=endpoint is not None,
                address=exchange.address,
                method="GET" if method == "POST" and path.rest[-1:] == (".search",) else method,  # it only reads
            )
        except ScimError as error:
            error.headers.setdefault("Connection", "close")  # a body that nobody reads must not hold the connection
            raise
        if endpoint is None:
            raise NotFound(f"there is no connector of this name; the base URL of a connector is {paths.FORMS}")
        exchange.connector = endpoint.name
        exchange.actor = token.name
        exchange.rest = path.rest
        if method not in _METHODS:
            raise ScimError(501, f"the method {method!r} is not known here", headers={"Connection": "close"})
        caller = Caller(
            actor=token.name,
            address=exchange.address,
            correlation=exchange.correlation,
            deadline=time.monotonic() + self._timeout,
            base_url=self._origin.root(environ) + path.base,
        )
        exchange.admitted = Admitted(endpoint, caller)
        return exchange.admitted

    def _headers(
        self, status: str, own: list[tuple[str, str]], body: bytes, exchange: Exchange
    ) -> list[tuple[str, str]]:
        closing = self.closing()
        replaced = _CLOSING if closing else _REPLACED
        headers = [*FIXED_HEADERS, ("X-Correlation-Id", exchange.correlation)]
        if body or status[:3] not in _WITHOUT_CONTENT:
            # The answer to HEAD has the length of what GET would bring (RFC 9110 8.6); the framework has counted it.
            length = len(body) or next((value for name, value in own if name.lower() == "content-length"), 0)
            headers.append(("Content-Length", str(length)))
        headers += [header for header in own if header[0].lower() not in replaced]
        if closing:
            headers.append(("Connection", "close"))
        return headers

    def _after(self, environ: WSGIEnvironment, exchange: Exchange, status: int, size: int, seconds: float) -> None:
        method = environ["REQUEST_METHOD"]
        self._recorder.request(exchange.connector, method if method in _METHODS else "other", status, seconds)
        if self._access_log.enabled:
            self._access_log.write(
                {
                    "correlation": exchange.correlation,
                    "address": exchange.address,
                    "actor": exchange.actor,
                    "connector": exchange.connector,
                    "method": method,
                    "path": paths.shown("/".join(exchange.rest) if exchange.connector else environ["PATH_INFO"][:200]),
                    "status": status,
                    "bytes": size,
                    "ms": round(seconds * 1000, 2),
                }
            )


def _failed(error: ScimError) -> tuple[str, list[tuple[str, str]], bytes]:
    return reason(error.status), error_headers(error), error.body()


def _no_write(_data: bytes) -> None:
    """Refuse WSGI's imperative writing, which nothing here uses."""
    raise NotImplementedError
