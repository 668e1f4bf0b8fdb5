//! The database file: when it is refused, upgraded and locked.

use serde_json::{Value, json};

use crate::support::{Process, TestServer};

#[test]
fn a_file_that_is_not_our_database_is_refused_and_left_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.db");
    std::fs::write(
        &text,
        "this is no database, it is a letter to somebody\n".repeat(100),
    )
    .unwrap();
    let said = Process::refused(&text, &[]);
    assert!(
        said.contains("text.db") && said.contains("is not a database"),
        "{said}"
    );
    assert!(
        std::fs::read_to_string(&text)
            .unwrap()
            .starts_with("this is no database")
    );

    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE song (title TEXT)")
        .unwrap();
    let said = Process::refused(&foreign, &[]);
    assert!(said.contains("another application"), "{said}");

    let said = Process::refused(&dir.path().join("no/such/folder/x.db"), &[]);
    assert!(said.contains("No such file"), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let mut server = TestServer::start().await;
    server.stop().await;
    rusqlite::Connection::open(server.database())
        .unwrap()
        .pragma_update(None, "user_version", 9000)
        .unwrap();
    let said = Process::refused(&server.database(), &[]);
    assert!(
        said.contains("newer version of rejoin") && said.contains("9000"),
        "{said}"
    );
}

#[tokio::test]
async fn a_second_server_on_the_same_database_is_refused() {
    let server = TestServer::start().await;
    let said = Process::refused(&server.database(), &[]);
    assert!(said.contains("in use by another"), "{said}");
    server.create_session("alice").await;
}

#[tokio::test]
async fn the_database_is_private_to_its_owner_and_has_the_safest_settings() {
    use std::os::unix::fs::PermissionsExt;
    let server = TestServer::start().await;
    server.create_session("alice").await;
    for entry in std::fs::read_dir(server.database().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.path()
        );
    }
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mode: String = database
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    let loose: Vec<String> = database
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(loose.is_empty(), "{loose:?} are not STRICT");
}

/// Files that became readable by other users are private again after the next start, and the log
/// reports it. For the folder, the log gives advice.
#[test]
fn files_open_to_other_users_become_private_again() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (database, log) = (dir.path().join("rejoin.db"), dir.path().join("log"));
    Process::start(&database, &[]).kill();
    let names = [
        "rejoin.db",
        "rejoin.db-wal",
        "rejoin.db-shm",
        "rejoin.db.lock",
    ];
    let files = names.map(|name| dir.path().join(name));
    let chmod = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for file in &files {
        if !file.exists() {
            std::fs::write(file, "").unwrap();
        }
        chmod(file, 0o644);
    }
    chmod(dir.path(), 0o777);
    let server = Process::prepared(&database, &log, |_| {});
    for file in &files {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            file.display()
        );
    }
    server.terminate();
    let told = std::fs::read_to_string(&log).unwrap();
    for file in &files {
        assert!(
            told.contains(&format!(
                "{} was open to other users (mode 0644)",
                file.display()
            )),
            "{told}"
        );
    }
    assert!(
        told.contains(&format!("chmod go-w '{}'", dir.path().display())),
        "{told}"
    );
}

#[tokio::test]
async fn answered_commands_survive_sigkill_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let mut answered = Vec::new();
    for n in 0..20 {
        answered
            .push(alice.send(&format!("@label=n{n} PRIVMSG #rust :{n}")).await["ids"][0].clone());
    }
    server.kill();
    let server = Process::start(&database, &[]);
    let alice = server
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    let again = alice.send("@label=n19 PRIVMSG #rust :19").await;
    assert_eq!(again["ids"][0], answered[19], "the label is kept");
    let queue = alice.queue().await;
    let said: Vec<_> = queue
        .iter()
        .filter(|m| m.command == "PRIVMSG")
        .map(|m| json!(m.id))
        .collect();
    assert_eq!(said, answered);
}

/// A database of version 1, with a session and its messages, is upgraded to the current version and
/// works on.
#[tokio::test]
async fn an_older_database_is_upgraded_and_its_sessions_stay_live() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
    let database = rusqlite::Connection::open(&old).unwrap();
    database
        .execute_batch(include_str!("../schema_v1.sql"))
        .unwrap();
    // The client's last use and its expiry are far in the future.
    database
        .execute_batch(
            "PRAGMA application_id = 0x726a6f69; PRAGMA user_version = 1;
             INSERT INTO target (id) VALUES (1);
             INSERT INTO session (id, nick, folded_nick, created_at) VALUES (1, 'alice', 'alice', 0);
             INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at) VALUES
 (1, 'laptop', x'00', 0, 0, 0, 32503680000000, 32503680000000);",
        )
        .unwrap();
    let hash = rejoin::secret::sha256;
    database
        .execute(
            "UPDATE client SET secret_hash = ?1",
            [hash(b"an old secret")],
        )
        .unwrap();
    let text = "\u{1}she said: [\"\", 'é']\\";
    let said = json!(["alice", text]).to_string();
    let event =
        "INSERT INTO event (time, source, command, params, targets, sender, recipient, client_id)
                 VALUES (32503680000000, 'alice', 'PRIVMSG', ?1, '[1]', 1, 1, 1)";
    database.execute(event, [said]).unwrap();
    database
        .execute(
            "INSERT INTO address (target_id, event_id) VALUES (1, 1)",
            [],
        )
        .unwrap();
    // Alice's and bob's messages on a channel. Bob's is the last.
    database
        .execute_batch(
            "INSERT INTO target (id) VALUES (2), (3);
             INSERT INTO session (id, nick, folded_nick, created_at) VALUES (2, 'bob', 'bob', 0);
             INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at)
                 VALUES (2, 'phone', randomblob(32), 0, 0, 0, 32503680000000, 32503680000000);
             INSERT INTO channel (id, name, folded_name, created_at, modes) VALUES (3, '#old', '#old', 0, 'nt');
             INSERT INTO membership (session_id, channel_id, since) VALUES (1, 3, 1), (2, 3, 1);",
        )
        .unwrap();
    for (client, nick, text) in [
        (2, "bob", "alice?"),
        (1, "alice", "yes"),
        (1, "alice", "bob?"),
        (2, "bob", "fine"),
    ] {
        let event = "INSERT INTO event (time, source, command, params, targets, client_id)
                     VALUES (32503680000000, ?1, 'PRIVMSG', ?2, '[3]', ?3)";
        database
            .execute(event, (nick, json!(["#old", text]).to_string(), client))
            .unwrap();
        let address = "INSERT INTO address (target_id, event_id) VALUES (3, last_insert_rowid())";
        database.execute(address, []).unwrap();
    }
    let reply =
        json!({"source": "rejoin.server", "command": "PONG", "params": ["rejoin.server", text]});
    for (label, command, answer) in [
        (
            "said",
            format!("PRIVMSG\0alice\0{text}"),
            json!({"replies": [], "ids": [1]}),
        ),
        (
            "asked",
            format!("PING\0{text}"),
            json!({"replies": [reply, reply], "ids": []}),
        ),
    ] {
        let keep = "INSERT INTO label (client_id, label, command, answer, time) VALUES (1, ?1, ?2, ?3, 32503680000000)";
        database
            .execute(keep, (label, hash(command.as_bytes()), answer.to_string()))
            .unwrap();
    }
    drop(database);

    let server = Process::start(&old, &[]);
    let alice = server.device().with_cookie("rejoin=an old secret");
    let snapshot = alice.snapshot().await;
    assert_eq!(snapshot["session"]["nick"], "alice");
    assert_eq!(
        snapshot["channels"][0]["unread"],
        json!({"count": 2, "mention": true}),
        "bob's two messages, and none of her own"
    );
    let send = async |command, params: Value, label| {
        alice
            .try_send_json(json!({"command": command, "params": params, "label": label}))
            .await
            .unwrap()
    };
    assert_eq!(
        alice.history("target=alice").await[0].params,
        ["alice", text]
    );
    assert_eq!(
        send("PRIVMSG", json!(["alice", text]), "said").await,
        json!({"replies": [], "ids": [1]})
    );
    assert_eq!(
        send("PING", json!([text]), "asked").await,
        json!({"replies": [reply, reply], "ids": []})
    );
    alice.send("JOIN #rust").await;
    drop(server);
    drop(Process::start(&new, &[]));
    let schema = |path: &std::path::Path| {
        let database = rusqlite::Connection::open(path).unwrap();
        let version: i64 = database
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        let mut statement = database
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement
            .query_map([], |row| {
                Ok((row.get(0)?, row.get::<_, Option<String>>(1)?))
            })
            .unwrap();
        let spaceless = |sql: String| {
            let code = sql
                .lines()
                .flat_map(|line| line.split("--").next().unwrap().split_whitespace());
            code.collect::<String>()
        };
        let rows: Vec<(String, Option<String>)> = rows
            .map(|row| row.map(|(n, sql)| (n, sql.map(spaceless))).unwrap())
            .collect();
        (version, rows)
    };
    assert_eq!(
        schema(&old),
        schema(&new),
        "an upgraded database has the schema of a new one"
    );
}

/// The queries of every JOIN, message and page must not scan the log or past memberships.
#[tokio::test]
async fn no_frequent_query_scans_a_table() {
    let server = TestServer::start().await;
    server.create_session("alice").await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    for (query, index) in [
        (
            "SELECT event_id FROM address WHERE target_id = 1 AND event_id > 2 AND event_id <= 3 \
             ORDER BY event_id LIMIT 4",
            "PRIMARY KEY",
        ),
        (
            "SELECT channel_id, since FROM membership WHERE session_id = 1 AND until IS NULL ORDER BY since",
            "membership_of_session",
        ),
        (
            "SELECT channel_id, since, until FROM membership WHERE session_id = 1 AND until > 2",
            "membership_past",
        ),
        (
            "SELECT count(*) FROM membership WHERE channel_id = 1 AND until IS NULL",
            "membership_",
        ),
        (
            "SELECT id FROM event WHERE sender = 1 AND recipient = 2 AND id < 3 ORDER BY id DESC LIMIT 4",
            "event_exchange",
        ),
        (
            "SELECT * FROM session WHERE folded_nick = 'a' AND ended_at IS NULL",
            "session_by_nick",
        ),
        (
            "SELECT * FROM client WHERE session_id = 1 AND ended_at IS NULL ORDER BY id",
            "client_of_session",
        ),
    ] {
        let mut statement = database
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .unwrap();
        let plan: Vec<String> = statement
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            plan.iter()
                .any(|step| step.contains("SEARCH") && step.contains(index)),
            "{query}: {plan:?}"
        );
        assert!(
            !plan
                .iter()
                .any(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE")),
            "{query}: {plan:?}"
        );
    }
}

/// When a caller hangs up, its reader becomes free when its query ends, and not before.
#[tokio::test]
async fn hanging_up_opens_no_further_readers() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(&dir.path().join("rejoin.db"), &[]);
    let alice = server.create_session("alice").await;
    for n in 0..40 {
        alice.send(&format!("JOIN #{n}")).await;
    }
    for _ in 0..300 {
        let asked = alice
            .request(reqwest::Method::GET, "/api/v1/session")
            .send();
        // The caller hangs up in the middle of its request.
        let _ = tokio::time::timeout(std::time::Duration::from_micros(700), asked).await;
    }
    alice.snapshot().await;
    assert!(
        server.open_files("rejoin.db") <= 1 + 4 + 1,
        "the writer, four readers, the lock"
    );
}
