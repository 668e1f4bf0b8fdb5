//! The rules that every database keeps, whatever happened to the server.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// Each violation of a rule, and the query that finds its rows.
const WRONG: &[(&str, &str)] = &[
    ("rows that refer to missing rows", "PRAGMA foreign_key_check"),
    (
        "live sessions without a device",
        "SELECT id FROM session
         WHERE ended_at IS NULL AND id NOT IN (SELECT session_id FROM client WHERE ended_at IS NULL AND NOT key)",
    ),
    (
        "live grants or keys of ended sessions, or live grants of ended apps",
        "SELECT app_grant.id FROM app_grant JOIN app ON app.id = app_id LEFT JOIN session ON session.id = app_grant.session_id
             WHERE app_grant.ended_at IS NULL AND (session.ended_at IS NOT NULL OR app.ended_at IS NOT NULL)
         UNION ALL SELECT app.id FROM app JOIN session ON session.id = session_id
             WHERE app.ended_at IS NULL AND session.ended_at IS NOT NULL",
    ),
    (
        "grants that outlive their client, or clients that outlive their grant",
        "SELECT client.id FROM client JOIN app_grant ON app_grant.id = grant_id
         WHERE (client.ended_at IS NULL) != (app_grant.ended_at IS NULL)",
    ),
    (
        "API keys that outlive the grant that created them",
        "SELECT app.id FROM app JOIN app_grant ON app_grant.id = created_through
         WHERE app.ended_at IS NULL AND app_grant.ended_at IS NOT NULL",
    ),
    (
        "tokens of ended grants",
        "SELECT grant_id FROM token JOIN app_grant ON app_grant.id = grant_id WHERE ended_at IS NOT NULL",
    ),
    (
        "device codes of ended apps, approved by ended sessions, or approved without a line in the audit log",
        "SELECT device_code.app_id FROM device_code JOIN app ON app.id = app_id LEFT JOIN session ON session.id = device_code.session_id
         WHERE app.ended_at IS NOT NULL OR session.ended_at IS NOT NULL OR device_code.session_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM audit WHERE action = 'device_approved' AND app = app.client_id
                 AND audit.session_id = session.id)",
    ),
    (
        "keys and grants whose start or end is not in the audit log",
        "SELECT client_id FROM app WHERE session_id IS NOT NULL
             AND ((SELECT count(*) FROM audit WHERE app = app.client_id AND action = 'key_issued') != 1
                 OR (SELECT count(*) FROM audit WHERE app = app.client_id AND action = 'key_revoked') != (ended_at IS NOT NULL))
         UNION ALL SELECT client_id FROM app
             WHERE (SELECT count(*) FROM audit WHERE app = app.client_id AND action = 'grant_issued')
                     != (SELECT count(*) FROM app_grant WHERE app_id = app.id)
                 OR (SELECT count(*) FROM audit WHERE app = app.client_id AND action = 'grant_revoked')
                     != (SELECT count(*) FROM app_grant WHERE app_id = app.id AND ended_at IS NOT NULL)",
    ),
    (
        "ends of grants that are not in the revocation feed exactly once",
        "SELECT id FROM app_grant
         WHERE (SELECT group_concat(time) FROM revocation WHERE grant_id = app_grant.id AND jti IS NULL) IS NOT ended_at",
    ),
    (
        "live clients of ended sessions",
        "SELECT client.id FROM client JOIN session ON session.id = session_id
         WHERE client.ended_at IS NULL AND session.ended_at IS NOT NULL",
    ),
    (
        "ended sessions with a password, a membership or an invitation",
        "SELECT id FROM session WHERE ended_at IS NOT NULL AND (password_hash IS NOT NULL
             OR id IN (SELECT session_id FROM membership WHERE until IS NULL) OR id IN (SELECT session_id FROM invite))",
    ),
    (
        "live sessions with the same nick",
        "SELECT folded_nick FROM session NOT INDEXED WHERE ended_at IS NULL GROUP BY folded_nick HAVING count(*) > 1",
    ),
    (
        "live channels without a member, or ended ones with one",
        "SELECT id FROM channel WHERE (ended_at IS NULL) != (id IN (SELECT channel_id FROM membership WHERE until IS NULL))",
    ),
    (
        "memberships that do not begin and end with an event",
        "SELECT since FROM membership WHERE since NOT IN (SELECT id FROM event WHERE command = 'JOIN')
             OR until IS NOT NULL AND until NOT IN (SELECT id FROM event WHERE command IN ('PART', 'KICK', 'QUIT'))",
    ),
    (
        "events without an address for a target that can read them",
        "SELECT event.id FROM event, json_each(targets) AS target
             WHERE NOT EXISTS (SELECT 1 FROM address WHERE target_id = target.value AND event_id = event.id)
             AND (target.value IN (SELECT id FROM session WHERE ended_at IS NULL)
                 OR EXISTS (SELECT 1 FROM membership WHERE channel_id = target.value AND event.id BETWEEN since AND coalesce(until, event.id)))
         UNION ALL SELECT event_id FROM address WHERE event_id NOT IN (SELECT id FROM event)",
    ),
    (
        "memberships of ended sessions",
        "SELECT since FROM membership JOIN session ON session.id = session_id WHERE ended_at IS NOT NULL",
    ),
    (
        "unreadable events that no sweep will delete",
        "SELECT event_id FROM address WHERE target_id NOT IN (SELECT target_id FROM sweep)
             AND target_id NOT IN (SELECT id FROM session WHERE ended_at IS NULL)
             AND NOT EXISTS (SELECT 1 FROM membership WHERE channel_id = target_id AND event_id BETWEEN since AND coalesce(until, event_id))",
    ),
    (
        "sessions whose start or end is not in the audit log",
        "SELECT id FROM session
         WHERE (SELECT count(*) FROM audit WHERE session_id = session.id AND action = 'session_created') != 1
             OR (SELECT count(*) FROM audit WHERE session_id = session.id AND action = 'session_ended') != (ended_at IS NOT NULL)",
    ),
    (
        "clients whose start or end is not in the audit log",
        "SELECT id FROM client
         WHERE (SELECT count(*) FROM audit WHERE session_id = client.session_id AND client_id = client.id
                 AND action = 'client_created') != 1
             OR (SELECT group_concat(reason) FROM audit WHERE session_id = client.session_id AND client_id = client.id
                 AND action = 'client_left') IS NOT end_reason
             OR (ended_at IS NULL) != (end_reason IS NULL)",
    ),
];

/// Asserts that a database keeps all rules. Retention must not have removed anything from it. A
/// server may be using it.
#[track_caller]
pub fn assert_integrity(database: &Path) {
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    for (what, query) in WRONG {
        let found = database
            .prepare(query)
            .unwrap()
            .query([])
            .unwrap()
            .next()
            .unwrap()
            .map(|row| format!("{row:?}"));
        assert_eq!(found, None, "there are {what}");
    }
}

/// Asserts that no file beside the database contains a secret.
pub fn assert_not_on_disk(database: &Path, secret: &str) {
    let entries = std::fs::read_dir(database.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    // The reserve only takes up space.
    let holds = |path: &PathBuf| {
        path.is_file()
            && path
                .extension()
                .is_none_or(|extension| extension != "reserve")
    };
    for file in entries.filter(holds) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            !bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes()),
            "{}",
            file.display()
        );
    }
}
