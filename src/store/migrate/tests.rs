//! Databases of older versions.

use super::*;

/// A database as the program of that version created it.
fn of_version(version: usize) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(include_str!("../../../tests/all/schema_v1.sql"))
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
fn apps_registered_before_flows_existed_keep_every_flow_and_their_scope() {
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
fn the_networks_of_sessions_are_made_sortable() {
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

/// The pair that such a token was exchanged for cannot be derived again, so it is never issued
/// again.
#[test]
fn a_refresh_token_used_before_pairs_were_derived_is_settled() {
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
fn ids_of_events_and_revocations_continue_after_the_highest_ever() {
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
