//! Only one process at a time uses a database. Servers and subcommands wait for each other, and a
//! refusal names the process that holds the lock.

use std::{fs::File, io::Write, path::PathBuf};

use futures_util::future::{join, join_all};

use crate::support::{Process, TestServer, rejoin};

fn stopped() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    assert!(Process::start(&database, &[]).terminate().success());
    (dir, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn subcommands_without_a_server_wait_for_each_other() {
    let (_dir, database) = stopped();
    let add =
        async |n: usize| rejoin(&database, &["app", "add", "--name", &format!("app {n}")]).await;
    let added = join_all((0..8).map(add)).await;
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    assert_eq!(
        rejoin(&database, &["app", "list", "--json"])
            .await
            .unwrap()
            .lines()
            .count(),
        8
    );
}

/// A subcommand that succeeds takes effect once, and one that fails has no effect, whichever
/// process holds the database at the time.
#[tokio::test(flavor = "multi_thread")]
async fn subcommands_race_the_start_and_the_stop_of_a_server() {
    let (_dir, database) = stopped();
    let mut done = 0;
    for round in 0..4 {
        let add = async |n: usize| {
            rejoin(
                &database,
                &["app", "add", "--name", &format!("app {round} {n}")],
            )
            .await
        };
        let serve = tokio::task::spawn_blocking({
            let database = database.clone();
            move || Process::start(&database, &[]).terminate()
        });
        let (served, added) = join(serve, join_all((0..6).map(add))).await;
        assert!(served.unwrap().success());
        assert!(added.iter().all(Result::is_ok), "{added:?}");
        done += added.len();
    }
    assert_eq!(
        rejoin(&database, &["app", "list", "--json"])
            .await
            .unwrap()
            .lines()
            .count(),
        done
    );
}

#[tokio::test]
async fn a_second_server_is_refused_at_once_under_any_name_of_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let (database, link) = (dir.path().join("rejoin.db"), dir.path().join("link.db"));
    let server = Process::start(&database, &[]);
    std::os::unix::fs::symlink(&database, &link).unwrap();
    for name in [&database, &link] {
        let said = Process::refused(name, &[]);
        let holder = format!(
            "is in use by another process: a rejoin server, process {}",
            server.id()
        );
        assert!(said.contains(&holder), "{said}");
    }
    server.create_session("alice").await;
    assert!(
        rejoin(&link, &["sessions"])
            .await
            .unwrap()
            .contains("alice"),
        "the same server answers"
    );
}

/// Each process waits for its time-out, and then names the process that holds the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_waits_for_a_locked_database_and_then_gives_up() {
    let (_dir, database) = stopped();
    let mut other = File::create(database.with_extension("db.lock")).unwrap();
    other.lock().unwrap();
    writeln!(other, "the subcommand `rejoin backup`, process 4711").unwrap();
    let path = database.clone();
    let server = tokio::task::spawn_blocking(move || Process::refused(&path, &[]));
    let (server, subcommand) = join(server, rejoin(&database, &["sessions"])).await;
    for said in [server.unwrap(), subcommand.unwrap_err()] {
        assert!(
            said.contains(
                "in use by another process: the subcommand `rejoin backup`, process 4711"
            ),
            "{said}"
        );
    }
    drop(other);
    rejoin(&database, &["sessions"]).await.unwrap();
}

#[tokio::test]
async fn the_lock_and_the_socket_must_not_be_links() {
    let (dir, database) = stopped();
    let precious = dir.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    let lock = database.with_extension("db.lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&precious, &lock).unwrap();
    assert!(
        rejoin(&database, &["sessions"])
            .await
            .unwrap_err()
            .contains("cannot be locked")
    );
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
}

#[tokio::test]
async fn a_request_during_the_stop_is_answered() {
    let mut server = TestServer::start().await;
    server.create_session("alice").await;
    let database = server.database();
    let (told, ()) = join(rejoin(&database, &["sessions"]), server.stop()).await;
    assert!(told.unwrap().contains("alice"));
}
