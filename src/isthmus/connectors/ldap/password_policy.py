"""What a server's password policy says of our own account at the log-in (draft-behera-ldap-password-policy-10)."""

from __future__ import annotations

from collections.abc import Sequence

from ldap.controls import LDAPControl, RequestControl

from isthmus.connectors.ldap import ber

_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
_ERROR = 0x81
_CHANGE_AFTER_RESET = b"\x02"

REQUEST = RequestControl(_POLICY, False)
"""Asks for it; a server that does not know it ignores it."""


def must_change(controls: Sequence[LDAPControl]) -> bool:
    """Tell whether the account may do nothing but change its password, although it was let in."""
    for control in controls:
        if control.controlType == _POLICY and control.encodedControlValue:
            return (_ERROR, _CHANGE_AFTER_RESET) in ber.inner(control.encodedControlValue)
    return False
