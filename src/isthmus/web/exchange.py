"""One request on its way through the web layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.engine.caller import Caller

if TYPE_CHECKING:
    from isthmus.engine.endpoint import Endpoint  # not imported: a NamedTuple needs no more of it than its name

KEY = "isthmus.exchange"
"""Where an Exchange stands in the WSGI environ."""


class Admitted(NamedTuple):
    """A caller with a valid token, and the connector it is for."""

    endpoint: Endpoint
    caller: Caller


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far, for its answer, its log line and its count."""

    key: int
    """Of `work.Work`."""
    correlation: str
    address: str
    connector: str = ""
    """As written in the configuration; empty until the caller has shown a valid token for it."""
    actor: str = ""
    admitted: Admitted | None = None
    rest: tuple[str, ...] = field(default=())
    """The path below the base URL."""


def exchange_of(environ: dict[str, Any]) -> Exchange:
    """Return the exchange the gate put there."""
    found: Exchange = environ[KEY]
    return found


def admitted(environ: dict[str, Any]) -> Admitted:
    """Return who asks and whom; the gate lets nothing else through."""
    found = exchange_of(environ).admitted
    assert found is not None
    return found
