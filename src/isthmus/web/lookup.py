"""Find the resource type that a path names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isthmus.scim.errors import InvalidVersion, NotFound
from isthmus.web.discovery import RESERVED

if TYPE_CHECKING:
    from isthmus.mapping.resource_type import ResourceType
    from isthmus.web.exchange import Admitted

_VERSION = re.compile(r"v[0-9]+(\.[0-9]+)?", re.IGNORECASE)


def resource_type(asked: Admitted, name: str) -> ResourceType:
    """Return the resource type behind an endpoint name.

    Raises:
        NotFound: there is none; names those that are (the caller has a valid token).
        InvalidVersion: the name is that of a version of the protocol (RFC 7644 3.13) which is not spoken here.
    """
    offered = asked.endpoint.resource_types()
    found = offered.get(name.casefold())
    if found is None:
        check_version(name)
        names = ", ".join(f"/{rt.endpoint}" for rt in offered.values())
        raise NotFound(f"this connector has no endpoint of that name; it has {names}, {RESERVED}")
    return found


def check_version(segment: str) -> None:
    """Refuse a version of the protocol other than the one that `paths.parse` takes.

    Raises:
        InvalidVersion: the path segment is one.
    """
    if _VERSION.fullmatch(segment):
        raise InvalidVersion("this service speaks SCIM 2.0 only: leave the version out of the URL, or write v2")
