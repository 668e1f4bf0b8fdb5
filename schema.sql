-- Rejoin's current schema. A new database is created from this file; src/store/migrate.rs upgrades older databases to it.
-- Times are milliseconds since the Unix epoch. Ids that come from AUTOINCREMENT, or from the row of log, are
-- never used twice. A column whose comment begins with "flag:" is true (1) or false (0). A table comes after
-- the tables that it references.

-- The sessions and channels, to which events are addressed. Both take their ids from this one sequence.
CREATE TABLE target (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    dropped INTEGER NOT NULL DEFAULT 0      -- the last event to this target that retention removed
) STRICT;

-- A session: one identity. Once ended, it stays as a tombstone for the retention time.
CREATE TABLE session (
    id            INTEGER PRIMARY KEY REFERENCES target (id),
    nick          TEXT NOT NULL,
    folded_nick   TEXT NOT NULL,
    password_hash TEXT,                     -- a PHC string of Argon2id
    away          TEXT,
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    network       TEXT                      -- the network that created it: an IPv4 address, or 64 bits of an IPv6 address in hexadecimal
) STRICT;
CREATE UNIQUE INDEX session_by_nick ON session (folded_nick) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX session_by_network ON session (network) WHERE ended_at IS NULL;

-- What OAuth calls a client: an app that the operator registered, or an API key. Once ended, it stays for a while, so that
-- programs that still use it can be found.
CREATE TABLE app (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id       TEXT NOT NULL,              -- the public id, which is not a secret
    name            TEXT NOT NULL,
    session_id      INTEGER REFERENCES session (id), -- an API key: the session that owns it; NULL: an app of the operator
    created_by      INTEGER,                    -- an API key: the device's client that created it
    public          INTEGER NOT NULL DEFAULT 0, -- flag: it cannot keep a secret
    resource_server INTEGER NOT NULL DEFAULT 0, -- flag: it may introspect every token
    bearer_alone    INTEGER NOT NULL DEFAULT 0, -- flag: its users' tokens work without the app's own token
    redirect_uris   TEXT NOT NULL DEFAULT '[]', -- a JSON array of strings; the code flow requires at least one
    scope           TEXT NOT NULL,              -- the scopes that it may be granted at most
    res             TEXT,                       -- a JSON array of the channels that it is restricted to; NULL: all channels
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    ended_at        INTEGER,
    tried           INTEGER NOT NULL DEFAULT 0, -- how often it was presented after its end
    tried_at        INTEGER,                    -- when it was last presented after its end
    device          INTEGER NOT NULL DEFAULT 0, -- flag: it may use the device flow
    created_through INTEGER                     -- an API key that was created through a grant: that grant, with which the key ends
) STRICT;
CREATE UNIQUE INDEX app_by_client_id ON app (client_id);
CREATE INDEX app_of_session ON app (session_id, ended_at) WHERE session_id IS NOT NULL;
CREATE INDEX app_expiring ON app (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX app_ended ON app (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX app_created_through ON app (created_through) WHERE created_through IS NOT NULL AND ended_at IS NULL;

CREATE TABLE app_secret (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    secret_hash  BLOB NOT NULL,                 -- SHA-256
    created_at   INTEGER NOT NULL,
    valid_until  INTEGER,                       -- NULL: until the app ends
    last_used_at INTEGER,
    tried        INTEGER NOT NULL DEFAULT 0,    -- how often it was presented after its end
    tried_at     INTEGER                        -- when it was last presented after its end
) STRICT;
CREATE UNIQUE INDEX app_secret_by_hash ON app_secret (secret_hash);
CREATE INDEX app_secret_of_app ON app_secret (app_id, id);

-- A grant: what an app may do. Its tokens and its client end with it. ("grant" is a reserved word.)
CREATE TABLE app_grant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER REFERENCES session (id), -- the session for which the app acts; NULL: the app acts for itself
    app_id     INTEGER NOT NULL REFERENCES app (id),
    scope      TEXT NOT NULL,
    res        TEXT,                            -- a JSON array of the channels that it is restricted to; NULL: all channels
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    expires_at INTEGER,                         -- a grant with refresh tokens: when the last of its tokens expires
    limit_at   INTEGER                          -- when it ends unless the session consents again
) STRICT;
CREATE INDEX app_grant_of_session ON app_grant (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX app_grant_of_app ON app_grant (app_id);
CREATE INDEX app_grant_live ON app_grant (app_id, session_id) WHERE ended_at IS NULL;
CREATE INDEX app_grant_ended ON app_grant (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX app_grant_expiring ON app_grant (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;

-- A client of a session, with a queue of its own. Once ended, it stays as a tombstone, so that its holder learns why.
CREATE TABLE client (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id  INTEGER NOT NULL REFERENCES session (id),
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL,              -- SHA-256
    start       INTEGER NOT NULL,           -- the queue begins after this event
    begun       INTEGER NOT NULL DEFAULT 0, -- flag: the start is fixed, because a snapshot or the queue was read
    cursor      INTEGER NOT NULL,           -- the last event that was acknowledged
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,           -- the end of its lifetime, even if it is in use
    ended_at    INTEGER,
    end_reason  TEXT,
    address     TEXT,                       -- the address that it logged in from
    unpresented INTEGER,                    -- when its secret was issued; NULL: the secret has been used since
    grant_id    INTEGER REFERENCES app_grant (id), -- the grant that it acts by (nobody has its secret); NULL: it acts by a cookie
    key         INTEGER NOT NULL DEFAULT 0, -- flag: it is the client of an API key, and not a device
    warned      INTEGER NOT NULL DEFAULT 0, -- flag: its session was told that its lifetime is about to end
    area        INTEGER                     -- the network that it was last used from (model::Area); NULL: the network of the address
) STRICT;
CREATE UNIQUE INDEX client_by_secret ON client (secret_hash);
CREATE INDEX client_of_session ON client (session_id);
CREATE INDEX client_idle ON client (seen_at) WHERE ended_at IS NULL;
CREATE INDEX client_expiring ON client (expires_at) WHERE ended_at IS NULL;
CREATE INDEX client_unwarned ON client (expires_at) WHERE ended_at IS NULL AND NOT key AND NOT warned;
CREATE INDEX client_unpresented ON client (unpresented) WHERE ended_at IS NULL AND unpresented IS NOT NULL;
CREATE INDEX client_ended ON client (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX client_of_grant ON client (grant_id) WHERE grant_id IS NOT NULL;

CREATE TABLE channel (
    id           INTEGER PRIMARY KEY REFERENCES target (id),
    name         TEXT NOT NULL,
    folded_name  TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    modes        TEXT NOT NULL,             -- the letters of the flags that are set
    key          TEXT,
    member_limit INTEGER,
    topic        TEXT,
    topic_set_by TEXT,
    topic_set_at INTEGER
) STRICT;
CREATE UNIQUE INDEX channel_by_name ON channel (folded_name) WHERE ended_at IS NULL;
CREATE INDEX channel_ended ON channel (ended_at) WHERE ended_at IS NOT NULL;

-- The times when a channel was +H, as intervals of event ids that include both ends. They are deleted with the channel.
CREATE TABLE channel_history (
    channel_id INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    since      INTEGER NOT NULL,
    until      INTEGER,                     -- NULL: the channel is +H now
    PRIMARY KEY (channel_id, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_history_closed ON channel_history (until) WHERE until IS NOT NULL;

-- A live session's stays on channels, as intervals of event ids that include both ends.
CREATE TABLE membership (
    session_id INTEGER NOT NULL REFERENCES session (id),
    channel_id INTEGER NOT NULL REFERENCES channel (id),
    since      INTEGER NOT NULL,
    until      INTEGER,                     -- NULL: the session is on the channel now
    op         INTEGER NOT NULL DEFAULT 0,  -- flag: the session is a channel operator
    voice      INTEGER NOT NULL DEFAULT 0,  -- flag: the session has voice
    PRIMARY KEY (session_id, channel_id, since)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX membership_of_channel ON membership (channel_id, session_id) WHERE until IS NULL;
CREATE INDEX membership_of_session ON membership (session_id, since) WHERE until IS NULL;
CREATE INDEX membership_past ON membership (session_id, until) WHERE until IS NOT NULL;
CREATE INDEX membership_op ON membership (channel_id) WHERE until IS NULL AND op;
CREATE INDEX membership_voice ON membership (channel_id, since) WHERE until IS NULL AND voice;
CREATE INDEX membership_by_stay ON membership (channel_id, since) WHERE until IS NULL;
CREATE INDEX membership_by_channel ON membership (channel_id, since);
CREATE INDEX membership_closed ON membership (until) WHERE until IS NOT NULL;

CREATE TABLE ban (
    channel_id  INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    folded_mask TEXT NOT NULL,
    mask        TEXT NOT NULL,
    set_by      TEXT NOT NULL,
    set_at      INTEGER NOT NULL,
    bound_session INTEGER,                  -- if the mask is a nick: the session that it matches, even under another nick
    PRIMARY KEY (channel_id, folded_mask)
) STRICT, WITHOUT ROWID;
CREATE INDEX ban_bound ON ban (bound_session) WHERE bound_session IS NOT NULL;

-- The masks that a session silences. It receives no direct messages or invitations from senders that match.
CREATE TABLE silence (
    session_id  INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    folded_mask TEXT NOT NULL,
    mask        TEXT NOT NULL,
    bound_session INTEGER,                  -- as in ban
    PRIMARY KEY (session_id, folded_mask)
) STRICT, WITHOUT ROWID;
CREATE INDEX silence_bound ON silence (bound_session) WHERE bound_session IS NOT NULL;

CREATE TABLE invite (
    channel_id INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    silenced   INTEGER NOT NULL DEFAULT 0,  -- flag: the session silences the inviter, and is not told of the invitation
    since      INTEGER NOT NULL DEFAULT 0,  -- the last event before the invitation
    PRIMARY KEY (channel_id, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX invite_of_session ON invite (session_id, silenced, since);
CREATE INDEX invite_to_channel ON invite (channel_id, silenced, since);

-- How far a session has read a channel.
CREATE TABLE read_marker (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    target_id  INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
    event_id   INTEGER NOT NULL,
    PRIMARY KEY (session_id, target_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX read_marker_of_target ON read_marker (target_id);

-- A conversation by direct messages, from the view of one of its two sessions.
CREATE TABLE conversation (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    other_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wrote      INTEGER NOT NULL,            -- flag: the session has written to the other
    unread     INTEGER NOT NULL,            -- flag: some messages of the other are unread
    last       INTEGER NOT NULL,            -- the last message of either session; 0: none
    read       INTEGER NOT NULL,            -- the session's read marker
    written    INTEGER NOT NULL DEFAULT 0,  -- the last message of this session; 0: none
    PRIMARY KEY (session_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_in_order ON conversation (session_id, wrote, unread, last);
CREATE INDEX conversation_of_other ON conversation (other_id);

-- The state of the log: one row.
CREATE TABLE log (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    time       INTEGER NOT NULL,            -- the time of the last event ever, even if it was removed
    head       INTEGER NOT NULL DEFAULT 0,  -- the id of that event; 0: there was none
    revocation INTEGER NOT NULL DEFAULT 0   -- the id of the last revocation ever; 0: there was none
) STRICT;
INSERT INTO log (one, time) VALUES (1, 0);

-- The log: every event once, in one order.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,          -- the id after log.head
    time      INTEGER NOT NULL,             -- never earlier than the time of the event before
    source    TEXT NOT NULL,
    command   TEXT NOT NULL,
    params    TEXT NOT NULL,                -- each parameter, followed by a CR
    targets   TEXT NOT NULL,                -- a JSON array of target ids, for retention
    sender    INTEGER,                      -- PRIVMSG and NOTICE: the session that sent it
    recipient INTEGER,                      -- direct messages: the session that received it
    client_id INTEGER,                      -- the client whose command caused it
    label     TEXT,
    app       TEXT,                         -- the name of the app, if the client acted by a grant
    channel   INTEGER,                      -- messages to a channel: the channel
    others    INTEGER,                      -- messages to a channel: the last message before it from another session; 0: none
    silenced_by INTEGER,                    -- direct messages: the recipient, if it silences the sender
    clock       INTEGER,                    -- the clock's time, if it was earlier than the time of the event
    words       INTEGER                     -- messages: a filter of the words; NULL: the text has no words
) STRICT;
CREATE INDEX event_exchange ON event (sender, recipient, id, words) WHERE recipient IS NOT NULL;
CREATE INDEX event_silenced ON event (sender, silenced_by, id) WHERE silenced_by IS NOT NULL;
CREATE INDEX event_said ON event (channel, id, sender, others, words) WHERE channel IS NOT NULL;

-- The targets of an event: one row per target, however many sessions receive it.
CREATE TABLE address (
    target_id INTEGER NOT NULL,
    event_id  INTEGER NOT NULL,
    PRIMARY KEY (target_id, event_id)
) STRICT, WITHOUT ROWID;

-- Targets that may have events which no session can read any more. Maintenance checks them and deletes the rows.
CREATE TABLE sweep (
    target_id INTEGER PRIMARY KEY
) STRICT;

-- The answers to labelled commands, so that a repeated command has no second effect.
CREATE TABLE label (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id INTEGER NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    label     TEXT NOT NULL,
    command   BLOB NOT NULL,                -- SHA-256 of the command; for PASS, of the verb alone
    answer    TEXT NOT NULL,                -- texts are written as in event.params
    time      INTEGER NOT NULL,
    UNIQUE (client_id, label)
) STRICT;
CREATE INDEX label_of_client ON label (client_id, id);
CREATE INDEX label_time ON label (time);

-- The ends of grants and of single access tokens, in commit order, for resource servers that cache tokens.
CREATE TABLE revocation (
    id       INTEGER PRIMARY KEY,               -- the id after log.revocation
    grant_id INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    time     INTEGER NOT NULL,
    jti      TEXT                               -- the access token that ended; NULL: the whole grant
) STRICT;
CREATE INDEX revocation_time ON revocation (time);

-- Authorization codes. Each works once. It is kept for a while, because a second use revokes what the first use issued.
CREATE TABLE authorization_code (
    secret_hash  BLOB PRIMARY KEY,              -- SHA-256
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    session_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    client_id    INTEGER NOT NULL,              -- the session's client that approved
    scope        TEXT NOT NULL,
    res          TEXT,                          -- a JSON array of the channels that it is restricted to; NULL: all channels
    redirect_uri TEXT,                          -- the request's redirect_uri; NULL: the request had none
    challenge    TEXT NOT NULL,                 -- S256 of the verifier
    grant_id     INTEGER REFERENCES app_grant (id) ON DELETE CASCADE, -- the existing grant that it extends; once used, the grant of its tokens
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
    began        INTEGER NOT NULL DEFAULT 0     -- flag: its first use created the grant
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_code_of_app ON authorization_code (app_id);
CREATE INDEX authorization_code_of_session ON authorization_code (session_id);
CREATE INDEX authorization_code_of_grant ON authorization_code (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX authorization_code_expiring ON authorization_code (expires_at);

-- Device codes, each with the user code that a user types for it.
CREATE TABLE device_code (
    secret_hash BLOB PRIMARY KEY,               -- SHA-256
    user_code   BLOB NOT NULL,                  -- an HMAC under a key that is not in the database, because the code itself is short
    app_id      INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    scope       TEXT NOT NULL,
    address     TEXT NOT NULL,                  -- the address that requested it
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    interval    INTEGER NOT NULL,               -- the shortest time between two polls, in milliseconds
    polled_at   INTEGER,
    denied      INTEGER NOT NULL DEFAULT 0, -- flag: the session denied it
    session_id  INTEGER REFERENCES session (id) ON DELETE CASCADE, -- the session that approved it
    client_id   INTEGER,                        -- the client that approved it
    res         TEXT,                           -- a JSON array of the channels that it is restricted to; NULL: all channels
    key         TEXT                            -- the id of the HMAC's key
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_code_by_user_code ON device_code (user_code);
CREATE INDEX device_code_of_app ON device_code (app_id, address);
CREATE INDEX device_code_of_session ON device_code (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX device_code_expiring ON device_code (expires_at);

-- The fingerprints of the key files that this database accepts: one, and during a rotation also the previous one.
CREATE TABLE key_file (
    fingerprint BLOB PRIMARY KEY,
    lineage     TEXT NOT NULL,                  -- the same for all key files that rotation made from one
    generation  INTEGER NOT NULL,               -- the number of rotations before it
    until       INTEGER                         -- the previous key file: when the next keys come into use
) STRICT, WITHOUT ROWID;

-- The tokens of live grants. They are deleted when the grant ends.
CREATE TABLE token (
    secret_hash   BLOB PRIMARY KEY,             -- SHA-256
    grant_id      INTEGER NOT NULL REFERENCES app_grant (id),
    kind          TEXT NOT NULL,                -- access or refresh
    scope         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    limit_at      INTEGER NOT NULL,             -- its latest end, which no rotation extends
    superseded_at INTEGER,                      -- a refresh token: when it was exchanged for a pair of new tokens
    code_hash     BLOB,                         -- the authorization code that it descends from; NULL: none
    parent        BLOB,                         -- the refresh token that it was issued for
    derived_by    TEXT,                         -- an exchanged refresh token: the key from which the pair was derived
    settled_at    INTEGER                       -- an exchanged refresh token: when a token of the pair was first presented
) STRICT, WITHOUT ROWID;
CREATE INDEX token_of_grant ON token (grant_id);
CREATE INDEX token_of_code ON token (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX token_expiring ON token (expires_at);

-- The audit log: what happened to sessions, clients, keys and grants. It is append-only, with a retention time of its own,
-- and has no secrets and no foreign keys.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    time       INTEGER NOT NULL,
    action     TEXT NOT NULL,
    session_id INTEGER,
    client_id  INTEGER,
    nick       TEXT,
    address    TEXT,
    reason     TEXT,
    app        TEXT,                        -- the client_id of the app it is about
    channel    TEXT,                        -- the name of the channel it is about
    count      INTEGER                      -- how many times it happened; NULL: once
) STRICT;
CREATE INDEX audit_of_session ON audit (session_id, id);
