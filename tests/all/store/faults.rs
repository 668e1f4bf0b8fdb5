//! The store under faults: a full disk, a disk that cannot be written, synced or read, and a
//! database that another process holds. Callers get an error, no command takes half of its effect,
//! and the server recovers by itself when the fault ends.

use std::{
    fmt::Debug,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Device, Disk, JsonAnswer, Problem, Process, TEST_TIMEOUT, TestServer, assert_integrity, until,
};

const PASSWORD: &str = "correct horse battery";

/// Alice with two devices and bob, on a server whose disk can fail.
struct Scene {
    dir: TempDir,
    disk: Disk,
    process: Process,
    alice: Device,
    phone: Device,
    bob: Device,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let process = Process::on_disk(&dir.path().join("rejoin.db"), &disk);
        let (alice, bob) = (
            process.create_session("alice").await,
            process.create_session("bob").await,
        );
        alice.send(&format!("PASS :{PASSWORD}")).await;
        let phone = process.device().login("alice", PASSWORD).await.unwrap();
        for device in [&alice, &phone, &bob] {
            device.snapshot().await;
        }
        alice.send("JOIN #all").await;
        bob.send("JOIN #all").await;
        Self {
            dir,
            disk,
            process,
            alice,
            phone,
            bob,
        }
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("rejoin.db")
    }

    /// Sends many commands at the same time. `round` makes the commands and their labels differ
    /// from those of other rounds.
    async fn act(&self, round: &str) -> Vec<Result<Value, Problem>> {
        let (channel, nick, text) = (
            format!("#{round}"),
            format!("bob-{round}"),
            format!("in round {round}"),
        );
        let mut commands = vec![
            (&self.alice, "JOIN", vec![channel.as_str()]),
            (&self.alice, "TOPIC", vec!["#all", &text]),
            (&self.alice, "AWAY", vec![&text]),
            (&self.bob, "NICK", vec![&nick]),
            (&self.bob, "PRIVMSG", vec!["#all,alice", &text]),
        ];
        for _ in 0..10 {
            commands.extend(
                [&self.alice, &self.bob].map(|device| (device, "PRIVMSG", vec!["#all", &text])),
            );
        }
        let sent = commands
            .into_iter()
            .enumerate()
            .map(|(n, (device, command, params))| {
                device.try_send_json(
                    json!({"command": command, "params": params, "label": format!("{round} {n}")}),
                )
            });
        futures_util::future::join_all(sent).await
    }

    /// Everything that the sessions can see.
    async fn seen(&self) -> Vec<Value> {
        let mut seen = vec![self.alice.get("/api/v1/channels").await];
        for device in [&self.alice, &self.phone, &self.bob] {
            let snapshot = device.snapshot().await;
            let clients = device.get("/api/v1/clients").await;
            let clients = clients
                .items()
                .iter()
                .map(|client| client["id"].clone())
                .collect();
            seen.extend(
                ["session", "channels", "directs", "cursor"].map(|field| snapshot[field].clone()),
            );
            seen.extend([clients, json!(device.poll("after=0&timeout=0").await)]);
        }
        seen
    }

    /// Kills the server, changes something on its machine, and starts it again on the same
    /// database.
    fn restarted(self, meanwhile: impl FnOnce()) -> Self {
        let Self {
            dir,
            disk,
            process,
            alice,
            phone,
            bob,
        } = self;
        process.kill();
        meanwhile();
        let process = Process::on_disk(&dir.path().join("rejoin.db"), &disk);
        let [alice, phone, bob] = [alice, phone, bob].map(|device| {
            process
                .device()
                .with_cookie(device.cookie.as_deref().unwrap())
        });
        Self {
            dir,
            disk,
            process,
            alice,
            phone,
            bob,
        }
    }
}

async fn health(process: &Process) -> Result<Value, Problem> {
    process.device().call(Method::GET, "/healthz").await
}

#[track_caller]
fn assert_refused<T: Debug>(result: Result<T, Problem>) {
    let Problem {
        status,
        code,
        retry_after,
        ..
    } = result.unwrap_err();
    assert_eq!(
        (status, code.as_str(), retry_after),
        (503, "storage_failed", Some(5))
    );
}

/// Runs a fault twice. The first time it passes, and the second time the server is killed while it
/// lasts. `fail` causes the fault and returns the function that ends it.
async fn goes_wrong<E: FnOnce()>(fail: impl Fn(&Scene) -> E) {
    let scene = Scene::new().await;
    let (alice, bob, visitor) = (&scene.alice, &scene.bob, scene.process.device());
    let tablet = visitor.login("alice", PASSWORD).await.unwrap();
    tablet.snapshot().await;
    let new = visitor.login("alice", PASSWORD).await.unwrap();
    let before = scene.seen().await;
    let start = alice.snapshot().await["cursor"].as_i64().unwrap();
    let mut stream = scene.phone.stream(&format!("after={start}")).await;
    let held = tokio::spawn({
        let bob = bob.clone();
        async move { bob.poll(&format!("after={start}&timeout=60&limit=1")).await }
    });
    scene.process.wait_for_connections(2).await;

    let end = fail(&scene);
    let (commands, password, session, login, logout) = tokio::join!(
        scene.act("one"),
        alice.try_send_json(json!({"command": "PASS", "params": ["another password", PASSWORD]})),
        visitor.try_create_session("eve"),
        visitor.login("alice", PASSWORD),
        tablet.call(Method::POST, "/api/v1/logout"),
    );
    commands
        .into_iter()
        .chain([password, logout])
        .for_each(assert_refused);
    [session, login].into_iter().for_each(assert_refused);
    assert_refused(health(&scene.process).await);
    assert_eq!(
        scene.seen().await,
        before,
        "reads go on, and no refused command took effect"
    );
    tablet.snapshot().await;
    // A first snapshot or a first poll would begin the queue, which is a write.
    assert_eq!(new.snapshot().await["cursor"], before[4]);
    new.queue().await;
    end();

    until("the server to recover", async || {
        health(&scene.process).await.is_ok()
    })
    .await;
    let answers: Vec<_> = scene
        .act("one")
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let again: Vec<_> = scene
        .act("one")
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(answers, again, "a labelled command takes effect once");
    visitor.try_create_session("eve").await.unwrap();
    visitor.login("alice", PASSWORD).await.unwrap();
    tablet.call(Method::POST, "/api/v1/logout").await.unwrap();
    let last = bob.send("PRIVMSG #all :the end").await;
    let mut made: Vec<_> = answers
        .iter()
        .chain([&last])
        .flat_map(|answer| answer.ids())
        .map(|id| id.as_i64().unwrap())
        .collect();
    made.sort();
    let mut received = Vec::new();
    while received.last().copied() != last["ids"][0].as_i64() {
        let message = tokio::time::timeout(TEST_TIMEOUT, stream.message())
            .await
            .expect("the stream delivers every event");
        let message = message.expect("the stream stays open");
        if message.source != "rejoin.server" {
            received.push(message.id);
        }
    }
    assert_eq!(received, made);
    assert!(
        made.contains(&held.await.unwrap().messages[0].id),
        "the poll delivers an event, too"
    );

    let before = scene.seen().await;
    let end = fail(&scene);
    let (commands, session) = tokio::join!(scene.act("two"), visitor.try_create_session("fay"));
    commands.into_iter().for_each(assert_refused);
    assert_refused(session);
    let scene = scene.restarted(end);
    assert_eq!(
        scene.seen().await,
        before,
        "refused commands have no effect after the restart"
    );
    scene
        .act("two")
        .await
        .into_iter()
        .for_each(|answer| drop(answer.unwrap()));
    scene.process.create_session("fay").await;
    assert_integrity(&scene.database());
}

fn on_disk(fault: &str) -> impl Fn(&Scene) -> Box<dyn FnOnce()> {
    move |scene| {
        let disk = scene.disk.clone();
        disk.fail(fault);
        Box::new(move || disk.mend())
    }
}

/// The reserve is used up as well.
#[tokio::test]
async fn a_full_disk_whose_reserve_is_used_up() {
    goes_wrong(on_disk("full")).await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_written() {
    goes_wrong(on_disk("read-only")).await;
}

/// A write that was not synced is complete in the write-ahead log. After the kill it must not count
/// as committed.
#[tokio::test]
async fn a_disk_that_does_not_sync() {
    goes_wrong(on_disk("unsynced")).await;
}

#[tokio::test]
async fn a_database_that_another_process_holds() {
    goes_wrong(|scene| {
        let other = Connection::open(scene.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        move || drop(other)
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_read() {
    let scene = Scene::new().await;
    let before = scene.seen().await;
    // This message is new, so no reader has its page in memory.
    scene.bob.send("PRIVMSG #all :hello").await;
    scene.disk.fail("unreadable");
    for _ in 0..8 {
        assert_refused(scene.alice.call(Method::GET, "/api/v1/session").await);
    }
    assert_refused(health(&scene.process).await);
    scene.disk.mend();
    assert_ne!(scene.seen().await, before);
    until("the server to recover", async || {
        health(&scene.process).await.is_ok()
    })
    .await;
    scene.bob.send("PRIVMSG #all :hello again").await;
}

/// Anyone may request the health, so the check must not keep the disk busy, even if callers hang up
/// at once.
#[tokio::test]
async fn the_health_check_writes_at_most_once_a_second() {
    let server = TestServer::start().await;
    server.create_session("alice").await;
    let log = || {
        std::fs::metadata(server.database().with_extension("db-wal"))
            .unwrap()
            .len()
    };
    let (before, started) = (log(), Instant::now());
    let ask = || server.device().request(Method::GET, "/healthz").send();
    for _ in 0..20 {
        // The caller hangs up in the middle of its request.
        let _ = tokio::time::timeout(Duration::from_micros(500), ask()).await;
        assert_eq!(ask().await.unwrap().status(), 200);
    }
    // A frame of the write-ahead log is one page and its header of 24 bytes.
    let written = (log() - before) / (4096 + 24);
    assert!(
        (1..=1 + started.elapsed().as_secs()).contains(&written),
        "{written} pages were written"
    );
}
