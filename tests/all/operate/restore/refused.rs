//! Files that cannot be restored, and times when nothing can be.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Command,
};

use rusqlite::Connection;

use super::{folder, kept, restore};
use crate::support::{Process, rejoin};

/// The names and bytes of all files of a database, except its lock.
fn files(database: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(database.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let own = entries.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("rejoin.db") && !name.ends_with(".lock")
    });
    let mut files = own
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect::<Vec<_>>();
    files.sort();
    files
}

#[tokio::test]
async fn a_file_that_is_no_copy_is_refused_and_changes_nothing() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    for n in 0..20 {
        server
            .create_session(&format!("user{n}"))
            .await
            .send("JOIN #rust")
            .await;
    }
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    server.terminate();
    let path = |name: &str| dir.path().join(name);
    let copy = fs::read(path("copy.db")).unwrap();

    fs::create_dir(path("folder.db")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(path("pipe.db"))
            .status()
            .unwrap()
            .success()
    );
    fs::write(path("empty.db"), "").unwrap();
    fs::write(
        path("letter.db"),
        "this is a letter to somebody\n".repeat(200),
    )
    .unwrap();
    Connection::open(path("foreign.db"))
        .unwrap()
        .execute_batch("CREATE TABLE song (title TEXT)")
        .unwrap();
    fs::write(path("newer.db"), &copy).unwrap();
    Connection::open(path("newer.db"))
        .unwrap()
        .pragma_update(None, "user_version", 9000)
        .unwrap();
    fs::write(path("short.db"), &copy[..copy.len() / 2]).unwrap();
    fs::write(path("scratched.db"), &copy).unwrap();
    let mut scratched = fs::OpenOptions::new()
        .write(true)
        .open(path("scratched.db"))
        .unwrap();
    // This page belongs to a table or an index.
    scratched.seek(SeekFrom::Start(5 * 4096)).unwrap();
    scratched.write_all(&[0xff; 2048]).unwrap();
    fs::write(path("dangling.db"), &copy).unwrap();
    let dangling = Connection::open(path("dangling.db")).unwrap();
    dangling
        .execute_batch("PRAGMA foreign_keys = off; DELETE FROM session WHERE id = 1")
        .unwrap();
    drop(dangling);

    let before = files(&database);
    for (file, why) in [
        ("nothing.db", "No such file"),
        ("folder.db", "not a regular file"),
        ("pipe.db", "not a regular file"),
        ("/dev/null", "not a regular file"),
        ("empty.db", "not a database"),
        ("letter.db", "not a database"),
        ("foreign.db", "a database of another application"),
        (
            "newer.db",
            "written by a newer version of rejoin (its schema has version 9000",
        ),
        ("short.db", "it is damaged"),
        ("scratched.db", "it is damaged"),
        (
            "dangling.db",
            "it is damaged: some rows refer to rows that do not exist",
        ),
        ("rejoin.db", "it is the database itself"),
    ] {
        for force in [&[][..], &["--force", "--end-credentials"]] {
            let refusal = rejoin(&database, &[&["restore", file], force].concat())
                .await
                .unwrap_err();
            assert!(
                refusal.contains(why) && refusal.contains(file),
                "{file}: {refusal}"
            );
            assert_eq!(files(&database), before, "{file}");
        }
    }
    restore(&database, &["copy.db"]).await;
}

#[tokio::test]
async fn a_restore_is_refused_while_a_server_uses_either_database() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    let refusal = rejoin(&database, &["restore", "copy.db", "--force"])
        .await
        .unwrap_err();
    assert!(
        refusal.contains("a server is running on the database") && refusal.contains("stop it"),
        "{refusal}"
    );
    alice.snapshot().await;
    let other = dir.path().join("other.db");
    let refusal = rejoin(&other, &["restore", "rejoin.db"]).await.unwrap_err();
    assert!(
        refusal.contains("in use by another process: a rejoin server")
            && refusal.contains("rejoin backup"),
        "{refusal}"
    );
    assert!(!other.exists());
    // After the stop the files can be restored.
    server.terminate();
    restore(&other, &["rejoin.db"]).await;
}

/// A damaged database is a reason to restore, so the restore keeps it as far as possible.
#[tokio::test]
async fn a_damaged_database_is_kept_or_replaced_by_force() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    server.create_session("alice").await;
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    server.terminate();
    fs::write(&database, "no database any more").unwrap();
    let told = restore(&database, &["copy.db"]).await;
    let first = told["kept"].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(&first).unwrap(), "no database any more");

    let log = database.with_extension("db-wal");
    fs::write(&database, "no database any more").unwrap();
    fs::write(&log, "its log").unwrap();
    let refusal = rejoin(&database, &["restore", "copy.db"])
        .await
        .unwrap_err();
    assert!(
        refusal.contains("cannot be kept as one file") && refusal.contains("--force"),
        "{refusal}"
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "its log");
    let told = restore(&database, &["copy.db", "--force"]).await;
    let second = told["kept"].as_str().unwrap();
    assert_eq!(fs::read_to_string(second).unwrap(), "no database any more");
    assert_eq!(
        fs::read_to_string(format!("{second}-wal")).unwrap(),
        "its log"
    );
    assert!(!log.exists() && second != first);
    assert_eq!(kept(dir.path()).len(), 3);
    assert!(
        rejoin(&database, &["sessions"])
            .await
            .unwrap()
            .contains("alice")
    );
}
