-- The index of ids holds the first eight characters of a UUID instead of all of it.
DROP INDEX objects_id;
ALTER TABLE objects ADD COLUMN
    id_head TEXT GENERATED ALWAYS AS (iif(id GLOB '????????-????-5*', substr(id, 1, 8), id)) VIRTUAL;
CREATE INDEX objects_id ON objects (id_head);
