-- The store as it stands after all migrations; a test compares the two. Times named *_at or without unit are seconds since 1970.

-- The change counter: every change of an object takes the next number. It orders what clocks cannot.
CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (one, value) VALUES (1, 0);

-- One connector space per object type. Rows stay when a connector is dropped, so that row numbers and ids are never reused.
CREATE TABLE spaces (
    number INTEGER PRIMARY KEY,
    connector TEXT NOT NULL,
    object_type TEXT NOT NULL,
    id_form TEXT NOT NULL DEFAULT 'uuid' CHECK (id_form IN ('uuid', 'anchor')),
    last INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    UNIQUE (connector, object_type)
) STRICT;

-- Objects. row = space << 40 | n: the rows of a space lie together. Small columns come first, so that a scan of states
-- does not touch overflow pages. keys: the object's rows in `keys` as JSON, to remove them without a second index.
-- id_head: what the index of ids has of an id. UUIDs come in no order, so that an import makes a page of that index dirty for
-- nearly each object; with 8 of 36 characters it has 2.5 times fewer pages. What makes ids unique is how they are made.
CREATE TABLE objects (
    row INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('live', 'hidden', 'password_missing')),
    space INTEGER NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    id TEXT NOT NULL,
    anchor TEXT NOT NULL,
    dn TEXT,
    external_id TEXT,
    created TEXT NOT NULL,
    modified TEXT NOT NULL,
    keys TEXT NOT NULL,
    attributes BLOB NOT NULL,
    scim BLOB NOT NULL,
    id_head TEXT GENERATED ALWAYS AS (iif(id GLOB '????????-????-5*', substr(id, 1, 8), id)) VIRTUAL
) STRICT;
CREATE INDEX objects_id ON objects (id_head);
CREATE UNIQUE INDEX objects_anchor ON objects (space, anchor);
CREATE INDEX objects_dn ON objects (space, dn) WHERE dn IS NOT NULL;

-- Digests apart from the objects: narrow, so that an import can scan a million of them at once.
CREATE TABLE digests (
    row INTEGER PRIMARY KEY,
    wire INTEGER,
    canonical INTEGER NOT NULL
) STRICT;

-- Normalised values for equality look-ups.
CREATE TABLE keys (
    space INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (space, attribute, value, row)
) STRICT, WITHOUT ROWID;

-- References to other objects, by the target's key of them.
CREATE TABLE links (
    row INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (row, attribute, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_key ON links (attribute, key);

-- Live objects per 1,024 row numbers (block = row >> 10): exact totals and start indexes without counting.
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    live INTEGER NOT NULL CHECK (live BETWEEN 0 AND 1024)
) STRICT;

-- Ids that were given out and whose object was removed or left that anchor. Never deleted (RFC 7643 3.1).
CREATE TABLE identities (
    space INTEGER NOT NULL,
    anchor TEXT NOT NULL,
    generation INTEGER NOT NULL,
    id TEXT NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (space, anchor, generation)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identities_id ON identities (space, id);

-- Removed objects, so that an import that read the target earlier does not bring them back.
CREATE TABLE tombstones (
    space INTEGER NOT NULL,
    anchor TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (space, anchor)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_at ON tombstones (at);

-- The journal: writes under way, in doubt, and closed ones for some days.
CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES spaces (number),
    operation TEXT NOT NULL,
    object_id TEXT,
    anchor TEXT,
    owner TEXT NOT NULL,
    session TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'in_doubt', 'done', 'not_done')),
    opened REAL NOT NULL,
    closed REAL,
    noted INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    intent TEXT NOT NULL,
    locks TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT ''
) STRICT;

-- What unfinished entries lock: each of them at least one key, so that this is also the list of them, and no index is
-- needed that every write would touch three times. The primary key is the lock.
CREATE TABLE entry_locks (
    space INTEGER NOT NULL,
    key TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

-- Imports. noted: the change counter when the run was claimed; tombstones after it are kept.
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    requested_by TEXT NOT NULL,
    queued REAL NOT NULL,
    started REAL,
    ended REAL,
    noted INTEGER,
    objects INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0,
    expected INTEGER,
    message TEXT NOT NULL DEFAULT '',
    cancel_requested INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX runs_running ON runs (connector, scope) WHERE state = 'running';
CREATE UNIQUE INDEX runs_queued ON runs (connector, scope) WHERE state = 'queued';
CREATE INDEX runs_by_connector ON runs (connector, queued);
CREATE INDEX runs_by_time ON runs (queued);
CREATE INDEX runs_under_way ON runs (state) WHERE state IN ('running', 'watching', 'waiting');

-- When each connector's import is due next.
CREATE TABLE schedules (
    connector TEXT PRIMARY KEY,
    interval REAL NOT NULL CHECK (interval > 0),
    next_run REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- What the guard counts: disables, deletes, emptied groups, and creates that excuse them.
CREATE TABLE guard_events (
    id INTEGER PRIMARY KEY,
    connector TEXT NOT NULL,
    object_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE INDEX guard_events_kind ON guard_events (connector, object_type, kind, at, object_id) WHERE kind <> 'create';
CREATE INDEX guard_events_created ON guard_events (connector, object_type, object_id, at) WHERE kind = 'create';

-- What the guard holds back, and how that ended.
CREATE TABLE holds (
    id TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    object_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    run TEXT,
    count INTEGER NOT NULL,
    "limit" INTEGER NOT NULL,
    opened REAL NOT NULL,
    released_until REAL,
    state TEXT NOT NULL CHECK (state IN ('held', 'released', 'cancelled', 'over')),
    ended_by TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL
) STRICT;
CREATE INDEX holds_kind ON holds (connector, object_type, kind, state);

-- Who did what to whom. sent, old, new are JSON, emptied when their retention ends (blanked = 1).
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    connector TEXT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    operation TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    duration REAL NOT NULL,
    correlation TEXT NOT NULL,
    message TEXT NOT NULL,
    sent TEXT NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    blanked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX audit_at ON audit (blanked, at);
CREATE INDEX audit_name ON audit (name_folded);
CREATE INDEX audit_object ON audit (object_id);

-- Bearer tokens, by their hash only.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    hash TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL,
    revoked REAL,
    last_used REAL
) STRICT;
CREATE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_connector ON tokens (connector);

-- Small durable things: discovered schemas, watermarks.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
