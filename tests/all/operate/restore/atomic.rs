//! A restore that is killed at any moment leaves either the old database or the new one, whole.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rusqlite::Connection;

use super::{folder, kept};
use crate::support::{Process, preload, rejoin};

/// Compiles the library that kills the program at its nth change of a file.
fn killer(folder: &Path) -> PathBuf {
    preload(folder, "kill_at")
}

/// The nick of the one session in a database. Asserts that the database is whole.
pub fn whose(database: &Path) -> String {
    let database = Connection::open(database).unwrap();
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    database
        .query_row("SELECT nick FROM session", [], |row| row.get(0))
        .unwrap()
}

/// Copies the files of a database, including its write-ahead log.
fn copied(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(name(from), name(to)).unwrap();
    }
}

#[tokio::test]
async fn kill_9_at_any_moment_leaves_the_old_database_or_the_new_one_whole() {
    let (dir, new) = folder();
    let server = Process::start(&new, &[]);
    server.create_session("new").await;
    let copy = dir.path().join("copy.db");
    rejoin(&new, &["backup", "copy.db"]).await.unwrap();
    server.terminate();
    // The old database's content is still in its write-ahead log, as after a crash.
    let old = dir.path().join("old.db");
    let server = Process::start(&old, &[]);
    server.create_session("old").await;
    server.kill();

    let killer = killer(dir.path());
    let target = dir.path().join("target");
    let (mut killed, mut replaced) = (0, 0);
    for n in 1.. {
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target).unwrap();
        let database = target.join("rejoin.db");
        copied(&old, &database);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
        command
            .arg("restore")
            .arg(&copy)
            .arg("--database")
            .arg(&database)
            .arg("--end-credentials");
        command
            .env("LD_PRELOAD", &killer)
            .env("KILL_AT", n.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().unwrap();
        if status.signal().is_none() {
            assert!(status.success());
            break;
        }
        killed += 1;
        let kept = kept(&target)
            .into_iter()
            .filter(|path| !path.display().to_string().ends_with("-wal"));
        match whose(&database).as_str() {
            "new" => {
                replaced += 1;
                assert_eq!(
                    kept.map(|path| whose(&path)).collect::<Vec<_>>(),
                    ["old"],
                    "killed at {n}"
                );
            }
            it => assert_eq!(it, "old", "killed at {n}"),
        }
    }
    assert!(
        killed > 10 && replaced > 0,
        "killed {killed} times, {replaced} of them after the replacement"
    );
    assert_eq!(whose(&target.join("rejoin.db")), "new");
    let left = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        left.into_iter().all(|name| !name.contains("restoring")),
        "no temporary file is left behind"
    );
}
