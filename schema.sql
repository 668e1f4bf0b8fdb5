-- Rejoin's schema as it is now. A new database is made from this file; src/store/migrate.rs carries an older one here.
-- Times are milliseconds since the Unix epoch. Ids that come from AUTOINCREMENT, or from the row of log, are
-- never used twice. A column whose comment begins with "flag:" is true (1) or false (0). A table stands behind those
-- that it references.

-- What events are addressed to. Sessions and channels draw their ids from this one sequence.
CREATE TABLE target (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    dropped INTEGER NOT NULL DEFAULT 0      -- the last event addressed here that retention removed
) STRICT;

-- One identity. An ended one stays as a tombstone for the retention time.
CREATE TABLE session (
    id            INTEGER PRIMARY KEY REFERENCES target (id),
    nick          TEXT NOT NULL,
    folded_nick   TEXT NOT NULL,
    password_hash TEXT,                     -- a PHC string of Argon2id
    away          TEXT,
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    network       TEXT                      -- what it was made from: an IPv4 address, or 64 bits of an IPv6 one in hexadecimal
) STRICT;
CREATE UNIQUE INDEX session_by_nick ON session (folded_nick) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX session_by_network ON session (network) WHERE ended_at IS NULL;

-- What OAuth calls a client: registered by the operator, or an API key. One that has ended stays for a while, so that those
-- who still use it can be found.
CREATE TABLE app (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id       TEXT NOT NULL,              -- its name on the wire, which is no secret
    name            TEXT NOT NULL,
    session_id      INTEGER REFERENCES session (id), -- the session whose API key it is; NULL: the operator's
    created_by      INTEGER,                    -- of an API key: the client of the device that created it
    public          INTEGER NOT NULL DEFAULT 0, -- flag: it can keep no secret
    resource_server INTEGER NOT NULL DEFAULT 0, -- flag: it may introspect every token
    bearer_alone    INTEGER NOT NULL DEFAULT 0, -- flag: its users' tokens work without its own beside them
    redirect_uris   TEXT NOT NULL DEFAULT '[]', -- a JSON array of strings; with one it has the code flow
    scope           TEXT NOT NULL,              -- the most that it may be granted
    res             TEXT,                       -- a JSON array of the channels it is confined to; NULL: all
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    ended_at        INTEGER,
    tried           INTEGER NOT NULL DEFAULT 0, -- how often it was still used after its end
    tried_at        INTEGER,                    -- and when last
    device          INTEGER NOT NULL DEFAULT 0, -- flag: it has the device flow
    created_through INTEGER                     -- of an API key that was created through a grant: that grant, with which it ends
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
    valid_until  INTEGER,                       -- NULL: as long as the app
    last_used_at INTEGER,
    tried        INTEGER NOT NULL DEFAULT 0,    -- how often it was still used after its end
    tried_at     INTEGER                        -- and when last
) STRICT;
CREATE UNIQUE INDEX app_secret_by_hash ON app_secret (secret_hash);
CREATE INDEX app_secret_of_app ON app_secret (app_id, id);

-- What an app may do: the unit of authorization and of cascade. ("grant" is a reserved word.)
CREATE TABLE app_grant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER REFERENCES session (id), -- as whose session it acts; NULL: an app's own
    app_id     INTEGER NOT NULL REFERENCES app (id),
    scope      TEXT NOT NULL,
    res        TEXT,                            -- a JSON array of the channels it is confined to; NULL: all
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    expires_at INTEGER,                         -- when the last of its tokens expires, of a grant that lives by refreshing
    limit_at   INTEGER                          -- its end unless its session consents again
) STRICT;
CREATE INDEX app_grant_of_session ON app_grant (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX app_grant_of_app ON app_grant (app_id);
CREATE INDEX app_grant_live ON app_grant (app_id, session_id) WHERE ended_at IS NULL;
CREATE INDEX app_grant_ended ON app_grant (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX app_grant_expiring ON app_grant (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;

-- Whatever has a queue of its own in a session. One that has left stays as a tombstone, so that its holder is told why.
CREATE TABLE client (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id  INTEGER NOT NULL REFERENCES session (id),
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL,              -- SHA-256
    start       INTEGER NOT NULL,           -- the queue holds events past this one
    begun       INTEGER NOT NULL DEFAULT 0, -- flag: the start is settled: a snapshot was taken, or the queue read
    cursor      INTEGER NOT NULL,           -- the last event acknowledged
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,           -- the end of its lifetime, used or not
    ended_at    INTEGER,
    end_reason  TEXT,
    address     TEXT,                       -- the address it was let in from
    unpresented INTEGER,                    -- since when its secret is out and was never presented
    grant_id    INTEGER REFERENCES app_grant (id), -- what it acts by, its secret being nobody's; NULL: a cookie
    key         INTEGER NOT NULL DEFAULT 0, -- flag: an API key's bot, which is no device
    warned      INTEGER NOT NULL DEFAULT 0, -- flag: its session was told that its lifetime is about to end
    area        INTEGER                     -- the network it was last used from (model::Area); NULL: that of the address
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
    modes        TEXT NOT NULL,             -- letters of the flags that are set
    key          TEXT,
    member_limit INTEGER,
    topic        TEXT,
    topic_set_by TEXT,
    topic_set_at INTEGER
) STRICT;
CREATE UNIQUE INDEX channel_by_name ON channel (folded_name) WHERE ended_at IS NULL;
CREATE INDEX channel_ended ON channel (ended_at) WHERE ended_at IS NOT NULL;

-- While a channel was +H, as intervals of event ids, both ends within. They end with the channel.
CREATE TABLE channel_history (
    channel_id INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    since      INTEGER NOT NULL,
    until      INTEGER,                     -- NULL while it is set
    PRIMARY KEY (channel_id, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_history_closed ON channel_history (until) WHERE until IS NOT NULL;

-- A live session's stay on a channel, as an interval of event ids, both ends within.
CREATE TABLE membership (
    session_id INTEGER NOT NULL REFERENCES session (id),
    channel_id INTEGER NOT NULL REFERENCES channel (id),
    since      INTEGER NOT NULL,
    until      INTEGER,                     -- NULL while it lasts
    op         INTEGER NOT NULL DEFAULT 0,  -- flag: it is an operator
    voice      INTEGER NOT NULL DEFAULT 0,  -- flag: it has voice
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
    bound_session INTEGER,                  -- of a mask made of a nick: the session that it matches, whatever nick that takes
    PRIMARY KEY (channel_id, folded_mask)
) STRICT, WITHOUT ROWID;
CREATE INDEX ban_bound ON ban (bound_session) WHERE bound_session IS NOT NULL;

-- Whose direct messages and invitations a session never receives.
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
    silenced   INTEGER NOT NULL DEFAULT 0,  -- flag: by somebody whom the session silences; it is not told of it
    since      INTEGER NOT NULL DEFAULT 0,  -- the last event before it
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

-- A conversation by direct messages, as one of its two sessions has it.
CREATE TABLE conversation (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    other_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wrote      INTEGER NOT NULL,            -- flag: the session has written to the other
    unread     INTEGER NOT NULL,            -- flag: it has not read all that the other wrote
    last       INTEGER NOT NULL,            -- the last message, whoever of the two wrote it; 0: none yet
    read       INTEGER NOT NULL,            -- how far the session has read
    written    INTEGER NOT NULL DEFAULT 0,  -- the last message that the session itself wrote; 0: none
    PRIMARY KEY (session_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_in_order ON conversation (session_id, wrote, unread, last);
CREATE INDEX conversation_of_other ON conversation (other_id);

-- What is known of the log as a whole: one row.
CREATE TABLE log (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    time       INTEGER NOT NULL,            -- of the last event ever, whether or not it is still there
    head       INTEGER NOT NULL DEFAULT 0,  -- the id of that event; 0: there was none
    revocation INTEGER NOT NULL DEFAULT 0   -- the id of the last revocation ever; 0: there was none
) STRICT;
INSERT INTO log (one, time) VALUES (1, 0);

-- The log: every event once, in one order.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,          -- the next one after log.head
    time      INTEGER NOT NULL,             -- never less than that of the event before
    source    TEXT NOT NULL,
    command   TEXT NOT NULL,
    params    TEXT NOT NULL,                -- each as it is, with a CR behind it
    targets   TEXT NOT NULL,                -- a JSON array of target ids, for retention
    sender    INTEGER,                      -- of a message (PRIVMSG, NOTICE): the session that sent it
    recipient INTEGER,                      -- of a direct one: the session it went to
    client_id INTEGER,                      -- the client whose command it came from
    label     TEXT,
    app       TEXT,                         -- the name of the app through whose grant it came
    channel   INTEGER,                      -- of a message to a channel: that channel
    others    INTEGER,                      -- and the last message there before it that another session sent; 0: none
    silenced_by INTEGER,                    -- of a direct message whose recipient silences its sender: that recipient
    clock       INTEGER,                    -- what the clock said, where that was earlier than the time
    words       INTEGER                     -- of a message: a filter of its words; NULL: it has none
) STRICT;
CREATE INDEX event_exchange ON event (sender, recipient, id, words) WHERE recipient IS NOT NULL;
CREATE INDEX event_silenced ON event (sender, silenced_by, id) WHERE silenced_by IS NOT NULL;
CREATE INDEX event_said ON event (channel, id, sender, others, words) WHERE channel IS NOT NULL;

-- Where an event is addressed: one row per target, however many receive it.
CREATE TABLE address (
    target_id INTEGER NOT NULL,
    event_id  INTEGER NOT NULL,
    PRIMARY KEY (target_id, event_id)
) STRICT, WITHOUT ROWID;

-- Targets that may have events which nobody can read any more, until somebody has looked.
CREATE TABLE sweep (
    target_id INTEGER PRIMARY KEY
) STRICT;

-- What a labelled command was answered, so that sending it again has no second effect.
CREATE TABLE label (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id INTEGER NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    label     TEXT NOT NULL,
    command   BLOB NOT NULL,                -- SHA-256 of the command; of PASS, of the verb alone
    answer    TEXT NOT NULL,                -- texts as in event.params
    time      INTEGER NOT NULL,
    UNIQUE (client_id, label)
) STRICT;
CREATE INDEX label_of_client ON label (client_id, id);
CREATE INDEX label_time ON label (time);

-- The ends of grants, and of single access tokens, in commit order, for resource servers that cache.
CREATE TABLE revocation (
    id       INTEGER PRIMARY KEY,               -- the next one after log.revocation
    grant_id INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    time     INTEGER NOT NULL,
    jti      TEXT                               -- the access token that ended; NULL: the whole grant
) STRICT;
CREATE INDEX revocation_time ON revocation (time);

-- Authorization codes: one use each, and kept for a while after, because a replay revokes what the first use issued.
CREATE TABLE authorization_code (
    secret_hash  BLOB PRIMARY KEY,              -- SHA-256
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    session_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    client_id    INTEGER NOT NULL,              -- the session's client that approved
    scope        TEXT NOT NULL,
    res          TEXT,                          -- a JSON array of the channels it is confined to; NULL: all
    redirect_uri TEXT,                          -- as the request gave it; NULL: it gave none
    challenge    TEXT NOT NULL,                 -- S256 of the verifier
    grant_id     INTEGER REFERENCES app_grant (id) ON DELETE CASCADE, -- the grant it joins; once used, the one it issued from
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
    began        INTEGER NOT NULL DEFAULT 0     -- flag: its first use made the grant
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_code_of_app ON authorization_code (app_id);
CREATE INDEX authorization_code_of_session ON authorization_code (session_id);
CREATE INDEX authorization_code_of_grant ON authorization_code (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX authorization_code_expiring ON authorization_code (expires_at);

-- Device codes, each beside the user code that is typed for it.
CREATE TABLE device_code (
    secret_hash BLOB PRIMARY KEY,               -- SHA-256
    user_code   BLOB NOT NULL,                  -- an HMAC with a key that is not in here: the code itself is short
    app_id      INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    scope       TEXT NOT NULL,
    address     TEXT NOT NULL,                  -- the address that asked for it
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    interval    INTEGER NOT NULL,               -- milliseconds between two polls, at least
    polled_at   INTEGER,
    denied      INTEGER NOT NULL DEFAULT 0, -- flag: the session denied it
    session_id  INTEGER REFERENCES session (id) ON DELETE CASCADE, -- the session that approved it
    client_id   INTEGER,                        -- and the client of it that did
    res         TEXT,                           -- a JSON array of the channels it was confined to; NULL: all
    key         TEXT                            -- the key of the user code's HMAC
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_code_by_user_code ON device_code (user_code);
CREATE INDEX device_code_of_app ON device_code (app_id, address);
CREATE INDEX device_code_of_session ON device_code (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX device_code_expiring ON device_code (expires_at);

-- The key files that are this database's, by their fingerprints: one, and during a rotation the one before.
CREATE TABLE key_file (
    fingerprint BLOB PRIMARY KEY,
    lineage     TEXT NOT NULL,                  -- the same for a file and those that it is rotated to
    generation  INTEGER NOT NULL,               -- how often it was rotated
    until       INTEGER                         -- of the one before: when the next keys come into use
) STRICT, WITHOUT ROWID;

-- The tokens of live grants; those of an ended one are gone with it.
CREATE TABLE token (
    secret_hash   BLOB PRIMARY KEY,             -- SHA-256
    grant_id      INTEGER NOT NULL REFERENCES app_grant (id),
    kind          TEXT NOT NULL,                -- access or refresh
    scope         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    limit_at      INTEGER NOT NULL,             -- its end in any case, which no rotation moves
    superseded_at INTEGER,                      -- of a refresh token: when it was exchanged for a pair of new tokens
    code_hash     BLOB,                         -- the authorization code that it descends from; NULL: none
    parent        BLOB,                         -- the refresh token that it was issued for
    derived_by    TEXT,                         -- of one that was exchanged: the key from which the pair was derived
    settled_at    INTEGER                       -- and when a token of that pair was first presented
) STRICT, WITHOUT ROWID;
CREATE INDEX token_of_grant ON token (grant_id);
CREATE INDEX token_of_code ON token (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX token_expiring ON token (expires_at);

-- What happened to sessions, clients, keys and grants: append-only, by its own retention, without secrets or foreign keys.
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
    count      INTEGER                      -- how many times it happened, where the line stands for more than one
) STRICT;
CREATE INDEX audit_of_session ON audit (session_id, id);
