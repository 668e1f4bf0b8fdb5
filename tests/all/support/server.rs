//! A server in this process. It starts and stops like the program, and the test moves its clock.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use rejoin::{
    chat::Chat,
    config::{Config, Patience},
    control::ControlSocket,
    http::Server,
    model::{Clock, Timestamp},
    session::Core,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::Device;

/// The time at which every test begins, in milliseconds since the epoch.
const START: i64 = 1_795_000_000_000;

pub struct TestServer {
    pub address: SocketAddr,
    /// The listener stays open over a restart, so that no other program takes the port meanwhile.
    listener: std::net::TcpListener,
    args: Vec<String>,
    patience: Patience,
    dir: Arc<TempDir>,
    /// The milliseconds passed since [`START`], and the milliseconds by which the wall clock is set
    /// wrong.
    passed: Arc<AtomicI64>,
    wrong: Arc<AtomicI64>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    /// The chat of the running server.
    chat: Weak<Chat>,
}

impl TestServer {
    /// A server with an empty database and without the flood limit.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with further flags.
    pub async fn with(args: &[&str]) -> Self {
        Self::with_patience(args, Patience::default()).await
    }

    /// The same with other time-outs of connections.
    pub async fn with_patience(args: &[&str], patience: Patience) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (passed, wrong) = Default::default();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Self {
            address,
            listener,
            args,
            patience,
            dir,
            passed,
            wrong,
            running: None,
            chat: Weak::new(),
        };
        server.run().await;
        server
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("rejoin.db")
    }

    /// The number of rows of a table, or of a table and a condition.
    pub fn rows(&self, table: &str) -> i64 {
        let database = rusqlite::Connection::open(self.database()).unwrap();
        database
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The running server's core, for operations of the operator.
    pub fn core(&self) -> Arc<Core> {
        self.chat().core.clone()
    }

    /// The running server's chat, for operations of the operator.
    pub fn chat(&self) -> Arc<Chat> {
        self.chat.upgrade().unwrap()
    }

    /// The wall clock's time.
    pub fn now(&self) -> Timestamp {
        Timestamp(START + self.passed.load(Ordering::Relaxed) + self.wrong.load(Ordering::Relaxed))
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.passed
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Sets the wall clock forward or back by a number of seconds. No time passes.
    pub fn set_clock(&self, seconds: i64) {
        self.wrong.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Stops the server as SIGTERM does. Accepted commands are committed.
    pub async fn stop(&mut self) {
        let (stop, server) = self.running.take().unwrap();
        stop.send(true).unwrap();
        server.await.unwrap();
    }

    /// Stops the server and starts it on the same database and the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    /// Starts the server again after `stop`.
    pub async fn run(&mut self) {
        let database = self.database().display().to_string();
        let listen = self.address.to_string();
        let mut args = ["rejoin", "--database", &database, "--listen", &listen]
            .map(str::to_owned)
            .to_vec();
        if !self.args.contains(&"--flood-limit".to_owned()) {
            args.extend(["--flood-limit", "off"].map(str::to_owned));
        }
        let config = Config {
            patience: self.patience,
            ..Config::parse_from(args.iter().chain(&self.args))
        };
        let listener = TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let passed = self.passed.clone();
        let steady =
            move || Duration::from_millis(passed.load(Ordering::Relaxed).try_into().unwrap());
        let (passed, wrong) = (self.passed.clone(), self.wrong.clone());
        let now = move || {
            Timestamp(START + passed.load(Ordering::Relaxed) + wrong.load(Ordering::Relaxed))
        };
        let clock = Clock::new(now, steady);
        let server = Server::open(config, self.address, clock.clone()).unwrap();
        let (door, service) = (
            ControlSocket::open(&self.database()).unwrap(),
            server.service(),
        );
        self.chat = Arc::downgrade(&service.chat);
        let (stop, mut stopped) = watch::channel(false);
        let mut stopping = stopped.clone();
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let stopping = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
        let running = tokio::spawn(async move {
            let (served, ()) = tokio::join!(
                server.serve(listener, shutdown),
                door.serve(service, clock, stopping)
            );
            served.unwrap();
        });
        self.running = Some((stop, running));
    }

    /// Waits until exactly `count` held polls and streams are connected.
    pub async fn wait_for_connections(&self, count: usize) {
        self.device()
            .wait_for_metric(&format!("rejoin_connections {count}"))
            .await;
    }

    /// Waits until the metrics contain a line.
    pub async fn wait_for_metric(&self, line: &str) {
        self.device().wait_for_metric(line).await;
    }

    /// Waits until the maintenance has removed the expired clients and exactly this number is live.
    pub async fn wait_for_clients(&self, left: usize) {
        self.device()
            .wait_for_metric(&format!("rejoin_clients {left}"))
            .await;
    }

    /// A device with a new session.
    pub async fn create_session(&self, nick: &str) -> Device {
        Device::create_session(self.url(""), nick).await
    }

    /// New sessions that have joined a channel. The first one is its op.
    pub async fn sessions_on<const N: usize>(
        &self,
        channel: &str,
        nicks: [&str; N],
    ) -> [Device; N] {
        let mut people = Vec::new();
        for nick in nicks {
            people.push(self.create_session(nick).await);
        }
        for person in &people {
            person.send(&format!("JOIN {channel}")).await;
        }
        people.try_into().unwrap()
    }

    /// Sets a session's password and logs in a second device, whose queue has begun.
    pub async fn phone_of(&self, person: &Device, nick: &str) -> Device {
        person.send("PASS :correct horse battery").await;
        let phone = self.login(nick, "correct horse battery").await;
        phone.snapshot().await;
        phone
    }

    /// A device that has no session.
    pub fn device(&self) -> Device {
        Device::new(self.url(""))
    }

    /// Logs in one more device of a session.
    pub async fn login(&self, nick: &str, password: &str) -> Device {
        self.device().login(nick, password).await.unwrap()
    }
}
