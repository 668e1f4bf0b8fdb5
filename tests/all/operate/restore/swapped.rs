//! Another file takes the name of a copy during its restore. The restore reads the file that it
//! checked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{atomic::whose, folder, kept};
use crate::support::{Process, preload};

/// Compiles the library that puts another file in the copy's place.
fn swapper(folder: &Path) -> PathBuf {
    preload(folder, "swap")
}

/// Restores a copy that another file replaces as soon as it is inspected or opened.
fn restored(folder: &Path, database: &Path, copy: &Path, by: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command
        .arg("restore")
        .arg(copy)
        .arg("--database")
        .arg(database);
    command
        .env("LD_PRELOAD", swapper(folder))
        .env("SWAPPED", copy)
        .env("BY", by)
        .output()
        .unwrap()
}

/// Creates a database with a session of this nick, in a file named after the nick.
async fn database_of(folder: &Path, nick: &str) -> PathBuf {
    let database = folder.join(format!("{nick}.db"));
    let server = Process::start(&database, &[]);
    server.create_session(nick).await;
    server.terminate();
    // The next database of this name gets keys of its own.
    fs::remove_file(database.with_extension("db.keys")).unwrap();
    database
}

#[tokio::test]
async fn the_opened_file_is_the_restored_one() {
    let (dir, target) = folder();
    let (copy, by) = (
        database_of(dir.path(), "alice").await,
        database_of(dir.path(), "mallory").await,
    );
    let output = restored(dir.path(), &target, &copy, &by);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        !by.exists() && whose(&copy) == "mallory",
        "the other file took its place"
    );
    assert_eq!(whose(&target), "alice");
}

/// The database itself is not a copy, even when it takes the copy's name during the restore.
#[tokio::test]
async fn a_copy_replaced_by_a_pipe_or_by_the_database_itself_is_refused() {
    let (dir, target) = folder();
    let database = database_of(dir.path(), "bob").await;
    fs::rename(&database, &target).unwrap();
    for kind in ["pipe", "link"] {
        let (copy, by) = (
            database_of(dir.path(), "alice").await,
            dir.path().join(kind),
        );
        match kind {
            "pipe" => assert!(Command::new("mkfifo").arg(&by).status().unwrap().success()),
            _ => std::os::unix::fs::symlink(&target, &by).unwrap(),
        }
        let output = restored(dir.path(), &target, &copy, &by);
        assert!(
            output.status.success(),
            "{kind}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(whose(&target), "alice", "{kind}");
        fs::remove_file(&copy).unwrap();
    }
    assert_eq!(kept(dir.path()).len(), 2);
}

/// A write-ahead log belongs to one file, so a log of another file must not be read.
#[tokio::test]
async fn the_write_ahead_log_of_another_file_is_ignored() {
    let (dir, target) = folder();
    let copy = dir.path().join("alice.db");
    let server = Process::start(&copy, &[]);
    server.create_session("alice").await;
    server.kill();
    assert!(dir.path().join("alice.db-wal").exists());
    let by = database_of(dir.path(), "mallory").await;
    let output = restored(dir.path(), &target, &copy, &by);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && why.contains("it was replaced by another file"),
        "{why}"
    );
    assert!(!target.exists());
}
