-- Version 2. The audit log; an index by which a session's open stays are found without its past
-- ones.
CREATE INDEX membership_of_session ON membership (session_id, since) WHERE until IS NULL;
CREATE INDEX membership_past ON membership (session_id, until) WHERE until IS NOT NULL;
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    time       INTEGER NOT NULL,
    action     TEXT NOT NULL,
    session_id INTEGER,
    client_id  INTEGER,
    nick       TEXT,
    address    TEXT,
    reason     TEXT
) STRICT;
CREATE INDEX audit_of_session ON audit (session_id, id);
