-- Version 27. Tables have the names of their files. The ids of events and revocations come from
-- the row of `log`. The tables that get another name are copied, because a rename would leave
-- quotes in their text. The log may be large, so only its text changes: what is on the disk is the
-- same without AUTOINCREMENT.
ALTER TABLE log ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN revocation INTEGER NOT NULL DEFAULT 0;
UPDATE log SET head = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0),
    revocation = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'grant_end'), 0);
CREATE TABLE read_marker (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    target_id  INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
    event_id   INTEGER NOT NULL,
    PRIMARY KEY (session_id, target_id)
) STRICT, WITHOUT ROWID;
INSERT INTO read_marker (session_id, target_id, event_id) SELECT session_id, target_id, event_id FROM read_mark;
DROP TABLE read_mark;
CREATE INDEX read_marker_of_target ON read_marker (target_id);
CREATE TABLE conversation (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    other_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wrote      INTEGER NOT NULL,
    unread     INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    read       INTEGER NOT NULL,
    written    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, other_id)
) STRICT, WITHOUT ROWID;
INSERT INTO conversation (session_id, other_id, wrote, unread, last, read, written)
    SELECT session_id, other_id, wrote, unread, last, read, written FROM direct;
DROP TABLE direct;
CREATE INDEX conversation_in_order ON conversation (session_id, wrote, unread, last);
CREATE INDEX conversation_of_other ON conversation (other_id);
CREATE TABLE revocation (
    id       INTEGER PRIMARY KEY,
    grant_id INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    time     INTEGER NOT NULL,
    jti      TEXT
) STRICT;
INSERT INTO revocation (id, grant_id, reason, time, jti) SELECT id, grant_id, reason, time, jti FROM grant_end;
DROP TABLE grant_end;
CREATE INDEX revocation_time ON revocation (time);
DROP INDEX ban_holding;
ALTER TABLE ban RENAME COLUMN held TO bound_session;
CREATE INDEX ban_bound ON ban (bound_session) WHERE bound_session IS NOT NULL;
DROP INDEX silence_holding;
ALTER TABLE silence RENAME COLUMN held TO bound_session;
CREATE INDEX silence_bound ON silence (bound_session) WHERE bound_session IS NOT NULL;
DROP INDEX app_made_through;
ALTER TABLE app RENAME COLUMN maker TO created_by;
ALTER TABLE app RENAME COLUMN made_through TO created_through;
CREATE INDEX app_created_through ON app (created_through) WHERE created_through IS NOT NULL AND ended_at IS NULL;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'PRIMARY KEY AUTOINCREMENT', 'PRIMARY KEY')
    WHERE type = 'table' AND name = 'event';
DELETE FROM sqlite_sequence WHERE name = 'event';
PRAGMA writable_schema = RESET;
