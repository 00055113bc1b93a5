"""Reading an entry back in the answer of the write itself (RFC 4527)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ldap.controls import LDAPControl, RequestControl

from isthmus.connectors.ldap import ber
from isthmus.connectors.ldap.directory import POST_READ
from isthmus.connectors.ldap.link import Entry


def request(attributes: Sequence[str]) -> RequestControl:
    """Return the control that asks for these attributes; a server that does not know it ignores it."""
    return RequestControl(POST_READ, False, _value(tuple(attributes)))


@lru_cache(maxsize=256)
def _value(attributes: tuple[str, ...]) -> bytes:
    return ber.sequence(*(ber.octets(name.encode()) for name in attributes or ("1.1",)))


def entry(controls: Sequence[LDAPControl]) -> Entry | None:
    """Return the entry as it is after the write; None if the server did not say."""
    for control in controls:
        if control.controlType == POST_READ and control.encodedControlValue:
            (found,) = ber.elements(control.encodedControlValue)
            (_, dn), (_, listed) = ber.elements(found[1])
            values = {}
            for _, attribute in ber.elements(listed):
                (_, name), (_, given) = ber.elements(attribute)
                values[name.decode().lower()] = [value for _, value in ber.elements(given)]
            return Entry(dn.decode(), values)
    return None
