//! A storm of logins takes little memory and leaves the processors to the chat. A caller who hangs
//! up frees its place.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Device, Process, TestServer, slow_password, until};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_simultaneous_logins_take_the_memory_of_a_few() {
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
    // The logins come in waves, because some machines allow a process few files. Each wave is far
    // larger than the queue of waiting logins.
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
                // Retry-After is the time that the waiting logins take. They wait for ten seconds
                // at most.
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
    // A thousand hashes at once would take 19 GiB. A thousand connections take some memory
    // themselves.
    let grown = server.peak_memory() - before;
    assert!(grown < 128 << 20, "it grew by {} MiB", grown >> 20);
    alice.snapshot().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn only_password_hashing_runs_at_low_priority() {
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

/// The queue of waiting logins is full, and all of their callers hang up. The next caller finds a
/// free place.
#[tokio::test]
async fn a_caller_who_hangs_up_frees_its_place() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let busy = slow_password(&server).await;
    let login = json!({"nick": "nobody", "password": PASSWORD}).to_string();
    let address = server.address;
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{login}",
        login.len()
    );
    let mut waiting = Vec::new();
    // Some of the four logins that keep the threads busy are waiting in the queue themselves.
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
    until("the queue of logins to be full", async || {
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
    until("many free places", all_fit).await;
    assert!(
        busy.iter().any(|login| !login.is_finished()),
        "a place became free only when the queue was worked off"
    );
}
