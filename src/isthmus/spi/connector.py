"""The interface a connector implements: one class, whose bases are its table of contents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from isthmus.spi.call import Call
from isthmus.spi.objects import (
    AttributeChange,
    Attributes,
    ConnectorObject,
    Identity,
    ImportPage,
    ImportScope,
    Suggestion,
    Value,
    Watermark,
)
from isthmus.spi.schema import Schema
from isthmus.spi.secret import Secret

S = TypeVar("S")


class Connector(ABC):
    """A session with one target system, opened from valid settings.

    Opening must not talk to the target. With `concurrency="threads"` every method may be called from several threads at
    once; with `"serial"` the host calls one at a time. That goes for this object: each process of the host, such as a
    second worker or an import, opens one of its own and calls it at the same time. Every method raises only the errors
    of `spi.errors`; all else is reported as a bug of the connector. A failed connection is replaced on the next call;
    nothing needs a restart.
    """

    @abstractmethod
    def test(self, *, call: Call) -> None:
        """Prove that the target can be reached and read with these settings, or raise what hinders it."""

    @abstractmethod
    def read_schema(self, *, call: Call) -> Schema:
        """Return the target's object types as they are now; never answered from a cache."""

    @abstractmethod
    def scopes(self) -> Sequence[ImportScope]:
        """Return what can be imported separately, without talking to the target; every object type is in one scope."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; called once, when no other method is running."""


class SupportsFullImport(ABC):
    @abstractmethod
    def import_full(
        self, scope: ImportScope, *, attributes: Mapping[str, Sequence[str]], page_size: int, call: Call
    ) -> Iterator[ImportPage]:
        """Yield every object of the scope, in pages of at most `page_size`, with memory bounded by a few pages.

        `attributes` names, per object type, the attributes to read; the anchor is always read. An object that exists
        unchanged during the whole run is yielded at least once; one that is created, changed or deleted meanwhile may
        be missed or reported twice. Returning normally promises completeness: the host removes what was not seen. A
        failure in mid-way must therefore raise.
        """


class SupportsDeltaImport(ABC):
    @abstractmethod
    def current_watermark(self, scope: ImportScope, *, call: Call) -> Watermark:
        """Return a watermark such that every change after this call is reported by a delta from it."""

    @abstractmethod
    def import_delta(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        """Yield what changed since the watermark: a change may come twice but is never missed.

        Raises:
            WatermarkExpired: the target no longer knows all changes since then.
        """


class SupportsWatch(ABC):
    """Tells of changes as they happen; for targets that push. `watch` needs `concurrency="threads"`.

    The host runs one watch for each scope, in one process at a time, beside everything else; imports by timer go on.
    """

    @abstractmethod
    def begin_watch(self, scope: ImportScope, *, call: Call) -> Watermark:
        """Return a watermark such that every change after this call is reported by a watch from it.

        Raises:
            Unsupported: there is nothing to watch at this target, with these settings; the message says why.
        """

    @abstractmethod
    def watch(
        self,
        scope: ImportScope,
        *,
        since: Watermark,
        attributes: Mapping[str, Sequence[str]],
        page_size: int,
        call: Call,
    ) -> Iterator[ImportPage]:
        """Yield what changed since the watermark, then what changes, as it changes; never end by itself.

        A change may come twice but is never missed. While nothing happens an empty page comes at least every
        `WATCH_PULSE` seconds: the host looks after other things then. It ends with `Cancelled` once the call is
        cancelled, and with any other error when the connection breaks off: the host goes on from the last watermark.

        Raises:
            WatermarkExpired: the target no longer knows all changes since then.
        """


WATCH_PULSE = 0.5
"""Seconds after which a watch yields at the latest."""


class SupportsLookup(ABC):
    @abstractmethod
    def read(
        self, object_type: str, identity: Identity, *, attributes: Sequence[str], call: Call
    ) -> ConnectorObject | None:
        """Return the object as the target has it at this moment, or None if it has none; committed data only."""

    @abstractmethod
    def find(
        self, object_type: str, attribute: str, value: Value, *, attributes: Sequence[str], call: Call
    ) -> Sequence[ConnectorObject]:
        """Return every object whose attribute has this value (at most 100), compared by the target's own case rule.

        The value is literal: no character of it is a wildcard.
        """


class SupportsFindMany(ABC):
    """`SupportsLookup` for several values in one go, where that costs the target little more than one of them."""

    @abstractmethod
    def find_many(
        self, object_type: str, attribute: str, values: Sequence[Value], *, attributes: Sequence[str], call: Call
    ) -> Sequence[Sequence[ConnectorObject]]:
        """Return what `find` returns for each value, in the order of the values, which are all different.

        The host puts the questions of clients together that ask at the same moment, mostly whether somebody exists
        whom they are about to create: finding nobody at all should be quick. One value that cannot be asked for may
        fail all of them; the host then asks for each alone.
        """


class SupportsCreate(ABC):
    @abstractmethod
    def create(
        self,
        object_type: str,
        attributes: Attributes,
        *,
        dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        """Create the object and return it as the target now has it, generated anchor and defaults included.

        All or nothing. The returned object carries the attributes that were given and those the target generated. With
        `password`, the object is created with it or not at all; the host passes one only if
        `Operation.PASSWORD` is supported and `ConnectorType.password_in_create` is set.

        Raises:
            AlreadyExists: an object with this anchor or another unique value exists.
            InvalidValue: a value does not fit.
        """


class SupportsUpdate(ABC):
    @abstractmethod
    def update(
        self,
        object_type: str,
        identity: Identity,
        changes: Sequence[AttributeChange],
        *,
        new_dn: str | None = None,
        password: Secret | None = None,
        call: Call,
    ) -> ConnectorObject:
        """Apply all changes or none, and return the object as the target now has it; its anchor may have changed.

        Attributes that are not named keep their values. Adding a value that is there, and removing one that is not, are
        no errors and change nothing.

        An attribute that was changed by `add` and `remove` may be left out of the returned object (absent: not read),
        and so may a multi-valued reference that was not named: nobody shall have to load a group of 100,000 to add one
        member. The host then makes the same additions and removals in what it has of the object. What was replaced is
        returned.

        Raises:
            NotFound: the target has no such object.
        """


class SupportsDelete(ABC):
    @abstractmethod
    def delete(self, object_type: str, identity: Identity, *, call: Call) -> None:
        """Delete the object.

        Raises:
            NotFound: the target has no such object.
        """


class SupportsPassword(ABC):
    @abstractmethod
    def set_password(self, object_type: str, identity: Identity, password: Secret, *, call: Call) -> None:
        """Set a new password; doing it twice with the same password succeeds."""


class SupportsSettling(ABC):
    @abstractmethod
    def settle(self, session: str, *, call: Call) -> None:
        """Return once no write sent under `session` can still take effect; end such writes if the target allows that.

        The host calls this before it reads what became of a write whose answer never came: of a process that died, or
        of its own connection that broke off. `session` is the `call.session` of that write; no thread uses it any more.
        Without this capability the host waits for `ConnectorType.settle_seconds` instead.

        Raises:
            TargetUnavailable: it cannot be told yet.
        """


class SupportsSuggestions(ABC):
    @abstractmethod
    def suggest(self, *, call: Call) -> Mapping[str, Suggestion]:
        """Return what the wizard can offer, by the name of the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorType(Generic[S]):
    """What an entry point in the group `isthmus.connectors` names: the code behind connectors of one kind.

    `settings` is a frozen dataclass declared with `setting()`. `open` must be quick and must not talk to the target.
    `settle_seconds`: how long after its start a write may still take effect when the connector cannot settle it.
    `watched`: connectors of this type are watched unless their document says otherwise; they implement `SupportsWatch`.
    """

    id: str
    title: str
    settings: type[S]
    open: Callable[[S], Connector]
    concurrency: Literal["threads", "serial"] = "threads"
    password_in_create: bool = False
    settle_seconds: float = 60.0
    watched: bool = False
