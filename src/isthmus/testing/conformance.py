"""The suite as one class, by the subjects it is made of."""

from __future__ import annotations

from isthmus.testing.suite.composites import CompositeValues
from isthmus.testing.suite.concurrency import Concurrency
from isthmus.testing.suite.creating import Creating
from isthmus.testing.suite.delta import DeltaImport
from isthmus.testing.suite.hostile import HostileValues
from isthmus.testing.suite.importing import FullImport
from isthmus.testing.suite.lookup import Lookup
from isthmus.testing.suite.opening import Opening
from isthmus.testing.suite.outages import Outages
from isthmus.testing.suite.passwords import Passwords
from isthmus.testing.suite.patience import Patience
from isthmus.testing.suite.references import References
from isthmus.testing.suite.schema import DiscoveredSchema
from isthmus.testing.suite.secrecy import Secrecy
from isthmus.testing.suite.streaming import Streaming
from isthmus.testing.suite.updating import Updating
from isthmus.testing.suite.values import TypedValues
from isthmus.testing.suite.watching import Watching


class ConnectorConformance(
    Opening,
    DiscoveredSchema,
    Lookup,
    Creating,
    Updating,
    TypedValues,
    CompositeValues,
    HostileValues,
    References,
    Passwords,
    FullImport,
    Streaming,
    DeltaImport,
    Watching,
    Outages,
    Patience,
    Secrecy,
    Concurrency,
):
    """Every promise of `isthmus.spi` that can be tested from outside. How to subclass: see `isthmus.testing`."""
