"""What the store keeps and gives back: plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal


class State(StrEnum):
    """Whether SCIM shows an object."""

    LIVE = "live"
    HIDDEN = "hidden"
    """Deprovisioned by a delete flow that leaves the object in the target."""
    PASSWORD_MISSING = "password_missing"  # noqa: S105 - a state's name
    """Created, but its initial password was not set yet."""


@dataclass(frozen=True, slots=True)
class Space:
    """The connector space of one object type. `number` is its key in the store."""

    number: int
    connector: str
    object_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of a space. `attributes` and `scim` are JSON text; `scim` was made for `shape` and has no meta."""

    row: int
    id: str
    anchor: tuple[str, ...]
    dn: str | None
    state: State
    number: int
    created: str
    modified: str
    external_id: str | None
    attributes: bytes
    scim: bytes
    shape: int


@dataclass(frozen=True, slots=True)
class LinkChanges:
    """References that come and go, as (attribute, canonical target key); those that are not named stay."""

    add: Sequence[tuple[str, str]] = ()
    remove: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, kw_only=True)
class ObjectWrite:
    """What an object shall be in the space. Written as a whole.

    Nobody changes one, and it is not frozen all the same: an import makes a million of them, and a frozen one takes
    three times as long to make.

    `keys`: (attribute, normalised value), for equality look-ups. `links`: (attribute, canonical target key), every
    reference. `wire` and `canonical` are 64-bit signed digests; `wire` None: not known (the next import decodes the
    object). `id` None: the store keeps the object's id or, for a new object, makes one (see `SpaceTable.apply`).
    Otherwise it is the id that `scim` was made for (see `SpaceTable.ids`): should the object have another by now, the
    write is skipped as "newer" or, where nothing is skipped, `IdentityChanged` is raised.

    `link_changes` in the place of `links`: only these rows are touched, whatever else a group of 100,000 refers to. It
    is for an object that is there, by a writer whose journal entry kept all others away since `canonical` was computed.
    """

    anchor: tuple[str, ...]
    dn: str | None = None
    attributes: bytes
    scim: bytes
    shape: int
    canonical: int
    wire: int | None = None
    keys: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    link_changes: LinkChanges | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a list, with the exact number of all objects that match."""

    total: int
    objects: Sequence[StoredObject]


class EntryState(StrEnum):
    OPEN = "open"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    """The target has the change."""
    NOT_DONE = "not_done"
    """The target does not have the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One write under way, or one whose outcome is not known.

    `intent` is JSON without secrets: what the write was meant to do, for repair and for people. `noted` is the store's
    counter when the entry was opened. `locks` are the keys it holds.
    """

    id: str
    space: int
    operation: str
    object_id: str | None
    anchor: tuple[str, ...] | None
    owner: str
    session: str
    state: EntryState
    opened: float
    noted: int
    correlation: str
    intent: Mapping[str, Any]
    locks: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of an import. Times are seconds since 1970; counts are so far."""

    id: str
    connector: str
    kind: str
    """full, delta or watch"""
    scope: str
    state: str
    """queued, running, done, failed, cancelled, held (by the guard); of a watch: watching, waiting, done, failed"""
    owner: str | None
    requested_by: str
    queued: float
    started: float | None
    ended: float | None
    objects: int
    changed: int
    removed: int
    expected: int | None
    message: str
    cancel_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Who did what to whom, with what outcome. `old` and `new` hold SCIM or target values, secrets redacted."""

    at: float
    connector: str
    actor: str
    address: str
    operation: str
    object_type: str = ""
    object_id: str = ""
    name: str = ""
    """What people know the object by (userName, anchor): searchable."""
    outcome: str = ""
    status: int = 0
    duration: float = 0.0
    correlation: str = ""
    message: str = ""
    sent: Sequence[str] = ()
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token, known by its hash only. `expires` in seconds since 1970, None: never."""

    id: str
    connector: str
    name: str
    scope: str
    """read or write"""
    hash: str
    """sha256:<hex> of a random token, or an argon2 encoded hash of a chosen one"""
    created: float
    expires: float | None
    revoked: float | None
    last_used: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Something the guard holds back: 'removal' (an import run), 'disable', 'delete' or 'empty' (identity provider)."""

    id: str
    connector: str
    object_type: str
    kind: str
    run: str | None
    count: int
    limit: int
    opened: float
    released_until: float | None
    state: str
    """held, released, cancelled, over"""
    message: str


Outcome = Literal["added", "changed", "unchanged", "touched", "newer", "locked"]
"""What `apply` did: unchanged: nothing written; touched: only the wire digest; newer, locked: skipped."""


@dataclass(slots=True, kw_only=True)
class Applied:
    """What became of one `ObjectWrite`, as unchanging as that. Of a skipped new object row and number are 0, the id is
    empty.

    `stored`: the whole object as it is now, where the write of a single one knows it anyway.
    """

    anchor: tuple[str, ...]
    row: int
    id: str
    number: int
    outcome: Outcome
    stored: StoredObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an import needs to know of an object before it decodes the new one."""

    row: int
    id: str
    number: int
    state: State
    wire: int | None
    canonical: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Why a journal entry was not opened: another entry holds a lock, or an object with an `absent` key is there, or
    the object `unchanged` is another or none by now.
    """

    entry: Entry | None = None
    present: StoredObject | None = None
    changed: bool = False


class Unset(Enum):
    """The type of `UNSET`: leave as it is (None means: none)."""

    UNSET = "unset"


UNSET = Unset.UNSET
