//! A server on a small disk, and the assertions about what works there.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Device, Problem, Process, SmallDisk, until};

/// The size of a whole reserve, in bytes.
pub const RESERVE: u64 = 16 << 20;

/// A server on a small disk.
pub struct FullDiskServer {
    tools: TempDir,
    folder: TempDir,
    pub disk: SmallDisk,
    starts: usize,
}

impl FullDiskServer {
    pub fn new(bytes: u64) -> Self {
        let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = SmallDisk::new(tools.path(), folder.path(), bytes);
        Self {
            tools,
            folder,
            disk,
            starts: 0,
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("rejoin.db")
    }

    pub fn start(&mut self) -> Process {
        self.starts += 1;
        Process::prepared(&self.database(), &self.log(), |command| {
            self.disk
                .under(command.args(["--storage-limit", "off", "--login-limit", "off"]));
        })
    }

    /// The log file of the last start.
    fn log(&self) -> PathBuf {
        self.tools.path().join(format!("log{}", self.starts))
    }

    /// How many times the log contains `what`.
    pub fn told(&self, what: &str) -> usize {
        std::fs::read_to_string(self.log())
            .unwrap()
            .matches(what)
            .count()
    }

    pub fn reserve(&self) -> u64 {
        self.database()
            .with_extension("db.reserve")
            .metadata()
            .unwrap()
            .len()
    }

    /// Fills the disk with a file, and then with messages until the server refuses the next one.
    pub async fn fill(&self, speaker: &Device, channel: &str) {
        self.disk.fill();
        let line = format!("PRIVMSG {channel} :{}", "x".repeat(4000));
        until("the disk to be full", async || {
            speaker.try_send(&line).await.map_err(assert_full).is_err()
        })
        .await;
    }

    #[track_caller]
    pub fn assert_one_file(&self) {
        for log in ["db-wal", "db-shm"] {
            assert!(
                !self.database().with_extension(log).exists(),
                "there is {log}"
            );
        }
    }
}

#[track_caller]
pub fn assert_full(problem: Problem) {
    assert_eq!(
        (problem.status, problem.code.as_str(), problem.retry_after),
        (503, "storage_failed", Some(5))
    );
}

#[track_caller]
pub fn assert_refused(what: &str, result: Result<Value, Problem>) {
    match result {
        Err(problem) if problem.code == "storage_failed" => assert_full(problem),
        other => panic!("{what} is not refused: {other:?}"),
    }
}

#[track_caller]
pub fn assert_done(what: &str, result: Result<Value, Problem>) {
    result.unwrap_or_else(|problem| panic!("{what}: {problem:?}"));
}

pub async fn health(process: &Process) -> Result<Value, Problem> {
    process.device().call(Method::GET, "/healthz").await
}

/// Waits until the server has noticed that there is space again.
pub async fn well(process: &Process) {
    until("the server to recover", async || {
        health(process).await.is_ok()
    })
    .await;
}

/// Asserts that every command that adds something to a session or to the server is refused.
pub async fn assert_nothing_is_added(somebody: &Device) {
    let bob = somebody;
    for line in [
        "PRIVMSG #room :hello",
        "PRIVMSG alice :hello",
        "JOIN #new",
        "NICK robert",
        "TOPIC #room :news",
        "AWAY :lunch",
        "MODE #own +b eve!*@*",
        "INVITE dave #own",
        "MARKREAD #room 1",
        "SILENCE +eve",
    ] {
        assert_refused(line, bob.try_send(line).await);
    }
    let labelled = json!({"command": "PRIVMSG", "params": ["#room", "hello"], "label": "1"});
    assert_refused("a labelled message", bob.try_send_json(labelled).await);
    assert_refused(
        "a key",
        bob.post("/api/v1/keys", json!({"name": "k", "scope": "chat:read"}))
            .await,
    );
    assert_refused(
        "a session",
        Device::new(bob.base.clone())
            .try_create_session("zoe")
            .await
            .map(|_| Value::Null),
    );
    // A NOTICE never returns an error of the chat. This error is one of the server, so it is
    // returned.
    assert_refused("a notice", bob.try_send("NOTICE #room :hello").await);
}

/// Asserts that every command that only reads works.
pub async fn assert_everything_is_read(device: &Device) {
    for path in [
        "/api/v1/session",
        "/api/v1/messages?timeout=0",
        "/api/v1/messages?timeout=0&after=1",
        "/api/v1/history?target=%23room",
        "/api/v1/history?target=bob",
        "/api/v1/clients",
        "/api/v1/keys",
        "/api/v1/grants",
        "/api/v1/audit",
        "/api/v1/channels",
        "/api/v1/server",
        "/login",
        "/metrics",
    ] {
        assert_done(path, device.call(Method::GET, path).await);
    }
    for line in [
        "LIST",
        "NAMES #room",
        "WHO #room",
        "WHOIS bob",
        "TOPIC #room",
        "MODE #room",
        "SILENCE",
        "PING 1",
        "ACK 1",
    ] {
        assert_done(line, device.try_send(line).await);
    }
    let labelled = json!({"command": "MODE", "params": ["#room", "b"], "label": "a question"});
    assert_done(
        "a question with a label",
        device.try_send_json(labelled).await,
    );
}
