//! A storm of logins: it takes little memory and leaves the processors to the chat, and whoever
//! goes away makes room.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Device, Process, TestServer, slow_password, until};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_logins_at_once_take_the_memory_of_a_few() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(&dir.path().join("rejoin.db"), &["--login-limit", "off"]);
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    server
        .device()
        .login("alice", "a wrong one")
        .await
        .unwrap_err();
    let before = server.peak_memory();
    let mut problems = Vec::new();
    // In waves, for the sake of machines where a process may open few files; each is far more than
    // can wait.
    for _ in 0..4 {
        let logins = (0..250).map(|_| {
            let device = server.device();
            async move { device.login("alice", "a wrong one").await.unwrap_err() }
        });
        problems.extend(join_all(logins).await);
    }
    for problem in &problems {
        match problem.code.as_str() {
            "login_failed" => {}
            code => {
                assert_eq!((code, problem.status), ("overloaded", 503));
                // As long as those that wait take, and they wait for ten seconds at most.
                assert!(
                    problem
                        .retry_after
                        .is_some_and(|seconds| (1..=60).contains(&seconds)),
                    "{problem:?}"
                );
            }
        }
    }
    assert!(
        problems.iter().any(|problem| problem.code == "overloaded"),
        "there were too many at once"
    );
    // A thousand hashes at once would want 19 GiB; a thousand connections have something, too.
    let grown = server.peak_memory() - before;
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
    alice.snapshot().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_hashed_at_low_priority_and_all_else_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(&dir.path().join("rejoin.db"), &[]);
    let threads = server.niceness();
    let (hashing, others): (Vec<_>, Vec<_>) = threads
        .into_iter()
        .partition(|(name, _)| name.starts_with("password-"));
    assert!(
        (1..=4).contains(&hashing.len()) && hashing.iter().all(|(_, nice)| *nice >= 10),
        "{hashing:?}"
    );
    assert!(
        others.len() > 2 && others.iter().all(|(_, nice)| *nice == others[0].1),
        "{others:?}"
    );
    assert!(others[0].1 < hashing[0].1);
}

/// The line of those who wait is full of logins whose callers hang up: the next caller finds a
/// place.
#[tokio::test]
async fn whoever_hangs_up_makes_room() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let busy = slow_password(&server).await;
    let login = json!({"nick": "nobody", "password": PASSWORD}).to_string();
    let address = server.address;
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{login}",
        login.len()
    );
    let mut waiting = Vec::new();
    // Some of the four that keep the threads busy stand in the line themselves.
    let refused = async |device: Device| {
        let answer =
            tokio::time::timeout(Duration::from_millis(300), device.login("nobody", PASSWORD))
                .await;
        answer.is_ok_and(|answer| answer.unwrap_err().code == "overloaded")
    };
    while waiting.len() < 68 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        waiting.push(connection);
    }
    until("the line to be full", async || {
        refused(server.device()).await
    })
    .await;
    drop(waiting);
    let all_fit = async || {
        join_all((0..30).map(|_| refused(server.device())))
            .await
            .iter()
            .all(|refused| !refused)
    };
    until("room for many", all_fit).await;
    assert!(
        busy.iter().any(|login| !login.is_finished()),
        "there was room only when the line had been worked off"
    );
}
