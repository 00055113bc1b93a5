-- The store's statements. Each is read by its name (see statements.py). `?` and `:name` are bound, never joined in.
-- A condition of a search (predicates.py) and the columns of an object (objects.py) are put in at {where} and {columns};
-- id_head(...) stands for the SQL of that column's value (statements.py).

-- ---------------------------------------------------------------- counter and spaces

-- name: counter_value
-- The change counter now.
SELECT value FROM counter;

-- name: counter_advance
-- Take that many numbers; returns the last of them.
UPDATE counter SET value = value + ? RETURNING value;

-- name: spaces_all
-- Every space that is in use.
SELECT number, connector, object_type FROM spaces WHERE dropped = 0 ORDER BY number;

-- name: space_find
-- A space in any state.
SELECT number, dropped, id_form FROM spaces WHERE connector = ? AND object_type = ?;

-- name: space_by_number
-- A space by its key.
SELECT number, connector, object_type FROM spaces WHERE number = ?;

-- name: space_add
-- A new space.
INSERT INTO spaces (connector, object_type, id_form) VALUES (?, ?, ?) RETURNING number;

-- name: space_revive
-- A dropped and emptied space is used again.
UPDATE spaces SET dropped = 0 WHERE number = ?;

-- name: space_set_id_form
-- How new objects get their ids from now on.
UPDATE spaces SET id_form = ? WHERE number = ?;

-- name: spaces_drop
-- Nobody may use the connector's spaces any more.
UPDATE spaces SET dropped = 1 WHERE connector = ? AND dropped = 0;

-- name: spaces_dropped
-- The spaces of a connector that wait for being emptied.
SELECT number FROM spaces WHERE connector = ? AND dropped = 1;

-- name: space_head
-- What a bulk write must know of the space.
SELECT last, dropped, id_form FROM spaces WHERE number = ?;

-- name: space_set_last
-- The highest row number ever given out.
UPDATE spaces SET last = ? WHERE number = ?;

-- ---------------------------------------------------------------- reading objects

-- name: object_by_id
-- A live object.
SELECT {columns} FROM objects AS o WHERE o.id_head = id_head(?2) AND o.id = ?2 AND +o.space = ?1 AND o.state = 'live';

-- name: object_by_id_any
-- An object in any state.
SELECT {columns} FROM objects AS o WHERE o.id_head = id_head(?2) AND o.id = ?2 AND +o.space = ?1;

-- name: object_by_anchor
-- An object in any state.
SELECT {columns} FROM objects AS o WHERE o.space = ? AND o.anchor = ?;

-- name: object_by_row
-- An object in any state.
SELECT {columns} FROM objects AS o WHERE o.row = ?;

-- name: objects_by_anchors
-- Objects in any state, by a JSON array of anchor texts.
SELECT {columns} FROM json_each(?2) AS j CROSS JOIN objects AS o WHERE o.space = ?1 AND o.anchor = j.value;

-- name: objects_by_rows
-- Objects in any state, by a JSON array of rows.
SELECT {columns} FROM json_each(?) AS j CROSS JOIN objects AS o WHERE o.row = j.value ORDER BY o.row;

-- name: objects_by_key
-- Live objects with a key.
SELECT {columns} FROM keys AS k CROSS JOIN objects AS o
WHERE k.space = ? AND k.attribute = ? AND k.value = ? AND o.row = k.row AND o.state = 'live' ORDER BY k.row LIMIT ?;

-- name: objects_by_key_any
-- Objects in any state with a key.
SELECT {columns} FROM keys AS k CROSS JOIN objects AS o
WHERE k.space = ? AND k.attribute = ? AND k.value = ? AND o.row = k.row ORDER BY k.row LIMIT ?;

-- name: key_exists
-- Whether an object in any state has a key.
SELECT 1 FROM keys WHERE space = ? AND attribute = ? AND value = ? LIMIT 1;

-- name: known_by_anchors
-- What an import must know of objects before it decodes them.
SELECT o.anchor, o.row, o.id, o.number, o.state, d.wire, d.canonical
FROM json_each(?2) AS j CROSS JOIN objects AS o CROSS JOIN digests AS d
WHERE o.space = ?1 AND o.anchor = j.value AND d.row = o.row;

-- name: greatest_anchor
-- The last anchor in text order: an import in that order needs no look-ups.
SELECT max(anchor) FROM objects WHERE space = ?;

-- name: anchors_by_rows
-- Anchors by a JSON array of rows.
SELECT o.row, o.anchor FROM json_each(?) AS j CROSS JOIN objects AS o WHERE o.row = j.value;

-- name: rows_after
-- The next rows of a space.
SELECT row FROM objects WHERE row > ? AND row <= ? ORDER BY row LIMIT ?;

-- name: digests_after
-- The next rows of a space and their wire digests (0: none), as two JSON arrays: a fifth of the time of so many rows.
SELECT json_group_array(row), json_group_array(coalesce(wire, 0))
FROM (SELECT row, wire FROM digests WHERE row > ? AND row <= ? ORDER BY row LIMIT ?);

-- name: canonical_by_rows
-- Canonical digests by a JSON array of rows.
SELECT d.row, d.canonical FROM json_each(?) AS j CROSS JOIN digests AS d WHERE d.row = j.value;

-- name: links_by_rows
-- What objects refer to, by a JSON array of rows.
SELECT l.row, l.attribute, l.key FROM json_each(?) AS j CROSS JOIN links AS l WHERE l.row = j.value;

-- name: links_by_attributes
-- What objects refer to with some attributes, by JSON arrays of rows and attributes.
SELECT l.row, l.attribute, l.key FROM json_each(?) AS j CROSS JOIN json_each(?) AS a CROSS JOIN links AS l
WHERE l.row = j.value AND l.attribute = a.value;

-- name: links_present
-- Which references an object has, of a JSON array of [attribute, key].
SELECT l.attribute, l.key FROM json_each(?2) AS j CROSS JOIN links AS l
WHERE l.row = ?1 AND l.attribute = json_extract(j.value, '$[0]') AND l.key = json_extract(j.value, '$[1]');

-- name: links_exist
-- Whether an object refers to anything with an attribute.
SELECT EXISTS (SELECT 1 FROM links WHERE row = ? AND attribute = ?);

-- name: referred_by_anchor
-- The live objects of a space that others refer to by anchor, by JSON arrays of rows and attributes; with the first name
-- that one of two JSON paths leads to.
SELECT l.row, l.attribute, l.key, o.id, coalesce(
    nullif(json_extract(CAST(o.attributes AS TEXT), ?4), ''), nullif(json_extract(CAST(o.attributes AS TEXT), ?5), ''))
FROM json_each(?2) AS j CROSS JOIN json_each(?3) AS a CROSS JOIN links AS l CROSS JOIN objects AS o
WHERE l.row = j.value AND l.attribute = a.value AND o.space = ?1 AND o.anchor = l.key AND o.state = 'live';

-- name: referred_by_dn
-- The same by dn.
SELECT l.row, l.attribute, l.key, o.id, coalesce(
    nullif(json_extract(CAST(o.attributes AS TEXT), ?4), ''), nullif(json_extract(CAST(o.attributes AS TEXT), ?5), ''))
FROM json_each(?2) AS j CROSS JOIN json_each(?3) AS a CROSS JOIN links AS l CROSS JOIN objects AS o
WHERE l.row = j.value AND l.attribute = a.value AND o.space = ?1 AND o.dn = json_extract(l.key, '$[0]')
AND o.dn IS NOT NULL AND o.state = 'live';

-- name: referring_by_keys
-- The live objects, in a range of rows, that refer to any of a JSON array of target keys; with their names.
SELECT j.value, o.id, coalesce(
    nullif(json_extract(CAST(o.attributes AS TEXT), ?5), ''), nullif(json_extract(CAST(o.attributes AS TEXT), ?6), ''))
FROM json_each(?1) AS j CROSS JOIN links AS l CROSS JOIN objects AS o
WHERE l.attribute = ?2 AND l.key = j.value AND l.row BETWEEN ?3 AND ?4 AND o.row = l.row AND o.state = 'live';

-- name: shown_referred
-- What one object (?1) refers to with an attribute, by anchor, in a space; with names as in referred_by_anchor. A part of
-- a UNION.
SELECT {part}, o.id, coalesce(
    nullif(json_extract(CAST(o.attributes AS TEXT), {first}), ''),
    nullif(json_extract(CAST(o.attributes AS TEXT), {second}), ''))
FROM links AS l CROSS JOIN objects AS o
WHERE l.row = ?1 AND l.attribute = {attribute} AND o.space = {space} AND o.anchor = l.key AND o.state = 'live';

-- name: shown_referring
-- The live objects, in a range of rows, that refer to one target key (?2); with their names. A part of a UNION.
SELECT {part}, o.id, coalesce(
    nullif(json_extract(CAST(o.attributes AS TEXT), {first}), ''),
    nullif(json_extract(CAST(o.attributes AS TEXT), {second}), ''))
FROM links AS l CROSS JOIN objects AS o
WHERE l.attribute = {attribute} AND l.key = ?2 AND l.row BETWEEN {low} AND {high} AND o.row = l.row AND o.state = 'live';

-- name: named_by_ids
-- How objects of a space are referred to, by a JSON array of ids.
SELECT o.id, o.anchor, o.dn, o.state FROM json_each(?2) AS j CROSS JOIN objects AS o
WHERE o.id_head = id_head(j.value) AND o.id = j.value AND +o.space = ?1;

-- name: links_to
-- Rows of a space that refer to a target key.
SELECT l.row FROM links AS l WHERE l.attribute = ? AND l.key = ? AND l.row BETWEEN ? AND ? ORDER BY l.row;

-- name: resolve_by_anchor
-- Live objects by a JSON array of target keys that are anchors.
SELECT j.value, o.id FROM json_each(?2) AS j CROSS JOIN objects AS o
WHERE o.space = ?1 AND o.anchor = j.value AND o.state = 'live';

-- name: resolve_by_dn
-- Live objects by a JSON array of names.
SELECT j.value, o.id FROM json_each(?2) AS j CROSS JOIN objects AS o
WHERE o.space = ?1 AND o.dn = j.value AND o.dn IS NOT NULL AND o.state = 'live';

-- ---------------------------------------------------------------- lists

-- name: blocks_extent
-- First and last block of a space, and its live objects.
SELECT min(block), max(block), coalesce(sum(live), 0) FROM blocks WHERE block BETWEEN ? AND ?;

-- name: blocks_total
-- Live objects of a range of blocks.
SELECT coalesce(sum(live), 0) FROM blocks WHERE block BETWEEN ? AND ?;

-- name: page_from
-- Live objects from a row on.
SELECT {columns} FROM objects AS o
WHERE o.row BETWEEN ? AND ? AND o.state = 'live' ORDER BY o.row LIMIT ? OFFSET ?;

-- name: page_text
-- The texts that answers show of live objects from a row on, with commas between, each put together by `:form`; how many
-- they are, and how many of them have the shape and, after `:length`, more than schemas. One step instead of a hundred.
SELECT count(*), total(fits), CAST(group_concat(text) AS BLOB){more} FROM (
    SELECT o.shape = :shape AND length(o.scim) > :length AS fits,
        printf(:form, o.id,
            CASE WHEN :keeps AND o.external_id IS NOT NULL THEN ',"externalId":' || json_quote(o.external_id) ELSE '' END,
            substr(o.scim, :length, length(o.scim) - :length), o.created, o.modified, o.number, o.id) AS text
    FROM objects AS o
    WHERE o.row BETWEEN {row} AND :last AND o.state = 'live' ORDER BY o.row LIMIT :count OFFSET :passed);

-- name: page_begin
-- The live objects of a space, and the row where a page begins if there are no gaps: the blocks before its own (`:full` of
-- them) are full, and in its own the last live row is as far from the first as there are live ones. NULL if there are.
SELECT a.live, CASE WHEN :skip = 0 OR (
        coalesce((SELECT sum(b.live) FROM blocks AS b WHERE b.block BETWEEN a.low AND a.low + :full - 1), 0) = :full << 10
        AND (SELECT o.row = b.live - 1 + ((a.low + :full) << 10) FROM blocks AS b CROSS JOIN objects AS o
            WHERE b.block = a.low + :full AND o.state = 'live'
                AND o.row BETWEEN (a.low << 10) + :skip AND 1023 + ((a.low + :full) << 10)
            ORDER BY o.row DESC LIMIT 1))
    THEN (a.low << 10) + :skip END AS row
FROM (SELECT min(block) AS low, coalesce(sum(live), 0) AS live FROM blocks WHERE block BETWEEN :low AND :high) AS a;

-- name: search_all
-- Rows of the live objects that meet a condition; every object of the space is looked at.
SELECT o.row FROM objects AS o WHERE o.row BETWEEN :low AND :high AND o.state = 'live' AND ({where}) ORDER BY o.row;

-- name: search_candidates
-- The same, where an index names the candidates.
SELECT o.row FROM objects AS o
WHERE o.row IN ({candidates}) AND o.row BETWEEN :low AND :high AND o.state = 'live' AND ({where}) ORDER BY o.row;

-- name: walk_rows
-- Rows of the live objects that meet a condition, between two rows.
SELECT o.row, NULL FROM objects AS o WHERE {among}o.row BETWEEN :low AND :high AND o.state = 'live' AND ({where})
ORDER BY o.row {direction} LIMIT :limit OFFSET :skip;

-- name: walk_sorted
-- The same with what they are sorted by, in that order, from a place on. SQLite keeps no more rows than are wanted; the
-- limit inside keeps it from working a key out more than once.
SELECT row, key FROM (
    SELECT o.row AS row, {key} AS key FROM objects AS o
    WHERE {among}o.row BETWEEN :low AND :high AND o.state = 'live' AND ({where}) LIMIT -1
) WHERE {place} ORDER BY {order} LIMIT :limit OFFSET :skip;

-- ---------------------------------------------------------------- writing objects

-- name: object_insert
-- A new object.
INSERT INTO objects (row, state, space, number, generation, shape, id, anchor, dn, created, modified, keys, attributes, scim)
VALUES (?, 'live', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: step_add
-- A new object in any state, with the client's own id of it (steps.sql).
INSERT INTO adding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: step_change
-- The whole of an object: a new version (steps.sql).
INSERT INTO changing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: object_update
-- An object's new contents: a new version.
UPDATE objects SET number = ?, shape = ?, dn = ?, modified = ?, keys = ?, attributes = ?, scim = ? WHERE row = ?;

-- name: object_reindex
-- The same contents in another form, or other keys: no new version.
UPDATE objects SET shape = ?, keys = ?, attributes = ?, scim = ? WHERE row = ?;

-- name: object_rename
-- Another anchor, same id.
UPDATE objects SET anchor = ? WHERE row = ?;

-- name: object_set_state
-- Shown or hidden.
UPDATE objects SET state = ?, number = ?, modified = coalesce(?, modified) WHERE row = ?;

-- name: object_set_external_id
-- The client's own id of the object.
UPDATE objects SET external_id = ?, number = ?, modified = coalesce(?, modified) WHERE row = ?;

-- name: object_delete
-- An object.
DELETE FROM objects WHERE row = ?;

-- name: object_for_change
-- What changing one object must know.
SELECT space, state, anchor, id, number, generation, external_id, keys FROM objects WHERE row = ?;

-- name: objects_for_removal
-- What removing objects must know, by a JSON array of rows.
SELECT o.row, o.anchor, o.id, o.number, o.generation, o.state, o.external_id, o.keys
FROM json_each(?) AS j CROSS JOIN objects AS o WHERE o.row = j.value;

-- name: objects_slice
-- The first rows of a space.
SELECT row FROM objects WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?;

-- name: keys_of_rows
-- The keys of objects as they were written, by a JSON array of rows.
SELECT o.row, o.keys FROM json_each(?) AS j CROSS JOIN objects AS o WHERE o.row = j.value;

-- name: digest_insert
-- Digests of a new object.
INSERT INTO digests (row, wire, canonical) VALUES (?, ?, ?);

-- name: digest_update
-- Digests of a changed object.
UPDATE digests SET wire = ?, canonical = ? WHERE row = ?;

-- name: digest_delete
-- Digests of a removed object.
DELETE FROM digests WHERE row = ?;

-- name: key_insert
-- A key of an object.
INSERT OR IGNORE INTO keys (space, attribute, value, row) VALUES (?, ?, ?, ?);

-- name: key_delete
-- A key of an object.
DELETE FROM keys WHERE space = ? AND attribute = ? AND value = ? AND row = ?;

-- name: link_insert
-- A reference of an object.
INSERT OR IGNORE INTO links (row, attribute, key) VALUES (?, ?, ?);

-- name: link_delete
-- A reference of an object.
DELETE FROM links WHERE row = ? AND attribute = ? AND key = ?;

-- name: links_delete
-- Every reference of an object.
DELETE FROM links WHERE row = ?;

-- name: block_more
-- More live objects in a block.
INSERT INTO blocks (block, live) VALUES (?, ?) ON CONFLICT (block) DO UPDATE SET live = live + excluded.live;

-- name: block_fewer
-- Fewer live objects in a block.
UPDATE blocks SET live = live - ? WHERE block = ?;

-- name: blocks_delete
-- A space is empty.
DELETE FROM blocks WHERE block BETWEEN ? AND ?;

-- name: identity_insert
-- An id that is never given out again.
INSERT OR IGNORE INTO identities (space, anchor, generation, id, used) VALUES (?, ?, ?, ?, ?);

-- name: identities_exist
-- Whether any object of the space was ever removed or renamed.
SELECT EXISTS (SELECT 1 FROM identities WHERE space = ?);

-- name: generations_of
-- The highest generation used of each anchor, by a JSON array of anchor texts.
SELECT i.anchor, max(i.generation) FROM json_each(?2) AS j CROSS JOIN identities AS i
WHERE i.space = ?1 AND i.anchor = j.value GROUP BY i.anchor;

-- name: id_used
-- Whether an id was ever given out in a space.
SELECT EXISTS (SELECT 1 FROM objects WHERE id_head = id_head(?2) AND id = ?2 AND +space = ?1)
    OR EXISTS (SELECT 1 FROM identities WHERE space = ?1 AND id = ?2);

-- name: tombstone_insert
-- A removed object.
INSERT OR REPLACE INTO tombstones (space, anchor, number, at, id) VALUES (?, ?, ?, ?, ?);

-- name: tombstones_after
-- Of a JSON array of anchor texts, those whose object was removed after a number.
SELECT t.anchor, t.number FROM json_each(?2) AS j CROSS JOIN tombstones AS t
WHERE t.space = ?1 AND t.anchor = j.value AND t.number > ?3;

-- name: tombstones_exist_after
-- Whether any object of a space was removed after a number.
SELECT EXISTS (SELECT 1 FROM tombstones WHERE space = ? AND number > ?);

-- name: tombstones_prune
-- Tombstones that no run can need any more.
DELETE FROM tombstones WHERE (space, anchor) IN (
    SELECT space, anchor FROM tombstones
    WHERE at < :before AND number <= coalesce((SELECT min(noted) FROM runs WHERE state = 'running'), number) LIMIT :limit
);

-- name: tombstones_drop
-- A space is empty.
DELETE FROM tombstones WHERE space = ?;

-- ---------------------------------------------------------------- journal

-- name: locks_exist
-- Whether anything of a space is locked by another entry.
SELECT EXISTS (SELECT 1 FROM entry_locks WHERE space = ? AND entry IS NOT ?);

-- name: locks_held
-- Of a JSON array of lock keys, those held by other entries.
SELECT l.key FROM json_each(?2) AS j CROSS JOIN entry_locks AS l
WHERE l.space = ?1 AND l.key = j.value AND l.entry IS NOT ?3;

-- name: locks_holders
-- The unfinished entries that hold any of a JSON array of lock keys.
SELECT DISTINCT {columns} FROM json_each(?2) AS j CROSS JOIN entry_locks AS l CROSS JOIN entries AS e
WHERE l.space = ?1 AND l.key = j.value AND e.id = l.entry ORDER BY e.opened, e.id;

-- name: entry_look
-- What an entry that opens must know: the counter; whether any of a JSON array of lock keys is held; whether any object has
-- one of a JSON array of keys (attribute, value); and the number of an object.
SELECT (SELECT value FROM counter),
    EXISTS (SELECT 1 FROM json_each(?2) AS j CROSS JOIN entry_locks AS l WHERE l.space = ?1 AND l.key = j.value),
    EXISTS (
        SELECT 1 FROM json_each(?3) AS j CROSS JOIN keys AS k
        WHERE k.space = ?1 AND k.attribute = json_extract(j.value, '$[0]') AND k.value = json_extract(j.value, '$[1]')
    ),
    (SELECT number FROM objects WHERE row = ?4);

-- name: step_open
-- An entry opens and takes its locks (steps.sql).
INSERT INTO opening VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: entry_get
-- An entry in any state.
SELECT {columns} FROM entries AS e WHERE e.id = ?;

-- name: entries_unfinished
-- Entries that are open or in doubt, which are those with locks, in the order in which they were opened; of one connector, or
-- of all.
SELECT {columns} FROM entries AS e JOIN spaces AS s ON s.number = e.space
WHERE e.id IN (SELECT entry FROM entry_locks) AND (?1 IS NULL OR s.connector = ?1) ORDER BY +e.rowid;

-- name: entries_all
-- Entries in any state, newest first; of one connector, or of all.
SELECT {columns} FROM entries AS e JOIN spaces AS s ON s.number = e.space
WHERE (?1 IS NULL OR s.connector = ?1) ORDER BY e.opened DESC, e.id LIMIT ?2;

-- name: entry_head
-- What ending an entry must know: of it, of its space, and of the object with an anchor.
SELECT e.state, e.operation, e.object_id, e.anchor, e.locks, s.number, s.connector, s.object_type, s.last, s.dropped, s.id_form,
    EXISTS (SELECT 1 FROM identities AS i WHERE i.space = s.number),
    o.row, o.id, o.number, o.state, d.canonical, o.created, o.modified, o.external_id, o.keys,
    EXISTS (SELECT 1 FROM links AS l WHERE l.row = o.row), (SELECT value FROM counter), e.noted
FROM entries AS e CROSS JOIN spaces AS s ON s.number = e.space
LEFT JOIN objects AS o ON o.space = e.space AND o.anchor = ?2
LEFT JOIN digests AS d ON d.row = o.row
WHERE e.id = ?1;

-- name: step_end
-- An entry ends (steps.sql).
INSERT INTO ending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: entry_mark
-- An unfinished entry's state.
UPDATE entries SET state = ?, reason = ? WHERE id = ? AND closed IS NULL;

-- name: entry_take_over
-- Another process repairs the entry.
UPDATE entries SET owner = ?, session = ? WHERE id = ? AND owner = ? AND closed IS NULL;

-- name: entries_prune
-- Those that ended long ago among the oldest that have ended; they stand in the order in which they were opened. And those
-- that ended in the future: the clock was ahead, and what comes later would wait for them.
DELETE FROM entries WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, closed FROM entries WHERE closed IS NOT NULL ORDER BY rowid LIMIT ?2)
    WHERE closed < ?1 OR closed > ?3
);

-- ---------------------------------------------------------------- runs

-- name: run_queued
-- The run of a scope that waits already.
SELECT {columns} FROM runs WHERE connector = ? AND scope = ? AND state = 'queued';

-- name: run_insert
-- A run is asked for.
INSERT INTO runs (id, connector, kind, scope, state, requested_by, queued) VALUES (?, ?, ?, ?, 'queued', ?, ?);

-- name: run_upgrade
-- A full import is asked for where a delta waits.
UPDATE runs SET kind = 'full', requested_by = ? WHERE id = ? AND state = 'queued';

-- name: run_get
-- A run.
SELECT {columns} FROM runs WHERE id = ?;

-- name: run_next
-- The oldest queued run whose scope has none running.
SELECT id FROM runs AS q WHERE state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM runs AS r WHERE r.connector = q.connector AND r.scope = q.scope AND r.state = 'running'
) ORDER BY queued, id LIMIT 1;

-- name: run_claim
-- A run begins.
UPDATE runs SET state = 'running', owner = ?, started = ?, noted = (SELECT value FROM counter)
WHERE id = ? AND state = 'queued' RETURNING {columns};

-- name: run_hand_over
-- The process that really works takes a claimed run over.
UPDATE runs SET owner = ? WHERE id = ? AND state = 'running' AND owner = ?;

-- name: run_progress
-- How far a run is.
UPDATE runs SET objects = ?, changed = ?, removed = ?, expected = coalesce(?, expected)
WHERE id = ? RETURNING cancel_requested;

-- name: run_finish
-- A run ends.
UPDATE runs SET state = ?, message = ?, ended = ?, objects = coalesce(?, objects), changed = coalesce(?, changed),
    removed = coalesce(?, removed), expected = coalesce(?, expected)
WHERE id = ? AND state IN ('queued', 'running', 'held', 'watching', 'waiting');

-- name: run_cancel_queued
-- A run that did not begin ends.
UPDATE runs SET state = 'cancelled', ended = ?, message = 'cancelled before it began', cancel_requested = 1
WHERE id = ? AND state = 'queued';

-- name: run_cancel_running
-- A running one is asked to stop.
UPDATE runs SET cancel_requested = 1 WHERE id = ? AND state = 'running';

-- name: run_release
-- A held run waits again.
UPDATE runs SET state = 'queued', owner = NULL, started = NULL, ended = NULL, noted = NULL, queued = ?, message = '',
    cancel_requested = 0, objects = 0, changed = 0, removed = 0
WHERE id = ? AND state = 'held';

-- name: run_supersede
-- A held run that another one has taken the place of.
UPDATE runs SET state = 'cancelled', message = ? WHERE id = ? AND state = 'held';

-- name: runs_list
-- Runs, newest first.
SELECT {columns} FROM runs WHERE ?1 IS NULL OR connector = ?1 ORDER BY queued DESC, id DESC LIMIT ?2;

-- name: runs_owned
-- Runs and watches under way.
SELECT {columns} FROM runs WHERE state IN ('running', 'watching', 'waiting');

-- name: run_fail_dead
-- A run whose process ended.
UPDATE runs SET state = 'failed', ended = ?, message = 'the process ended'
WHERE id = ? AND state IN ('running', 'watching', 'waiting') AND owner = ? RETURNING {columns};

-- name: runs_watching
-- The watches of a connector, or of all.
SELECT {columns} FROM runs WHERE state IN ('running', 'watching', 'waiting') AND state <> 'running'
    AND (?1 IS NULL OR connector = ?1) ORDER BY queued, id;

-- name: run_watch
-- A watch begins.
INSERT INTO runs (id, connector, kind, scope, state, owner, requested_by, queued, started)
VALUES (?1, ?2, 'watch', ?3, 'waiting', ?4, 'watch', ?5, ?5);

-- name: run_watch_note
-- How a watch is doing.
UPDATE runs SET state = ?, message = ?, objects = ?, changed = ?, removed = ?
WHERE id = ? AND state IN ('watching', 'waiting');

-- name: runs_oldest_noted
-- The counter when the oldest running run began.
SELECT min(noted) FROM runs WHERE state = 'running';

-- name: runs_prune
-- Some runs that ended long ago, but for those that an operator may still let through.
DELETE FROM runs WHERE id IN (
    SELECT id FROM runs AS r WHERE ended < ? AND state NOT IN ('queued', 'running', 'watching', 'waiting')
    AND NOT EXISTS (SELECT 1 FROM holds AS h WHERE h.run = r.id AND h.state = 'held') LIMIT ?
);

-- ---------------------------------------------------------------- schedules

-- name: schedule_set
-- A connector's interval; its next run stays unless it would come sooner with the new interval.
INSERT INTO schedules (connector, interval, next_run) VALUES (?1, ?2, ?3 + ?2)
ON CONFLICT (connector) DO UPDATE SET interval = excluded.interval, next_run = min(next_run, excluded.next_run)
WHERE interval <> excluded.interval OR next_run > excluded.next_run;

-- name: schedules_waiting
-- Whether any connector is due: its time has come, or is so far away that the clock must have been set back.
SELECT EXISTS (SELECT 1 FROM schedules WHERE next_run <= ?1 OR next_run > ?1 + interval + ?2);

-- name: schedules_due
-- Connectors that are due; their next run moves on.
UPDATE schedules SET next_run = ?1 + interval WHERE next_run <= ?1 OR next_run > ?1 + interval + ?2 RETURNING connector;

-- name: schedule_next
-- When a connector is due.
SELECT next_run FROM schedules WHERE connector = ?;

-- name: schedule_remove
-- No more automatic runs.
DELETE FROM schedules WHERE connector = ?;

-- ---------------------------------------------------------------- guard

-- name: guard_event_insert
-- Something the guard counts.
INSERT INTO guard_events (connector, object_type, kind, object_id, at) VALUES (?, ?, ?, ?, ?);

-- name: guard_count
-- Objects with such an event since then, and one more if given, without those created through Isthmus since then.
SELECT count(*) FROM (
    SELECT object_id FROM guard_events
    WHERE connector = ?1 AND object_type = ?2 AND kind = ?3 AND kind <> 'create' AND at >= ?4
    UNION SELECT ?5 WHERE ?5 IS NOT NULL
) AS e WHERE NOT EXISTS (
    SELECT 1 FROM guard_events AS c WHERE c.connector = ?1 AND c.object_type = ?2 AND c.object_id = e.object_id
    AND c.kind = 'create' AND c.at >= ?4
);

-- name: guard_events_forget
-- Some events of a kind that an operator has looked at.
DELETE FROM guard_events WHERE id IN (
    SELECT id FROM guard_events WHERE connector = ? AND object_type = ? AND kind = ? AND kind <> 'create' LIMIT 2000
);

-- name: guard_events_prune
-- Those older than any window among the oldest events, which stand in the order in which they came, and those in the future.
DELETE FROM guard_events WHERE id IN (
    SELECT id FROM (SELECT id, at FROM guard_events ORDER BY id LIMIT ?2) WHERE at < ?1 OR at > ?3
);

-- name: hold_open
-- The hold of that kind that stands already.
SELECT {columns} FROM holds WHERE connector = ? AND object_type = ? AND kind = ? AND state = 'held' ORDER BY opened LIMIT 1;

-- name: hold_insert
-- The guard holds something back.
INSERT INTO holds (id, connector, object_type, kind, run, count, "limit", opened, state, message)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'held', ?);

-- name: hold_update
-- A standing hold grows.
UPDATE holds SET count = ?, "limit" = ?, run = coalesce(?, run), message = ? WHERE id = ?;

-- name: hold_get
-- A hold.
SELECT {columns} FROM holds WHERE id = ?;

-- name: holds_list
-- Holds, newest first; active ones are held, or released and not over.
SELECT {columns} FROM holds WHERE (?1 IS NULL OR connector = ?1)
AND (NOT ?2 OR state = 'held' OR (state = 'released' AND (released_until IS NULL OR released_until > ?3)))
ORDER BY opened DESC, id;

-- name: hold_end
-- An operator, or the run that used it, decides.
UPDATE holds SET state = ?, released_until = ?, ended_by = ? WHERE id = ? AND state IN ('held', 'released');

-- name: hold_released
-- A release that holds at a time.
SELECT {columns} FROM holds WHERE connector = ? AND object_type = ? AND kind = ? AND state = 'released'
AND (released_until IS NULL OR released_until > ?) ORDER BY opened DESC LIMIT 1;

-- name: holds_prune
-- Holds that ended and were opened before a time; one that stands, or is released until it was used, is never among them.
DELETE FROM holds WHERE opened < ?1 AND (state IN ('cancelled', 'over') OR (state = 'released' AND released_until < ?1));

-- ---------------------------------------------------------------- audit, tokens, settings

-- name: audit_insert
-- Something happened.
INSERT INTO audit (at, connector, actor, address, operation, object_type, object_id, name, name_folded, outcome, status,
    duration, correlation, message, sent, old, new)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: audit_query
-- What happened, newest first.
SELECT {columns} FROM audit WHERE {where} ORDER BY id DESC LIMIT :limit;

-- name: audit_prune_records
-- Some records past their retention.
DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE blanked IN (0, 1) AND at < ? LIMIT ?);

-- name: audit_prune_values
-- Some records whose values are past theirs.
UPDATE audit SET sent = '[]', old = '{}', new = '{}', blanked = 1
WHERE id IN (SELECT id FROM audit WHERE blanked = 0 AND at < ? AND at >= ? ORDER BY at LIMIT ?) RETURNING at;

-- name: token_insert
-- A token.
INSERT INTO tokens (id, connector, name, scope, hash, created, expires, revoked, last_used)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: tokens_list
-- Tokens of a connector, or all.
SELECT {columns} FROM tokens WHERE ?1 IS NULL OR connector = ?1 ORDER BY created, id;

-- name: token_get
-- A token.
SELECT {columns} FROM tokens WHERE id = ?;

-- name: token_revoke
-- From then on the token is refused; an end to come can only be brought forward.
UPDATE tokens SET revoked = ?1 WHERE id = ?2 AND (revoked IS NULL OR revoked > ?1);

-- name: token_last_used
-- When a token was last used.
SELECT last_used FROM tokens WHERE id = ?;

-- name: token_touch
-- A token was used.
UPDATE tokens SET last_used = max(coalesce(last_used, 0), ?) WHERE id = ?;

-- name: setting_get
-- A small durable thing.
SELECT value FROM settings WHERE name = ?;

-- name: setting_set
-- The same, written.
INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE value <> excluded.value;

-- name: setting_add
-- The same, unless there is one.
INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?);

-- name: setting_remove
-- The same, forgotten.
DELETE FROM settings WHERE name = ?;

-- name: settings_list
-- Settings whose name begins so.
SELECT name, value FROM settings WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name;
