//! The versions of the schema. `schema.sql` is the newest one, and [`STEPS`] carries an older
//! database there, one version a step.
//!
//! The steps are SQLite's: it changes tables in its own way. Therefore this file names `rusqlite`.

use rusqlite::Connection;

use crate::model::Timestamp;

/// The newest schema, for a database that is created.
const SCHEMA: &str = include_str!("../../schema.sql");

/// Marks a database as Rejoin's (`PRAGMA application_id`): "rjoi".
const APPLICATION_ID: i32 = 0x726a_6f69;
/// Marks a copy of a database that was never opened since: "rjoc".
pub const COPY: i32 = 0x726a_6f63;

/// `STEPS[n]` turns version n + 1 into version n + 2. Version 0 is an empty file.
const STEPS: &[&str] = &[
    // 2: the audit log; an index by which a session's open stays are found without its past ones.
    "CREATE INDEX membership_of_session ON membership (session_id, since) WHERE until IS NULL;
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
    CREATE INDEX audit_of_session ON audit (session_id, id);",
    // 3: where sessions and clients came from; which clients have never presented their secret.
    "ALTER TABLE session ADD COLUMN network TEXT;
    CREATE INDEX session_by_network ON session (network) WHERE ended_at IS NULL;
    ALTER TABLE client ADD COLUMN address TEXT;
    ALTER TABLE client ADD COLUMN unpresented INTEGER;
    CREATE INDEX client_unpresented ON client (unpresented) WHERE ended_at IS NULL AND unpresented IS NOT NULL;",
    // 4: apps, their grants and tokens; the app of an event and of a line of the audit log.
    "CREATE TABLE app (
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
    ALTER TABLE audit ADD COLUMN app TEXT;",
    // 5: grants that users give, by an authorization code or to a device; when grants expire and
    // end.
    "ALTER TABLE app_secret ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;
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
    CREATE INDEX device_code_expiring ON device_code (expires_at);",
    // 6: texts are stored as they are and no longer as JSON, whose escapes took up to six times the
    // room.
    "UPDATE event SET params = coalesce(
        (SELECT group_concat(value || char(13), '' ORDER BY key) FROM json_each(event.params)), '');
    UPDATE label SET answer =
        coalesce((SELECT group_concat(value, ' ' ORDER BY key) FROM json_each(label.answer, '$.ids')), '') || char(13)
        || coalesce((SELECT group_concat(
            reply.value ->> '$.command' || char(13) || json_array_length(reply.value, '$.params') || char(13)
            || coalesce((SELECT group_concat(value || char(13), '' ORDER BY key)
                         FROM json_each(reply.value, '$.params')), ''),
            '' ORDER BY reply.key) FROM json_each(label.answer, '$.replies') AS reply), '');",
    // 7: apps are registered for flows. Apps from before this keep every flow.
    "ALTER TABLE app ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
    UPDATE app SET device = 1 WHERE session_id IS NULL;",
    // 8: an index of a channel's messages among its other events, and for each message the last one
    // of another session.
    "ALTER TABLE event ADD COLUMN channel INTEGER;
    ALTER TABLE event ADD COLUMN others INTEGER;
    UPDATE event SET (sender, channel) = (client.session_id, said.channel)
        FROM client, (SELECT event.id, channel.id AS channel FROM event, json_each(targets) AS target, channel
                      WHERE command IN ('PRIVMSG', 'NOTICE') AND recipient IS NULL AND channel.id = target.value) AS said
        WHERE said.id = event.id AND client.id = event.client_id;
    CREATE INDEX event_said ON event (channel, id) WHERE channel IS NOT NULL;
    UPDATE event SET others = found.others
        FROM (SELECT id, coalesce(max(iif(sender != sender_before, before, NULL))
                                  OVER (PARTITION BY channel ORDER BY id), 0) AS others
              FROM (SELECT id, channel, sender, lag(id) OVER said AS before, lag(sender) OVER said AS sender_before
                    FROM event WHERE channel IS NOT NULL WINDOW said AS (PARTITION BY channel ORDER BY id))) AS found
        WHERE found.id = event.id;",
    // 9: indexes of a channel's operators, voiced members and longest members; the channel of a
    // line of the audit log.
    "ALTER TABLE audit ADD COLUMN channel TEXT;
    CREATE INDEX membership_op ON membership (channel_id) WHERE until IS NULL AND op;
    CREATE INDEX membership_voice ON membership (channel_id, since) WHERE until IS NULL AND voice;
    CREATE INDEX membership_by_stay ON membership (channel_id, since) WHERE until IS NULL;",
    // 10: events that nobody can read any more are removed early; ended sessions have no stays.
    "CREATE TABLE sweep (
        target_id INTEGER PRIMARY KEY
    ) STRICT;
    INSERT INTO sweep (target_id)
        SELECT id FROM session WHERE ended_at IS NOT NULL
        UNION SELECT channel_id FROM membership JOIN session ON session.id = session_id
            WHERE session.ended_at IS NOT NULL;
    DELETE FROM membership WHERE session_id IN (SELECT id FROM session WHERE ended_at IS NOT NULL);
    DROP INDEX membership_by_channel;
    CREATE INDEX membership_by_channel ON membership (channel_id, since);",
    // 11: an API key that was created through a grant ends with it. The grant of an older key is
    // that of the client that created the key.
    "ALTER TABLE app ADD COLUMN made_through INTEGER;
    UPDATE app SET made_through = (SELECT grant_id FROM client WHERE client.id = maker) WHERE maker IS NOT NULL;
    CREATE INDEX app_made_through ON app (made_through) WHERE made_through IS NOT NULL AND ended_at IS NULL;",
    // 12: which clients' sessions were warned that the client is about to expire.
    "ALTER TABLE client ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX client_unwarned ON client (expires_at) WHERE ended_at IS NULL AND NOT key AND NOT warned;",
    // 13: bans that hold the session whose nick they name; SILENCE.
    "ALTER TABLE ban ADD COLUMN nick TEXT;
    ALTER TABLE ban ADD COLUMN held INTEGER;
    UPDATE ban SET nick = substr(folded_mask, 1, instr(folded_mask, '!') - 1);
    UPDATE ban SET nick = NULL WHERE nick = '' OR instr(nick, '*') OR instr(nick, '?');
    UPDATE ban SET held = (SELECT id FROM session WHERE folded_nick = ban.nick AND ended_at IS NULL)
        WHERE folded_mask = nick || '!*@*';
    CREATE INDEX ban_of_nick ON ban (nick) WHERE nick IS NOT NULL AND held IS NULL;
    CREATE INDEX ban_holding ON ban (held) WHERE held IS NOT NULL;
    CREATE TABLE silence (
        session_id  INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        folded_mask TEXT NOT NULL,
        mask        TEXT NOT NULL,
        nick        TEXT,
        held        INTEGER,
        PRIMARY KEY (session_id, folded_mask)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX silence_of_nick ON silence (nick) WHERE nick IS NOT NULL AND held IS NULL;
    CREATE INDEX silence_holding ON silence (held) WHERE held IS NOT NULL;
    ALTER TABLE invite ADD COLUMN silenced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN silenced_by INTEGER;
    CREATE INDEX event_silenced ON event (sender, silenced_by, id) WHERE silenced_by IS NOT NULL;",
    // 14: conversations by direct messages, also with sessions that have ended.
    "CREATE TABLE direct (
        session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        other_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        wrote      INTEGER NOT NULL,
        unread     INTEGER NOT NULL,
        last       INTEGER NOT NULL,
        read       INTEGER NOT NULL,
        PRIMARY KEY (session_id, other_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX direct_in_order ON direct (session_id, wrote, unread, last);
    CREATE INDEX direct_of_other ON direct (other_id);
    INSERT INTO direct (session_id, other_id, wrote, unread, last, read)
        SELECT me.id, other.id, sent > 0, received > coalesce(event_id, 0), max(sent, received), coalesce(event_id, 0)
        FROM (SELECT one, another, max(sent) AS sent, max(received) AS received
              FROM (SELECT sender AS one, recipient AS another, id AS sent, 0 AS received FROM event
                    WHERE recipient IS NOT NULL
                    UNION ALL
                    SELECT recipient, sender, 0, id FROM event WHERE recipient IS NOT NULL AND sender != recipient)
              GROUP BY one, another) AS exchange
        JOIN session AS me ON me.id = one AND me.ended_at IS NULL
        JOIN session AS other ON other.id = another
        LEFT JOIN read_mark ON read_mark.session_id = one AND target_id = another;
    INSERT INTO direct (session_id, other_id, wrote, unread, last, read)
        SELECT read_mark.session_id, target_id, 0, 0, max(event_id, 1), event_id
        FROM read_mark JOIN session ON session.id = target_id AND session.ended_at IS NULL WHERE true
        ON CONFLICT DO NOTHING;
    DELETE FROM read_mark WHERE target_id IN (SELECT id FROM session);",
    // 15: the server's own keys are in a file beside the database, and no longer in memory alone.
    "CREATE TABLE key_file (
        fingerprint BLOB PRIMARY KEY,
        lineage     TEXT NOT NULL,
        generation  INTEGER NOT NULL,
        until       INTEGER
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE device_code ADD COLUMN key TEXT;",
    // 16: which authorization code a token descends from, and which single tokens have ended. A
    // code that comes back ends the tokens that it issued, and the grant only if it created the
    // grant.
    "ALTER TABLE token ADD COLUMN code_hash BLOB;
    CREATE INDEX token_of_code ON token (code_hash) WHERE code_hash IS NOT NULL;
    ALTER TABLE authorization_code ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE grant_end ADD COLUMN jti TEXT;",
    // 17: lines of the audit log that stand for more than one refusal.
    "ALTER TABLE audit ADD COLUMN count INTEGER;",
    // 18: a refresh token can be exchanged for the same pair again until a token of that pair was
    // presented. Refresh tokens that were exchanged before this cannot.
    "ALTER TABLE token ADD COLUMN parent BLOB;
    ALTER TABLE token ADD COLUMN derived_by TEXT;
    ALTER TABLE token ADD COLUMN settled_at INTEGER;
    UPDATE token SET settled_at = superseded_at WHERE superseded_at IS NOT NULL;",
    // 19: a mask holds a session when it is set, so masks are not looked up by nick any more.
    "DROP INDEX ban_of_nick;
    ALTER TABLE ban DROP COLUMN nick;
    DROP INDEX silence_of_nick;
    ALTER TABLE silence DROP COLUMN nick;",
    // 20: if there are too many invitations, the oldest is removed. Invitations from before this
    // count as older than all others.
    "ALTER TABLE invite ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
    DROP INDEX invite_of_session;
    CREATE INDEX invite_of_session ON invite (session_id, silenced, since);
    CREATE INDEX invite_to_channel ON invite (channel_id, silenced, since);",
    // 21: the networks of sessions are in order, so that the sessions of a wider network are found.
    // They are written no longer as 2001:db8::/64, but as the 16 digits of the 64 bits.
    "UPDATE session SET network = substr(
            (SELECT group_concat(substr('0000' || value, -4), '' ORDER BY key)
             FROM json_each('[\"' || replace(replace(network, '::/64', ''), ':', '\",\"') || '\"]')) || '000000000000', 1, 16)
        WHERE network LIKE '%::/64';",
    // 22: the times of events never decrease, whatever the clock does. How old an event is follows
    // the clock.
    "CREATE TABLE log (
        one  INTEGER PRIMARY KEY CHECK (one = 1),
        time INTEGER NOT NULL
    ) STRICT;
    INSERT INTO log (one, time) SELECT 1, coalesce(max(time), 0) FROM event;
    ALTER TABLE event ADD COLUMN clock INTEGER;",
    // 23: the last message that a session wrote to each of its contacts.
    "ALTER TABLE direct ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
    UPDATE direct SET written = max(
        coalesce((SELECT max(id) FROM event WHERE sender = session_id AND recipient = other_id), 0),
        coalesce((SELECT max(id) FROM event WHERE sender = session_id AND silenced_by = other_id), 0))
    WHERE wrote = 1;",
    // 24: the times when channels were +H.
    "CREATE TABLE channel_history (
        channel_id INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
        since      INTEGER NOT NULL,
        until      INTEGER,
        PRIMARY KEY (channel_id, since)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX channel_history_closed ON channel_history (until) WHERE until IS NOT NULL;",
    // 25: where clients were last used from.
    "ALTER TABLE client ADD COLUMN area INTEGER;",
    // 26: which words a message may contain, and indexes that count unread messages without reading
    // them.
    "ALTER TABLE event ADD COLUMN words INTEGER;
    DROP INDEX event_exchange;
    CREATE INDEX event_exchange ON event (sender, recipient, id, words) WHERE recipient IS NOT NULL;
    DROP INDEX event_said;
    CREATE INDEX event_said ON event (channel, id, sender, others, words) WHERE channel IS NOT NULL;",
    // 27: tables have the names of their files. The ids of events and revocations come from the row
    // of `log`. The tables that get another name are copied, because a rename would leave quotes in
    // their text. The log may be large, so only its text changes: what is on the disk is the same
    // without AUTOINCREMENT.
    "ALTER TABLE log ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
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
    PRAGMA writable_schema = RESET;",
];

const VERSION: i32 = STEPS.len() as i32 + 1;

/// Checks that this database is one of ours that we can open. The inner error says why not.
pub fn check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    Ok(if tables == 0 && version == 0 {
        Ok(())
    } else if application != APPLICATION_ID && application != COPY {
        Err("is a database of another application".into())
    } else if version > VERSION {
        Err(format!(
            "was written by a newer version of rejoin (its schema has version {version}; this \
             program supports up to {VERSION})"
        ))
    } else {
        Ok(())
    })
}

/// Turns a copy of a database into a database of its own, in one transaction. It must not issue an
/// id again that the original issued after the copy was made, or that another restore of the same
/// copy issued, because clients know those ids. Its ids therefore go on at the current time, which
/// is later at each restore, and higher than even a wrong clock could have reached. Approvals that
/// were not redeemed when the copy was made are void: they may have been withdrawn or redeemed
/// since.
pub fn adopt(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != COPY {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    // A table that was empty in the copy has no row there yet.
    transaction.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema
         WHERE sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)",
        [],
    )?;
    for raise in [
        "UPDATE sqlite_sequence SET seq = max(seq + (1 << 32), ?1)",
        "UPDATE log SET head = max(head + (1 << 32), ?1), revocation = max(revocation + (1 << 32), ?1)",
    ] {
        transaction.execute(raise, [now.0 << 10])?;
    }
    void_approvals(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}

/// Voids every approval in a copy of a database, because its session may have withdrawn it after
/// the copy was made.
fn void_approvals(sql: &Connection) -> rusqlite::Result<()> {
    sql.execute_batch(
        "DELETE FROM authorization_code WHERE used_at IS NULL;
         UPDATE device_code SET denied = 1, session_id = NULL, client_id = NULL, res = NULL WHERE session_id IS NOT NULL;",
    )
}

/// Brings the schema to its newest version, in one transaction.
pub fn run(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    match usize::try_from(version).unwrap_or(0) {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        // A copy stays marked as one until it is adopted.
        known => STEPS[known - 1..]
            .iter()
            .try_for_each(|step| transaction.execute_batch(step))?,
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as the program of that version created it.
    fn of_version(version: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../../tests/all/schema_v1.sql"))
            .unwrap();
        STEPS[..version - 1]
            .iter()
            .for_each(|step| connection.execute_batch(step).unwrap());
        connection
            .pragma_update(None, "user_version", version as i32)
            .unwrap();
        connection
    }

    #[test]
    fn apps_that_were_registered_before_flows_were_asked_for_keep_every_flow_and_their_scope() {
        let mut old = of_version(6);
        let insert = "INSERT INTO session (id, nick, folded_nick, created_at) VALUES (1, 'a', 'a', 0);
             INSERT INTO app (client_id, name, session_id, scope, created_at)
                 VALUES ('app_old', 'old', NULL, 'session:manage', 0), ('app_key', 'key', 1, 'chat:read', 0)";
        old.execute_batch(&format!("INSERT INTO target (id) VALUES (1); {insert}"))
            .unwrap();
        run(&mut old).unwrap();
        let flows = "SELECT client_id || ' ' || device || ' ' || scope FROM app ORDER BY id";
        let mut statement = old.prepare(flows).unwrap();
        let apps = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<Vec<String>>>();
        assert_eq!(
            apps.unwrap(),
            ["app_old 1 session:manage", "app_key 0 chat:read"]
        );
    }

    #[test]
    fn the_networks_of_sessions_are_put_in_order() {
        let mut old = of_version(18);
        let networks = [
            "192.0.2.1",
            "2001:db8:1:2345::/64",
            "2001:db8::/64",
            "2001:db8:0:1::/64",
            "::/64",
        ];
        for (n, network) in networks.iter().enumerate() {
            old.execute("INSERT INTO target (id) VALUES (?1)", [n as i64])
                .unwrap();
            let insert = "INSERT INTO session (id, nick, folded_nick, created_at, network) VALUES (?1, ?1, ?1, 0, ?2)";
            old.execute(insert, (n as i64, network)).unwrap();
        }
        old.execute_batch(
            "INSERT INTO target (id) VALUES (9);
            INSERT INTO session (id, nick, folded_nick, created_at) VALUES (9, 'x', 'x', 0)",
        )
        .unwrap();
        run(&mut old).unwrap();
        let mut statement = old
            .prepare("SELECT network FROM session ORDER BY id")
            .unwrap();
        let found = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<Vec<Option<String>>>>();
        let expected = networks.map(|text| {
            let address = text.split('/').next().unwrap().parse().unwrap();
            Some(crate::model::Network::of(address).in_order().0)
        });
        assert_eq!(found.unwrap(), [&expected[..], &[None]].concat());
    }

    /// The pair that such a token was exchanged for cannot be derived again, so nobody gets it
    /// again.
    #[test]
    fn a_refresh_token_that_was_used_before_pairs_were_derived_is_settled() {
        let mut old = of_version(15);
        let insert = "INSERT INTO app (client_id, name, scope, created_at) VALUES ('app_x', 'x', 'identity', 0);
             INSERT INTO app_grant (app_id, scope, created_at) VALUES (1, 'identity', 0);
             INSERT INTO token (secret_hash, grant_id, kind, scope, created_at, expires_at, limit_at, superseded_at)
                 VALUES (x'01', 1, 'refresh', 'identity', 0, 9, 9, 5), (x'02', 1, 'refresh', 'identity', 5, 9, 9, NULL)";
        old.execute_batch(insert).unwrap();
        run(&mut old).unwrap();
        let mut statement = old
            .prepare("SELECT settled_at FROM token ORDER BY secret_hash")
            .unwrap();
        let settled = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<Vec<Option<i64>>>>();
        assert_eq!(settled.unwrap(), [Some(5), None]);
    }

    #[test]
    fn ids_of_events_and_revocations_go_on_after_the_last_ones_ever() {
        let mut old = of_version(26);
        let insert = "INSERT INTO event (id, time, source, command, params, targets)
                 VALUES (7, 0, 'a', 'AWAY', '', '[]'), (9, 0, 'a', 'AWAY', '', '[]');
             DELETE FROM event WHERE id = 9;
             INSERT INTO grant_end (id, grant_id, reason, time) VALUES (4, 1, 'revoked', 5), (5, 1, 'revoked', 6);
             DELETE FROM grant_end WHERE id = 5";
        old.execute_batch(insert).unwrap();
        run(&mut old).unwrap();
        let row = |sql: &str| {
            old.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
        };
        assert_eq!(row("SELECT head, revocation FROM log"), (9, 5));
        assert_eq!(row("SELECT id, time FROM revocation"), (4, 5));
        let checked: String = old
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(checked, "ok");
        let sequences = "SELECT count(*), 0 FROM sqlite_sequence WHERE name IN ('event', 'grant_end', 'revocation')";
        assert_eq!(row(sequences), (0, 0));
    }
}
