"""Missing containers above an entry, made on demand where that is set."""

from __future__ import annotations

from isthmus.connectors.ldap import naming
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.reading import Known
from isthmus.spi import Call


def make_containers(known: Known, link: Link, call: Call, dn: str) -> None:
    """Make every container between an entry of this name and its base that is not there."""
    for parent, kind, attribute, value in naming.containers(known.layout, dn):
        call.sent(f"add {kind}: a missing container")
        made = [("objectClass", [b"top", kind.encode()]), (attribute, [value.encode()])]
        try:
            link.add(parent, made, seconds=known.connections.seconds(call))
        except Failure as failure:
            if failure.kind is not Kind.DUPLICATE:
                raise
