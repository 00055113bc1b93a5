"""The ceiling for reads: a WSGI function with one SQLite look-up and no feature at all, on the same server.

Run as `python -m benchmarks.bare PORT CERTIFICATE KEY DATABASE THREADS`; ends with its parent.
"""

from __future__ import annotations

import ctypes
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces

_local = threading.local()


def application(database: str) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        connection = getattr(_local, "connection", None)
        if connection is None:
            connection = _local.connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            connection.execute("PRAGMA query_only=1")
        key = environ["PATH_INFO"].rsplit("/", 1)[1]
        row = connection.execute("SELECT body FROM bodies WHERE id = ?", (key,)).fetchone()
        body = b"" if row is None else row[0]
        start_response("200 OK", [("Content-Type", "application/scim+json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def main(port: str, certificate: str, key: str, database: str, threads: str) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    made = application(database)
    server = Granian(
        "bare",
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
