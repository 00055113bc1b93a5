"""What keeps `serve` from starting."""

from __future__ import annotations


class CannotServe(Exception):
    """`serve` cannot start, or not as configured; the message tells an operator what to change."""


class AlreadyServing(CannotServe):
    """Another `serve` works on the same state folder."""


class AddressInUse(CannotServe):
    """Another program, or another Isthmus, listens on the configured address."""
