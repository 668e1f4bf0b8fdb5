//! A stop leaves the database as one whole file, or the log says which files belong together.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{Device, Disk, Process, copy_keys, rejoin};

/// The files that SQLite keeps beside an open database.
fn beside(database: &Path) -> [PathBuf; 2] {
    ["db-wal", "db-shm"].map(|extension| database.with_extension(extension))
}

#[track_caller]
fn assert_one_file(database: &Path, after: &str) {
    for file in beside(database) {
        assert!(!file.exists(), "after {after} there is {}", file.display());
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    (dir, database)
}

/// Alice joins #rust and sends `count` messages. Returns her device and the id of the last message.
async fn speak(server: &Process, count: usize) -> (Device, i64) {
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let mut last = 0;
    for n in 0..count {
        last = alice.send(&format!("PRIVMSG #rust :{n}")).await["ids"][0]
            .as_i64()
            .unwrap();
    }
    (alice, last)
}

#[tokio::test]
async fn after_a_clean_stop_one_file_holds_everything() {
    for signal in ["TERM", "INT"] {
        let (dir, database) = folder();
        let server = Process::start(&database, &[]);
        let (alice, last) = speak(&server, 20).await;
        let bob = server.create_session("bob").await;
        // An open stream must not keep the write-ahead log in use.
        let stream = bob.stream("").await;
        let held = tokio::spawn({
            let alice = alice.clone();
            async move { alice.poll(&format!("after={last}&timeout=60")).await }
        });
        server.wait_for_connections(2).await;
        assert!(
            beside(&database)[0].metadata().unwrap().len() > 0,
            "messages are written to the write-ahead log first"
        );
        assert!(server.signal(signal).success());
        assert_one_file(&database, signal);
        drop((stream, held.await));

        let copy = dir.path().join("copy.db");
        std::fs::copy(&database, &copy).unwrap();
        copy_keys(&database, &copy);
        let server = Process::start(&copy, &[]);
        let alice = server
            .device()
            .with_cookie(alice.cookie.as_deref().unwrap());
        assert_eq!(
            alice
                .poll("after=0&timeout=0")
                .await
                .messages
                .last()
                .unwrap()
                .id,
            last
        );
    }
}

#[tokio::test]
async fn a_subcommand_without_a_server_leaves_one_whole_file() {
    let (_dir, database) = folder();
    for args in [
        &["audit"][..],
        &["backup", "copy.db"],
        &["sessions"],
        &["session", "alice"],
        &["session", "nobody"],
        &["grants"],
        &["revoke", "99"],
        &["app", "list"],
        &["app", "add", "--name", "board"],
        &["app", "remove", "app_nobody"],
        &["session", "alice", "--end"],
    ] {
        // A crash leaves a write-ahead log, which the subcommand folds in.
        let server = Process::start(&database, &[]);
        if server.device().try_create_session("alice").await.is_ok() {
            assert!(beside(&database)[0].metadata().unwrap().len() > 0);
        }
        server.kill();
        let _ = rejoin(&database, args).await;
        assert_one_file(&database, &args.join(" "));
    }
}

#[tokio::test]
async fn a_stop_that_keeps_the_write_ahead_log_says_which_files_belong_together() {
    type Hold = fn(&Path, &Disk) -> Option<Connection>;
    let reader: Hold = |database, _| {
        let other = Connection::open(database).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM session").unwrap();
        Some(other)
    };
    let idle: Hold = |database, _| {
        let other = Connection::open(database).unwrap();
        other.execute_batch("SELECT * FROM session").unwrap();
        Some(other)
    };
    let full: Hold = |_, disk| {
        disk.fail("full");
        None
    };
    for (case, hold, expected) in [
        (
            "another process reads",
            reader,
            "is incomplete without its write-ahead log",
        ),
        (
            "another process has it open",
            idle,
            "is complete, but its write-ahead log could not be removed",
        ),
        (
            "the disk is full",
            full,
            "is incomplete without its write-ahead log",
        ),
    ] {
        let (dir, database) = folder();
        let (disk, log) = (Disk::new(dir.path()), dir.path().join("log"));
        let server = Process::prepared(&database, &log, |command| {
            command
                .env("LD_PRELOAD", &disk.library)
                .env("FAULT", &disk.fault);
        });
        let (alice, last) = speak(&server, 1).await;
        let held = hold(&database, &disk);
        // A reader's snapshot does not have this message, so SQLite cannot fold it in.
        let last = match &held {
            Some(_) => alice.send("PRIVMSG #rust :after that").await["ids"][0]
                .as_i64()
                .unwrap(),
            None => last,
        };
        assert!(server.terminate().success());
        let told = std::fs::read_to_string(&log).unwrap();
        assert!(
            told.contains(expected) && told.contains(&database.display().to_string()),
            "{case}: {told}"
        );
        drop(held);
        if disk.fault.exists() {
            disk.mend();
        }
        let server = Process::start(&database, &[]);
        let alice = server
            .device()
            .with_cookie(alice.cookie.as_deref().unwrap());
        assert_eq!(
            alice
                .poll("after=0&timeout=0")
                .await
                .messages
                .last()
                .unwrap()
                .id,
            last,
            "{case}"
        );
    }
}
