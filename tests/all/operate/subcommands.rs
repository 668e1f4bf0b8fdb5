//! The operator's subcommands, beside a running server and without one.

use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::support::{Process, TestServer, copy_keys, rejoin, until};

/// The lines of the audit log, without ids and times.
async fn audit(database: &Path) -> Vec<String> {
    let lines = rejoin(database, &["audit"]).await.unwrap();
    lines
        .lines()
        .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
        .collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    (dir, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_shown_with_and_without_a_server() {
    let (_dir, database) = folder();
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    server
        .device()
        .login("alice", "wrong password")
        .await
        .unwrap_err();
    server
        .device()
        .login("my own password", "")
        .await
        .unwrap_err();
    let phone = server
        .device()
        .login("alice", "correct horse battery")
        .await
        .unwrap();
    phone
        .try_send("PASS 12345678x :not the current one")
        .await
        .unwrap_err();
    phone
        .try_send_json(
            json!({"command": "PASS", "params": ["a new password", "correct horse battery"]}),
        )
        .await
        .unwrap();
    phone.send("QUIT").await;
    alice.send("QUIT").await;
    let expected = [
        "session_created session=1 nick=alice address=127.0.0.1",
        "client_created session=1 client=1 address=127.0.0.1",
        "password_set session=1 client=1 nick=alice address=127.0.0.1",
        "login_failed session=1 nick=alice address=127.0.0.1",
        "login_failed address=127.0.0.1",
        "client_created session=1 client=2 address=127.0.0.1",
        "login_ok session=1 client=2 nick=alice address=127.0.0.1",
        "password_refused session=1 client=2 nick=alice address=127.0.0.1",
        "password_changed session=1 client=2 nick=alice address=127.0.0.1",
        "client_left session=1 client=2 address=127.0.0.1 reason=quit",
        "client_left session=1 client=1 address=127.0.0.1 reason=quit",
        "session_ended session=1 nick=alice address=127.0.0.1 reason=quit",
    ];
    assert_eq!(audit(&database).await, expected);
    assert_eq!(
        rejoin(&database, &["audit", "--limit", "2", "--before", "4"])
            .await
            .unwrap()
            .lines()
            .count(),
        2
    );
    server.terminate();
    assert!(!database.with_extension("db.sock").exists());
    assert_eq!(
        audit(&database).await,
        expected,
        "without a server the subcommand opens the database itself"
    );
    assert!(
        rejoin(&database.with_extension("none"), &["audit"])
            .await
            .unwrap_err()
            .contains("there is no database")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_is_complete_and_can_be_restored() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    let socket = std::fs::metadata(database.with_extension("db.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let last = alice.send("PRIVMSG #rust :kept").await["ids"][0]
        .as_i64()
        .unwrap();
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    let copy = dir.path().join("copy.db");
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let refusal = rejoin(&database, &["backup", "copy.db"]).await.unwrap_err();
    assert!(refusal.contains("File exists"), "{refusal}");
    let lost = alice.send("PRIVMSG #rust :not in the copy").await["ids"][0]
        .as_i64()
        .unwrap();
    let carol = server.create_session("carol").await.snapshot().await;
    drop(server);

    let kept = dir.path().join("kept.db");
    std::fs::copy(&copy, &kept).unwrap();
    copy_keys(&database, &copy);
    let restored = Process::start(&copy, &[]);
    let alice = restored
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    let queue = alice.queue().await;
    assert_eq!(queue.last().unwrap().id, last);
    let after_restore = alice.send("PRIVMSG #rust :on").await["ids"][0]
        .as_i64()
        .unwrap();
    assert!(
        after_restore > lost,
        "an id that was issued after the copy is not issued again"
    );
    let dave = restored.create_session("dave").await.snapshot().await;
    for one in ["session", "client"] {
        assert!(
            dave[one]["id"].as_i64() > carol[one]["id"].as_i64(),
            "the id of a {one} is not issued again"
        );
    }
    let page = alice.poll(&format!("timeout=0&after={lost}")).await;
    assert_eq!(
        page.messages[0].id, after_restore,
        "a reader of lost events continues behind them"
    );
    restored.terminate();
    // A second restore of the same copy does not issue the ids of the first restore again either.
    let again = dir.path().join("again.db");
    std::fs::copy(&kept, &again).unwrap();
    copy_keys(&database, &again);
    let restored = Process::start(&again, &[]);
    let alice = restored
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    let second = alice.send("PRIVMSG #rust :once more").await["ids"][0]
        .as_i64()
        .unwrap();
    assert!(
        second > after_restore && second < 1 << 53,
        "{after_restore}, then {second}"
    );
    restored.terminate();
    rejoin(&copy, &["backup", "second.db"]).await.unwrap();
    assert!(
        rejoin(&copy, &["backup", "no/folder/x.db"])
            .await
            .unwrap_err()
            .contains("No such file")
    );
}

#[tokio::test]
async fn the_audit_log_has_its_own_retention() {
    let mut server = TestServer::with(&["--audit-retention", "10d"]).await;
    server.create_session("alice").await.snapshot().await;
    server.advance(Duration::from_hours(24 * 6));
    server.create_session("bob").await.snapshot().await;
    server.advance(Duration::from_hours(24 * 5));
    server.restart().await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let count = || {
        database
            .query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    until("old lines to be deleted", async || count() == 2).await;
}
