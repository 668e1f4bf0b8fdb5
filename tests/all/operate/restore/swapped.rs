//! A copy whose name comes to stand for another file while it is restored: what was judged is what
//! is read.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{atomic::whose, folder, kept};
use crate::support::Process;

/// Compiles what puts another file in the copy's place.
fn swapper(folder: &Path) -> PathBuf {
    let library = folder.join("swap.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/support/swap.c");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(made.success());
    library
}

/// Restores a copy whose place another file takes as soon as it was looked at or opened.
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

/// A database of somebody's, in a file of this name.
async fn database_of(folder: &Path, nick: &str) -> PathBuf {
    let database = folder.join(format!("{nick}.db"));
    let server = Process::start(&database, &[]);
    server.create_session(nick).await;
    server.terminate();
    // The next one of this name has its own.
    fs::remove_file(database.with_extension("db.keys")).unwrap();
    database
}

#[tokio::test]
async fn what_was_opened_is_what_is_restored() {
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

/// The database itself is no copy, however it comes to have the copy's name.
#[tokio::test]
async fn a_name_that_comes_to_stand_for_a_pipe_or_for_the_database_itself_is_no_trap() {
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

/// A write-ahead log belongs to one file alone.
#[tokio::test]
async fn the_log_beside_another_file_is_not_taken_for_the_copys() {
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
