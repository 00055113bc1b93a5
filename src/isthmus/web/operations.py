"""Health and metrics for operators: /healthz, /readyz, /metrics. Without token, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import orjson
import structlog

from isthmus.store import StoreError
from isthmus.web.answers import reason

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from isthmus.engine.host import Host

log = structlog.get_logger("isthmus.web")

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Answer = tuple[int, str, bytes]


def operations_application(host: Host, metrics: Callable[[], tuple[str, bytes]]) -> WSGIApplication:
    """Return the WSGI application. `metrics` returns content type and text of an exposition."""

    def healthz() -> Answer:
        """Tell that the process answers."""
        return 200, _TEXT, b"ok\n"

    def readyz() -> Answer:
        """Tell whether requests can be served: the store answers. Targets are not asked: reads do not need them."""
        try:
            host.store.number()
        except StoreError as exc:
            return 503, _JSON, orjson.dumps({"ready": False, "store": str(exc)})
        return 200, _JSON, orjson.dumps({"ready": True, "connectors": len(host.names())})

    def exposition() -> Answer:
        """Return the metrics."""
        kind, text = metrics()
        return 200, kind, text

    pages: dict[str, Callable[[], Answer]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": exposition}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"].rstrip("/"))
        headers = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        if page is None:
            status, kind, body = 404, _TEXT, b"there is /healthz, /readyz and /metrics\n"
        elif environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            status, kind, body = 405, _TEXT, b"only GET\n"
            headers.append(("Allow", "GET, HEAD"))
        else:
            status, kind, body = _answered(page)
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(reason(status), headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return application


def _answered(page: Callable[[], Answer]) -> Answer:
    """Return the page; whatever goes wrong is told here, and in the log, in one line."""
    try:
        return page()
    except StoreError as exc:
        log.error("store_failed", reason=str(exc))  # noqa: TRY400 - the reason says it all
        return 503, _TEXT, f"the store failed: {exc}\n".encode()
    except Exception:
        log.exception("bug")
        return 500, _TEXT, b"an unexpected error; the log has it\n"
