//! The database as a file: refused, upgraded, locked.

use crate::support::{Process, TestServer};

#[test]
fn what_is_not_our_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.db");
    std::fs::write(&text, "this is no database, it is a letter to somebody\n".repeat(100)).unwrap();
    let said = Process::refused(&text, &[]);
    assert!(said.contains("text.db") && said.contains("is not a database"), "{said}");
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("this is no database"));

    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE song (title TEXT)").unwrap();
    let said = Process::refused(&foreign, &[]);
    assert!(said.contains("another application"), "{said}");

    let said = Process::refused(&dir.path().join("no/such/folder/x.db"), &[]);
    assert!(said.contains("No such file"), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let mut server = TestServer::start().await;
    server.stop().await;
    rusqlite::Connection::open(server.database()).unwrap().pragma_update(None, "user_version", 9000).unwrap();
    let said = Process::refused(&server.database(), &[]);
    assert!(said.contains("newer rejoin") && said.contains("9000"), "{said}");
}

#[tokio::test]
async fn a_second_server_on_the_same_database_is_refused() {
    let server = TestServer::start().await;
    let said = Process::refused(&server.database(), &[]);
    assert!(said.contains("in use by another"), "{said}");
    server.pick("alice").await;
}

#[tokio::test]
async fn the_database_is_its_owners_alone_and_as_safe_as_it_gets() {
    use std::os::unix::fs::PermissionsExt;
    let server = TestServer::start().await;
    server.pick("alice").await;
    for entry in std::fs::read_dir(server.database().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mode: String = database.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
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

#[tokio::test]
async fn what_was_answered_survives_sigkill_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let alice = server.pick("alice").await;
    alice.send("JOIN #rust").await;
    let mut answered = Vec::new();
    for n in 0..20 {
        answered.push(alice.send(&format!("@label=n{n} PRIVMSG #rust :{n}")).await["ids"][0].clone());
    }
    server.kill();
    let server = Process::start(&database, &[]);
    let alice = server.device().with_cookie(alice.cookie.as_deref().unwrap());
    let again = alice.send("@label=n19 PRIVMSG #rust :19").await;
    assert_eq!(again["ids"][0], answered[19], "the label is remembered");
    let queue = alice.queue().await;
    let said: Vec<_> = queue.iter().filter(|m| m["command"] == "PRIVMSG").map(|m| m["id"].clone()).collect();
    assert_eq!(said, answered);
}
