//! The control socket in a folder that other users may write to: who may open the socket, and which
//! answers a subcommand accepts.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use rustix::{process::Uid, thread::set_thread_res_uid};

use crate::support::{Process, preload, rejoin};

/// The id of a user that is neither root nor the user of the tests.
const STRANGER: u32 = 65_534;

/// A database that a server created before it stopped, in a folder that all users may write to.
fn shared() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let database = dir.path().join("rejoin.db");
    Process::start(&database, &[]).terminate();
    (dir, database)
}

/// As another user, answers one request on a database's socket with "Done". Returns `None` if the
/// tests may not change their user.
fn impostor(database: &Path) -> Option<thread::JoinHandle<()>> {
    let socket = database.with_extension("db.sock");
    let (ready, begun) = mpsc::channel();
    let answering = thread::spawn(move || {
        let stranger = Uid::from_raw(STRANGER);
        // This changes the user of the thread alone, not of the process.
        if set_thread_res_uid(stranger, stranger, stranger).is_err() {
            return;
        }
        let listener = UnixListener::bind(&socket).unwrap();
        ready.send(()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = String::new();
        if BufReader::new(&stream)
            .read_line(&mut question)
            .unwrap_or(0)
            > 0
        {
            stream.write_all(b"\"Done\"\n").unwrap();
        }
        fs::remove_file(&socket).unwrap();
    });
    begun.recv().ok().map(|()| answering)
}

/// An impostor could report a revocation that never happened, or receive a secret.
#[tokio::test]
async fn a_subcommand_accepts_answers_of_root_its_own_user_and_the_owner_only() {
    let (_dir, database) = shared();
    for args in [&["session", "alice", "--end"][..], &["restore", "copy.db"]] {
        let Some(answering) = impostor(&database) else {
            return;
        };
        let refusal = rejoin(&database, args).await.unwrap_err();
        assert!(
            refusal.contains(&format!("is answered by the user {STRANGER}")),
            "{refusal}"
        );
        assert!(refusal.contains("rejoin.db.sock"), "{refusal}");
        answering.join().unwrap();
    }
    // If the server runs as the owner of the database, root accepts its answers.
    let Some(answering) = impostor(&database) else {
        return;
    };
    chown(&database, Some(STRANGER), None).unwrap();
    assert_eq!(
        rejoin(&database, &["session", "alice", "--end"])
            .await
            .unwrap(),
        ""
    );
    answering.join().unwrap();
}

#[tokio::test]
async fn the_socket_is_private_from_the_moment_it_is_created() {
    let (dir, database) = shared();
    let library = preload(dir.path(), "no_chmod");
    let log = dir.path().join("log");
    let _server = Process::prepared(&database, &log, |command| {
        command.env("LD_PRELOAD", &library);
    });
    let mode = fs::metadata(database.with_extension("db.sock"))
        .expect("the server has a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(rejoin(&database, &["sessions"]).await.unwrap(), "");
}
