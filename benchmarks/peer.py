"""scim2-server with its memory store, on the same HTTP server with the same certificate.

Run as `python -m benchmarks.peer PORT CERTIFICATE KEY TOKEN THREADS`; ends with its parent.
"""

from __future__ import annotations

import ctypes
import io
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces


def main(port: str, certificate: str, key: str, token: str, threads: str) -> None:
    from scim2_server.memory import InMemoryStorage
    from scim2_server.testserver.application import BearerTokenApplication
    from scim2_server.utils import load_default_provider

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    served = BearerTokenApplication(InMemoryStorage(), load_default_provider(), bearer_tokens=[token])

    def made(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "CONTENT_LENGTH" not in environ:
            environ["wsgi.input"] = io.BytesIO()  # it reads without being sent a body, which granian's stream refuses
        return served(environ, start_response)

    server = Granian(
        "peer",
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=int(threads),
        http=HTTPModes.http1,
        ssl_cert=Path(certificate),
        ssl_key=Path(key),
        log_enabled=False,
    )
    server.serve(target_loader=lambda *_: made, wrap_loader=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
