"""One resource as it is answered."""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """The JSON text of a resource with its headers. `with_body` False: answer 204."""

    body: bytes
    etag: str
    id: str
    location: str
    with_body: bool = True
