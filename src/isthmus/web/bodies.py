"""Read request bodies: announced size and type first, only then the body itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.engine.turns import Turns
from isthmus.scim.body import check_content_type
from isthmus.scim.errors import InvalidSyntax, ScimError, TooLarge, UnsupportedMediaType
from isthmus.web.exchange import exchange_of
from isthmus.web.work import Work

_CLOSE = {"Connection": "close"}


def announced_size(environ: Mapping[str, Any], *, limit: int, setting: str = "scim.max_body_bytes") -> int:
    """Return the body's size from the headers.

    Raises:
        ScimError: 411 without a length, 413 above `limit`, 415 for a type that is not JSON, 400 for no body at all. The
            connection ends with it, for nobody is going to read what follows.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            raise ScimError(411, "send the body with a Content-Length, not chunked", headers=_CLOSE)
        raise InvalidSyntax("the request needs a JSON body, and none was sent")
    if not text.isascii() or not text.isdigit():
        raise InvalidSyntax("the Content-Length header is not a number", _CLOSE)
    size = int(text)
    if size > limit:
        raise TooLarge(f"the body has {size} bytes; at most {limit} are taken ({setting})", _CLOSE)
    try:
        check_content_type(environ.get("CONTENT_TYPE"))
    except ScimError as error:
        error.headers.update(_CLOSE)
        raise
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("send the body without Content-Encoding", _CLOSE)
    if size == 0:
        raise InvalidSyntax("the request needs a JSON body, and an empty one was sent")
    return size


class BodyReader:
    """Reads bodies of up to `limit` bytes.

    There is no deadline here, for granian 2.8.7 has none: a thread in its `read` cannot be called back, and answering
    while another thread reads locks the process up. `connections.StallGuard` closes the connection of a body that does
    not come; then `read` returns what there is.
    """

    def __init__(self, work: Work, *, limit: int, turns: Turns, setting: str = "scim.max_body_bytes") -> None:
        self._work = work
        self._turns = turns
        self._limit = limit
        self._setting = setting

    def read(self, environ: dict[str, Any]) -> bytes:
        """Return the whole body.

        Raises:
            ScimError: what `announced_size` raises; 503 if too many are being read; 400 if the body ends early.
        """
        size = announced_size(environ, limit=self._limit, setting=self._setting)
        with self._work.receiving(exchange_of(environ).key), self._turns.lent():
            data: bytes = environ["wsgi.input"].read(size)
        self._turns.arrive()
        if len(data) < size:
            raise InvalidSyntax(
                f"the connection ended, or was ended, before all {size} bytes of the body had come", _CLOSE
            )
        return data
