-- The steps of a write that every request makes, each one statement. sqlite3 gives the interpreter away at each statement,
-- and with many threads that costs more than what the statement does. So the writing connection has a view for each step
-- (of its own: TEMP); an INSERT into the view does all of it. The views hold no rows.

-- A journal entry opens and takes its locks; fails if one is held. locks: JSON array.
CREATE TEMP VIEW opening AS SELECT
    '' AS id, 0 AS space, '' AS operation, '' AS object_id, '' AS anchor, '' AS owner, '' AS session, 0.0 AS opened,
    '' AS correlation, '' AS intent, '' AS locks, 0 AS noted WHERE 0;
CREATE TEMP TRIGGER opening INSTEAD OF INSERT ON opening BEGIN
    INSERT INTO entries (id, space, operation, object_id, anchor, owner, session, state, opened, correlation, intent, locks, noted)
    VALUES (new.id, new.space, new.operation, new.object_id, new.anchor, new.owner, new.session, 'open', new.opened,
        new.correlation, new.intent, new.locks, new.noted);
    INSERT INTO entry_locks (space, key, entry) SELECT new.space, j.value, new.id FROM json_each(new.locks) AS j;
END;

-- An object is added. keys: JSON array of attribute and value; last: its number within the space.
CREATE TEMP VIEW adding AS SELECT
    0 AS row, '' AS state, 0 AS space, 0 AS number, 0 AS generation, 0 AS shape, '' AS id, '' AS anchor, '' AS dn,
    '' AS external_id, '' AS at, '' AS keys, x'' AS attributes, x'' AS scim, 0 AS wire, 0 AS canonical, 0 AS last,
    0 AS block WHERE 0;
CREATE TEMP TRIGGER adding INSTEAD OF INSERT ON adding BEGIN
    UPDATE counter SET value = new.number;
    INSERT INTO objects (
        row, state, space, number, generation, shape, id, anchor, dn, external_id, created, modified, keys, attributes, scim
    ) VALUES (new.row, new.state, new.space, new.number, new.generation, new.shape, new.id, new.anchor, new.dn,
        new.external_id, new.at, new.at, new.keys, new.attributes, new.scim);
    INSERT INTO digests (row, wire, canonical) VALUES (new.row, new.wire, new.canonical);
    INSERT OR IGNORE INTO keys (space, attribute, value, row)
    SELECT new.space, json_extract(j.value, '$[0]'), json_extract(j.value, '$[1]'), new.row FROM json_each(new.keys) AS j;
    UPDATE spaces SET last = new.last WHERE number = new.space;
    INSERT INTO blocks (block, live) SELECT new.block, 1 WHERE new.state = 'live'
    ON CONFLICT (block) DO UPDATE SET live = live + 1;
END;

-- An object is changed, or only its state or external id: a new version. Keys and links follow by themselves.
CREATE TEMP VIEW changing AS SELECT
    0 AS row, '' AS state, '' AS external_id, 0 AS number, 0 AS shape, '' AS dn, '' AS at, '' AS keys, x'' AS attributes,
    x'' AS scim, 0 AS wire, 0 AS canonical WHERE 0;
CREATE TEMP TRIGGER changing INSTEAD OF INSERT ON changing BEGIN
    UPDATE counter SET value = new.number;
    UPDATE objects SET state = new.state, external_id = new.external_id, number = new.number, shape = new.shape, dn = new.dn,
        modified = new.at, keys = new.keys, attributes = new.attributes, scim = new.scim WHERE row = new.row;
    UPDATE digests SET wire = new.wire, canonical = new.canonical WHERE row = new.row AND canonical <> new.canonical;
END;

-- A journal entry ends: what the guard counts (guarded), what the audit keeps (audited), and the entry with its locks.
CREATE TEMP VIEW ending AS SELECT
    '' AS entry, 0 AS space, '' AS locks, '' AS state, '' AS reason, 0.0 AS closed, '' AS written, '' AS space_connector, '' AS space_type,
    '' AS guarded, 0 AS audited, 0.0 AS at, '' AS connector, '' AS actor, '' AS address, '' AS operation,
    '' AS object_type, '' AS object_id, '' AS name, '' AS name_folded, '' AS outcome, 0 AS status, 0.0 AS duration,
    '' AS correlation, '' AS message, '' AS sent, '' AS old, '' AS new WHERE 0;
CREATE TEMP TRIGGER ending INSTEAD OF INSERT ON ending BEGIN
    INSERT INTO guard_events (connector, object_type, kind, object_id, at)
    SELECT new.space_connector, new.space_type, new.guarded, new.written, new.closed WHERE new.guarded IS NOT NULL;
    INSERT INTO audit (at, connector, actor, address, operation, object_type, object_id, name, name_folded, outcome, status,
        duration, correlation, message, sent, old, new)
    SELECT new.at, new.connector, new.actor, new.address, new.operation, new.object_type, new.object_id, new.name,
        new.name_folded, new.outcome, new.status, new.duration, new.correlation, new.message, new.sent, new.old, new.new
    WHERE new.audited;
    UPDATE entries SET state = new.state, reason = new.reason, closed = new.closed,
        object_id = coalesce(new.written, object_id) WHERE id = new.entry;
    DELETE FROM entry_locks
    WHERE space = new.space AND key IN (SELECT value FROM json_each(new.locks)) AND entry = new.entry;
END;
