-- Version 5. Grants that users give, by an authorization code or to a device; when grants expire
-- and end.
ALTER TABLE app_secret ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app_secret ADD COLUMN tried_at INTEGER;
ALTER TABLE app_grant ADD COLUMN expires_at INTEGER;
ALTER TABLE app_grant ADD COLUMN limit_at INTEGER;
CREATE INDEX app_grant_live ON app_grant (app_id, session_id) WHERE ended_at IS NULL;
CREATE INDEX app_grant_expiring ON app_grant (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE TABLE grant_end (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    grant_id INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    time     INTEGER NOT NULL
) STRICT;
CREATE INDEX grant_end_time ON grant_end (time);
CREATE TABLE authorization_code (
    secret_hash  BLOB PRIMARY KEY,
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    session_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    client_id    INTEGER NOT NULL,
    scope        TEXT NOT NULL,
    res          TEXT,
    redirect_uri TEXT,
    challenge    TEXT NOT NULL,
    grant_id     INTEGER REFERENCES app_grant (id) ON DELETE CASCADE,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_code_of_app ON authorization_code (app_id);
CREATE INDEX authorization_code_of_session ON authorization_code (session_id);
CREATE INDEX authorization_code_of_grant ON authorization_code (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX authorization_code_expiring ON authorization_code (expires_at);
CREATE TABLE device_code (
    secret_hash BLOB PRIMARY KEY,
    user_code   BLOB NOT NULL,
    app_id      INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    scope       TEXT NOT NULL,
    address     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    interval    INTEGER NOT NULL,
    polled_at   INTEGER,
    denied      INTEGER NOT NULL DEFAULT 0,
    session_id  INTEGER REFERENCES session (id) ON DELETE CASCADE,
    client_id   INTEGER,
    res         TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_code_by_user_code ON device_code (user_code);
CREATE INDEX device_code_of_app ON device_code (app_id, address);
CREATE INDEX device_code_of_session ON device_code (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX device_code_expiring ON device_code (expires_at);
