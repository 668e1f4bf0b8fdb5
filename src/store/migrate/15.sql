-- Version 15. The server's own keys are in a file beside the database, and no longer in memory
-- alone.
CREATE TABLE key_file (
    fingerprint BLOB PRIMARY KEY,
    lineage     TEXT NOT NULL,
    generation  INTEGER NOT NULL,
    until       INTEGER
) STRICT, WITHOUT ROWID;
ALTER TABLE device_code ADD COLUMN key TEXT;
