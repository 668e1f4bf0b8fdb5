-- Version 4. Apps, their grants and tokens; the app of an event and of a line of the audit log.
CREATE TABLE app (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id       TEXT NOT NULL,
    name            TEXT NOT NULL,
    session_id      INTEGER REFERENCES session (id),
    maker           INTEGER,
    public          INTEGER NOT NULL DEFAULT 0,
    resource_server INTEGER NOT NULL DEFAULT 0,
    bearer_alone    INTEGER NOT NULL DEFAULT 0,
    redirect_uris   TEXT NOT NULL DEFAULT '[]',
    scope           TEXT NOT NULL,
    res             TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    ended_at        INTEGER,
    tried           INTEGER NOT NULL DEFAULT 0,
    tried_at        INTEGER
) STRICT;
CREATE UNIQUE INDEX app_by_client_id ON app (client_id);
CREATE INDEX app_of_session ON app (session_id, ended_at) WHERE session_id IS NOT NULL;
CREATE INDEX app_expiring ON app (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX app_ended ON app (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE app_secret (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    secret_hash  BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    valid_until  INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE UNIQUE INDEX app_secret_by_hash ON app_secret (secret_hash);
CREATE INDEX app_secret_of_app ON app_secret (app_id, id);
CREATE TABLE app_grant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER REFERENCES session (id),
    app_id     INTEGER NOT NULL REFERENCES app (id),
    scope      TEXT NOT NULL,
    res        TEXT,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
CREATE INDEX app_grant_of_session ON app_grant (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX app_grant_of_app ON app_grant (app_id);
CREATE INDEX app_grant_ended ON app_grant (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE token (
    secret_hash   BLOB PRIMARY KEY,
    grant_id      INTEGER NOT NULL REFERENCES app_grant (id),
    kind          TEXT NOT NULL,
    scope         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    limit_at      INTEGER NOT NULL,
    superseded_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_of_grant ON token (grant_id);
CREATE INDEX token_expiring ON token (expires_at);
ALTER TABLE client ADD COLUMN grant_id INTEGER REFERENCES app_grant (id);
ALTER TABLE client ADD COLUMN key INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX client_of_grant ON client (grant_id) WHERE grant_id IS NOT NULL;
ALTER TABLE event ADD COLUMN app TEXT;
ALTER TABLE audit ADD COLUMN app TEXT;
